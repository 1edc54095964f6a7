#!/bin/bash
# One process with three versions of libssl, each behind a plug-in (RTLD_LOCAL), used in threads at once and by turns in one thread:
# all are guarded, and no object of one reaches a function of another (the process would not live through that).
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/builds.sh

[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build: its runtime is not that of the old libraries"; exit 0; }
needs "${CC:-cc}" openssl
for name in npm-10.20.0-beta.6 npm-18.4.0-beta.17; do
	build_of $name || { echo "1..0 # SKIP $lacking"; exit 0; }
done
unset "${!RENEGUARD_@}"
system=$(ldconfig -p | sed -n 's/.*libssl\.so\.3 .*=> //p' | head -n 1)
[ -e "$system" ] || { echo "1..0 # SKIP this system has no libssl.so.3"; exit 0; }
certificates
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/rsa.key" -days 2 -subj /CN=localhost -out "$tmp/rsa.pem" 2>/dev/null
cat "$tmp/rsa.pem" "$tmp/rsa.key" >"$tmp/server.pem"

plugin() { # NAME LIBRARY SUFFIX: the server of the hook tests, as a plug-in linked to that library
	local directory=${2%/*}
	"${CC:-cc}" -D_GNU_SOURCE -Itests/libssl/prototypes -Itests/lib -std=c11 -O2 -DTLSSERVER_PLUGIN -fPIC -fvisibility=hidden -shared \
		-o "$tmp/$1.so" tests/tools/tlsserver.c "$2" "$directory/libcrypto.so${2##*libssl.so}" -Wl,-rpath,"$directory" -lpthread
}
ok "plug-ins and their host compile" eval 'plugin 1.0.1f "$builds/npm-10.20.0-beta.6/package/native/lib/libssl.so.1.0.0" &&
	plugin 1.1.1 "$builds/npm-18.4.0-beta.17/package/native/lib/libssl.so.1.1" && plugin 3.0 "$system" &&
	"${CC:-cc}" -D_GNU_SOURCE -std=c11 -O2 -o "$tmp/manyhost" tests/libssl/manyhost.c -ldl -lpthread'

# host HALF MODE [VARIABLE=VALUE]...: its ports are in ${ports[@]}, its pid in $pid.
host() {
	local half=$1 mode=$2 name arguments=()
	shift 2
	ports=()
	for name in 1.0.1f 1.1.1 3.0; do
		ports+=("$(pick_port)")
		arguments+=("$tmp/$name.so" "${ports[-1]}")
	done
	: >"$tmp/manyhost.log"
	under "$half" "$@"
	start manyhost "${under[@]}" "$tmp/manyhost" "$mode" "$tmp/server.pem" "${arguments[@]}"
}

at_all() { # TLSPEER-ARGUMENTS...: to every port at once; the summaries, in the order of the ports
	local n peers=()
	for n in 0 1 2; do
		peer_summary --from 127.0.0.$((n + 2)) --tls 1.2 127.0.0.1 "${ports[n]}" "$@" >"$tmp/peer$n" &
		peers+=($!)
	done
	wait "${peers[@]}"
	cat "$tmp"/peer[012]
}

three() { printf '%s\n' "$1" "$1" "$1"; }

host without threads
for port in "${ports[@]}"; do within 10 listening "$port"; done
is "without the shim: renegotiation is honoured by all three" "$(at_all renegotiate 3 | cut -d' ' -f1-4)" "$(three "summary started=1 honoured=3 served=1")"
stop "$pid"

host with threads RENEGUARD_RESUMPTION=decline:20/600s
for port in "${ports[@]}"; do within 10 listening "$port"; done
for n in 1 2 3; do
	is "with it: refused by all three, $n" "$(at_all renegotiate 1 | cut -d' ' -f1-3)" "$(three "summary started=1 honoured=0")"
done
is "fifty resumptions each, at once" "$(at_all resume 50)" "$(three "summary full=31 reused=20 refused=0")"
is "a hundred connections each, at once" "$(at_all get 100)" "$(three "summary full=100 reused=0 refused=0")"
n=2
for version in 1.0.1f 1.1.1 3.0.*; do
	like "the lines name the library: $version" "$(cat "$tmp/manyhost.log")" "event=renegotiation action=close client=127\.0\.0\.$n .*libssl=$version( |\$)"
	n=$((n + 1))
done
ok "the process lives" kill -0 "$pid"
stop "$pid"

its_turn() { [ "$(grep -c "^port=$1" "$tmp/manyhost.log")" -ge "$2" ]; } # PORT ROUND

host with turns
for n in 1 2 3; do
	for port in "${ports[@]}"; do
		within 10 its_turn "$port" "$n"
		ok "by turns in one thread: refused, $n" all_fields "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1)" started=1 honoured=0
	done
done
wait "$pid"
is "and it ended well" $? 0
finish
