#!/bin/bash
# 32-bit x86, as for a 32-bit daemon on a 64-bit host: built by the cross compiler, linked to Debian's libssl3:i386, run by this kernel.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/builds.sh
. tests/lib/arch.sh

[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build: this test makes an ordinary build"; exit 0; }
[ "$(uname -m)" = x86_64 ] || { echo "1..0 # SKIP this machine is not x86-64"; exit 0; }
foreign i386 i686-linux-gnu
loader=$root/lib/ld-linux.so.2
"$loader" --version >"$tmp/loader.log" 2>&1 || { echo "1..0 # SKIP this kernel runs no 32-bit programs"; exit 0; }
unset "${!RENEGUARD_@}"
certificates

build_with "${cross[@]}" LDFLAGS="$ldflags -Wl,--dynamic-linker=$loader,--disable-new-dtags,-rpath,$libraries"
like "library and programs are built for 32 bits" "$(readelf -h "$build/libreneguard.so" "$build/tests/tools/tlsserver")" 'Class: *ELF32'
floor_holds
daemons "32-bit" "$loader" --library-path "$libraries"

# A 64-bit and a 32-bit server with the same environment. $LIB in LD_PRELOAD selects the library for each, and they share one ledger.
native=$RG_BUILD
lib_of() { "$@" --list-diagnostics 2>/dev/null | sed -n 's/^dl_dst_lib="\(.*\)"$/\1/p'; }
system_loader=$(readelf -l "$tools/tlsserver" | sed -n 's/.*interpreter: \(.*\)]$/\1/p')
wide=$(lib_of "$system_loader") narrow=$(lib_of "$loader")
lib_differs() { [ -n "$wide" ] && [ -n "$narrow" ] && [ "$wide" != "$narrow" ]; }
ok "the two loaders expand \$LIB to different directories: $wide, $narrow" lib_differs
install -D "$native/libreneguard.so" "$tmp/$wide/libreneguard.so"
install -D "$build/libreneguard.so" "$tmp/$narrow/libreneguard.so"
ports=("$(pick_port)" "$(pick_port)")
in_memory
# shellcheck disable=SC2016 # expanded by the inner shell, into which the library is preloaded as well
start both env RENEGUARD_LOG=stderr RENEGUARD_STATE="$memory/ledger" RENEGUARD_HANDSHAKE=close:6/600s LD_PRELOAD="$tmp/\$LIB/libreneguard.so" \
	bash -c '"$1" --cert "$5" --port "$3" --connections -1 & echo "wide=$!"
		"$2" --cert "$5" --port "$4" --connections -1 & echo "narrow=$!"
		trap "kill \$(jobs -p)" TERM; wait; wait' both "$native/tests/tools/tlsserver" "$build/tests/tools/tlsserver" "${ports[@]}" "$tmp/server.pem"
for port in "${ports[@]}"; do within 10 listening "$port" || tap_point 1 "a server listens on $port"; done
for what in "wide $wide" "narrow $narrow"; do
	pid_of=$(sed -n "s/^${what% *}=//p" "$tmp/both.log")
	like "the process has the library from its own directory, $what" "$(cat "/proc/$pid_of/maps")" "$tmp/${what#* }/libreneguard.so"
done
unlike "no loader complains" "$(cat "$tmp/both.log")" 'ld\.so'
is "close:6, shared: the 64-bit server serves three handshakes of a client" "$(peer_summary 127.0.0.1 "${ports[0]}" get 3)" "summary full=3 reused=0 refused=0"
is "close:6, shared: the 32-bit server serves three more and refuses the seventh" "$(peer_summary 127.0.0.1 "${ports[1]}" get 4)" "summary full=3 reused=0 refused=1"
is "close:6, shared: then the 64-bit server refuses the client too" "$(peer_summary 127.0.0.1 "${ports[0]}" get 1)" "summary full=0 reused=0 refused=1"
is "close:6, shared: both servers serve another client" "$(for port in "${ports[@]}"; do peer_summary --from 127.0.0.2 127.0.0.1 "$port" get 2; done)" \
	"$(printf 'summary full=2 reused=0 refused=0\nsummary full=2 reused=0 refused=0')"
shown=$("$native/reneguardctl" status --state "$memory/ledger" --json)
like "the ledger has the other client" "$shown" '"client": *"127.0.0.2"'
is "the 32-bit inspector shows the same as the 64-bit one" "$("$build/reneguardctl" status --state "$memory/ledger" --json)" "$shown"
stop "$pid"

mapfile -t units < <(unit_tests)
suite "32-bit" "${units[@]}" tests/hooks/*.sh
finish
