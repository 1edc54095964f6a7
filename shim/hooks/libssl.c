/*
 * The hooks of libssl's functions. A hook asks the guard, finds the real function and calls it; it
 * decides nothing. The hooks are exported (exports.map lists the same names), and our dlsym(3)
 * hands them out.
 *
 * In some builds libssl's functions call each other through the PLT and land here again. A hook
 * within a hook is harmless: the guard gives the same answer twice.
 */
#include "hooks/libssl.h"

#include <stddef.h>

#include "guard/guard.h"
#include "guard/judge.h"
#include "guard/libraries.h"
#include "os/fd_history.h"

#define EXPORT __attribute__((visibility("default")))
#define SLOW   static __attribute__((noinline, cold))

/* The return address tells which libssl is meant if several are in use. */
#define CALLER __builtin_return_address(0)

/* Declare the hooks as exported. */
#define X(returns, name, parameters) EXPORT returns name parameters;
RG_LIBSSL_HOOKS(X)
#undef X

/* --- calls that may read from the peer --- */

/* The list without its brackets. */
#define UNWRAP(...) __VA_ARGS__

/* Is the function missing? Never, or if its pointer is NULL (RG_LIBSSL_HOOKS_OPTIONAL). */
#define NEVER_MISSING		 false
#define MISSING_IF_NULL(pointer) ((pointer) == NULL)

/* May the call begin a handshake as a server? */
#define SERVER true
#define CLIENT false

SLOW int inspect(struct ssl_st *ssl, int result, int failure)
{
	return rg_guard_after_call(rg_gate_library, ssl, result) ? result : failure;
}

/*
 * The slow path of a call. If the connection is refused before the call or during it, the call
 * returns FAILURE, the value that its function documents for errors.
 */
#define SLOW_PATH(returns, name, failure, side, parameters, arguments)                             \
	SLOW returns name##_slowly(const void *caller, UNWRAP parameters)                          \
	{                                                                                          \
		struct rg_libssl *lib = rg_guard_before_call(ssl, caller, side);                   \
		returns result;                                                                    \
                                                                                                   \
		if (lib == NULL || lib->name == NULL)                                              \
			return failure;                                                            \
		result = lib->name arguments;                                                      \
		return rg_guard_after_call(lib, ssl, (int)result) ? result : failure;              \
	}

/* A function that programs call all the time: it takes the fast path if it can. The slow path is a
 * function of its own, so that the fast one saves no registers for it. */
#define FREQUENT_HOOK(returns, name, failure, missing, parameters, arguments)                      \
	SLOW_PATH(returns, name, failure, SERVER, parameters, arguments)                           \
	returns name parameters                                                                    \
	{                                                                                          \
		returns result;                                                                    \
                                                                                                   \
		if (rg_gate_is_slow() || missing)                                                  \
			return name##_slowly(CALLER, UNWRAP arguments);                            \
		result = rg_gate_library->name arguments;                                          \
		return rg_gate_must_inspect(result) ? inspect(ssl, result, failure) : result;      \
	}

/* A function that programs call a few times in a connection: always the slow path. The fd history
 * is told when the call begins and ends. */
#define RARE_HOOK(returns, name, failure, side, parameters, arguments)                             \
	SLOW_PATH(returns, name, failure, side, parameters, arguments)                             \
	returns name parameters                                                                    \
	{                                                                                          \
		returns result;                                                                    \
                                                                                                   \
		if (side)                                                                          \
			rg_guard_note_first_call(ssl);                                             \
		rg_fd_history_begin_call();                                                        \
		result = name##_slowly(CALLER, UNWRAP arguments);                                  \
		rg_fd_history_end_call();                                                          \
		return result;                                                                     \
	}

/* clang-format off */
FREQUENT_HOOK(int, SSL_read, -1, NEVER_MISSING,
      (struct ssl_st *ssl, void *buffer, int bytes), (ssl, buffer, bytes))
