// A plug-in that is linked to a libssl and offers its functions to facehost in a table. Compiled
// with -foptimize-sibling-calls it jumps to libssl, which then finds the host's return address.
#include "face.h"
#include <stddef.h>

#define X(returns, name, parameters, arguments) extern returns name parameters;
FACE_CALLS(X)
#undef X
#define X(returns, name, parameters, arguments)                                                    \
	extern __attribute__((weak)) returns name parameters;
FACE_CALLS_OF_SOME(X)
#undef X

#define X(returns, name, parameters, arguments)                                                    \
	static returns call_##name parameters                                                      \
	{                                                                                          \
		return name arguments;                                                             \
	}
FACE_CALLS(X)
FACE_CALLS_OF_SOME(X)
#undef X

struct face face;

__attribute__((constructor)) static void fill(void)
{
#define X(returns, name, parameters, arguments)                                                    \
	if (name)                                                                                  \
		face.name = call_##name;
	FACE_CALLS(X)
	FACE_CALLS_OF_SOME(X)
#undef X
}
