/* A sliding window that remembers every event: what the limit is compared with. */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_EVENTS 6000

struct window {
	uint64_t at_ns[WINDOW_EVENTS];
	bool over[WINDOW_EVENTS];
	unsigned begin, end;
	unsigned most; /* ever in one period */
};

/* One more arrival; what was a period ago is no longer in it. */
static inline unsigned window_add(struct window *window, uint64_t now_ns, uint64_t period_ns,
				  bool over)
{
	while (window->begin < window->end && now_ns - window->at_ns[window->begin] >= period_ns)
		window->begin++;
	window->at_ns[window->end] = now_ns;
	window->over[window->end++] = over;
	if (window->end - window->begin > window->most)
		window->most = window->end - window->begin;
	return window->end - window->begin;
}

static inline bool window_has_over(const struct window *window)
{
	for (unsigned i = window->begin; i < window->end; i++)
		if (window->over[i])
			return true;
	return false;
}

#endif
