/*
 * The library is built where glibc is new and runs where it is old: a legacy daemon's system. A
 * reference that says nothing gets the newest version of a symbol, and a loader that has not got
 * that version does not start the PROGRAM. So what moved between glibc's libraries in 2.34, or
 * became a function in 2.33 or got another name in 2.38, is bound to the version it has always had.
 *
 * The compiler includes this in front of every file of the shim and of the inspector (Makefile),
 * but not with a sanitizer, whose runtime interposes the default versions. Another libc has no
 * versions.
 */
#ifndef RG_GLIBC_FLOOR_H
#define RG_GLIBC_FLOOR_H

/*
 * A 32-bit glibc has every file function twice. Debian's 32-bit libssl is built with 64-bit offsets
 * (SSL_sendfile takes one), a state file may have an inode beyond 32 bits, and the inspector reads
 * addresses above 2 GiB.
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

/* What <sys/stat.h> made of stat, lstat and fstat up to 2.32; the functions are all in libc, then
 * and now. */
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
RG_BIND_AS(fcntl64, fcntl, RG_GLIBC_FIRST); /* of 2.28 */
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
