// keycount.so: preloaded after the shim, counts libssl's calls of libcrypto that cost an asymmetric
// operation. In some versions EVP_PKEY_derive also derives keys of a handshake; those calls count,
// too. The file that KEYCOUNT names holds the number, as one 64-bit integer. All these functions
// take at most six arguments of register size and return one such value, so one stub forwards them
// all.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef intptr_t operation(intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t);

static _Atomic uint64_t *count;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("KEYCOUNT");
	int fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	void *memory = fd >= 0 && ftruncate(fd, sizeof(*count)) == 0
			   ? mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
			   : MAP_FAILED;

	if (memory != MAP_FAILED)
		count = memory;
	if (fd >= 0)
		close(fd);
}

// Counts a call; returns the real function.
static operation *counted(const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);
	operation *real;

	memcpy(&real, &symbol, sizeof(real));
	if (count != NULL)
		atomic_fetch_add(count, 1);
	return real;
}

#define COUNTED(name)                                                                              \
	operation name;                                                                            \
	intptr_t name(intptr_t a, intptr_t b, intptr_t c, intptr_t d, intptr_t e, intptr_t f)      \
	{                                                                                          \
		return counted(#name)(a, b, c, d, e, f);                                           \
	}

COUNTED(RSA_sign)
COUNTED(RSA_private_encrypt)
COUNTED(RSA_private_decrypt)
COUNTED(ECDSA_sign)
COUNTED(EC_KEY_generate_key)
COUNTED(ECDH_compute_key)
COUNTED(DH_generate_key)
COUNTED(DH_compute_key)
COUNTED(EVP_SignFinal)
COUNTED(EVP_DigestSign)
COUNTED(EVP_DigestSignFinal)
COUNTED(EVP_PKEY_sign)
COUNTED(EVP_PKEY_decrypt)
COUNTED(EVP_PKEY_keygen)
COUNTED(EVP_PKEY_generate)
COUNTED(EVP_PKEY_derive)
COUNTED(EVP_PKEY_encapsulate)
COUNTED(EVP_PKEY_decapsulate)
