#!/bin/bash
# 32-bit x86: a 32-bit daemon on a 64-bit host. Built by the cross compiler, linked to Debian's libssl3:i386, run by this kernel.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/builds.sh
. tests/lib/arch.sh

[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build: the other one is not"; exit 0; }
[ "$(uname -m)" = x86_64 ] || { echo "1..0 # SKIP this machine is no x86-64"; exit 0; }
foreign i386 i686-linux-gnu
loader=$root/lib/ld-linux.so.2
"$loader" --version >"$tmp/loader.log" 2>&1 || { echo "1..0 # SKIP this kernel runs no 32-bit programs"; exit 0; }
unset "${!RENEGUARD_@}"
certificates

build_with "${cross[@]}" LDFLAGS="$ldflags -Wl,--dynamic-linker=$loader,--disable-new-dtags,-rpath,$libraries"
like "it is what it should be" "$(readelf -h "$build/libreneguard.so" "$build/tests/tools/tlsserver")" 'Class: *ELF32'
floor_holds
daemons "32-bit" "$loader" --library-path "$libraries"

# A 64-bit and a 32-bit server under one environment: $LIB in LD_PRELOAD names the library for each, and they share one ledger.
native=$RG_BUILD
lib_of() { "$@" --list-diagnostics 2>/dev/null | sed -n 's/^dl_dst_lib="\(.*\)"$/\1/p'; }
system_loader=$(readelf -l "$tools/tlsserver" | sed -n 's/.*interpreter: \(.*\)]$/\1/p')
wide=$(lib_of "$system_loader") narrow=$(lib_of "$loader")
isnt() { [ -n "$wide" ] && [ -n "$narrow" ] && [ "$wide" != "$narrow" ]; }
ok "the loaders mean different directories by \$LIB: $wide, $narrow" isnt
install -D "$native/libreneguard.so" "$tmp/$wide/libreneguard.so"
install -D "$build/libreneguard.so" "$tmp/$narrow/libreneguard.so"
ports=("$(pick_port)" "$(pick_port)")
# shellcheck disable=SC2016 # expanded by the shell inside, which the library is preloaded into as well
start both env RENEGUARD_LOG=stderr RENEGUARD_STATE="$tmp/ledger" RENEGUARD_HANDSHAKE=close:6/600s LD_PRELOAD="$tmp/\$LIB/libreneguard.so" \
	bash -c '"$1" --cert "$5" --port "$3" --connections -1 & echo "wide=$!"
		"$2" --cert "$5" --port "$4" --connections -1 & echo "narrow=$!"
		trap "kill \$(jobs -p)" TERM; wait; wait' both "$native/tests/tools/tlsserver" "$build/tests/tools/tlsserver" "${ports[@]}" "$tmp/server.pem"
for port in "${ports[@]}"; do within 10 listening "$port" || tap_point 1 "one listens on $port"; done
for what in "wide $wide" "narrow $narrow"; do
	pid_of=$(sed -n "s/^${what% *}=//p" "$tmp/both.log")
	like "the process has the library for it, $what" "$(cat "/proc/$pid_of/maps")" "$tmp/${what#* }/libreneguard.so"
done
unlike "and no loader complains" "$(cat "$tmp/both.log")" 'ld\.so'
is "three handshakes with the 64-bit server" "$(peer_summary 127.0.0.1 "${ports[0]}" get 3)" "summary full=3 reused=0 refused=0"
is "and three with the 32-bit one are all that close:6 lets pass" "$(peer_summary 127.0.0.1 "${ports[1]}" get 4)" "summary full=3 reused=0 refused=1"
is "with the 64-bit server, too" "$(peer_summary 127.0.0.1 "${ports[0]}" get 1)" "summary full=0 reused=0 refused=1"
is "others are served by both" "$(for port in "${ports[@]}"; do peer_summary --from 127.0.0.2 127.0.0.1 "$port" get 2; done)" \
	"$(printf 'summary full=2 reused=0 refused=0\nsummary full=2 reused=0 refused=0')"
shown=$("$native/reneguardctl" status --state "$tmp/ledger" --json)
like "both are in its account" "$shown" '"client": *"127.0.0.2"'
is "which both inspectors show alike" "$("$build/reneguardctl" status --state "$tmp/ledger" --json)" "$shown"
stop "$pid"

mapfile -t units < <(unit_tests)
suite "32-bit" "${units[@]}" tests/hooks/*.sh
finish
