#include "guard/gate.h"

#include <stddef.h>

_Atomic int rg_gate = RG_GATE_LIBRARY;
struct rg_libssl *rg_gate_library;

void rg_gate_set(int flag)
{
	atomic_fetch_or(&rg_gate, flag);
}

void rg_gate_clear(int flag)
{
	atomic_fetch_and(&rg_gate, ~flag);
}

void rg_gate_count_refused(bool more)
{
	int now = rg_gate_flags(), next;

	if ((now & RG_GATE_SHARED) != 0)
		return;
	do {
		next = (now & ~RG_GATE_REFUSED) + (more ? 1 : -1);
		if ((next & (RG_GATE_REFUSED - 1)) != 0)
			next |= RG_GATE_REFUSED;
	} while (!atomic_compare_exchange_weak(&rg_gate, &now, next));
}
