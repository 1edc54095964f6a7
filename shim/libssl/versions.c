/*
 * How versions of libssl differ: what is an option word, an error, an index, and which public call
 * makes which version refuse a handshake. Facts about a version are named where they are used;
 * nothing else in this library knows any.
 */
#include "libssl/libssl.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/process.h"

#define LIB_SSL		       20 /* ERR_LIB_SSL, in every version */
#define VERSION_111	       0x10101000UL
#define VERSION_300	       0x30000000UL
#define VERSION_320	       0x30200000UL
#define EX_INDEX_SSL	       0 /* CRYPTO_EX_INDEX_SSL, 1.1.0 and later */
#define OP_NO_TLS13	       0x20000000U
#define OP_NO_VERSION	       0x3e000000U /* SSL_OP_NO_SSLv3 to SSL_OP_NO_TLSv1_3 */
#define TLS13		       0x0304
#define BIO_READ	       2 /* BIO_CB_READ */
#define EX_INDEX_SSL_CTX       1
#define CTRL_MAX_PROTO_VERSION 131 /* SSL_CTRL_GET_MAX_PROTO_VERSION */
#define OP_NO_RENEGOTIATION    0x40000000U
#define DTLS_MAJOR	       0xfe
#define DTLS_ANY	       0x1ffff /* DTLS_ANY_VERSION, before one is agreed upon */
#define WANT_NOTHING	       1       /* SSL_NOTHING */
#define WANT_WRITING	       2
#define WANT_READING	       3
#define BIO_SHOULD_RETRY       8 /* BIO_FLAGS_SHOULD_RETRY */

static int new_index(const struct rg_libssl *lib, int (*old)(long, void *, void *, void *, void *),
		     int class, void *release)
{
	if (old != NULL)
		return old(0, NULL, NULL, NULL, release);
	return lib->CRYPTO_get_ex_new_index != NULL
		   ? lib->CRYPTO_get_ex_new_index(class, 0, NULL, NULL, NULL, release)
		   : -1;
}

int rg_libssl_take_indices(struct rg_libssl *lib, rg_ex_free *release, rg_ex_free *release_context)
{
	void *pointer, *context_pointer;
	int index;

	memcpy(&pointer, &release, sizeof pointer);
	memcpy(&context_pointer, &release_context, sizeof context_pointer);
	index = new_index(lib, lib->SSL_CTX_get_ex_new_index, EX_INDEX_SSL_CTX, context_pointer);
	/* In 1.0.x the first index is 0, the very one of SSL_CTX_set_app_data (OpenSSL RT 3710): it
	 * stays the program's. */
	if (index == 0)
		index = new_index(lib, lib->SSL_CTX_get_ex_new_index, EX_INDEX_SSL_CTX, NULL);
	lib->callback_index = index;
	/* Nothing is stored under this one, so it may well be 0: what counts is to be told when an
	 * SSL is freed. */
	return index <= 0 || new_index(lib, lib->SSL_get_ex_new_index, EX_INDEX_SSL, pointer) < 0
		   ? -1
		   : 0;
}

/*
 * The option words: functions of unsigned long in 1.1.x, of uint64_t from 3.0 on; before 1.1.0
 * there is no function and none of the options below. All bits in use here fit in 32.
 */
typedef uint64_t change_options64(struct ssl_st *, uint64_t);
typedef unsigned long change_options_long(struct ssl_st *, unsigned long);

static void change_options(const struct rg_libssl *lib, change_options64 *change,
			   struct ssl_st *ssl, uint32_t bits)
{
	if (change == NULL)
		return;
	if (lib->number >= VERSION_300)
		(void)change(ssl, bits);
	else
		(void)((change_options_long *)(void *)change)(ssl, bits);
}

static uint64_t options(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	if (lib->SSL_get_options == NULL)
		return 0;
	return lib->number >= VERSION_300
		   ? lib->SSL_get_options(ssl)
		   : ((unsigned long (*)(const struct ssl_st *))(void *)lib->SSL_get_options)(ssl);
}

