/*
 * One stub for each function of libssl that stands between the program and us. A stub finds the
 * real function, forwards, and asks the guard; it decides nothing. This is what is exported
 * (exports.map lists the same names); looked_up.c makes the same stubs once more for each library.
 *
 * Inside some builds libssl's functions call each other through the PLT, and land here again: a
 * stub within a stub must be harmless, and is: the guard's questions have the same answer twice.
 */
#include <stddef.h>

#include "guard/guard.h"

#ifndef HOOK
#define HOOK(name)   name
#define HOOK_LINKAGE __attribute__((visibility("default")))
#endif
#define COLD		      __attribute__((noinline, cold))
#define CTRL_SET_MSG_CALLBACK 15 /* SSL_CTRL_SET_MSG_CALLBACK */

#define X(returns, name, arguments) HOOK_LINKAGE returns HOOK(name) arguments;
RG_LIBSSL_HOOKS(X)
#undef X

/* --- calls that may read from the peer: -1 or 0, as each documents its errors, once the connection
 * is refused --- */

/*
 * The six that programs call all the time have their slow way in a function of its own, so that the
 * fast one saves no registers for it: eleven instructions beside libssl's.
 */
static COLD int HOOK(look)(struct ssl_st *ssl, int result, int failure)
{
	return rg_guard_after_call(ssl, result) ? result : failure;
}

static COLD int HOOK(SSL_read_slowly)(struct ssl_st *ssl, void *buffer, int bytes,
				      const void *caller)
{
	struct rg_libssl *lib = rg_guard_before_call(ssl, caller, true);
	int result;

	if (lib == NULL)
		return -1;
	result = lib->SSL_read(ssl, buffer, bytes);
	return rg_guard_after_call(ssl, result) ? result : -1;
}

int HOOK(SSL_read)(struct ssl_st *ssl, void *buffer, int bytes)
{
	int result;

	if (rg_guard_is_slow())
		return HOOK(SSL_read_slowly)(ssl, buffer, bytes, RG_CALLER);
	result = rg_guard_library->SSL_read(ssl, buffer, bytes);
	return rg_guard_must_look(result) ? HOOK(look)(ssl, result, -1) : result;
}

static COLD int HOOK(SSL_peek_slowly)(struct ssl_st *ssl, void *buffer, int bytes,
				      const void *caller)
{
	struct rg_libssl *lib = rg_guard_before_call(ssl, caller, true);
	int result;

	if (lib == NULL)
		return -1;
	result = lib->SSL_peek(ssl, buffer, bytes);
	return rg_guard_after_call(ssl, result) ? result : -1;
}

int HOOK(SSL_peek)(struct ssl_st *ssl, void *buffer, int bytes)
{
	int result;

	if (rg_guard_is_slow())
		return HOOK(SSL_peek_slowly)(ssl, buffer, bytes, RG_CALLER);
	result = rg_guard_library->SSL_peek(ssl, buffer, bytes);
	return rg_guard_must_look(result) ? HOOK(look)(ssl, result, -1) : result;
}

static COLD int HOOK(SSL_write_slowly)(struct ssl_st *ssl, const void *data, int bytes,
				       const void *caller)
{
	struct rg_libssl *lib = rg_guard_before_call(ssl, caller, true);
	int result;

	if (lib == NULL)
		return -1;
	result = lib->SSL_write(ssl, data, bytes);
	return rg_guard_after_call(ssl, result) ? result : -1;
}

int HOOK(SSL_write)(struct ssl_st *ssl, const void *data, int bytes)
{
	int result;

	if (rg_guard_is_slow())
		return HOOK(SSL_write_slowly)(ssl, data, bytes, RG_CALLER);
	result = rg_guard_library->SSL_write(ssl, data, bytes);
	return rg_guard_must_look(result) ? HOOK(look)(ssl, result, -1) : result;
}

static COLD int HOOK(SSL_read_ex_slowly)(struct ssl_st *ssl, void *buffer, size_t bytes,
					 size_t *read_bytes, const void *caller)
{
	struct rg_libssl *lib = rg_guard_before_call(ssl, caller, true);
	int result;

	if (lib == NULL || lib->SSL_read_ex == NULL)
		return 0;
	result = lib->SSL_read_ex(ssl, buffer, bytes, read_bytes);
	return rg_guard_after_call(ssl, result) ? result : 0;
}

int HOOK(SSL_read_ex)(struct ssl_st *ssl, void *buffer, size_t bytes, size_t *read_bytes)
{
	int result;

	if (rg_guard_is_slow() || rg_guard_library->SSL_read_ex == NULL)
		return HOOK(SSL_read_ex_slowly)(ssl, buffer, bytes, read_bytes, RG_CALLER);
	result = rg_guard_library->SSL_read_ex(ssl, buffer, bytes, read_bytes);
	return rg_guard_must_look(result) ? HOOK(look)(ssl, result, 0) : result;
}

