#include "libssl/refuse.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "libssl/versions.h"
#include "os/clock.h"

#define OP_NO_VERSION	    0x3e000000U /* SSL_OP_NO_SSLv3 to SSL_OP_NO_TLSv1_3 */
#define OP_NO_RENEGOTIATION 0x40000000U /* SSL_OP_NO_RENEGOTIATION */

static void set_options(const struct rg_libssl *lib, struct ssl_st *ssl, uint32_t bits,
			struct rg_refusal *refusal)
{
	uint32_t added = bits & ~(uint32_t)rg_libssl_options(lib, ssl);

	rg_libssl_set_options(lib, ssl, added);
	refusal->options |= added;
}

/*
 * The names in SSL's cipher list that begin with PREFIX, as SSL_set_cipher_list(3) and
 * SSL_set_ciphersuites(3) take them. Allocated by libssl, since another process may restore them
 * (guard/states.h). NULL if they cannot be told.
 */
static char *cipher_names(const struct rg_libssl *lib, const struct ssl_st *ssl, const char *prefix)
{
	size_t bytes = 1, prefix_bytes = strlen(prefix);
	const char *name;
	char *names, *end;

	if (lib->SSL_get_cipher_list == NULL)
		return NULL;
	for (int i = 0; (name = lib->SSL_get_cipher_list(ssl, i)) != NULL; i++)
		bytes += strlen(name) + 1;
	names = end = rg_libssl_allocate(lib, bytes);
	if (names == NULL)
		return NULL;
	*end = '\0';
	for (int i = 0; (name = lib->SSL_get_cipher_list(ssl, i)) != NULL; i++) {
		if (strncmp(name, prefix, prefix_bytes) != 0)
			continue;
		if (end != names)
			*end++ = ':';
		end = stpcpy(end, name);
	}
	return names;
}

/*
 * In a session id context in which no session was ever made, libssl treats every offer as a miss.
 * The context must be unique on this machine: forked workers share their ticket keys, and so their
 * sessions.
 */
void rg_libssl_decline(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	static _Atomic uint64_t serial;
	uint64_t context[] = {(uint64_t)getpid(), rg_clock_ns(), atomic_fetch_add(&serial, 1)};

	lib->ERR_set_mark();
	(void)lib->SSL_set_session_id_context(ssl, (const unsigned char *)context, sizeof context);
	lib->ERR_pop_to_mark();
}

/* Leave SSL no cipher that a peer worth serving shares, in any build of any version. */
static void leave_null_ciphers(const struct rg_libssl *lib, struct ssl_st *ssl,
			       struct rg_refusal *refusal)
{
	if (refusal->ciphers == NULL)
		refusal->ciphers = cipher_names(lib, ssl, "");
	lib->ERR_set_mark();
	(void)lib->SSL_set_cipher_list(ssl, "NULL-SHA256:NULL-SHA");
	lib->ERR_pop_to_mark();
}

/* Leave no session either: a session of TLS 1.2 brings its own cipher, and the list is ignored. */
static void leave_no_cipher(const struct rg_libssl *lib, struct ssl_st *ssl,
			    struct rg_refusal *refusal)
{
	leave_null_ciphers(lib, ssl, refusal);
	rg_libssl_decline(lib, ssl);
	refusal->session_context = true;
}

void rg_libssl_refuse_renegotiation(const struct rg_libssl *lib, struct ssl_st *ssl,
				    struct rg_refusal *refusal)
{
	if (lib->number >= RG_OPENSSL_1_1_1)
		set_options(lib, ssl, OP_NO_RENEGOTIATION, refusal);
	else
		leave_no_cipher(lib, ssl, refusal);
}

/*
 * TLS 1.3 was agreed on before HelloRetryRequest, and libssl does not look at the versions again.
 * It chooses the cipher again. The first 1.1.1 (2018) heeds SSL_set_ciphersuites only on an SSL
 * that has a cipher list of its own: the other call gives it one.
 */
static void leave_no_ciphersuite(const struct rg_libssl *lib, struct ssl_st *ssl,
				 struct rg_refusal *refusal)
{
	if (lib->SSL_set_ciphersuites == NULL)
		return;
	if (refusal->ciphersuites == NULL)
		refusal->ciphersuites = cipher_names(lib, ssl, "TLS_");
	(void)lib->SSL_set_ciphersuites(ssl, "");
	leave_null_ciphers(lib, ssl, refusal);
}

void rg_libssl_refuse_handshake(const struct rg_libssl *lib, struct ssl_st *ssl, bool retried,
				struct rg_refusal *refusal)
{
	if (lib->number < RG_OPENSSL_1_1_1) {
		leave_no_cipher(lib, ssl, refusal);
		return;
	}
	set_options(lib, ssl, OP_NO_VERSION, refusal);
	if (retried)
		leave_no_ciphersuite(lib, ssl, refusal);
}

void rg_libssl_refuse_after_cookie(const struct rg_libssl *lib, struct ssl_st *ssl,
				   struct rg_refusal *refusal)
{
	leave_no_cipher(lib, ssl, refusal);
}

void rg_libssl_restore(const struct rg_libssl *lib, struct ssl_st *ssl, struct rg_refusal *refusal)
{
	rg_libssl_clear_options(lib, ssl, refusal->options);
	if (refusal->ciphers != NULL) {
		lib->ERR_set_mark();
		(void)lib->SSL_set_cipher_list(ssl, refusal->ciphers);
		lib->ERR_pop_to_mark();
	}
	if (refusal->ciphersuites != NULL)
		(void)lib->SSL_set_ciphersuites(ssl, refusal->ciphersuites);
	rg_libssl_drop_refusal(lib, refusal);
}

void rg_libssl_drop_refusal(const struct rg_libssl *lib, struct rg_refusal *refusal)
{
	if (refusal->ciphers != NULL)
		rg_libssl_free(lib, refusal->ciphers);
	if (refusal->ciphersuites != NULL)
		rg_libssl_free(lib, refusal->ciphersuites);
	*refusal = (struct rg_refusal){0};
}