bool rg_libssl_speaks_tls13(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	long newest;

	if (lib->number < VERSION_111 || (options(lib, ssl) & OP_NO_TLS13) != 0)
		return false;
	newest = lib->SSL_ctrl(ssl, CTRL_MAX_PROTO_VERSION, 0, NULL);
	return newest == 0 || newest >= TLS13;
}

static void set_options(const struct rg_libssl *lib, struct ssl_st *ssl, uint32_t bits,
			struct rg_refusal *refusal)
{
	uint32_t fresh = bits & ~(uint32_t)options(lib, ssl);

	change_options(lib, lib->SSL_set_options, ssl, fresh);
	refusal->options |= fresh;
}

/* The cipher list, in the words SSL_set_cipher_list takes, on the heap; NULL where it can not be
 * told. */
static char *cipher_names(const struct rg_libssl *lib, const struct ssl_st *ssl)
{
	const char *name;
	size_t bytes = 1;
	char *names, *end;

	if (lib->SSL_get_cipher_list == NULL)
		return NULL;
	for (int i = 0; (name = lib->SSL_get_cipher_list(ssl, i)) != NULL; i++)
		bytes += strlen(name) + 1;
	names = end = malloc(bytes);
	if (names == NULL)
		return NULL;
	*end = '\0';
	for (int i = 0; (name = lib->SSL_get_cipher_list(ssl, i)) != NULL; i++) {
		if (i != 0)
			*end++ = ':';
		end = stpcpy(end, name);
	}
	return names;
}

/*
 * In a context that no session was ever made in every offer is a miss: unique on this machine, for
 * forked workers share the keys of their tickets, and so their sessions.
 */
void rg_libssl_decline(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	static _Atomic uint64_t serial;
	uint64_t context[] = {(uint64_t)getpid(), rg_process_now_ns(),
			      atomic_fetch_add(&serial, 1)};

	lib->ERR_set_mark();
	(void)lib->SSL_set_session_id_context(ssl, (const unsigned char *)context, sizeof context);
	lib->ERR_pop_to_mark();
}

/*
 * No cipher to share: no build of any version shares these with a peer that is worth talking to.
 * Nor a session, which would bring its own cipher (1.0.x does not look at the list then).
 */
static void leave_nothing(const struct rg_libssl *lib, struct ssl_st *ssl,
			  struct rg_refusal *refusal)
{
	if (refusal->ciphers == NULL)
		refusal->ciphers = cipher_names(lib, ssl);
	lib->ERR_set_mark();
	(void)lib->SSL_set_cipher_list(ssl, "NULL-SHA256:NULL-SHA");
	lib->ERR_pop_to_mark();
	rg_libssl_decline(lib, ssl);
}

void rg_libssl_refuse_renegotiation(const struct rg_libssl *lib, struct ssl_st *ssl,
				    struct rg_refusal *refusal)
{
	if (lib->number >= VERSION_111)
		set_options(lib, ssl, OP_NO_RENEGOTIATION, refusal);
	else
		leave_nothing(lib, ssl, refusal);
}

void rg_libssl_refuse_handshake(const struct rg_libssl *lib, struct ssl_st *ssl,
				struct rg_refusal *refusal)
{
	if (lib->number >= VERSION_111)
		set_options(lib, ssl, OP_NO_VERSION, refusal);
	else
		leave_nothing(lib, ssl, refusal);
}

static long fail_reads(struct bio_st *bio, int operation, const char *data, int size, long argument,
		       long result)
{
	(void)bio, (void)data, (void)size, (void)argument;
	return operation == BIO_READ ? -1 : result;
}

static long fail_reads_ex(struct bio_st *bio, int operation, const char *data, size_t bytes,
			  int size, long argument, int result, size_t *processed)
{
	(void)bio, (void)data, (void)bytes, (void)size, (void)argument, (void)processed;
	return operation == BIO_READ ? -1 : result;
}

/* CALLBACK_EX from 1.1.1 on, CALLBACK before. */
static void set_bio_callback(const struct rg_libssl *lib, struct ssl_st *ssl, void *callback_ex,
			     void *callback)
{
	struct bio_st *bio = lib->SSL_get_rbio(ssl);

	if (bio != NULL && lib->BIO_set_callback_ex != NULL)
		lib->BIO_set_callback_ex(bio, callback_ex);
	else if (bio != NULL && lib->BIO_set_callback != NULL)
		lib->BIO_set_callback(bio, callback);
}

