#!/bin/bash
# Calls of the shim that fail, in a server with a ledger of its own (tests/lib/faults.sh).
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh
. tests/lib/faults.sh

# What cannot fail, or has no way to say so. Everything else that the shim imports is in faults.c.
harmless="__cxa_finalize|__errno_location|__(memcpy|snprintf)_chk|__stack_chk_fail|_exit|dl.*|free|getauxval|geteuid|getpgrp|getpid|inet_.*|mem.*"
harmless="$harmless|pthread_setcancelstate|sched_yield|sig(add|del|empty|is)(set|member)|snprintf|stpcpy|str.*|_ITM_.*|(__)?environ|__progname|program_invocation_.*"
is "every call of the shim that can fail does fail here" "$(nm -D --undefined-only "$shim" | sed -n 's/.* [Uw] //p' | sed 's/@.*//' |
	grep -vxE "$harmless" | sort | comm -23 - <(nm -D --defined-only "$tmp/faults.so" | sed -n 's/.* [TW] //p' | sort) | tr '\n' ' ')" ""

FAULT=calloc preload=$shim:$tmp/faults.so serve with main --connections -1 --quiet
peer_summary 127.0.0.1 "$port" get 3 >/dev/null
is "without memory for their state, connections are counted" "$("$RG_BUILD/reneguardctl" status --pid "$server_pid" --json |
	python3 -c 'import json, sys; print(json.load(sys.stdin)["ledgers"][0]["unguarded"])')" 3
stop_server
scenario "a ledger of its own" main
is "all is guarded without any of the calls but those that reneguard(8) names (System calls), and memory" "$needed" " calloc getpeername"
scenario "a plug-in" plugin --io membio
finish
