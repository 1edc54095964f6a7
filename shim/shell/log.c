#include "rg_log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "rg_line.h"

/* Our descriptors are put here or above, out of the way of programs that count on the low numbers.
 */
#define DESCRIPTOR_MIN 512
#define FRAME_BYTES    (RG_LINE_BYTES + 64)

static _Atomic int syslog_fd = -1;
static _Atomic int stderr_fd = -1;
static struct stat stderr_identity; /* written once, before stderr_fd is */

/* Move a new descriptor up; where the limit on descriptors is too low for that it stays. */
static int move_up(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, DESCRIPTOR_MIN);

	if (moved < 0)
		return fd;
	close(fd);
	return moved;
}

/* Is FD a datagram socket that is connected to PATH? Then it is ours, or will do as well. */
static bool is_connected_to(int fd, const char *path)
{
	struct sockaddr_un peer = {.sun_family = AF_UNSPEC};
	socklen_t peer_bytes = sizeof peer, type_bytes = sizeof(int);
	int type;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_bytes) != 0 ||
	    type != SOCK_DGRAM)
		return false;
	return getpeername(fd, (struct sockaddr *)&peer, &peer_bytes) == 0 &&
	       peer.sun_family == AF_UNIX &&
	       strncmp(peer.sun_path, path, sizeof peer.sun_path) == 0;
}

static void open_syslog(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int previous;

	if (fd < 0)
		return;
	memcpy(address.sun_path, path, strnlen(path, sizeof address.sun_path - 1));
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
		close(fd);
		return;
	}
	previous = atomic_exchange(&syslog_fd, move_up(fd));
	if (is_connected_to(previous, path))
		close(previous);
}

static bool is_our_stderr(int fd)
{
	struct stat now;

	return fd >= 0 && fstat(fd, &now) == 0 && now.st_dev == stderr_identity.st_dev &&
	       now.st_ino == stderr_identity.st_ino;
}

static void open_stderr(void)
{
	struct stat identity;
	int fd;

	/* Once: later on 2 may be anything. */
	if (atomic_load(&stderr_fd) >= 0 || fstat(STDERR_FILENO, &identity) != 0)
		return;
	fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, DESCRIPTOR_MIN);
	if (fd < 0)
		fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	stderr_identity = identity;
	atomic_store(&stderr_fd, fd);
}

void rg_log_open(const struct rg_policy *policy)
{
	int saved = errno;

	if ((policy->log_targets & RG_LOG_SYSLOG) &&
	    !is_connected_to(atomic_load(&syslog_fd), policy->socket))
		open_syslog(policy->socket);
	if (policy->log_targets & RG_LOG_STDERR)
		open_stderr();
	errno = saved;
}

static bool send_syslog(const struct rg_policy *policy, int severity, const char *line)
{
	char frame[FRAME_BYTES];
	/* No time: every receiver stamps what has none, and localtime(3) is not ours to call in any
	 * thread. */
	int bytes = snprintf(frame, sizeof frame, "<%u>reneguard[%ld]: %s",
			     policy->facility << 3 | (unsigned)severity, (long)getpid(), line);

	for (int tries = 0; tries < 2; tries++) {
		int fd = atomic_load(&syslog_fd);

		if (is_connected_to(fd, policy->socket)) {
			if (send(fd, frame, (size_t)bytes, MSG_DONTWAIT | MSG_NOSIGNAL) == bytes)
				return true;
			if (errno != ECONNREFUSED && errno != ENOTCONN && errno != ECONNRESET)
				return false;
		}
		if (tries == 0)
			open_syslog(
			    policy
				->socket); /* closed by the program, or the daemon was restarted */
	}
	return false;
}

/* write(2) that does not block and does not raise SIGPIPE in the program. */
static bool write_quietly(int fd, const char *text, size_t bytes)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	const struct timespec at_once = {0, 0};
	sigset_t sigpipe, pending, before;
	bool written, was_pending;

	/* A pipe that is ready takes a page whole; our frames are shorter. */
	if (poll(&ready, 1, 0) != 1 || (ready.revents & (POLLOUT | POLLERR | POLLNVAL)) != POLLOUT)
		return false;
	sigemptyset(&sigpipe);
	sigaddset(&sigpipe, SIGPIPE);
	if (sigpending(&pending) != 0 || pthread_sigmask(SIG_BLOCK, &sigpipe, &before) != 0)
		return false;
	was_pending = sigismember(&pending, SIGPIPE) == 1;
	written = write(fd, text, bytes) == (ssize_t)bytes;
	if (!written && errno == EPIPE && !was_pending)
		(void)sigtimedwait(&sigpipe, NULL, &at_once);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return written;
}

static bool write_stderr(const char *line)
{
	char frame[FRAME_BYTES];
	int bytes = snprintf(frame, sizeof frame, "reneguard[%ld]: %s\n", (long)getpid(), line);
	int fd = atomic_load(&stderr_fd);

	return is_our_stderr(fd) && write_quietly(fd, frame, (size_t)bytes);
}

bool rg_log_deliver(const struct rg_policy *policy, int severity, const char *line)
{
	int saved = errno;
	bool delivered = true;

	if (policy->log_targets & RG_LOG_SYSLOG)
		delivered &= send_syslog(policy, severity, line);
	if (policy->log_targets & RG_LOG_STDERR)
		delivered &= write_stderr(line);
	errno = saved;
	return delivered;
}
