/*
 * Modules that were opened with RTLD_DEEPBIND and call libssl: their calls go past every preload,
 * which can not be helped, but is said. dlopen(3) is jumped to, so nobody comes back from it: what
 * it loaded is looked at in the program's next dlsym or dlopen.
 */
#ifndef RG_DEEPBIND_H
#define RG_DEEPBIND_H

#include <stdbool.h>

/* RTLD_DEEPBIND is about to be used: what is loaded from now on may be meant. */
void rg_deepbind_expect(void);

/* Say so where something was loaded that calls libssl. True where nothing is expected any more. */
bool rg_deepbind_check(void);

/* Whatever is loaded from now on is not meant. */
void rg_deepbind_forget(void);

#endif
