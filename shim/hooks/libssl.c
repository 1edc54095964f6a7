/*
 * One hook for each function of libssl that stands between the program and us. A hook finds the
 * real function, forwards, and asks the guard; it decides nothing. This is what is exported
 * (exports.map lists the same names), and what dlsym(3) answers with.
 *
 * Inside some builds libssl's functions call each other through the PLT and land here again. A hook
 * within a hook must be harmless, and is: the guard's questions have the same answer twice.
 */
#include "hooks/libssl.h"

#include <stddef.h>

#include "guard/guard.h"
#include "guard/libraries.h"

#define EXPORT __attribute__((visibility("default")))
#define SLOWLY static __attribute__((noinline, cold))

/* Where the caller is tells which libssl is meant, if more than one is in use. */
#define CALLER __builtin_return_address(0)

/* Exported. */
#define X(returns, name, parameters) EXPORT returns name parameters;
RG_LIBSSL_HOOKS(X)
#undef X

/* --- calls that may read from the peer --- */

/* A list without its brackets: UNWRAP (a, b) is a, b. */
#define UNWRAP(...) __VA_ARGS__

/* Which functions every version has, and which may be missing (RG_LIBSSL_HOOKS_OPTIONAL). */
#define ALWAYS		   false
#define IF_THERE(function) ((function) == NULL)

/* May the call begin a handshake as a server? */
#define SERVER true
#define CLIENT false

SLOWLY int inspect(struct ssl_st *ssl, int result, int failure)
{
	return rg_guard_after_call(ssl, result) ? result : failure;
}

/*
 * A call whose connection may be refused, before it or meanwhile: it fails then, with FAILURE, as
 * its function documents its errors. The long way.
 */
#define LONG_WAY(returns, name, failure, side, parameters, arguments)                              \
	SLOWLY returns name##_slowly(const void *caller, UNWRAP parameters)                        \
	{                                                                                          \
		struct rg_libssl *lib = rg_guard_before_call(ssl, caller, side);                   \
		returns result;                                                                    \
                                                                                                   \
		if (lib == NULL || lib->name == NULL)                                              \
			return failure;                                                            \
		result = lib->name arguments;                                                      \
		return rg_guard_after_call(ssl, (int)result) ? result : failure;                   \
	}

/* The calls that programs make all the time go the short way if they can. The long one is a
 * function of its own, so that the short one saves no registers for it. */
#define OFTEN(returns, name, failure, missing, parameters, arguments)                              \
	LONG_WAY(returns, name, failure, SERVER, parameters, arguments)                            \
	returns name parameters                                                                    \
	{                                                                                          \
		returns result;                                                                    \
                                                                                                   \
		if (rg_gate_is_slow() || missing)                                                  \
			return name##_slowly(CALLER, UNWRAP arguments);                            \
		result = rg_gate_library->name arguments;                                          \
		return rg_gate_must_inspect(result) ? inspect(ssl, result, failure) : result;      \
	}

/* The others: a few times in a connection. */
#define SELDOM(returns, name, failure, side, parameters, arguments)                                \
	LONG_WAY(returns, name, failure, side, parameters, arguments)                              \
	returns name parameters                                                                    \
	{                                                                                          \
		return name##_slowly(CALLER, UNWRAP arguments);                                    \
	}

/* clang-format off */
OFTEN(int, SSL_read, -1, ALWAYS,
      (struct ssl_st *ssl, void *buffer, int bytes), (ssl, buffer, bytes))
OFTEN(int, SSL_peek, -1, ALWAYS,
      (struct ssl_st *ssl, void *buffer, int bytes), (ssl, buffer, bytes))
OFTEN(int, SSL_write, -1, ALWAYS,
      (struct ssl_st *ssl, const void *data, int bytes), (ssl, data, bytes))
OFTEN(int, SSL_read_ex, 0, IF_THERE(rg_gate_library->SSL_read_ex),
      (struct ssl_st *ssl, void *buffer, size_t bytes, size_t *got), (ssl, buffer, bytes, got))
OFTEN(int, SSL_peek_ex, 0, IF_THERE(rg_gate_library->SSL_peek_ex),
      (struct ssl_st *ssl, void *buffer, size_t bytes, size_t *got), (ssl, buffer, bytes, got))
OFTEN(int, SSL_write_ex, 0, IF_THERE(rg_gate_library->SSL_write_ex),
      (struct ssl_st *ssl, const void *data, size_t bytes, size_t *sent), (ssl, data, bytes, sent))

SELDOM(int, SSL_do_handshake, -1, SERVER, (struct ssl_st *ssl), (ssl))
SELDOM(int, SSL_accept, -1, SERVER, (struct ssl_st *ssl), (ssl))
SELDOM(int, SSL_connect, -1, CLIENT, (struct ssl_st *ssl), (ssl))
SELDOM(int, SSL_write_ex2, 0, SERVER,
       (struct ssl_st *ssl, const void *data, size_t bytes, uint64_t flags, size_t *sent),
       (ssl, data, bytes, flags, sent))
SELDOM(int, SSL_read_early_data, 0 /* SSL_READ_EARLY_DATA_ERROR */, SERVER,
       (struct ssl_st *ssl, void *buffer, size_t bytes, size_t *got), (ssl, buffer, bytes, got))