static COLD int HOOK(SSL_peek_ex_slowly)(struct ssl_st *ssl, void *buffer, size_t bytes,
					 size_t *read_bytes, const void *caller)
{
	struct rg_libssl *lib = rg_guard_before_call(ssl, caller, true);
	int result;

	if (lib == NULL || lib->SSL_peek_ex == NULL)
		return 0;
	result = lib->SSL_peek_ex(ssl, buffer, bytes, read_bytes);
	return rg_guard_after_call(ssl, result) ? result : 0;
}

int HOOK(SSL_peek_ex)(struct ssl_st *ssl, void *buffer, size_t bytes, size_t *read_bytes)
{
	int result;

	if (rg_guard_is_slow() || rg_guard_library->SSL_peek_ex == NULL)
		return HOOK(SSL_peek_ex_slowly)(ssl, buffer, bytes, read_bytes, RG_CALLER);
	result = rg_guard_library->SSL_peek_ex(ssl, buffer, bytes, read_bytes);
	return rg_guard_must_look(result) ? HOOK(look)(ssl, result, 0) : result;
}

static COLD int HOOK(SSL_write_ex_slowly)(struct ssl_st *ssl, const void *data, size_t bytes,
					  size_t *written, const void *caller)
{
	struct rg_libssl *lib = rg_guard_before_call(ssl, caller, true);
	int result;

	if (lib == NULL || lib->SSL_write_ex == NULL)
		return 0;
	result = lib->SSL_write_ex(ssl, data, bytes, written);
	return rg_guard_after_call(ssl, result) ? result : 0;
}

int HOOK(SSL_write_ex)(struct ssl_st *ssl, const void *data, size_t bytes, size_t *written)
{
	int result;

	if (rg_guard_is_slow() || rg_guard_library->SSL_write_ex == NULL)
		return HOOK(SSL_write_ex_slowly)(ssl, data, bytes, written, RG_CALLER);
	result = rg_guard_library->SSL_write_ex(ssl, data, bytes, written);
	return rg_guard_must_look(result) ? HOOK(look)(ssl, result, 0) : result;
}

int HOOK(SSL_do_handshake)(struct ssl_st *ssl)
{
	struct rg_libssl *lib = rg_guard_before_call(ssl, RG_CALLER, true);
	int result;

	if (lib == NULL)
		return -1;
	result = lib->SSL_do_handshake(ssl);
	return rg_guard_after_call(ssl, result) ? result : -1;
}

int HOOK(SSL_accept)(struct ssl_st *ssl)
{
	struct rg_libssl *lib = rg_guard_before_call(ssl, RG_CALLER, true);
	int result;

	if (lib == NULL)
		return -1;
	result = lib->SSL_accept(ssl);
	return rg_guard_after_call(ssl, result) ? result : -1;
}

int HOOK(SSL_connect)(struct ssl_st *ssl)
{
	struct rg_libssl *lib = rg_guard_before_call(ssl, RG_CALLER, false);
	int result;

	if (lib == NULL)
		return -1;
	result = lib->SSL_connect(ssl);
	return rg_guard_after_call(ssl, result) ? result : -1;
}

int HOOK(SSL_write_ex2)(struct ssl_st *ssl, const void *data, size_t bytes, uint64_t flags,
			size_t *written)
{
	struct rg_libssl *lib = rg_guard_before_call(ssl, RG_CALLER, true);
	int result;

	if (lib == NULL || lib->SSL_write_ex2 == NULL)
		return 0;
	result = lib->SSL_write_ex2(ssl, data, bytes, flags, written);
	return rg_guard_after_call(ssl, result) ? result : 0;
}

/* 0 is SSL_READ_EARLY_DATA_ERROR. */
int HOOK(SSL_read_early_data)(struct ssl_st *ssl, void *buffer, size_t bytes, size_t *read_bytes)
{
	struct rg_libssl *lib = rg_guard_before_call(ssl, RG_CALLER, true);
	int result;

	if (lib == NULL || lib->SSL_read_early_data == NULL)
		return 0;
	result = lib->SSL_read_early_data(ssl, buffer, bytes, read_bytes);
	return rg_guard_after_call(ssl, result) ? result : 0;
}

int HOOK(SSL_write_early_data)(struct ssl_st *ssl, const void *data, size_t bytes, size_t *written)
{
	struct rg_libssl *lib = rg_guard_before_call(ssl, RG_CALLER, true);
	int result;

	if (lib == NULL || lib->SSL_write_early_data == NULL)
		return 0;
	result = lib->SSL_write_early_data(ssl, data, bytes, written);
	return rg_guard_after_call(ssl, result) ? result : 0;
}