void rg_libssl_block_reads(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	set_bio_callback(lib, ssl, (void *)fail_reads_ex, (void *)fail_reads);
}

void rg_libssl_restore(const struct rg_libssl *lib, struct ssl_st *ssl, struct rg_refusal *refusal)
{
	set_bio_callback(lib, ssl, NULL, NULL);
	change_options(lib, lib->SSL_clear_options, ssl, refusal->options);
	if (refusal->ciphers != NULL) {
		lib->ERR_set_mark();
		(void)lib->SSL_set_cipher_list(ssl, refusal->ciphers);
		lib->ERR_pop_to_mark();
	}
	rg_libssl_drop_refusal(refusal);
}

void rg_libssl_drop_refusal(struct rg_refusal *refusal)
{
	free(refusal->ciphers);
	*refusal = (struct rg_refusal){0};
}

void rg_libssl_note_bytes_read(const struct rg_libssl *lib, struct ssl_st *ssl,
			       struct rg_bytes_read *intake)
{
	struct bio_st *bio = lib->SSL_get_rbio(ssl);

	intake->bio = bio;
	intake->bytes = bio != NULL ? lib->BIO_number_read(bio) : 0;
}

bool rg_libssl_has_read(const struct rg_libssl *lib, struct ssl_st *ssl,
			const struct rg_bytes_read *before)
{
	int version = lib->SSL_version(ssl);
	struct rg_bytes_read now;

	if (version >> 8 == DTLS_MAJOR || version == DTLS_ANY)
		return false;
	rg_libssl_note_bytes_read(lib, ssl, &now);
	return now.bytes > (now.bio == before->bio ? before->bytes : 0);
}

/* What SSL_get_error(3) says, but for the error queue, on which entries of others may lie. */
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
	return lib->number < VERSION_320;
}

/* ERR_STRING_DATA */
struct error_string {
	unsigned long error;
	const char *string;
};

static void raise_entry(const struct rg_libssl *lib, int reason, const char *text)
{
	if (lib->ERR_new != NULL && lib->ERR_set_debug != NULL && lib->ERR_set_error != NULL) {
		lib->ERR_new();
		lib->ERR_set_debug("reneguard", 0, "reneguard");
		lib->ERR_set_error(LIB_SSL, reason, "%s", text);
		return;
	}
	if (lib->ERR_put_error == NULL)
		return;
	lib->ERR_put_error(LIB_SSL, 0, reason, "reneguard", 0);
	if (lib->ERR_add_error_data != NULL)
		lib->ERR_add_error_data(1, text);
}

void rg_libssl_raise(const struct rg_libssl *lib, int reason, const char *text)
{
	static struct error_string strings[] = {
	    {RG_REASON_SESSION_ATTACK, "ERR_TLS_SESSION_ATTACK"}, {0, NULL}};
	static _Atomic bool loaded[RG_LIBSSL_MAX];

	if (lib->ERR_load_strings != NULL && !atomic_exchange(&loaded[lib->slot], true)) {
		/* It writes the library number into what it is given: one copy for each libssl. */
		static struct error_string copies[RG_LIBSSL_MAX][2];

		memcpy(copies[lib->slot], strings, sizeof strings);
		(void)lib->ERR_load_strings(LIB_SSL, copies[lib->slot]);
	}
	raise_entry(lib, reason, text);
}

static bool is_error(const struct rg_libssl *lib, unsigned long error, int reason)
{
	/* ERR_GET_LIB and ERR_GET_REASON: the library moved when functions left the code in 3.0. */
	unsigned long library =
	    lib->number >= VERSION_300 ? error >> 23 & 0xff : error >> 24 & 0xff;

	return library == LIB_SSL && (error & 0xfff) == (unsigned long)reason;
}

bool rg_libssl_raised(const struct rg_libssl *lib, int reason)
{
	return is_error(lib, lib->ERR_peek_error(), reason) ||
	       is_error(lib, lib->ERR_peek_last_error(), reason);
}
