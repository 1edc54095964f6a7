/*
 * __libc_start_main, which starts a program, has a new version since glibc 2.34. Only crt1.o, which
 * belongs to the C library, refers to it. So the linker redirects that reference to this file
 * (--wrap, Makefile), which calls the version that every glibc has. See shim/os/glibc_floor.h.
 */
#if defined RG_GLIBC_FLOOR_H && defined __GLIBC__

typedef int rg_start(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
		     void (*fini)(void), void (*loader_fini)(void), void *stack_end);

rg_start __wrap___libc_start_main;

#ifdef RG_GLIBC_FIRST
rg_start first_start_main;
RG_BIND_AS(first_start_main, __libc_start_main, RG_GLIBC_FIRST);
#else
rg_start __real___libc_start_main;
#define first_start_main __real___libc_start_main
#endif

int __wrap___libc_start_main(int (*main)(int, char **, char **), int argc, char **argv,
			     void (*init)(void), void (*fini)(void), void (*loader_fini)(void),
			     void *stack_end)
{
	return first_start_main(main, argc, argv, init, fini, loader_fini, stack_end);
}

#endif
