// The error queue, declared for every libssl, as in ssl.h beside it. The layout of an error code
// changed in 3.0, which is the first version to have ERR_set_error.
#ifndef PROTOTYPES_OPENSSL_ERR_H
#define PROTOTYPES_OPENSSL_ERR_H

#include "ssl.h"

enum { ERR_TXT_STRING = 2 };

void ERR_clear_error(void);
unsigned long ERR_peek_error(void);
void ERR_error_string_n(unsigned long, char *, size_t);
void ERR_print_errors_fp(FILE *);
unsigned long ERR_peek_error_line_data(const char **, int *, const char **, int *);
void MAYBE ERR_set_error(int, int, const char *, ...);

static inline unsigned long ERR_peek_error_data(const char **data, int *flags)
{
	return ERR_peek_error_line_data(NULL, NULL, data, flags);
}

static inline int ERR_GET_LIB(unsigned long code)
{
	return (int)(ERR_set_error ? code >> 23 & 0xff : code >> 24 & 0xff);
}

static inline int ERR_GET_REASON(unsigned long code)
{
	return (int)(code & (ERR_set_error ? 0x7fffff : 0xfff));
}

#endif
