#include "libssl/deafen.h"

#include <stdatomic.h>

#define CB_FREE 1 /* BIO_CB_FREE */
#define CB_READ 2 /* BIO_CB_READ */

typedef long callback_ex(struct bio_st *bio, int operation, const char *data, size_t bytes,
			 int size, long argument, int result, size_t *processed);
typedef long callback(struct bio_st *bio, int operation, const char *data, int size, long argument,
		      long result);

/* --- the program's callbacks on BIOs that are deaf: hardly any program sets one --- */

#define KEPT  64 /* a program that has more of them at once loses one */
#define TAKEN ((struct bio_st *)1)

static struct kept {
	struct bio_st *_Atomic bio; /* NULL: free */
	void *program_callback;
} kept[KEPT];

static struct kept *find(const struct bio_st *bio)
{
	for (unsigned i = 0; i < KEPT; i++)
		if (atomic_load_explicit(&kept[i].bio, memory_order_acquire) == bio)
			return &kept[i];
	return NULL;
}

static void keep(struct bio_st *bio, void *program_callback)
{
	for (unsigned i = 0; program_callback != NULL && i < KEPT; i++) {
		struct bio_st *none = NULL;

		if (!atomic_compare_exchange_strong(&kept[i].bio, &none, TAKEN))
			continue;
		kept[i].program_callback = program_callback;
		atomic_store_explicit(&kept[i].bio, bio, memory_order_release);
		return;
	}
}

/* The program's callback on BIO, which is kept no longer. NULL if it has none. */
static void *give_back(const struct bio_st *bio)
{
	struct kept *found = find(bio);
	void *program_callback = found != NULL ? found->program_callback : NULL;

	if (found != NULL)
		atomic_store_explicit(&found->bio, NULL, memory_order_release);
	return program_callback;
}

static void *callback_for(const struct bio_st *bio, int operation)
{
	const struct kept *found = find(bio);

	if (operation == CB_FREE)
		return give_back(bio);
	return found != NULL ? found->program_callback : NULL;
}

/* --- our callbacks --- */

static long fail_reads_ex(struct bio_st *bio, int operation, const char *data, size_t bytes,
			  int size, long argument, int result, size_t *processed)
{
	callback_ex *program = operation != CB_READ ? callback_for(bio, operation) : NULL;

	if (operation == CB_READ)
		return -1;
	return program != NULL
		   ? program(bio, operation, data, bytes, size, argument, result, processed)
		   : result;
}

static long fail_reads(struct bio_st *bio, int operation, const char *data, int size, long argument,
		       long result)
{
	callback *program = operation != CB_READ ? callback_for(bio, operation) : NULL;

	if (operation == CB_READ)
		return -1;
	return program != NULL ? program(bio, operation, data, size, argument, result) : result;
}

/* --- which of the two kinds --- */

static void *get_ex(const struct rg_libssl *lib, const struct bio_st *bio)
{
	return lib->BIO_get_callback_ex != NULL ? lib->BIO_get_callback_ex(bio) : NULL;
}

static void *get_old(const struct rg_libssl *lib, const struct bio_st *bio)
{
	return lib->BIO_get_callback != NULL ? lib->BIO_get_callback(bio) : NULL;
}

/* Before 1.1.1 there is only the old kind. A program that has set one of that kind keeps it. */
static bool uses_ex(const struct rg_libssl *lib, const struct bio_st *bio)
{
	return lib->BIO_set_callback_ex != NULL &&
	       (get_ex(lib, bio) != NULL || get_old(lib, bio) == NULL);
}

void rg_libssl_deafen(const struct rg_libssl *lib, struct ssl_st *ssl, struct bio_st **deaf)
{
	struct bio_st *bio = lib->SSL_get_rbio(ssl);

	if (bio == NULL || *deaf != NULL || get_ex(lib, bio) == (void *)fail_reads_ex ||
	    get_old(lib, bio) == (void *)fail_reads)
		return;
	if (uses_ex(lib, bio)) {
		keep(bio, get_ex(lib, bio));
		lib->BIO_set_callback_ex(bio, (void *)fail_reads_ex);
	} else if (lib->BIO_set_callback != NULL) {
		keep(bio, get_old(lib, bio));
		lib->BIO_set_callback(bio, (void *)fail_reads);
	}
	if (lib->BIO_up_ref != NULL)
		(void)lib->BIO_up_ref(bio);
	*deaf = bio;
}

void rg_libssl_undeafen(const struct rg_libssl *lib, const struct ssl_st *ssl, struct bio_st **deaf)
{
	struct bio_st *bio = *deaf;

	/* Before 1.1.0 there is no reference of ours, so it must still be the SSL's. */
	if (bio == NULL || (lib->BIO_up_ref == NULL && lib->SSL_get_rbio(ssl) != bio))
		return;
	*deaf = NULL;
	if (get_ex(lib, bio) == (void *)fail_reads_ex)
		lib->BIO_set_callback_ex(bio, give_back(bio));
	else if (get_old(lib, bio) == (void *)fail_reads)
		lib->BIO_set_callback(bio, give_back(bio));
	else
		(void)give_back(bio); /* the program has set another one */
	if (lib->BIO_up_ref != NULL)
		(void)lib->BIO_free(bio);
}
