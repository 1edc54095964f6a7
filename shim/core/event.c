#include "rg_event.h"

const char *rg_event_name(enum rg_event event)
{
	static const char *const names[] = {
#define X(id, name, variable, rule, actions, what) name,
	    RG_EVENTS(X)
#undef X
	};
	return names[event];
}

const char *rg_action_name(enum rg_action action)
{
	static const char *const names[] = {
#define X(id, name) name,
	    RG_ACTIONS(X)
#undef X
	};
	return names[action];
}
