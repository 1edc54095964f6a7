// A table of the few libssl functions that a small server calls. facehost fills it by dlsym, or
// finds it filled in a plug-in that is linked to a libssl (face.c).
#ifndef TESTS_LIB_FACE_H
#define TESTS_LIB_FACE_H

// X(returns, name, parameters, arguments)
#define FACE_CALLS(X)                                                                              \
	X(void *, SSL_CTX_new, (const void *method), (method))                                     \
	X(void, SSL_CTX_free, (void *ctx), (ctx))                                                  \
	X(int, SSL_CTX_use_certificate_chain_file, (void *ctx, const char *path), (ctx, path))     \
	X(int, SSL_CTX_use_PrivateKey_file, (void *ctx, const char *path, int type),               \
	  (ctx, path, type))                                                                       \
	X(int, SSL_CTX_set_session_id_context, (void *ctx, const void *id, unsigned bytes),        \
	  (ctx, id, bytes))                                                                        \
	X(void *, SSL_new, (void *ctx), (ctx))                                                     \
	X(void, SSL_free, (void *ssl), (ssl))                                                      \
	X(int, SSL_set_fd, (void *ssl, int fd), (ssl, fd))                                         \
	X(int, SSL_accept, (void *ssl), (ssl))                                                     \
	X(int, SSL_read, (void *ssl, void *data, int bytes), (ssl, data, bytes))                   \
	X(int, SSL_write, (void *ssl, const void *data, int bytes), (ssl, data, bytes))            \
	X(void, ERR_clear_error, (void), ())                                                       \
	X(int, SSL_get_error, (const void *ssl, int result), (ssl, result))

// Not every version of libssl has these: NULL if it is missing.
#define FACE_CALLS_OF_SOME(X)                                                                      \
	X(const void *, TLS_server_method, (void), ())                                             \
	X(const void *, SSLv23_server_method, (void), ())                                          \
	X(int, SSL_library_init, (void), ())                                                       \
	X(int, OPENSSL_init_ssl, (unsigned long long options, const void *settings),               \
	  (options, settings))                                                                     \
	X(unsigned long long, SSL_CTX_set_options, (void *ctx, unsigned long long bits), (ctx, bits))

struct face {
#define X(returns, name, parameters, arguments) returns(*name) parameters;
	FACE_CALLS(X)
	FACE_CALLS_OF_SOME(X)
#undef X
};

#endif
