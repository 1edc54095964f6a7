/* A sliding window that remembers every event: the exact reference for testing the limit. */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_EVENTS 6000

struct window {
	uint64_t at_ns[WINDOW_EVENTS];
	bool over[WINDOW_EVENTS]; /* what the limit said of it */
	unsigned begin, end;	  /* the events in the window */
	unsigned most;		  /* the most events it ever held */
};

/* Add an event at NOW_NS and drop those that are PERIOD_NS old. Returns how many events the window
 * holds. */
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
