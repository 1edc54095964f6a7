#include "rg_libssl.h"

#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define LIB_SSL		       20 /* ERR_LIB_SSL, in every version */
#define VERSION_111	       0x10101000UL
#define VERSION_300	       0x30000000UL
#define EX_INDEX_SSL	       0 /* CRYPTO_EX_INDEX_SSL, 1.1.0 and later */
#define EX_INDEX_SSL_CTX       1
#define CTRL_MAX_PROTO_VERSION 131 /* SSL_CTRL_GET_MAX_PROTO_VERSION */
#define OP_NO_RENEGOTIATION    0x40000000U
#define OP_NO_TLS13	       0x20000000U
#define OP_NO_VERSION	       0x3e000000U /* SSL_OP_NO_SSLv3 to SSL_OP_NO_TLSv1_3 */
#define TLS13		       0x0304
#define BIO_READ	       2 /* BIO_CB_READ */

/* Which callers are bound to which library: filled once for each module, only ever appended to. */
#define MODULES_MAX 32

struct module {
	_Atomic uintptr_t start; /* written last */
	uintptr_t end;
	struct rg_libssl *lib;
};

static struct rg_libssl libraries[RG_LIBSSL_MAX];
static unsigned library_count; /* under `busy` */
static struct module modules[MODULES_MAX];
static _Atomic unsigned module_count;
static atomic_flag busy = ATOMIC_FLAG_INIT;
static struct rg_libssl
    ourselves; /* stands for this library in `modules`; never used as a libssl */

/* dlsym answers `void *`; ISO C wants function pointers kept apart. */
#define LOOK_UP(handle, name, place)                                                               \
	do {                                                                                       \
		void *symbol = dlsym(handle, name);                                                \
		memcpy(place, &symbol, sizeof symbol);                                             \
	} while (0)

static void read_version(struct rg_libssl *lib)
{
	const char *text = lib->OpenSSL_version != NULL	 ? lib->OpenSSL_version(0)
			   : lib->SSLeay_version != NULL ? lib->SSLeay_version(0)
							 : "";
	const char *word = strchr(text, ' ');
	size_t length;

	lib->number = lib->OpenSSL_version_num != NULL ? lib->OpenSSL_version_num()
		      : lib->SSLeay != NULL	       ? lib->SSLeay()
						       : 0;
	word = word != NULL ? word + 1 : "unknown";
	length = strcspn(word, " ");
	snprintf(lib->version, sizeof lib->version, "%.*s", (int)length, word);
	/* LibreSSL calls itself 2.0.0 for good; what it has is what 1.0.x has, for our purposes. */
	if (strncmp(text, "LibreSSL", 8) == 0)
		lib->number = 0x10002000UL;
}

static void fill(struct rg_libssl *lib, void *handle)
{
	lib->guardable = true;
#define X(returns, name, arguments)                                                                \
	LOOK_UP(handle, #name, &lib->name);                                                        \
	lib->guardable &= lib->name != NULL;
	RG_LIBSSL_REQUIRED(X)
#undef X
#define X(returns, name, arguments) LOOK_UP(handle, #name, &lib->name);
	RG_LIBSSL_OPTIONAL(X)
#undef X
	read_version(lib);
	lib->connection_index = lib->callback_index = -1;
}

/* The library in which the code at FUNCTION (an SSL_new) lies, as a handle of its own; pinned by
 * never being closed. */
static void *pin(const void *function)
{
	Dl_info info;

	if (function == NULL || dladdr(function, &info) == 0 || info.dli_fname == NULL)
		return NULL;
	return dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
}

static bool is_ours(const void *address)
{
	Dl_info theirs, ours;

	return dladdr(address, &theirs) != 0 && dladdr((const void *)&modules, &ours) != 0 &&
	       theirs.dli_fbase == ours.dli_fbase;
}

/* A loaded object that calls itself libssl, wherever it came from. */
static int find_libssl(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *name = strrchr(info->dlpi_name != NULL ? info->dlpi_name : "", '/');
	void **found = arg, *handle;

	(void)size;
	if (name == NULL || strncmp(name, "/libssl", 7) != 0)
		return 0;
	handle = dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
	if (handle == NULL)
		return 0;
	*found = dlsym(handle, "SSL_new");
	dlclose(handle);
	return *found != NULL && !is_ours(*found);
}

/*
 * The SSL_new that code in the module at CALLER means, if it were not for us: of the libraries it
 * was linked to; of the program's global scope, all that RTLD_NEXT knows; of any libssl that is
 * loaded, for a module that got here by a jump (a tail call in a plug-in leaves the return address
 * of its host).
 */
static void *real_ssl_new(const void *caller)
{
	void *found = NULL, *module = pin(caller);

	if (module != NULL) {
		found = dlsym(module, "SSL_new");
		dlclose(module);
	}
	if (found == NULL || is_ours(found))
		found = dlsym(RTLD_NEXT, "SSL_new");
	if ((found == NULL || is_ours(found)) && dl_iterate_phdr(find_libssl, &found) == 0)
		found = NULL;
	return found;
}

static struct rg_libssl *library_with(void *ssl_new)
{
	void *handle;

	for (unsigned i = 0; i < library_count; i++)
		if (memcmp(&libraries[i].SSL_new, &ssl_new, sizeof ssl_new) == 0)
			return &libraries[i];
	if (library_count == RG_LIBSSL_MAX)
		return NULL;
	handle = pin(ssl_new);
	if (handle == NULL)
		return NULL;
	fill(&libraries[library_count], handle);
	libraries[library_count].slot = library_count;
	return &libraries[library_count++];
}

struct range {
	uintptr_t address, start, end;
};

/* The whole of the object, not the one segment: our own data tells where our code is. */
static int find_range(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct range *range = arg;

	(void)size;
	range->start = UINTPTR_MAX;
	range->end = 0;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD)
			continue;
		if (start < range->start)
			range->start = start;
		if (start + segment->p_memsz > range->end)
			range->end = start + segment->p_memsz;
	}
	return range->address >= range->start && range->address < range->end;
}

