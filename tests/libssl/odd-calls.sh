#!/bin/bash
# tests/hooks/odd-calls.sh on every available libssl. Without a libssl that cannot be fetched, its column is skipped with the reason.
# RG_COLUMNS chooses columns.
# shellcheck disable=SC2154
. tests/lib/tap.sh
. tests/lib/builds.sh
. tests/lib/columns.sh
. tests/lib/odd.sh

needs "${CC:-cc}"
[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build: its runtime is not that of the old libraries"; exit 0; }
unset "${!RENEGUARD_@}"
for column in ${RG_COLUMNS:-$columns}; do
	for program in oddcalls oddpairs; do
		link_to "$column" "$tmp/$program-$column" -Wall -Wextra -Itests/lib "tests/tools/$program.c" tests/lib/versions.c || { skip "$column" "$lacking"; continue 2; }
	done
	odd_calls "$tmp/oddcalls-$column" "$tmp/oddpairs-$column" "$column"
done
finish
