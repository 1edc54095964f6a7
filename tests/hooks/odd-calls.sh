#!/bin/bash
# Return values, SSL_get_error, errno and the error queue are what they are without the shim, also for calls in odd orders: without a
# BIO, freed before use, cleared, duplicated, with another BIO halfway. tests/tools/oddcalls.c makes them. Under policies that do not act.
. tests/lib/tap.sh
unset "${!RENEGUARD_@}"

stock=$("${emulator[@]}" "$tools/oddcalls" 2>&1)
like "without the shim the calls are made, and some fail" "$stock" 'SSL_read: -1 error=1'
for policy in RENEGUARD=on RENEGUARD=off RENEGUARD_ROLE=both RENEGUARD_HANDSHAKE=block:1000/60s \
	"RENEGUARD_ROLE=both RENEGUARD_INCOMPLETE=block:1000/60s" "RENEGUARD_RESUMPTION=decline:1000/60s RENEGUARD_KEYUPDATE=block:1000/60s"; do
	# shellcheck disable=SC2086 # one variable or two
	with=$(env $policy RENEGUARD_LOG=off LD_PRELOAD="$preload" "${emulator[@]}" "$tools/oddcalls" 2>&1)
	is "under $policy every line is the same" "$(diff <(echo "$stock") <(echo "$with") | head -n 6)" ""
done
finish