static struct rg_libssl *known(uintptr_t address)
{
	unsigned count = atomic_load_explicit(&module_count, memory_order_acquire);

	for (unsigned i = 0; i < count; i++)
		if (address - modules[i].start < modules[i].end - modules[i].start)
			return modules[i].lib;
	return NULL;
}

static void remember(uintptr_t address, struct rg_libssl *lib)
{
	struct range range = {.address = address};
	unsigned count = atomic_load(&module_count);

	if (count == MODULES_MAX || dl_iterate_phdr(find_range, &range) == 0)
		return;
	modules[count].start = range.start;
	modules[count].end = range.end;
	modules[count].lib = lib;
	atomic_store_explicit(&module_count, count + 1, memory_order_release);
}

static struct rg_libssl *find_library(const void *caller)
{
	void *ssl_new = real_ssl_new(caller);
	struct rg_libssl *lib;

	if (ssl_new == NULL)
		return NULL;
	/* Held for a few lookups, once for each module; nothing in it waits for another thread. */
	while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire))
		;
	if (atomic_load(&module_count) == 0)
		remember((uintptr_t)&modules, &ourselves);
	lib = library_with(ssl_new);
	if (lib != NULL && known((uintptr_t)caller) == NULL)
		remember((uintptr_t)caller, lib);
	atomic_flag_clear_explicit(&busy, memory_order_release);
	return lib;
}

/*
 * Inside some builds SSL_accept jumps to SSL_do_handshake through the PLT, and so on: the second
 * hook is then called from the first one, and means the library that this thread was just sent to.
 */
struct rg_libssl *rg_libssl_of(const void *caller)
{
	static _Thread_local struct rg_libssl *current __attribute__((tls_model("initial-exec")));
	struct rg_libssl *lib = known((uintptr_t)caller);

	if (lib == &ourselves)
		return current != NULL ? current : &libraries[0];
	if (lib == NULL)
		lib = find_library(caller);
	current = lib;
	return lib;
}

bool rg_libssl_is_loaded(void)
{
	return dlsym(RTLD_NEXT, "SSL_CTX_new") != NULL;
}

/* In 1.0.x the first index is 0, the very one of SSL_set_app_data (OpenSSL RT 3710): it stays the
 * program's. */
static int take_index(const struct rg_libssl *lib, int (*old)(long, void *, void *, void *, void *),
		      int class, void *dup, void *release)
{
	int index = -1;

	for (unsigned tries = 0; tries < 2 && index <= 0; tries++) {
		if (old != NULL)
			index = old(0, NULL, NULL, dup, release);
		else if (lib->CRYPTO_get_ex_new_index != NULL)
			index = lib->CRYPTO_get_ex_new_index(class, 0, NULL, NULL, dup, release);
	}
	return index;
}

int rg_libssl_take_indices(struct rg_libssl *lib, rg_ex_dup *dup, rg_ex_free *release)
{
	void *dup_pointer, *release_pointer;

	memcpy(&dup_pointer, &dup, sizeof dup_pointer);
	memcpy(&release_pointer, &release, sizeof release_pointer);
	lib->callback_index =
	    take_index(lib, lib->SSL_CTX_get_ex_new_index, EX_INDEX_SSL_CTX, NULL, NULL);
	lib->connection_index =
	    take_index(lib, lib->SSL_get_ex_new_index, EX_INDEX_SSL, dup_pointer, release_pointer);
	return lib->callback_index <= 0 || lib->connection_index <= 0 ? -1 : 0;
}

/*
 * The option words: functions of unsigned long in 1.1.x, of uint64_t from 3.0 on; before 1.1.0
 * there is no function and none of the options below. All bits in use here fit in 32.
 */
typedef uint64_t change_options64(struct ssl_st *, uint64_t);
typedef unsigned long change_options_long(struct ssl_st *, unsigned long);

static void change_options(const struct rg_libssl *lib, change_options64 *change,
			   struct ssl_st *ssl, uint32_t bits)
{
	if (change == NULL)
		return;
	if (lib->number >= VERSION_300)
		(void)change(ssl, bits);
	else
		(void)((change_options_long *)(void *)change)(ssl, bits);
}