ssize_t HOOK(SSL_sendfile)(struct ssl_st *ssl, int fd, off_t offset, size_t bytes, int flags)
{
	struct rg_libssl *lib = rg_guard_before_call(ssl, RG_CALLER, true);
	ssize_t result;

	if (lib == NULL || lib->SSL_sendfile == NULL)
		return -1;
	result = lib->SSL_sendfile(ssl, fd, offset, bytes, flags);
	return rg_guard_after_call(ssl, (int)result) ? result : -1;
}

/* --- where contexts and connections come from, and begin anew --- */

struct ssl_ctx_st *HOOK(SSL_CTX_new)(const struct ssl_method_st *method)
{
	struct rg_libssl *lib = rg_guard_library_of(method != NULL ? method : RG_CALLER);
	struct ssl_ctx_st *ctx;

	if (lib == NULL)
		return NULL;
	rg_guard_context(lib, method);
	ctx = lib->SSL_CTX_new(method);
	rg_guard_note_context(lib, ctx);
	return ctx;
}

struct ssl_ctx_st *HOOK(SSL_CTX_new_ex)(void *library_context, const char *properties,
					const struct ssl_method_st *method)
{
	struct rg_libssl *lib = rg_guard_library_of(method != NULL ? method : RG_CALLER);
	struct ssl_ctx_st *ctx;

	if (lib == NULL || lib->SSL_CTX_new_ex == NULL)
		return NULL;
	rg_guard_context(lib, method);
	ctx = lib->SSL_CTX_new_ex(library_context, properties, method);
	rg_guard_note_context(lib, ctx);
	return ctx;
}

struct ssl_st *HOOK(SSL_new)(struct ssl_ctx_st *ctx)
{
	struct rg_libssl *lib = rg_guard_library_quickly(ctx, RG_CALLER);
	struct ssl_st *ssl = lib != NULL ? lib->SSL_new(ctx) : NULL;

	if (ssl != NULL)
		rg_guard_connection(lib, ssl);
	return ssl;
}

struct ssl_st *HOOK(SSL_dup)(struct ssl_st *ssl)
{
	struct rg_libssl *lib = rg_guard_library_quickly(ssl, RG_CALLER);
	struct ssl_st *copy = lib != NULL ? lib->SSL_dup(ssl) : NULL;

	if (copy != NULL)
		rg_guard_copy(lib, copy, ssl);
	return copy;
}

int HOOK(SSL_clear)(struct ssl_st *ssl)
{
	struct rg_libssl *lib = rg_guard_library_quickly(ssl, RG_CALLER);

	if (lib == NULL)
		return 0;
	rg_guard_restart(ssl);
	return lib->SSL_clear(ssl);
}

void HOOK(SSL_set_accept_state)(struct ssl_st *ssl)
{
	struct rg_libssl *lib = rg_guard_library_quickly(ssl, RG_CALLER);

	if (lib == NULL)
		return;
	rg_guard_restart(ssl);
	lib->SSL_set_accept_state(ssl);
}

void HOOK(SSL_set_connect_state)(struct ssl_st *ssl)
{
	struct rg_libssl *lib = rg_guard_library_quickly(ssl, RG_CALLER);

	if (lib == NULL)
		return;
	rg_guard_restart(ssl);
	lib->SSL_set_connect_state(ssl);
}

/* --- the program's own message callback: ours stays, and calls theirs --- */

void HOOK(SSL_set_msg_callback)(struct ssl_st *ssl, rg_msg_callback *callback)
{
	struct rg_libssl *lib = rg_guard_library_quickly(ssl, RG_CALLER);

	if (lib != NULL && !rg_guard_keeps_callback(ssl, callback))
		lib->SSL_set_msg_callback(ssl, callback);
}

long HOOK(SSL_callback_ctrl)(struct ssl_st *ssl, int command, void (*callback)(void))
{
	struct rg_libssl *lib = rg_guard_library_quickly(ssl, RG_CALLER);

	if (lib == NULL)
		return 0;
	if (command == CTRL_SET_MSG_CALLBACK &&
	    rg_guard_keeps_callback(ssl, (rg_msg_callback *)callback))
		return 1;
	return lib->SSL_callback_ctrl(ssl, command, callback);
}

void HOOK(SSL_CTX_set_msg_callback)(struct ssl_ctx_st *ctx, rg_msg_callback *callback)
{
	struct rg_libssl *lib = rg_guard_library_quickly(ctx, RG_CALLER);

	if (lib == NULL)
		return;
	rg_guard_note_callback(lib, ctx, callback);
	lib->SSL_CTX_set_msg_callback(ctx, callback);
}

long HOOK(SSL_CTX_callback_ctrl)(struct ssl_ctx_st *ctx, int command, void (*callback)(void))
{
	struct rg_libssl *lib = rg_guard_library_quickly(ctx, RG_CALLER);

	if (lib == NULL)
		return 0;
	if (command == CTRL_SET_MSG_CALLBACK)
		rg_guard_note_callback(lib, ctx, (rg_msg_callback *)callback);
	return lib->SSL_CTX_callback_ctrl(ctx, command, callback);
}
