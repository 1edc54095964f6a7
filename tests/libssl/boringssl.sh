#!/bin/bash
# BoringSSL, as Debian has it (android-libboringssl), cannot be guarded: it is left alone. That is said once for a process tree, by its name,
# and only if the program is a server.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/unpack.sh
unset "${!RENEGUARD_@}"

needs "${CC:-cc}"
[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build: its runtime is not that of other libraries"; exit 0; }
unpack boringssl android-libboringssl || { echo "1..0 # SKIP android-libboringssl cannot be fetched: $(tail -n 1 "$tmp/download.log")"; exit 0; }
directory=$(dirname "$(find "$unpacked_root" -name libssl.so.0 | head -n 1)")

cat >"$tmp/contexts.c" <<'C'
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
const void *TLS_method(void), *TLS_client_method(void);
void *SSL_CTX_new(const void *), *SSL_new(void *), *BIO_s_mem(void), *BIO_new(const void *);
void SSL_free(void *), SSL_CTX_free(void *), SSL_set_bio(void *, void *, void *);
void SSL_set_accept_state(void *), SSL_set_connect_state(void *);
int SSL_do_handshake(void *), SSL_get_error(const void *, int);
static int make(const void *method, int client)
{
	void *ctx = SSL_CTX_new(method), *ssl = ctx != NULL ? SSL_new(ctx) : NULL;
	int made = ssl != NULL;
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	client ? SSL_set_connect_state(ssl) : SSL_set_accept_state(ssl);
	made &= SSL_get_error(ssl, SSL_do_handshake(ssl)) == 2; // it wants to read
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return made;
}
int main(int argc, char **argv)
{
	int client = argc > 1 && strcmp(argv[1], "client") == 0, made = 0, status;
	int own = argc > 1 && strcmp(argv[1], "parent") == 0 ? 0 : 20; // a parent leaves all to its children
	for (int i = 0; i < own; i++)
		made += make(client ? TLS_client_method() : TLS_method(), client);
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			return own - made + !make(client ? TLS_client_method() : TLS_method(), client);
	for (int i = 0; i < 3; i++)
		if (wait(&status) < 0 || status != 0)
			return 1;
	printf("made=%d\n", made);
	return 0;
}
C
"${CC:-cc}" -O2 -o "$tmp/contexts" "$tmp/contexts.c" "$directory/libssl.so.0" "$directory/libcrypto.so.0" \
	-Wl,--unresolved-symbols=ignore-in-shared-libs >"$tmp/compile.log" 2>&1 || { echo "1..0 # SKIP it cannot be linked to: $(tail -n 1 "$tmp/compile.log")"; exit 0; }
export LD_LIBRARY_PATH=$directory
is "without the shim the program begins its handshakes" "$("$tmp/contexts" server)" made=20
is "with it, too" "$(LD_PRELOAD=$preload RENEGUARD_LOG=stderr "$tmp/contexts" server 2>"$tmp/server.log")" made=20
is "one line says that this libssl is not guarded" "$(grep -c . "$tmp/server.log") $(grep -c 'code=ERR_RENEGUARD_LIBSSL.*libssl=BoringSSL.*not guarded' "$tmp/server.log")" "1 1"
is "a parent whose children begin theirs" "$(LD_PRELOAD=$preload RENEGUARD_LOG=stderr "$tmp/contexts" parent 2>"$tmp/parent.log")" made=0
is "one line says so for all of them" "$(grep -c . "$tmp/parent.log") $(grep -c 'code=ERR_RENEGUARD_LIBSSL' "$tmp/parent.log")" "1 1"
is "a program that is only a client begins its handshakes" "$(LD_PRELOAD=$preload RENEGUARD_LOG=stderr "$tmp/contexts" client 2>"$tmp/client.log")" made=20
is "and nothing is said" "$(cat "$tmp/client.log")" ""
finish
