/* The map from an SSL to our state for it: what is no key has no state, and nothing is left of a key that was released. */
#include "unit.h"

/* The map is no part of the functional core, but it is as pure, and complete in one file. */
#include "os/ssl_map.c"

#define KEYS 3000 /* far more than the first level holds */

struct state {
	int number;
};

static _Alignas(16) char objects[KEYS][16]; /* their addresses are the keys */

static const void *const no_keys[] = {NULL, (const void *)RG_SSL_MAP_BUSY};

static void take_all(void)
{
	for (int i = 0; i < KEYS; i++) {
		struct state *state = rg_ssl_map_take(objects[i], sizeof *state);

		ck_assert_ptr_nonnull(state);
		ck_assert_int_eq(state->number, 0);
		state->number = i + 1;
	}
}

static void release_all(void)
{
	for (int i = 0; i < KEYS; i++)
		rg_ssl_map_release(rg_ssl_map_find(objects[i]));
}

START_TEST(test_finds_what_was_taken)
{
	take_all();
	for (int i = 0; i < KEYS; i++)
		ck_assert_int_eq(((struct state *)rg_ssl_map_get(objects[i]))->number, i + 1);
	release_all();
	for (int i = 0; i < KEYS; i++)
		ck_assert_ptr_null(rg_ssl_map_get(objects[i]));
	take_all(); /* with states that were in use before */
	release_all();
}
END_TEST

START_TEST(test_what_is_no_key_is_never_found)
{
	const void *key = no_keys[_i];

	ck_assert_ptr_null(rg_ssl_map_get(key)); /* while every entry is free */
	ck_assert_ptr_null(rg_ssl_map_take(key, sizeof(struct state)));
	ck_assert_ptr_null(rg_ssl_map_get(key));
	take_all();
	ck_assert_ptr_null(rg_ssl_map_find(key));
	release_all();
	ck_assert_ptr_null(rg_ssl_map_find(key));
	ck_assert_ptr_null(rg_ssl_map_get(key));
}
END_TEST

START_TEST(test_a_released_entry_has_no_state)
{
	struct rg_ssl_entry *entry;

	ck_assert_ptr_nonnull(rg_ssl_map_take(objects[0], sizeof(struct state)));
	entry = rg_ssl_map_find(objects[0]);
	rg_ssl_map_release(entry);
	ck_assert_ptr_null(entry->state);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ssl_map");

	UNIT_ADD(suite, test_finds_what_was_taken);
	UNIT_ADD_ROWS(suite, test_what_is_no_key_is_never_found, no_keys);
	UNIT_ADD(suite, test_a_released_entry_has_no_state);
	return unit_run(suite);
}
