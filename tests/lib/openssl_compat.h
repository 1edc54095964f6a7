// What the tests use of OpenSSL 3.0, for the headers of 1.1.1 (Debian 11). An option that 1.1.1 does
// not know is 0: it always behaves so.
#ifndef TESTS_LIB_OPENSSL_COMPAT_H
#define TESTS_LIB_OPENSSL_COMPAT_H

#include <openssl/err.h>
#include <openssl/ssl.h>

#ifndef SSL_OP_IGNORE_UNEXPECTED_EOF
#define SSL_OP_IGNORE_UNEXPECTED_EOF 0
#endif

#if defined OPENSSL_VERSION_NUMBER && OPENSSL_VERSION_NUMBER < 0x30000000L

#define SSL_OP_ALLOW_CLIENT_RENEGOTIATION 0
#define NO_CLIENT_RENEGOTIATION SSL_OP_NO_RENEGOTIATION // what a server of 3.0 does by default

static inline unsigned long ERR_peek_error_data(const char **data, int *flags)
{
	return ERR_peek_error_line_data(NULL, NULL, data, flags);
}

static inline X509 *SSL_get0_peer_certificate(const SSL *ssl)
{
	X509 *certificate = SSL_get_peer_certificate(ssl);

	X509_free(certificate); // the SSL keeps one
	return certificate;
}

#else
#define NO_CLIENT_RENEGOTIATION 0
#endif
#endif
