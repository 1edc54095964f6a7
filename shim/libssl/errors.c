#include "libssl/errors.h"

#include "libssl/versions.h"

/* The same in every version. */
#define LIB_SSL		 20  /* ERR_LIB_SSL */
#define NO_SHARED_CIPHER 193 /* SSL_R_NO_SHARED_CIPHER */

void rg_libssl_raise(const struct rg_libssl *lib, int reason, const char *text)
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

static bool is_error(const struct rg_libssl *lib, unsigned long error, int reason)
{
	/* As ERR_GET_LIB and ERR_GET_REASON. 3.0 dropped the function code, and the library moved
	 * to other bits. */
	unsigned long library =
	    lib->number >= RG_OPENSSL_3_0 ? error >> 23 & 0xff : error >> 24 & 0xff;

	return library == LIB_SSL && (error & 0xfff) == (unsigned long)reason;
}

bool rg_libssl_raised(const struct rg_libssl *lib, int reason)
{
	return is_error(lib, lib->ERR_peek_error(), reason) ||
	       is_error(lib, lib->ERR_peek_last_error(), reason);
}

bool rg_libssl_lacks_cipher(const struct rg_libssl *lib)
{
	return is_error(lib, lib->ERR_peek_last_error(), NO_SHARED_CIPHER);
}

void rg_libssl_clear_raised(const struct rg_libssl *lib)
{
	if (lib->ERR_clear_error != NULL && lib->ERR_peek_error() != 0 &&
	    (rg_libssl_raised(lib, RG_REASON_NO_RENEGOTIATION) ||
	     rg_libssl_raised(lib, RG_REASON_ACCESS_DENIED)))
		lib->ERR_clear_error();
}
