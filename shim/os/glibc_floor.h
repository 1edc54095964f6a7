/*
 * Keeps the library loadable with old glibc versions. It is built on systems with a new glibc, and
 * runs on those of legacy daemons. An unmarked reference is bound to the newest version of a
 * symbol. If the loader lacks that version, it does not start the PROGRAM. So some functions are
 * bound here to the version they have always had: those that moved between glibc's libraries
 * in 2.34, became functions in 2.33, or got another name in 2.38.
 *
 * The Makefile has the compiler include this before every file of the shim and the inspector. It
 * does not with a sanitizer, whose runtime interposes the default versions. Other libcs have no
 * symbol versions.
 */
#ifndef RG_GLIBC_FLOOR_H
#define RG_GLIBC_FLOOR_H

/*
 * A 32-bit glibc has every file function twice: with 32-bit and with 64-bit offsets. We need the
 * second. Debian's 32-bit libssl is built with it (SSL_sendfile takes an offset), a state file's
 * inode may exceed 32 bits, and the inspector reads addresses above 2 GiB.
 */
#ifndef __LP64__
#define _FILE_OFFSET_BITS 64
#endif

#include <sys/stat.h>

#ifdef __GLIBC__

#define RG_BIND_AS(name, symbol, version) __asm__(".symver " #name "," #symbol "@" version)
#define RG_BIND(symbol, version)	  RG_BIND_AS(symbol, symbol, version)

#if defined __x86_64__ && !defined __ILP32__
#define RG_GLIBC_FIRST	"GLIBC_2.2.5"
#define RG_GLIBC_DLOPEN "GLIBC_2.2.5"
#define RG_GLIBC_SSCANF "GLIBC_2.7"
#define RG_STAT_VERSION 1
#elif defined __i386__
#define RG_GLIBC_FIRST	"GLIBC_2.0"
#define RG_GLIBC_DLOPEN "GLIBC_2.1"
#define RG_GLIBC_SSCANF "GLIBC_2.7"
#define RG_STAT_VERSION 3
#elif defined __aarch64__
#define RG_GLIBC_FIRST	"GLIBC_2.17"
#define RG_GLIBC_DLOPEN "GLIBC_2.17"
#define RG_GLIBC_SSCANF "GLIBC_2.17"
#define RG_STAT_VERSION 0
#endif

#ifdef RG_GLIBC_FIRST

RG_BIND(dlopen, RG_GLIBC_DLOPEN);
RG_BIND(dlvsym, RG_GLIBC_DLOPEN);
RG_BIND(dlerror, RG_GLIBC_FIRST);
RG_BIND(dlclose, RG_GLIBC_FIRST);
RG_BIND(dladdr, RG_GLIBC_FIRST);
RG_BIND_AS(__isoc23_strtol, strtol, RG_GLIBC_FIRST);
RG_BIND_AS(__isoc23_sscanf, __isoc99_sscanf, RG_GLIBC_SSCANF);

/* Up to 2.32, <sys/stat.h> turned stat, lstat and fstat into calls of these. Every glibc still has
 * them. */
#ifdef __LP64__
#define RG_FXSTAT __fxstat
#define RG_XSTAT  __xstat
#define RG_LXSTAT __lxstat
RG_BIND(__fxstat, RG_GLIBC_FIRST);
RG_BIND(__xstat, RG_GLIBC_FIRST);
RG_BIND(__lxstat, RG_GLIBC_FIRST);
#else
#define RG_FXSTAT __fxstat64
#define RG_XSTAT  __xstat64
#define RG_LXSTAT __lxstat64
RG_BIND_AS(fcntl64, fcntl, RG_GLIBC_FIRST); /* new in 2.28 */
#endif

int RG_FXSTAT(int version, int fd, struct stat *status);
int RG_XSTAT(int version, const char *path, struct stat *status);
int RG_LXSTAT(int version, const char *path, struct stat *status);

#define fstat(fd, status)   RG_FXSTAT(RG_STAT_VERSION, fd, status)
#define stat(path, status)  RG_XSTAT(RG_STAT_VERSION, path, status)
#define lstat(path, status) RG_LXSTAT(RG_STAT_VERSION, path, status)

#endif
#endif
#endif
