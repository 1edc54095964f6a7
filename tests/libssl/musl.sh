#!/bin/bash
# musl: the library must find libssl under musl's loader. No libssl is packaged for musl, so the test has a stand-in (standin/). The unit tests
# run as well.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/builds.sh
. tests/lib/arch.sh

[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build: its runtime is not for musl"; exit 0; }
needs musl-gcc python3
unset "${!RENEGUARD_@}"
make_musl() { make -s -j2 BUILD="$build" CC=musl-gcc CHECK_CFLAGS=-Itests/libssl/standin CHECK_LIBS=-lpthread "$@"; }
unset MAKEFLAGS MAKELEVEL
make_musl CI=1 all >"$tmp/build.log" 2>&1
tap_point $? "builds without a warning" || finish
like "the library is linked to musl" "$(readelf -d "$build/libreneguard.so")" 'NEEDED.*\[libc\.so\]'

cc() { musl-gcc -D_GNU_SOURCE -std=c11 -O2 -Wall -Wextra -Werror -Iinclude -Ishim -Itests/lib "$@" >>"$tmp/build.log" 2>&1; }
standin() { # DIRECTORY SONAME VERSION: builds a stand-in for libssl, and the server as a plug-in linked to it
	mkdir -p "$tmp/$1"
	cc -fPIC -shared -Wl,-soname,"$2" -DSTANDIN_VERSION="\"$3\"" -o "$tmp/$1/$2" tests/libssl/standin/{libssl,accessors}.c &&
		cc -DTLSSERVER_PLUGIN -fPIC -fvisibility=hidden -shared -o "$tmp/$1/server.so" tests/libssl/standin/server.c "$tmp/$1/$2" -Wl,-rpath,"$tmp/$1"
}
ok "the stand-ins compile" eval 'standin one libssl.so.3 3.0.97 && standin two libssl.so.4 4.0.98 &&
	cc -o "$tmp/server" tests/libssl/standin/server.c "$tmp/one/libssl.so.3" -Wl,-rpath,"$tmp/one" &&
	cc -fPIC -shared -o "$tmp/lookups.so" tests/tools/lookups.c && cc -o "$tmp/lookups" tests/tools/lookups.c &&
	cc -o "$tmp/plughost" tests/tools/plughost.c && cc -o "$tmp/manyhost" tests/libssl/manyhost.c'

# serve PRELOAD COMMAND...: starts a server; sets $port. Its output goes to $tmp/server.log.
serve() {
	local objects=$1
	shift
	: >"$tmp/server.log"
	start server env RENEGUARD_LOG=stderr LD_PRELOAD="$objects" "${variables[@]}" "$@"
	line_with "$tmp/server.log" '^port=' >/dev/null
	port=$(sed -n 's/^port=//p' "$tmp/server.log")
}
client() { timeout 20 python3 tests/libssl/standin/client.py "$port" "$@" 2>&1; }

declare -A ways=([linked]="$tmp/server" [plug-in]="$tmp/plughost $tmp/one/server.so" [thread]="$tmp/server --where thread"
	[fork]="$tmp/server --where fork" [constructor]="$tmp/plughost")
library=$build/libreneguard.so
for way in linked plug-in thread fork constructor; do
	objects='' variables=()
	[ $way != constructor ] || objects=:$tmp/one/server.so variables=(SERVE_IN_CONSTRUCTOR=1)
	read -r -a command <<<"${ways[$way]}"
	serve "${objects#:}" "${command[@]}"
	is "$way: without the shim renegotiation is honoured" "$(client hello data hello hello data)" "full echoed full full echoed"
	wait "$pid"
	serve "$library$objects" "${command[@]}" --connections 2
	is "$way: with the shim it is refused, and the connection ends" "$(client hello data hello data)" "full echoed alert:100 closed"
	ok "$way: the refusal is logged" all_fields "$(line_with "$tmp/server.log" event=renegotiation)" \
		code=ERR_TLS_RENEGOTIATION_DISABLED action=close client=127.0.0.1 tls=TLSv1.2 libssl=3.0.97
	ok "$way: every later call on the SSL fails" all_fields "$(line_with "$tmp/server.log" ^accepted)" accepted=1 reason=1100 later_read=-1 later_write=-1
	[ $way = constructor ] || is "$way: the next client is served" "$(client hello data)" "full echoed"
	stop "$pid"
done
variables=()
RENEGUARD_RESUMPTION=decline:2/600s serve "$library" "$tmp/server" --connections -1 --where fork
is "decline:2 accepts two of four offers to resume, each in a process of its own" "$(for _ in 1 2 3 4; do client resume data; done | tr '\n' ' ')" \
	"resumed echoed resumed echoed full echoed full echoed "
stop "$pid"
in_memory
RENEGUARD_HANDSHAKE=block:1/600s RENEGUARD_STATE=$memory/ledger serve "$library" "$tmp/server" --connections -1
is "block:1 refuses a client's second handshake, and every later one" "$(for _ in 1 2 3; do client hello; done | tr '\n' ' ')" "full alert:70 closed "
is "block:1 serves another client" "$(client --from 127.0.0.2 hello)" full
like "the inspector shows the blocked client" "$("$build/reneguardctl" status --state "$memory/ledger")" '^ *127\.0\.0\.1 '
stop "$pid"
rm -f "$memory/ledger"
lookups() { timeout 20 env RENEGUARD_LOG=off LD_PRELOAD="$1" "$tmp/lookups" "${@:2}"; }
is "dlsym gives the same results as without the shim" "$(lookups "$library" ask "$tmp/lookups.so" "$tmp/one/libssl.so.3")" \
	"$(lookups "" ask "$tmp/lookups.so" "$tmp/one/libssl.so.3")"
is "dlsym finds the shim's SSL_new instead of libssl's" "$(lookups "" whose "$tmp/one/libssl.so.3" SSL_new), $(lookups "$library" whose "$tmp/one/libssl.so.3" SSL_new)" \
	"libssl.so.3, libreneguard.so"
port=$(pick_port)
ports=("$port" "$(pick_port)")
start server env RENEGUARD_LOG=stderr LD_PRELOAD="$library" "$tmp/manyhost" threads none "$tmp/one/server.so" "${ports[0]}" \
	"$tmp/two/server.so" "${ports[1]}"
for n in 0 1; do
	port=${ports[n]}
	within 5 listening "$port"
	is "two libssl in one process, each in its own thread: renegotiation is refused" "$(client --from 127.0.0.$((3 + n)) hello hello)" "full alert:100"
done
like "two libssl in one process: the log names the second one" "$(cat "$tmp/server.log")" 'event=renegotiation .*libssl=4\.0\.98'
stop "$pid"
is "a process without libssl runs under the shim and logs nothing" "$(LD_PRELOAD=$library RENEGUARD_LOG=stderr "$build/reneguardctl" --version 2>&1)" \
	"$("$build/reneguardctl" --version)"

# A library built for one libc cannot be preloaded into programs of another.
"$RG_BUILD/reneguardctl" check "$tmp/server" 2>"$tmp/check.out"
is "check: the glibc inspector rejects a musl program" "$? $(grep -c 'another libc' "$tmp/check.out")" "3 1"
"$build/reneguardctl" check /bin/true 2>"$tmp/check.out"
is "check: the musl inspector rejects a glibc program" "$? $(grep -c 'another libc' "$tmp/check.out")" "3 1"
ok "a glibc program does not start under the musl library" eval '! LD_PRELOAD=$build/libreneguard.so /bin/true 2>"$tmp/true.log"'
make_musl DESTDIR="$tmp/root" PREFIX=/usr install >>"$tmp/build.log" 2>&1
sed -i "s#=/usr/#=$tmp/root/usr/#" "$tmp/root/usr/bin/reneguard"
is "the musl wrapper warns and runs a glibc program without the shim" \
	"$("$tmp/root/usr/bin/reneguard" sh -c 'echo "${LD_PRELOAD:-none}"' 2>"$tmp/wrapper.out") $(grep -c warning "$tmp/wrapper.out")" "none 1"
is "the musl wrapper refuses a glibc program with --require" "$("$tmp/root/usr/bin/reneguard" --require true 2>/dev/null; echo $?)" 125

mapfile -t units < <(unit_tests)
make_musl CI= "${units[@]}" >>"$tmp/build.log" 2>&1
suite musl "${units[@]}"
finish
