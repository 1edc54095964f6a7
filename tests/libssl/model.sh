#!/bin/bash
# The model test (tests/model) on every available libssl: random conversations of which it is known what each client did, and the ledger must
# say exactly that. Without a libssl that cannot be fetched, its column is skipped with the reason. MODEL_SEED and MODEL_CONVERSATIONS as in
# tests/model/model.sh; RG_COLUMNS chooses columns.
# shellcheck disable=SC2154
. tests/lib/tap.sh
. tests/lib/builds.sh
. tests/lib/columns.sh

needs "${CC:-cc}" openssl python3
: "${RG_BUILD:?}"
[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build: its runtime is not that of the old libraries"; exit 0; }
export MODEL_SEED=${MODEL_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')} MODEL_CONVERSATIONS=${MODEL_CONVERSATIONS:-500}

for name in ${RG_COLUMNS:-$columns}; do
	if ! link_to "$name" "$tmp/model-$name" -Wall -Wextra -Itests/lib tests/model/*.c tests/lib/versions.c; then
		skip "$name: the ledger says what each client did" "$lacking"
		continue
	fi
	MODEL_PROGRAM=$tmp/model-$name bash tests/model/model.sh >"$tmp/points" 2>&1
	while IFS= read -r line; do
		case $line in
		"ok "*) tap_point 0 "$name: ${line#ok * - }" ;;
		"not ok "*) tap_point 1 "$name: ${line#not ok * - }" ;;
		1..*) ;;
		*) echo "# ${line#\# }" ;;
		esac
	done <"$tmp/points"
	grep -q '^1\.\.[1-9]' "$tmp/points"
	tap_point $? "$name: the model ran to its end"
done
finish
