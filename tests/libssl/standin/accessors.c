// The stand-in's objects: functions that make, free, set and read them. Also its error queue, its
// ex_data indices and its version.
#include "objects.h"
#include <stdlib.h>
#include <string.h>

#ifndef STANDIN_VERSION
#define STANDIN_VERSION "3.0.99"
#endif

static unsigned long errors[16];
static int error_count, error_mark;
static void (*on_free)(void *, void *, void *, int, long, void *);

struct ssl_st *SSL_new(struct ssl_ctx_st *ctx)
{
	struct ssl_st *ssl = calloc(1, sizeof(*ssl));

	ssl->ctx = ctx;
	ssl->message = ctx->message;
	ssl->fd = -1;
	return ssl;
}

void SSL_free(struct ssl_st *ssl);
void SSL_free(struct ssl_st *ssl)
{
	if (on_free)
		on_free(ssl, NULL, NULL, 1, 0, NULL);
	free(ssl);
}

int SSL_set_fd(struct ssl_st *ssl, int fd);
int SSL_set_fd(struct ssl_st *ssl, int fd)
{
	ssl->fd = fd;
	return 1;
}

struct ssl_ctx_st *SSL_CTX_new(const struct ssl_method_st *method)
{
	(void)method;
	return calloc(1, sizeof(struct ssl_ctx_st));
}

struct ssl_st *SSL_dup(struct ssl_st *ssl)
{
	return SSL_new(ssl->ctx);
}
int SSL_clear(struct ssl_st *ssl)
{
	return ssl->finished = 0, 1;
}
void SSL_set_accept_state(struct ssl_st *ssl)
{
	(void)ssl;
}
void SSL_set_connect_state(struct ssl_st *ssl)
{
	(void)ssl;
}
void SSL_set_msg_callback(struct ssl_st *ssl, rg_msg_callback *callback)
{
	ssl->message = callback;
}
void SSL_CTX_set_msg_callback(struct ssl_ctx_st *ctx, rg_msg_callback *callback)
{
	ctx->message = callback;
}

long SSL_callback_ctrl(struct ssl_st *ssl, int command, void (*callback)(void))
{
	if (command == SET_MSG_CALLBACK)
		ssl->message = (rg_msg_callback *)callback;
	return 1;
}

long SSL_CTX_callback_ctrl(struct ssl_ctx_st *ctx, int command, void (*callback)(void))
{
	if (command == SET_MSG_CALLBACK)
		ctx->message = (rg_msg_callback *)callback;
	return 1;
}

long SSL_ctrl(struct ssl_st *ssl, int command, long number, void *pointer)
{
	(void)ssl, (void)command, (void)number, (void)pointer;
	return 0x303;
}

struct ssl_ctx_st *SSL_get_SSL_CTX(const struct ssl_st *ssl)
{
	return ssl->ctx;
}
int SSL_CTX_set_ex_data(struct ssl_ctx_st *ctx, int index, void *data)
{
	return ctx->ex_data[index] = data, 1;
}
void *SSL_CTX_get_ex_data(const struct ssl_ctx_st *ctx, int index)
{
	return ctx->ex_data[index];
}
struct bio_st *SSL_get_rbio(const struct ssl_st *ssl)
{
	return (struct bio_st *)&ssl->bio;
}
struct bio_st *SSL_get_wbio(const struct ssl_st *ssl)
{
	return SSL_get_rbio(ssl);
}

unsigned long BIO_number_read(struct bio_st *bio)
{
	return bio->bytes_read;
}

int BIO_test_flags(const struct bio_st *bio, int flags)
{
	return (void)bio, (void)flags, 0;
}

int SSL_want(const struct ssl_st *ssl)
{
	return (void)ssl, 1;
}

int SSL_version(const struct ssl_st *ssl)
{
	return (void)ssl, 0x303;
}

int SSL_get_rfd(const struct ssl_st *ssl)
{
	return ssl->fd;
}

int SSL_get_wfd(const struct ssl_st *ssl)
{
	return ssl->fd;
}
void SSL_set_shutdown(struct ssl_st *ssl, int mode)
{
	ssl->shutdown = mode;
}
const char *SSL_get_version(const struct ssl_st *ssl)
{
	return (void)ssl, "TLSv1.2";
}
int SSL_set_cipher_list(struct ssl_st *ssl, const char *list)
{
	return (void)ssl, (void)list, 1;
}
size_t SSL_get_finished(const struct ssl_st *ssl, void *to, size_t bytes)
{
	return (void)to, (void)bytes, ssl->finished ? 12 : 0;
}
size_t SSL_get_peer_finished(const struct ssl_st *ssl, void *to, size_t bytes)
{
	return SSL_get_finished(ssl, to, bytes);
}
int SSL_is_server(struct ssl_st *ssl)
{
	return (void)ssl, 1;
}
uint64_t SSL_get_options(const struct ssl_st *ssl)
{
	return ssl->options;
}
uint64_t SSL_set_options(struct ssl_st *ssl, uint64_t bits)
{
	return ssl->options |= bits;
}
uint64_t SSL_clear_options(struct ssl_st *ssl, uint64_t bits)
{
	return ssl->options &= ~bits;
}
void BIO_set_callback_ex(struct bio_st *bio, void *callback)
{
	memcpy(&bio->callback, &callback, sizeof(callback));
}

int SSL_CTX_set_session_id_context(struct ssl_ctx_st *ctx, const unsigned char *context,
				   unsigned bytes)
{
	return (void)ctx, (void)context, (void)bytes, 1;
}

void SSL_set_bio(struct ssl_st *ssl, struct bio_st *reads, struct bio_st *writes)
{
	(void)ssl, (void)reads, (void)writes;
}

int SSL_set_session_id_context(struct ssl_st *ssl, const unsigned char *context, unsigned bytes)
{
	(void)context, (void)bytes;
	return ssl->declined = 1;
}

int CRYPTO_get_ex_new_index(int class, long number, void *pointer, void *fresh, void *copy,
			    void *release)
{
	static int index;

	(void)number, (void)pointer, (void)fresh, (void)copy;
	if (release && class == EX_INDEX_SSL)
		memcpy(&on_free, &release, sizeof(release));
	return ++index;
}

unsigned long ERR_peek_error(void)
{
	return error_count ? errors[0] : 0;
}
unsigned long ERR_peek_last_error(void)
{
	return error_count ? errors[error_count - 1] : 0;
}
int ERR_set_mark(void)
{
	return error_mark = error_count, 1;
}
int ERR_pop_to_mark(void)
{
	return error_count = error_mark, 1;
}
void ERR_new(void)
{
}
void ERR_set_debug(const char *file, int line, const char *function)
{
	(void)file, (void)line, (void)function;
}

void ERR_set_error(int library, int reason, const char *format, ...)
{
	(void)format;
	if (error_count < 16)
		errors[error_count++] = (unsigned long)library << 23 | (unsigned long)reason;
}

unsigned long OpenSSL_version_num(void)
{
	return 0x30000630UL;
}
const char *OpenSSL_version(int what)
{
	return (void)what, "OpenSSL " STANDIN_VERSION " stand-in";
}
