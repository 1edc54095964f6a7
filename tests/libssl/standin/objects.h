// Shared by the files of the stand-in for libssl: its objects, and the numbers of TLS and of libssl
// that it uses.
#ifndef STANDIN_OBJECTS_H
#define STANDIN_OBJECTS_H

#include "libssl/functions.h"

#define X(returns, name, arguments) returns name arguments;
RG_LIBSSL_REQUIRED(X)
RG_LIBSSL_OPTIONAL(X)
#undef X

enum { ALERT = 21, HANDSHAKE = 22, DATA = 23 };
enum {
	CLIENT_HELLO = 1,
	SERVER_HELLO = 2,
	CERTIFICATE = 11,
	SERVER_HELLO_DONE = 14,
	FINISHED = 20
};
enum { WARNING = 1, FATAL = 2, PROTOCOL_VERSION = 70, NO_RENEGOTIATION = 100 };
enum { OP_NO_VERSION = 0x3e000000, OP_NO_RENEGOTIATION = 0x40000000 };
enum {
	RECEIVED_SHUTDOWN = 2,
	BIO_READ = 2,
	LIB_SSL = 20,
	SESSION_ID_AT = 38,
	SET_MSG_CALLBACK = 15,
	EX_INDEX_SSL = 0
};

typedef long bio_callback_ex(struct bio_st *, int, const char *, size_t, int, long, int, size_t *);

struct bio_st {
	bio_callback_ex *callback;
	unsigned long bytes_read;
};

struct ssl_ctx_st {
	rg_msg_callback *message;
	void *ex_data[4];
};

struct ssl_st {
	struct ssl_ctx_st *ctx;
	rg_msg_callback *message;
	struct bio_st bio;
	uint64_t options;
	int fd, shutdown, finished, declined;
};

#endif
