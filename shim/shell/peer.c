#include "rg_peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

static struct rg_client client_of(const struct sockaddr_storage *address, uint16_t *port)
{
	const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)address;

	switch (address->ss_family) {
	case AF_INET:
		*port = ntohs(ipv4->sin_port);
		return rg_client_ipv4((const uint8_t *)&ipv4->sin_addr);
	case AF_INET6:
		*port = ntohs(ipv6->sin6_port);
		return rg_client_ipv6(ipv6->sin6_addr.s6_addr);
	default:
		return (struct rg_client){.family = RG_UNKNOWN};
	}
}

struct rg_client rg_peer(const struct rg_libssl *lib, struct ssl_st *ssl, uint16_t *port)
{
	struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
	socklen_t bytes = sizeof address;
	struct rg_client client = {.family = RG_UNKNOWN};
	int saved = errno;
	int fd = lib->SSL_get_rfd(ssl);

	*port = 0;
	if (fd >= 0 && getpeername(fd, (struct sockaddr *)&address, &bytes) == 0)
		client = client_of(&address, port);
	errno = saved;
	return client;
}