static uint64_t options(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	if (lib->SSL_get_options == NULL)
		return 0;
	return lib->number >= VERSION_300
		   ? lib->SSL_get_options(ssl)
		   : ((unsigned long (*)(const struct ssl_st *))(void *)lib->SSL_get_options)(ssl);
}

bool rg_libssl_speaks_tls13(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	long newest;

	if (lib->number < VERSION_111 || (options(lib, ssl) & OP_NO_TLS13) != 0)
		return false;
	newest = lib->SSL_ctrl(ssl, CTRL_MAX_PROTO_VERSION, 0, NULL);
	return newest == 0 || newest >= TLS13;
}

/* No build of any version shares these with a peer that is worth talking to. */
static void leave_no_cipher(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	lib->ERR_set_mark();
	(void)lib->SSL_set_cipher_list(ssl, "NULL-SHA256:NULL-SHA");
	lib->ERR_pop_to_mark();
}

void rg_libssl_refuse_renegotiation(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	if (lib->number >= VERSION_111)
		change_options(lib, lib->SSL_set_options, ssl, OP_NO_RENEGOTIATION);
	else
		leave_no_cipher(lib, ssl);
}

void rg_libssl_refuse_handshake(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	if (lib->number >= VERSION_111)
		change_options(lib, lib->SSL_set_options, ssl, OP_NO_VERSION);
	else
		leave_no_cipher(lib, ssl);
}

static long deaf(struct bio_st *bio, int operation, const char *data, int size, long argument,
		 long result)
{
	(void)bio, (void)data, (void)size, (void)argument;
	return operation == BIO_READ ? -1 : result;
}

static long deaf_ex(struct bio_st *bio, int operation, const char *data, size_t bytes, int size,
		    long argument, int result, size_t *processed)
{
	(void)bio, (void)data, (void)bytes, (void)size, (void)argument, (void)processed;
	return operation == BIO_READ ? -1 : result;
}

/* CALLBACK_EX from 1.1.1 on, CALLBACK before. */
static void set_bio_callback(const struct rg_libssl *lib, struct ssl_st *ssl, void *callback_ex,
			     void *callback)
{
	struct bio_st *bio = lib->SSL_get_rbio(ssl);

	if (bio != NULL && lib->BIO_set_callback_ex != NULL)
		lib->BIO_set_callback_ex(bio, callback_ex);
	else if (bio != NULL && lib->BIO_set_callback != NULL)
		lib->BIO_set_callback(bio, callback);
}

void rg_libssl_deafen(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	set_bio_callback(lib, ssl, (void *)deaf_ex, (void *)deaf);
}

void rg_libssl_unrefuse(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	set_bio_callback(lib, ssl, NULL, NULL);
	change_options(lib, lib->SSL_clear_options, ssl, OP_NO_RENEGOTIATION | OP_NO_VERSION);
}

/* ERR_STRING_DATA */
struct error_string {
	unsigned long error;
	const char *string;
};

static void raise_entry(const struct rg_libssl *lib, int reason, const char *text)
{
	if (lib->ERR_new != NULL && lib->ERR_set_debug != NULL && lib->ERR_set_error != NULL) {
		lib->ERR_new();
		lib->ERR_set_debug("reneguard", 0, "reneguard");
		lib->ERR_set_error(LIB_SSL, reason, "%s", text);
		return;
	}
	if (lib->ERR_put_error == NULL)
		return;
	lib->ERR_put_error(LIB_SSL, 0, reason, "reneguard", 0);
	if (lib->ERR_add_error_data != NULL)
		lib->ERR_add_error_data(1, text);
}

void rg_libssl_raise(const struct rg_libssl *lib, int reason, const char *text)
{
	static struct error_string strings[] = {
	    {RG_REASON_SESSION_ATTACK, "ERR_TLS_SESSION_ATTACK"}, {0, NULL}};
	static _Atomic bool loaded[RG_LIBSSL_MAX];

	if (lib->ERR_load_strings != NULL && !atomic_exchange(&loaded[lib->slot], true)) {
		/* It writes the library number into what it is given: one copy for each libssl. */
		static struct error_string copies[RG_LIBSSL_MAX][2];

		memcpy(copies[lib->slot], strings, sizeof strings);
		(void)lib->ERR_load_strings(LIB_SSL, copies[lib->slot]);
	}
	raise_entry(lib, reason, text);
}

static bool is_error(const struct rg_libssl *lib, unsigned long error, int reason)
{
	/* ERR_GET_LIB and ERR_GET_REASON: the library moved when functions left the code in 3.0. */
	unsigned long library = lib->number >= VERSION_300 ? error >> 23 & 0xff : error >> 24 & 0xff;

	return library == LIB_SSL && (error & 0xfff) == (unsigned long)reason;
}

bool rg_libssl_raised(const struct rg_libssl *lib, int reason)
{
	return is_error(lib, lib->ERR_peek_error(), reason) ||
	       is_error(lib, lib->ERR_peek_last_error(), reason);
}
