#!/bin/bash
# The other compiler, clang: a build with it passes the unit and hook tests.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/builds.sh
. tests/lib/arch.sh

[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build: this test makes an ordinary build"; exit 0; }
needs clang
unset "${!RENEGUARD_@}"
build_with CC=clang
like "the library is built by clang" "$(readelf -p .comment "$build/libreneguard.so")" clang
floor_holds
mapfile -t units < <(unit_tests)
suite clang "${units[@]}" tests/hooks/*.sh
finish
