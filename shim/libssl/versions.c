#include "libssl/versions.h"

#include <stdlib.h>
#include <string.h>

#include "rg_client_hello.h"

#define EX_INDEX_SSL	       0 /* CRYPTO_EX_INDEX_SSL, 1.1.0 and later */
#define OP_NO_TLS13	       0x20000000U
#define OP_COOKIE_EXCHANGE     0x00002000U /* SSL_OP_COOKIE_EXCHANGE */
#define EX_INDEX_SSL_CTX       1
#define CTRL_OPTIONS	       32      /* SSL_CTRL_OPTIONS, up to 1.0.2 */
#define CTRL_MAX_PROTO_VERSION 131     /* SSL_CTRL_GET_MAX_PROTO_VERSION */
#define DTLS_ANY	       0x1ffff /* DTLS_ANY_VERSION, before one is negotiated */
#define STATE_BEFORE	       0x4000  /* SSL_ST_BEFORE, before 1.1.0 */
#define WANT_NOTHING	       1       /* SSL_NOTHING */
#define WANT_WRITING	       2
#define WANT_READING	       3
#define BIO_SHOULD_RETRY       8 /* BIO_FLAGS_SHOULD_RETRY */

/* --- ex_data --- */

static int new_index(struct rg_libssl *lib, int (*old)(long, void *, void *, void *, void *),
		     int class, void *copy, void *release)
{
	if (old != NULL)
		return old(0, lib, NULL, copy, release);
	return lib->CRYPTO_get_ex_new_index != NULL
		   ? lib->CRYPTO_get_ex_new_index(class, 0, lib, NULL, copy, release)
		   : -1;
}

/* In 1.0.x the first index is 0. SSL_set_app_data uses it, and SSL_CTX_set_app_data (OpenSSL RT
 * 3710), so leave it to the program. Later versions reserve it themselves. */
static void leave_first_index(int (*old)(long, void *, void *, void *, void *))
{
	if (old != NULL)
		(void)old(0, NULL, NULL, NULL, NULL);
}

/*
 * SSL_dup copies ex_data, but a state belongs to one SSL. Where SSL_dup calls our SSL_new, the copy
 * TO has a state of its own by now: it keeps that, or none. *STORED is the pointer that is about to
 * be stored in TO. LIBRARY is what new_index gave.
 */
static int keep_own(struct crypto_ex_data_st *to, const struct crypto_ex_data_st *from,
		    void *stored, int index, long argl, void *library)
{
	const struct rg_libssl *lib = library;
	void *own = lib->CRYPTO_get_ex_data != NULL ? lib->CRYPTO_get_ex_data(to, index) : NULL;

	(void)from, (void)argl;
	memcpy(stored, &own, sizeof own);
	return 1;
}

int rg_libssl_take_indices(struct rg_libssl *lib, rg_ex_free *release, rg_ex_free *release_context)
{
	void *pointer, *context_pointer;

	memcpy(&pointer, &release, sizeof pointer);
	memcpy(&context_pointer, &release_context, sizeof context_pointer);
	leave_first_index(lib->SSL_CTX_get_ex_new_index);
	leave_first_index(lib->SSL_get_ex_new_index);
	lib->callback_index =
	    new_index(lib, lib->SSL_CTX_get_ex_new_index, EX_INDEX_SSL_CTX, NULL, context_pointer);
	lib->state_index =
	    new_index(lib, lib->SSL_get_ex_new_index, EX_INDEX_SSL, (void *)keep_own, pointer);
	return lib->callback_index <= 0 || lib->state_index <= 0 ? -1 : 0;
}

/* --- memory --- */

/* Every libssl has it, but LibreSSL drops such functions one by one. */
static bool has_allocator(const struct rg_libssl *lib)
{
	return lib->CRYPTO_malloc != NULL && lib->CRYPTO_free != NULL;
}

bool rg_libssl_has_foreign_allocator(const struct rg_libssl *lib)
{
	void *allocate = NULL, *reallocate, *release, *own = (void *)lib->CRYPTO_malloc;

	if (lib->CRYPTO_get_mem_functions == NULL || !has_allocator(lib) ||
	    lib->SSL_get_ex_data == NULL || lib->SSL_set_ex_data == NULL)
		return false;
	/* Before 1.1.0 the answer is malloc(3) itself, or NULL if the program's function takes a
	 * file name and a line. */
	if (lib->number < RG_OPENSSL_1_1_0)
		own = (void *)malloc;
	lib->CRYPTO_get_mem_functions(&allocate, &reallocate, &release);
	return allocate != own;
}

/* Before 1.1.0 the size is an int, and CRYPTO_free takes the pointer alone. Our sizes are small,
 * and the other arguments are ignored. */
void *rg_libssl_allocate(const struct rg_libssl *lib, size_t bytes)
{
	return has_allocator(lib) ? lib->CRYPTO_malloc(bytes, "libreneguard", 0) : malloc(bytes);
}

void rg_libssl_free(const struct rg_libssl *lib, void *memory)
{
	if (has_allocator(lib))
		lib->CRYPTO_free(memory, "libreneguard", 0);
	else
		free(memory);
}

/* --- options --- */

/*
 * The option functions take unsigned long in 1.1.x and uint64_t from 3.0 on. Before 1.1.0 there are
 * neither such functions nor the options that we set. All bits used here fit in 32.
 */
typedef uint64_t change_options64(struct ssl_st *, uint64_t);
typedef unsigned long change_options_long(struct ssl_st *, unsigned long);

static void change_options(const struct rg_libssl *lib, change_options64 *change,
			   struct ssl_st *ssl, uint32_t bits)
{
	if (change == NULL)
		return;
	if (lib->number >= RG_OPENSSL_3_0)
		(void)change(ssl, bits);
	else
		(void)((change_options_long *)(void *)change)(ssl, bits);
}

