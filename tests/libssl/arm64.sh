#!/bin/bash
# aarch64: built by the cross compiler, linked to Debian's libssl3:arm64, run under qemu. The clients are programs of this machine.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/builds.sh
. tests/lib/arch.sh

[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build: this test makes an ordinary build"; exit 0; }
# The emulator must be statically linked, so that LD_PRELOAD applies to the program and not to the emulator.
for qemu in qemu-aarch64-static qemu-aarch64; do
	qemu=$(command -v $qemu) && file -L "$qemu" | grep -q 'static' && break
done
[ -n "$qemu" ] || { echo "1..0 # SKIP no statically linked qemu-aarch64 is installed (qemu-user-static)"; exit 0; }
foreign arm64 aarch64-linux-gnu
unset "${!RENEGUARD_@}"
certificates

build_with "${cross[@]}" LDFLAGS="$ldflags"
like "library and programs are built for AArch64" "$(readelf -h "$build/libreneguard.so" "$build/tests/tools/tlsserver")" 'Machine: *AArch64'
floor_holds
daemons aarch64 "$qemu" -L "$root"
export RG_EMULATOR="$qemu -L $root" RG_PEERS=$tools
mapfile -t units < <(unit_tests)
suite aarch64 "${units[@]}" tests/hooks/*.sh
finish
