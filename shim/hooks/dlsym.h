/*
 * dlsym(3) and dlopen(3) as the program calls them. Exported are two stubs of a few instructions
 * (dlsym_stubs.S) that JUMP to the next function of that name. The real ones find their caller by
 * its return address (RTLD_NEXT, RTLD_DEFAULT, a RUNPATH), so it has to stay where it is. Only a
 * caller that asks for one of our names comes here first, and gets a hook of ours if the answer
 * lies in a libssl. Of dlopen only RTLD_DEEPBIND is noted. On processors without stubs neither is
 * exported (os/dl.h).
 *
 * Any thread may call anything here. Not sanitized: a sanitizer's runtime calls dlsym before it is
 * ready.
 */
#ifndef RG_DLSYM_H
#define RG_DLSYM_H

#include "os/dl.h"

#define RG_DLSYM_DEEPBIND 8  /* RTLD_DEEPBIND */
#define RG_DLSYM_PASS	  -1 /* rg_dlsym_answer: what the real dlsym says */

#ifndef RG_ASSEMBLER

/* From dlsym_stubs.S: where the exported stubs jump while there is something to be seen to. */
void rg_dlsym_first(void);
void rg_dlopen_first(void);

/* What the stubs call. */
void *rg_dlsym_wake(void);
void *rg_dlopen_wake(void);
void *rg_dlopen_deepbind(void);
void *rg_dlsym_answer(void *handle, const char *name, const void *caller);

#endif
#endif
