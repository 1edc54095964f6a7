#!/bin/bash
# Secure mode (AT_SECURE): a set-user-ID program that gets the shim by /etc/ld.so.preload belongs to root, its environment to the
# caller. No variable is read there. The script runs in a mount namespace of its own, where /etc is a copy that names the shim.
. tests/lib/tap.sh
needs openssl unshare setpriv
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP not root"; exit 0; }
[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build needs its runtime before it"; exit 0; }
chmod 755 "$tmp"
cp "$shim" "$tmp/libreneguard.so"
cp "$(command -v openssl)" "$tmp/openssl"
cp "$tmp/openssl" "$tmp/openssl-setuid"
chmod 4755 "$tmp/openssl-setuid"
cp -a /etc "$tmp/etc"
echo "$tmp/libreneguard.so" >"$tmp/etc/ld.so.preload"
install -d -m 1777 /dev/shm "$tmp/writable"

# as_nobody COMMAND...: user nobody runs COMMAND there, with the environment that follows `env`.
as_nobody() {
	timeout 20 unshare --mount --propagation private sh -c 'mount --bind "$1" /etc && shift && exec setpriv --reuid nobody --regid nogroup --clear-groups "$@"' \
		sh "$tmp/etc" "$@" 2>&1
}
if ! as_nobody true >/dev/null; then
	echo "1..0 # SKIP no mount namespace is allowed here"
	exit 0
fi
like "an ordinary program is guarded by /etc/ld.so.preload" "$(as_nobody grep -c "$tmp/libreneguard.so" /proc/self/maps)" '^[1-9]'
state=/dev/shm/reneguard-secure-$$
at_exit "rm -f $state"
version=$(openssl version)
is "a set-user-ID program runs although its caller wants a strict policy and sets a bad one" \
	"$(as_nobody env RENEGUARD_STRICT=1 RENEGUARD_RESUMPTION=bogus RENEGUARD_STATE=$state RENEGUARD_LOG=stderr "$tmp/openssl-setuid" version)" "$version"
is "it makes no file that its caller names" "$(ls "$state" 2>/dev/null)" ""
like "the same program without the set-user-ID bit reads its environment" \
	"$(as_nobody env RENEGUARD_STRICT=1 RENEGUARD_RESUMPTION=bogus RENEGUARD_LOG=stderr "$tmp/openssl" version)" 'code=ERR_RENEGUARD_POLICY'
finish
