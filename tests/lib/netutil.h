// Sockets for the test tools: loopback TCP with a chosen source address, Unix sockets, bounded
// waits. Errors that no test is about end the program with status 2.
#ifndef TESTS_LIB_NETUTIL_H
#define TESTS_LIB_NETUTIL_H

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define NET_UNIX_PREFIX "unix:"

static inline void net_die(const char *what)
{
	perror(what);
	exit(2);
}

static inline struct sockaddr_un net_unix_address(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	return un;
}

static inline int net_is_unix(const char *host)
{
	return strncmp(host, NET_UNIX_PREFIX, strlen(NET_UNIX_PREFIX)) == 0;
}

// Fills `address` from a numeric IPv4 or IPv6 host. Returns the length in use.
static inline socklen_t net_address(const char *host, int port, struct sockaddr_storage *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1) {
		fprintf(stderr, "not a numeric address: %s\n", host);
		exit(2);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)port);
	return sizeof(*in6);
}

// Reads and writes on fd give up after timeout_ms.
static inline void net_bound_waits(int fd, int timeout_ms)
{
	struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

// Connects to host:port, or to unix:PATH, from the address `source` unless it is NULL. A host fd:N
// means descriptor N, which is connected already. Returns the descriptor, or -1 if refused.
static inline int net_connect(const char *host, int port, const char *source, int timeout_ms)
{
	struct sockaddr_storage address;
	int fd, one = 1;
	socklen_t length;

	if (sscanf(host, "fd:%d", &fd) == 1) {
		net_bound_waits(fd, timeout_ms);
		return fd;
	}
	if (net_is_unix(host)) {
		struct sockaddr_un un = net_unix_address(host + strlen(NET_UNIX_PREFIX));

		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		memcpy(&address, &un, sizeof(un));
		length = sizeof(un);
	} else {
		length = net_address(host, port, &address);
		fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	}
	if (fd < 0)
		net_die("socket");
	net_bound_waits(fd, timeout_ms);
	if (!net_is_unix(host)) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (source) {
			struct sockaddr_storage from;
			socklen_t from_length = net_address(source, 0, &from);

			if (bind(fd, (struct sockaddr *)&from, from_length))
				net_die("bind to the source address");
		}
	}
	if (connect(fd, (struct sockaddr *)&address, length)) {
		close(fd);
		return -1;
	}
	return fd;
}

// Listens on host or on unix:PATH. If *port is 0, the system picks one; *port is the port then.
static inline int net_listen(const char *host, int *port)
{
	struct sockaddr_storage address;
	socklen_t length;
	int fd, one = 1;

	if (net_is_unix(host)) {
		struct sockaddr_un un = net_unix_address(host + strlen(NET_UNIX_PREFIX));

		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) || listen(fd, 64))
			net_die("listen");
		return fd;
	}
	length = net_address(host, *port, &address);
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		net_die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&address, &length))
		net_die("listen");
	*port = ntohs(((struct sockaddr_in *)&address)->sin_port);
	return fd;
}

// Waits until fd is ready for `events`. Returns 0 if that takes longer than timeout_ms.
static inline int net_wait(int fd, short events, int timeout_ms)
{
	struct pollfd wanted = {fd, events, 0};

	return poll(&wanted, 1, timeout_ms) > 0;
}

#endif
