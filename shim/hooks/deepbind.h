/*
 * Reports modules that were opened with RTLD_DEEPBIND and call libssl. Their calls pass every
 * preload; that cannot be prevented, only reported. Our dlopen jumps to the next one and never gets
 * control back, so the program's next dlsym or dlopen checks what was loaded. Any thread may call
 * anything here.
 */
#ifndef RG_DEEPBIND_H
#define RG_DEEPBIND_H

#include <stdbool.h>

/* The program is about to use RTLD_DEEPBIND: from now on, check what is loaded. */
void rg_deepbind_expect(void);

/* Check what was loaded since, and report a module that calls libssl. False if nothing has been
 * loaded yet: check again later. */
bool rg_deepbind_check(void);

/* Stop checking what is loaded. */
void rg_deepbind_forget(void);

#endif
