/*
 * The hooks of dlsym(3) and dlopen(3). Two stubs of a few instructions are exported
 * (dlsym_stubs.S). They JUMP to the next function of that name. The real functions find their
 * caller by the return address (RTLD_NEXT, RTLD_DEFAULT, a RUNPATH), so it has to stay where it is.
 * Only a caller that asks for one of our names comes here first. It gets our hook if the answer is
 * in a libssl. dlopen is only watched for RTLD_DEEPBIND. On processors without stubs, neither is
 * exported (os/dl.h).
 *
 * Any thread may call anything here. Compiled without sanitizers: their runtime calls dlsym before
 * it is ready.
 */
#ifndef RG_DLSYM_H
#define RG_DLSYM_H

#include "os/dl.h"

#define RG_DLSYM_DEEPBIND 8  /* RTLD_DEEPBIND */
#define RG_DLSYM_PASS	  -1 /* from rg_dlsym_answer: call the next dlsym */

#ifndef RG_ASSEMBLER

/* In dlsym_stubs.S. The exported stubs jump here at first, and whenever RTLD_DEEPBIND was used. */
void rg_dlsym_first(void);
void rg_dlopen_first(void);

/* The stubs call these three, and then jump to the function returned: the next dlsym or dlopen.
 * They check what an earlier RTLD_DEEPBIND loaded; the last one also notes that it is used again.
 */
void *rg_dlsym_check(void);
void *rg_dlopen_check(void);
void *rg_dlopen_deepbind(void);

/*
 * What dlsym(HANDLE, NAME), called from CALLER, must return: our hook, or NULL with a reason for
 * dlerror(3). RG_DLSYM_PASS if the next dlsym must answer. Leaves errno alone.
 */
void *rg_dlsym_answer(void *handle, const char *name, const void *caller);

#endif
#endif