SELDOM(int, SSL_write_early_data, 0, SERVER,
       (struct ssl_st *ssl, const void *data, size_t bytes, size_t *sent), (ssl, data, bytes, sent))
SELDOM(ssize_t, SSL_sendfile, -1, SERVER,
       (struct ssl_st *ssl, int fd, off_t offset, size_t bytes, int flags),
       (ssl, fd, offset, bytes, flags))
/* clang-format on */

/* --- where contexts and connections come from, and begin anew --- */

struct ssl_ctx_st *SSL_CTX_new(const struct ssl_method_st *method)
{
	struct rg_libssl *lib = rg_libraries_of(method != NULL ? method : CALLER);
	struct ssl_ctx_st *ctx;

	if (lib == NULL)
		return NULL;
	rg_guard_before_context(lib, method);
	ctx = lib->SSL_CTX_new(method);
	rg_guard_note_context(lib, ctx);
	return ctx;
}

struct ssl_ctx_st *SSL_CTX_new_ex(void *library_context, const char *properties,
				  const struct ssl_method_st *method)
{
	struct rg_libssl *lib = rg_libraries_of(method != NULL ? method : CALLER);
	struct ssl_ctx_st *ctx;

	if (lib == NULL || lib->SSL_CTX_new_ex == NULL)
		return NULL;
	rg_guard_before_context(lib, method);
	ctx = lib->SSL_CTX_new_ex(library_context, properties, method);
	rg_guard_note_context(lib, ctx);
	return ctx;
}

struct ssl_st *SSL_new(struct ssl_ctx_st *ctx)
{
	struct rg_libssl *lib = rg_libraries_for(ctx, CALLER);
	struct ssl_st *ssl = lib != NULL ? lib->SSL_new(ctx) : NULL;

	if (ssl != NULL)
		rg_guard_connection(lib, ssl);
	return ssl;
}

struct ssl_st *SSL_dup(struct ssl_st *ssl)
{
	struct rg_libssl *lib = rg_libraries_for(ssl, CALLER);
	struct ssl_st *copy = lib != NULL ? lib->SSL_dup(ssl) : NULL;

	if (copy != NULL)
		rg_guard_copy(lib, copy, ssl);
	return copy;
}

int SSL_clear(struct ssl_st *ssl)
{
	struct rg_libssl *lib = rg_libraries_for(ssl, CALLER);

	if (lib == NULL)
		return 0;
	rg_guard_restart(ssl);
	return lib->SSL_clear(ssl);
}

void SSL_set_accept_state(struct ssl_st *ssl)
{
	struct rg_libssl *lib = rg_libraries_for(ssl, CALLER);

	if (lib == NULL)
		return;
	rg_guard_restart(ssl);
	lib->SSL_set_accept_state(ssl);
}

void SSL_set_connect_state(struct ssl_st *ssl)
{
	struct rg_libssl *lib = rg_libraries_for(ssl, CALLER);

	if (lib == NULL)
		return;
	rg_guard_restart(ssl);
	lib->SSL_set_connect_state(ssl);
}

/* --- the program's own message callback: ours stays, and calls it --- */

void SSL_set_msg_callback(struct ssl_st *ssl, rg_msg_callback *callback)
{
	struct rg_libssl *lib = rg_libraries_for(ssl, CALLER);

	if (lib != NULL && !rg_guard_keeps_callback(ssl, callback))
		lib->SSL_set_msg_callback(ssl, callback);
}

long SSL_callback_ctrl(struct ssl_st *ssl, int command, void (*callback)(void))
{
	struct rg_libssl *lib = rg_libraries_for(ssl, CALLER);

	if (lib == NULL)
		return 0;
	if (command == RG_CTRL_SET_MSG_CALLBACK &&
	    rg_guard_keeps_callback(ssl, (rg_msg_callback *)callback))
		return 1;
	return lib->SSL_callback_ctrl(ssl, command, callback);
}

void SSL_CTX_set_msg_callback(struct ssl_ctx_st *ctx, rg_msg_callback *callback)
{
	struct rg_libssl *lib = rg_libraries_for(ctx, CALLER);

	if (lib == NULL)
		return;
	rg_guard_note_callback(lib, ctx, callback);
	lib->SSL_CTX_set_msg_callback(ctx, callback);
}

long SSL_CTX_callback_ctrl(struct ssl_ctx_st *ctx, int command, void (*callback)(void))
{
	struct rg_libssl *lib = rg_libraries_for(ctx, CALLER);

	if (lib == NULL)
		return 0;
	if (command == RG_CTRL_SET_MSG_CALLBACK)
		rg_guard_note_callback(lib, ctx, (rg_msg_callback *)callback);
	return lib->SSL_CTX_callback_ctrl(ctx, command, callback);
}

/* --- by name --- */

/* The address that no other object can stand in front of. */
#define X(returns, name, parameters)                                                               \
	extern returns rg_hook_##name parameters                                                   \
	    __attribute__((visibility("hidden"), alias(#name)));
RG_LIBSSL_HOOKS(X)
#undef X

const struct rg_hook rg_hooks[] = {
#define X(returns, name, parameters) {#name, (void *)rg_hook_##name},
    RG_LIBSSL_HOOKS(X)
#undef X
	{NULL, NULL}};