FREQUENT_HOOK(int, SSL_peek, -1, NEVER_MISSING,
      (struct ssl_st *ssl, void *buffer, int bytes), (ssl, buffer, bytes))
FREQUENT_HOOK(int, SSL_write, -1, NEVER_MISSING,
      (struct ssl_st *ssl, const void *data, int bytes), (ssl, data, bytes))
FREQUENT_HOOK(int, SSL_read_ex, 0, MISSING_IF_NULL(rg_gate_library->SSL_read_ex),
      (struct ssl_st *ssl, void *buffer, size_t bytes, size_t *got), (ssl, buffer, bytes, got))
FREQUENT_HOOK(int, SSL_peek_ex, 0, MISSING_IF_NULL(rg_gate_library->SSL_peek_ex),
      (struct ssl_st *ssl, void *buffer, size_t bytes, size_t *got), (ssl, buffer, bytes, got))
FREQUENT_HOOK(int, SSL_write_ex, 0, MISSING_IF_NULL(rg_gate_library->SSL_write_ex),
      (struct ssl_st *ssl, const void *data, size_t bytes, size_t *sent), (ssl, data, bytes, sent))

RARE_HOOK(int, SSL_do_handshake, -1, SERVER, (struct ssl_st *ssl), (ssl))
RARE_HOOK(int, SSL_accept, -1, SERVER, (struct ssl_st *ssl), (ssl))
RARE_HOOK(int, SSL_connect, -1, CLIENT, (struct ssl_st *ssl), (ssl))
RARE_HOOK(int, SSL_write_ex2, 0, SERVER,
       (struct ssl_st *ssl, const void *data, size_t bytes, uint64_t flags, size_t *sent),
       (ssl, data, bytes, flags, sent))
RARE_HOOK(int, SSL_read_early_data, 0 /* SSL_READ_EARLY_DATA_ERROR */, SERVER,
       (struct ssl_st *ssl, void *buffer, size_t bytes, size_t *got), (ssl, buffer, bytes, got))
RARE_HOOK(int, SSL_write_early_data, 0, SERVER,
       (struct ssl_st *ssl, const void *data, size_t bytes, size_t *sent), (ssl, data, bytes, sent))
RARE_HOOK(ssize_t, SSL_sendfile, -1, SERVER,
       (struct ssl_st *ssl, int fd, off_t offset, size_t bytes, int flags),
       (ssl, fd, offset, bytes, flags))
/* clang-format on */

/* --- functions that make a context or a connection, or begin anew on one --- */

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
	rg_guard_restart(lib, ssl);
	return lib->SSL_clear(ssl);
}

void SSL_set_accept_state(struct ssl_st *ssl)
{
	struct rg_libssl *lib = rg_libraries_for(ssl, CALLER);

	if (lib == NULL)
		return;
	rg_guard_restart(lib, ssl);
	lib->SSL_set_accept_state(ssl);
}

void SSL_set_connect_state(struct ssl_st *ssl)
{
	struct rg_libssl *lib = rg_libraries_for(ssl, CALLER);

	if (lib == NULL)
		return;
	rg_guard_restart(lib, ssl);
	lib->SSL_set_connect_state(ssl);
}

/* --- the program's own message callback: our callback stays in place and calls it --- */

void SSL_set_msg_callback(struct ssl_st *ssl, rg_msg_callback *callback)
{
	struct rg_libssl *lib = rg_libraries_for(ssl, CALLER);

	if (lib != NULL && !rg_guard_keeps_callback(lib, ssl, callback))
		lib->SSL_set_msg_callback(ssl, callback);
}

