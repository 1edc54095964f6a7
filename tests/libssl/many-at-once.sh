#!/bin/bash
# One process with three versions of libssl, each behind a plug-in (RTLD_LOCAL) or found by dlsym. They are used by several threads at once,
# by turns in one thread, and call by call. All are guarded, and no object of one reaches a function of another, which would crash the
# process. The same holds when they are closed and others are opened at their addresses.
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

declare -A library=([1.0.1f]=$builds/npm-10.20.0-beta.6/package/native/lib/libssl.so.1.0.0
	[1.1.1]=$builds/npm-18.4.0-beta.17/package/native/lib/libssl.so.1.1 [3.0]=$system)

linked() { # VERSION NAME COMPILER-ARGUMENT...: builds $tmp/NAME, a plug-in linked to that libssl
	local libssl=${library[$1]} out=$tmp/$2
	local directory=${libssl%/*}
	shift 2
	"${CC:-cc}" -D_GNU_SOURCE -Itests/libssl/prototypes -Itests/lib -std=c11 -O2 -fPIC -shared -o "$out" "$@" \
		"$libssl" "$directory/libcrypto.so${libssl##*libssl.so}" -Wl,-rpath,"$directory" -lpthread
}

plugins() { # VERSION: builds three plug-ins: the hook tests' server, facehost's calls into libssl, and the same calls made by jumps
	linked "$1" "$1.so" -DTLSSERVER_PLUGIN -fvisibility=hidden tests/tools/tlsserver.c &&
		linked "$1" "linked-$1.so" -fno-optimize-sibling-calls tests/lib/face.c &&
		linked "$1" "jumping-$1.so" -foptimize-sibling-calls tests/lib/face.c
}
ok "the plug-ins and their host compile" eval 'plugins 1.0.1f && plugins 1.1.1 && plugins 3.0 &&
	"${CC:-cc}" -D_GNU_SOURCE -std=c11 -O2 -o "$tmp/manyhost" tests/libssl/manyhost.c -ldl -lpthread'

# host HALF MODE [VARIABLE=VALUE]...: starts manyhost with the three servers; sets ${ports[@]} and $pid.
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

at_all() { # TLSPEER-ARGUMENTS...: runs tlspeer against all ports at once and prints the summaries in the order of the ports
	local n pids=()
	for n in 0 1 2; do
		peer_summary --from 127.0.0.$((n + 2)) --tls 1.2 127.0.0.1 "${ports[n]}" "$@" >"$tmp/peer$n" &
		pids+=($!)
	done
	wait "${pids[@]}"
	cat "$tmp"/peer[012]
}

three() { printf '%s\n' "$1" "$1" "$1"; }

# faces HALF OPTIONS FACE...: starts facehost with a server for each FACE, which is KIND-VERSION: a way to reach a version of libssl. KIND is
# lookup (dlsym), linked (a plug-in) or jumping (a plug-in that calls by jumps).
faces() {
	local half=$1 options=$2 face arguments=()
	shift 2
	for face in "$@"; do
		case $face in
		lookup-*) arguments+=("lookup=${library[${face#lookup-}]}") ;;
		*) arguments+=("linked=$tmp/$face.so") ;;
		esac
	done
	: >"$tmp/faces.log"
	under "$half"
	# shellcheck disable=SC2086 # options without spaces
	start faces "${under[@]}" "$tools/facehost" $options "$tmp/server.pem" "${arguments[@]}"
}

ready() { [ "$(grep -c '^ready' "$tmp/faces.log")" -ge "$1" ]; }

# ports_of N: waits until N faces are ready; sets ${ports[@]}.
ports_of() {
	within 10 ready "$1" || diag "$1 faces are not ready"
	mapfile -t ports < <(sed -n 's/^ready //p' "$tmp/faces.log")
}

host without threads
for port in "${ports[@]}"; do within 10 listening "$port"; done
is "three threads, without the shim: all three honour renegotiation" "$(at_all renegotiate 3 | cut -d' ' -f1-4)" "$(three "summary started=1 honoured=3 served=1")"
stop "$pid"

host with threads RENEGUARD_RESUMPTION=decline:20/600s
for port in "${ports[@]}"; do within 10 listening "$port"; done
for n in 1 2 3; do
	is "three threads: all three refuse renegotiation, $n" "$(at_all renegotiate 1 | cut -d' ' -f1-3)" "$(three "summary started=1 honoured=0")"
done
is "three threads: each accepts 20 of 50 offers to resume under decline:20" "$(at_all resume 50)" "$(three "summary full=31 reused=20 refused=0")"
is "three threads: each serves a hundred connections" "$(at_all get 100)" "$(three "summary full=100 reused=0 refused=0")"
n=2
for version in 1.0.1f 1.1.1 3.0.*; do
	like "three threads: the log line names libssl $version" "$(cat "$tmp/manyhost.log")" "event=renegotiation action=close client=127\.0\.0\.$n .*libssl=$version( |\$)"
	n=$((n + 1))
done
ok "three threads: the process is alive" kill -0 "$pid"
stop "$pid"

its_turn() { [ "$(grep -c "^port=$1" "$tmp/manyhost.log")" -ge "$2" ]; } # PORT ROUND: has manyhost opened PORT for the ROUNDth time?

host with turns
for n in 1 2 3; do
	for port in "${ports[@]}"; do
		within 10 its_turn "$port" "$n"
		ok "by turns in one thread: renegotiation is refused, $n" all_fields "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1)" started=1 honoured=0
	done
done
wait "$pid"
is "by turns in one thread: the process ends with status 0" $? 0

# Call by call: all of them are in the middle of a handshake at the same time.
all="lookup-1.0.1f lookup-1.1.1 lookup-3.0 linked-1.1.1 linked-3.0 jumping-3.0 jumping-1.0.1f"
for half in without with; do
	# shellcheck disable=SC2086 # a list
	faces $half '' $all
	ports_of 7
	pids=() n=0
	for port in "${ports[@]}"; do
		peer_summary --from 127.0.0.$((n + 2)) --tls 1.2 127.0.0.1 "$port" renegotiate 1 >"$tmp/face$n" &
		pids+=($!) n=$((n + 1))
	done
	wait "${pids[@]}"
	n=0
	for face in $all; do
		if [ $half = without ]; then
			ok "call by call, without the shim: renegotiation is honoured, $face" all_fields "$(cat "$tmp/face$n")" honoured=1 served=1
		else
			ok "call by call: renegotiation is refused, $face" all_fields "$(cat "$tmp/face$n")" started=1 honoured=0
			like "call by call: the log line names that libssl, $face" "$(cat "$tmp/faces.log")" \
				"event=renegotiation action=close client=127\.0\.0\.$((n + 2)) .*libssl=${face#*-}(\.[0-9]+)?( |\$)"
		fi
		n=$((n + 1))
	done
	for port in "${ports[@]}"; do
		peer_summary --tls 1.2 127.0.0.1 "$port" get 20 >"$tmp/face-$port" &
		pids+=($!)
	done
	wait "${pids[@]}"
	for port in "${ports[@]}"; do
		is "call by call, $half the shim: twenty connections are served" "$(cat "$tmp/face-$port")" "summary full=20 reused=0 refused=0"
	done
	ok "call by call, $half the shim: the process is alive" kill -0 "$pid"
	stop "$pid"
done

# One after another: a closed plug-in leaves its address to the next one, which has another libssl.
order="linked-1.1.1 linked-3.0 linked-1.0.1f lookup-1.1.1 lookup-3.0 linked-1.0.1f lookup-1.1.1 linked-3.0 linked-1.1.1"
# shellcheck disable=SC2086 # a list
faces with "--one-by-one --connections 2" $order
n=0
for face in $order; do
	ports_of $((n + 1))
	ok "opened after others were closed: renegotiation is refused, $face" all_fields "$(peer_summary --tls 1.2 127.0.0.1 "${ports[n]}" renegotiate 1)" \
		started=1 honoured=0
	is "opened after others were closed: the next client is served, $face" "$(peer_summary --tls 1.2 127.0.0.1 "${ports[n]}" get 1)" "summary full=1 reused=0 refused=0"
	n=$((n + 1))
done
wait "$pid"
is "opened after others were closed: the process ends with status 0" $? 0
finish
