/*
 * The hooks once more for each library that a process may have: what dlsym(3) answers with. A
 * pointer that was looked up has no telling caller (libffi, a JIT, a Pascal program), so each of
 * these names its library itself, and no object of one reaches a function of another.
 */
#include "guard/guard.h"
#include "hooks/dlsym.h"

#undef RG_CALLER
#define RG_CALLER	    ((const void *)&rg_libssl_libraries[SLOT])
#define HOOK_LINKAGE	    static
#define PASTE(name, slot)   name##_of_##slot
#define HOOK_OF(name, slot) PASTE(name, slot)
#define HOOK(name)	    HOOK_OF(name, SLOT)

#define SLOT 0
#include "libssl.c"
#undef SLOT
#define SLOT 1
#include "libssl.c"
#undef SLOT
#define SLOT 2
#include "libssl.c"
#undef SLOT
#define SLOT 3
#include "libssl.c"
#undef SLOT

_Static_assert(RG_LIBSSL_MAX == 4, "the hooks are made for each library");

const struct rg_looked_up rg_looked_up[] = {
#define X(returns, name, arguments)                                                                \
	{#name,                                                                                    \
	 {(void *)name##_of_0, (void *)name##_of_1, (void *)name##_of_2, (void *)name##_of_3}},
    RG_LIBSSL_HOOKS(X)
#undef X
	{NULL, {NULL}}};
