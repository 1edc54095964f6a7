// report(WHAT, SSL, RESULT) prints what a call returned, what SSL_get_error and errno said of it,
// and the whole error queue. It leaves errno 0 and the queue empty.
#ifndef TESTS_LIB_ODDREPORT_H
#define TESTS_LIB_ODDREPORT_H

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

static void report(const char *what, SSL *ssl, int result)
{
	int saved = errno;
	unsigned long error;

	printf("%s: %d", what, result);
	// libssl itself crashes if it is asked about an SSL without a BIO.
	if (ssl != NULL && SSL_get_rbio(ssl) != NULL && SSL_get_wbio(ssl) != NULL)
		printf(" error=%d", SSL_get_error(ssl, result));
	printf(" errno=%d queue=", saved);
	while ((error = ERR_get_error()) != 0)
		printf("%lx,", error);
	putchar('\n');
	errno = 0;
}

#endif