void rg_libssl_set_options(const struct rg_libssl *lib, struct ssl_st *ssl, uint32_t bits)
{
	change_options(lib, lib->SSL_set_options, ssl, bits);
}

void rg_libssl_clear_options(const struct rg_libssl *lib, struct ssl_st *ssl, uint32_t bits)
{
	change_options(lib, lib->SSL_clear_options, ssl, bits);
}

uint64_t rg_libssl_options(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	if (lib->SSL_get_options == NULL)
		return 0;
	return lib->number >= RG_OPENSSL_3_0
		   ? lib->SSL_get_options(ssl)
		   : ((unsigned long (*)(const struct ssl_st *))(void *)lib->SSL_get_options)(ssl);
}

bool rg_libssl_wants_cookies(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	/* Before 1.1.0 there is no function to ask. */
	uint64_t bits = lib->SSL_get_options != NULL
			    ? rg_libssl_options(lib, ssl)
			    : (uint64_t)lib->SSL_ctrl(ssl, CTRL_OPTIONS, 0, NULL);

	return (bits & OP_COOKIE_EXCHANGE) != 0;
}

int rg_libssl_rfd(const struct rg_libssl *lib, const struct ssl_st *ssl)
{
	return lib->SSL_get_rbio(ssl) != NULL ? lib->SSL_get_rfd(ssl) : -1;
}

int rg_libssl_wfd(const struct rg_libssl *lib, const struct ssl_st *ssl)
{
	return lib->SSL_get_wbio(ssl) != NULL ? lib->SSL_get_wfd(ssl) : -1;
}

bool rg_libssl_is_dtls(const struct rg_libssl *lib, const struct ssl_st *ssl)
{
	int version = lib->SSL_version(ssl);

	return version >> 8 == RG_DTLS_MAJOR || version == DTLS_ANY;
}

bool rg_libssl_decrypts_hellos(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	void *keys;

	if (lib->SSL_get1_echstore == NULL || lib->OSSL_ECHSTORE_free == NULL)
		return false;
	keys = lib->SSL_get1_echstore(ssl);
	lib->OSSL_ECHSTORE_free(keys);
	return keys != NULL;
}

/* --- what a connection can be asked --- */

bool rg_libssl_speaks_tls13(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	long newest;

	if (lib->number < RG_OPENSSL_1_1_1 || (rg_libssl_options(lib, ssl) & OP_NO_TLS13) != 0)
		return false;
	newest = lib->SSL_ctrl(ssl, CTRL_MAX_PROTO_VERSION, 0, NULL);
	return newest == 0 || newest >= RG_TLS13;
}

void rg_libssl_note_bytes_read(const struct rg_libssl *lib, struct ssl_st *ssl,
			       struct rg_bytes_read *now)
{
	struct bio_st *bio = lib->SSL_get_rbio(ssl);

	now->bio = bio;
	now->bytes = bio != NULL ? lib->BIO_number_read(bio) : 0;
}

bool rg_libssl_has_read(const struct rg_libssl *lib, struct ssl_st *ssl,
			const struct rg_bytes_read *before)
{
	struct rg_bytes_read now;

	if (rg_libssl_is_dtls(lib, ssl))
		return false;
	rg_libssl_note_bytes_read(lib, ssl, &now);
	return now.bytes > (now.bio == before->bio ? before->bytes : 0);
}

/* As SSL_get_error(3), but without the error queue, which may hold entries of others. */
bool rg_libssl_has_failed(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	struct bio_st *bio;

	switch (lib->SSL_want(ssl)) {
	case WANT_NOTHING:
		return true;
	case WANT_READING:
		bio = lib->SSL_get_rbio(ssl);
		break;
	case WANT_WRITING:
		bio = lib->SSL_get_wbio(ssl);
		break;
	default:
		return false;
	}
	return bio == NULL || lib->BIO_test_flags(bio, BIO_SHOULD_RETRY) == 0;
}

bool rg_libssl_is_whole_when_freed(const struct rg_libssl *lib)
{
	return lib->number < RG_OPENSSL_3_2;
}

/* SSL_in_before is a function since 1.1.0, and SSL_state was one until then. */
bool rg_libssl_has_begun(const struct rg_libssl *lib, const struct ssl_st *ssl)
{
	if (lib->SSL_in_before != NULL)
		return !lib->SSL_in_before(ssl);
	return lib->SSL_state == NULL || (lib->SSL_state(ssl) & STATE_BEFORE) == 0;
}

/* The same test as libssl's own SSL_IS_FIRST_HANDSHAKE. */
bool rg_libssl_is_pristine(const struct rg_libssl *lib, const struct ssl_st *ssl)
{
	unsigned char nothing;

	return lib->SSL_get_finished(ssl, &nothing, 0) == 0 ||
	       lib->SSL_get_peer_finished(ssl, &nothing, 0) == 0;
}

/* Does FUNCTION, which libssl may lack, return METHOD? */
static bool returns(const struct ssl_method_st *(*function)(void),
		    const struct ssl_method_st *method)
{
	return function != NULL && method != NULL && function() == method;
}

bool rg_libssl_is_client_method(const struct rg_libssl *lib, const struct ssl_method_st *method)
{
	return returns(lib->TLS_client_method, method);
}

bool rg_libssl_is_quic_method(const struct rg_libssl *lib, const struct ssl_method_st *method)
{
	return returns(lib->OSSL_QUIC_server_method, method) ||
	       returns(lib->OSSL_QUIC_client_method, method) ||
	       returns(lib->OSSL_QUIC_client_thread_method, method);
}
