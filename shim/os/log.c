#include "os/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "os/cancel.h"
#include "rg_line.h"

/* The lowest number for our descriptors: programs rely on getting the low ones. */
#define DESCRIPTOR_MIN 512
#define FRAME_BYTES    (RG_LINE_BYTES + 64)

static _Atomic int syslog_fd = -1;
static _Atomic uint64_t socket_inode; /* of the socket we opened as syslog_fd */
static dev_t socket_device;	      /* of that socket: the same for all sockets */
static _Atomic int stderr_fd = -1;
static struct stat stderr_identity; /* written once, before stderr_fd is */

/* Move a new descriptor to a high number. It stays where it is if RLIMIT_NOFILE is too low. */
static int move_up(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, DESCRIPTOR_MIN);

	if (moved < 0)
		return fd;
	close(fd);
	return moved;
}

static bool same_file(int fd, dev_t device, ino_t inode)
{
	struct stat now;

	return fd >= 0 && fstat(fd, &now) == 0 && now.st_dev == device && now.st_ino == inode;
}

/* Two sockets that exist at the same time differ in inode. All sockets are on one device. */
static bool is_our_socket(int fd)
{
	return same_file(fd, socket_device, (ino_t)atomic_load(&socket_inode));
}

static bool connect_to(int fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, path, strnlen(path, sizeof address.sun_path - 1));
	return connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
}

/* A descriptor that has our old number by now is the program's: it is not closed. */
static void open_syslog(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat identity;

	if (fd < 0)
		return;
	if (!connect_to(fd, path) || fstat(fd, &identity) != 0) {
		close(fd);
		return;
	}
	socket_device = identity.st_dev;
	atomic_store(&socket_inode, (uint64_t)identity.st_ino);
	atomic_store(&syslog_fd, move_up(fd));
}

static bool is_our_stderr(int fd)
{
	return same_file(fd, stderr_identity.st_dev, stderr_identity.st_ino);
}

static int copy_stderr(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, DESCRIPTOR_MIN);

	return fd >= 0 ? fd : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

/* Which file standard error is, is decided once: later, descriptor 2 may be anything. */
static void open_stderr(void)
{
	struct stat identity;

	if (atomic_load(&stderr_fd) >= 0 || fstat(STDERR_FILENO, &identity) != 0)
		return;
	stderr_identity = identity;
	atomic_store(&stderr_fd, copy_stderr());
}

/* Our copy, made again if the program closed it while standard error still is the same file. -1 if
 * there is none. */
static int opened_stderr(void)
{
	int fd = atomic_load(&stderr_fd), copy;

	if (fd < 0 || is_our_stderr(fd))
		return fd;
	if (!is_our_stderr(STDERR_FILENO) || (copy = copy_stderr()) < 0)
		return -1;
	if (atomic_compare_exchange_strong(&stderr_fd, &fd, copy))
		return copy;
	close(copy); /* another thread has made one */
	return fd;
}

void rg_log_open(const struct rg_policy *policy)
{
	int saved = errno, cancel = rg_cancel_hold();

	if ((policy->log_targets & RG_LOG_TO_SYSLOG) && !is_our_socket(atomic_load(&syslog_fd)))
		open_syslog(policy->socket);
	if (policy->log_targets & RG_LOG_TO_STDERR)
		open_stderr();
	rg_cancel_restore(cancel);
	errno = saved;
}

static bool send_syslog(const struct rg_policy *policy, int severity, const char *line)
{
	char frame[FRAME_BYTES];
	/* No time stamp: every receiver adds a missing one, and localtime(3) is not safe to call in
	 * the program's threads. */
	int bytes = snprintf(frame, sizeof frame, "<%u>reneguard[%ld]: %s",
			     policy->facility << 3 | (unsigned)severity, (long)getpid(), line);

	int fd = atomic_load(&syslog_fd);

	if (!is_our_socket(fd)) {
		open_syslog(policy->socket); /* the program closed it */
		fd = atomic_load(&syslog_fd);
	}
	for (int tries = 0; tries < 2 && is_our_socket(fd); tries++) {
		if (send(fd, frame, (size_t)bytes, MSG_DONTWAIT | MSG_NOSIGNAL) == bytes)
			return true;
		/* The receiver was restarted. */
		if ((errno != ECONNREFUSED && errno != ENOTCONN && errno != ECONNRESET) ||
		    !connect_to(fd, policy->socket))
			return false;
	}
	return false;
}

/*
 * A write(2) that does not block and raises no signal in the program. It could raise SIGPIPE (the
 * reader is gone) or SIGXFSZ (RLIMIT_FSIZE is reached). Both are blocked meanwhile, and removed if
 * the write raised them.
 */
static bool write_quietly(int fd, const char *text, size_t bytes)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	const struct timespec at_once = {0, 0};
	sigset_t held_back, pending, before;
	bool written, pipe_pending, length_pending;

	/* A pipe that is ready takes a whole page without blocking. Our frames are shorter. */
	if (poll(&ready, 1, 0) != 1 || (ready.revents & (POLLOUT | POLLERR | POLLNVAL)) != POLLOUT)
		return false;
	sigemptyset(&held_back);
	sigaddset(&held_back, SIGPIPE);
	sigaddset(&held_back, SIGXFSZ);
	if (sigpending(&pending) != 0 || sigprocmask(SIG_BLOCK, &held_back, &before) != 0)
		return false;
	pipe_pending = sigismember(&pending, SIGPIPE) == 1;
	length_pending = sigismember(&pending, SIGXFSZ) == 1;
	written = write(fd, text, bytes) == (ssize_t)bytes;
	/* A signal that was pending before stays pending: do not wait for it. */
	if (pipe_pending)
		sigdelset(&held_back, SIGPIPE);
	if (length_pending)
		sigdelset(&held_back, SIGXFSZ);
	if (!written && (errno == EPIPE || errno == EFBIG))
		(void)sigtimedwait(&held_back, NULL, &at_once);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return written;
}

static bool write_stderr(const char *line)
{
	char frame[FRAME_BYTES];
	int bytes = snprintf(frame, sizeof frame, "reneguard[%ld]: %s\n", (long)getpid(), line);
	int fd = opened_stderr();

	return fd >= 0 && write_quietly(fd, frame, (size_t)bytes);
}

bool rg_log_deliver(const struct rg_policy *policy, int severity, const char *line)
{
	int saved = errno, cancel = rg_cancel_hold();
	bool delivered = true;

	if (policy->log_targets & RG_LOG_TO_SYSLOG)
		delivered &= send_syslog(policy, severity, line);
	if (policy->log_targets & RG_LOG_TO_STDERR)
		delivered &= write_stderr(line);
	rg_cancel_restore(cancel);
	errno = saved;
	return delivered;
}