long SSL_callback_ctrl(struct ssl_st *ssl, int command, void (*callback)(void))
{
	struct rg_libssl *lib = rg_libraries_for(ssl, CALLER);

	if (lib == NULL)
		return 0;
	if (command == RG_CTRL_SET_MSG_CALLBACK &&
	    rg_guard_keeps_callback(lib, ssl, (rg_msg_callback *)callback))
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

/* --- what SSL reads from --- */

void SSL_set_bio(struct ssl_st *ssl, struct bio_st *reads, struct bio_st *writes)
{
	struct rg_libssl *lib = rg_libraries_for(ssl, CALLER);

	if (lib == NULL)
		return;
	rg_guard_before_bio(lib, ssl);
	lib->SSL_set_bio(ssl, reads, writes);
	rg_guard_note_bio(lib, ssl);
}

void SSL_set0_rbio(struct ssl_st *ssl, struct bio_st *reads)
{
	struct rg_libssl *lib = rg_libraries_for(ssl, CALLER);

	if (lib == NULL || lib->SSL_set0_rbio == NULL)
		return;
	rg_guard_before_bio(lib, ssl);
	lib->SSL_set0_rbio(ssl, reads);
	rg_guard_note_bio(lib, ssl);
}

/* --- the program's own session id context: libssl gets it later if an offer is being declined ---
 */

int SSL_set_session_id_context(struct ssl_st *ssl, const unsigned char *context, unsigned bytes)
{
	struct rg_libssl *lib = rg_libraries_for(ssl, CALLER);

	if (lib == NULL)
		return 0;
	return rg_guard_keeps_session_context(ssl, context, bytes)
		   ? 1
		   : lib->SSL_set_session_id_context(ssl, context, bytes);
}

int SSL_CTX_set_session_id_context(struct ssl_ctx_st *ctx, const unsigned char *context,
				   unsigned bytes)
{
	struct rg_libssl *lib = rg_libraries_for(ctx, CALLER);

	if (lib == NULL)
		return 0;
	rg_guard_note_session_context(ctx, context, bytes);
	return lib->SSL_CTX_set_session_id_context(ctx, context, bytes);
}

/* --- hellos whose senders have not proved their address (RFC 6347 4.2.1, RFC 8446 4.2.2) --- */

int DTLSv1_listen(struct ssl_st *ssl, void *peer)
{
	struct rg_libssl *lib = rg_guard_before_call(ssl, CALLER, CLIENT);
	int result;

	if (lib == NULL || lib->DTLSv1_listen == NULL)
		return -1;
	rg_guard_inside(ssl, RG_INSIDE_LISTEN);
	result = lib->DTLSv1_listen(ssl, peer);
	rg_guard_inside(ssl, RG_INSIDE_NOTHING);
	return result;
}

int SSL_stateless(struct ssl_st *ssl)
{
	struct rg_libssl *lib = rg_guard_before_call(ssl, CALLER, CLIENT);
	int result;

	if (lib == NULL || lib->SSL_stateless == NULL)
		return -1;
	rg_guard_inside(ssl, RG_INSIDE_STATELESS);
	result = lib->SSL_stateless(ssl);
	rg_guard_inside(ssl, RG_INSIDE_NOTHING);
	return rg_guard_after_call(lib, ssl, result) ? result : -1;
}

/* --- callbacks for external PSKs: the guard has to know that there are any --- */

#define PSK_HOOK(name, object)                                                                     \
	void name(struct object *on, rg_callback *callback)                                        \
	{                                                                                          \
		struct rg_libssl *lib = rg_libraries_for(on, CALLER);                              \
                                                                                                   \
		if (lib == NULL || lib->name == NULL)                                              \
			return;                                                                    \
		if (callback != NULL)                                                              \
			rg_judge_external_psks();                                                  \
		lib->name(on, callback);                                                           \
	}

PSK_HOOK(SSL_set_psk_server_callback, ssl_st)
PSK_HOOK(SSL_CTX_set_psk_server_callback, ssl_ctx_st)
PSK_HOOK(SSL_set_psk_find_session_callback, ssl_st)
PSK_HOOK(SSL_CTX_set_psk_find_session_callback, ssl_ctx_st)

/* --- the hooks by name --- */

/* Hidden aliases, whose address no other object's symbol can replace. */
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
