#!/bin/bash
# The other compiler: unit and hook tests of a build with clang.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/builds.sh
. tests/lib/arch.sh

[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build: the other one is not"; exit 0; }
needs clang
unset "${!RENEGUARD_@}"
build_with CC=clang
like "it is what it should be" "$(readelf -p .comment "$build/libreneguard.so")" clang
floor_holds
mapfile -t units < <(unit_tests)
suite clang "${units[@]}" tests/hooks/*.sh
finish
