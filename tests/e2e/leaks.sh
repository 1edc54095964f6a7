#!/bin/bash
# Leaks, under valgrind: after 1,000 connections no byte more is lost or still held than after 10, however the connections ended.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh

needs valgrind
if readelf -d "$shim" | grep -Eq 'NEEDED.*(asan|tsan)'; then
	echo "1..0 # SKIP valgrind does not run a sanitized build"
	exit 0
fi
certificates

# held CONNECTIONS EACH COMMAND N CLIENT-OPTION...: prints what valgrind finds lost, still held and wrong after a server has ended that had
# CONNECTIONS connections. One run of the client's COMMAND N makes EACH connections.
held() {
	local connections=$1 each=$2 log=$tmp/valgrind-$3-$1.log command=("${@:3:2}")
	shift 4
	port=$(pick_port)
	env RENEGUARD_LOG=off RENEGUARD_RESUMPTION=close:500/600s LD_PRELOAD="$preload" valgrind --leak-check=full --log-file="$log" \
		"$tools/tlsserver" --cert "$tmp/server.pem" --port "$port" --connections "$connections" --quiet --allow >"$tmp/port" 2>&1 </dev/null &
	pid=$!
	at_exit "stop $(who "$pid")"
	within 20 grep -q port= "$tmp/port"
	for ((made = 0; made < connections; made += each)); do
		peer "$@" 127.0.0.1 "$port" "${command[@]}" >/dev/null
	done
	# On a busy machine a connection may fail. Further connections make up for it, so that the server ends.
	for ((made = 0; made < 20; made++)); do
		within 2 gone "$pid" && break
		peer "${@:1:2}" 127.0.0.1 "$port" get 1 >/dev/null
	done
	stop "$pid"
	sed -n 's/.* \(definitely\|indirectly\|possibly\) lost: \([0-9,]*\) bytes.*/\1=\2/p; s/.*still \(reachable\): \([0-9,]*\) bytes.*/\1=\2/p; s/.*ERROR SUMMARY: \([0-9]*\) errors.*/errors=\1/p' "$log" | tr '\n' ' '
}

few=$(held 10 10 resume 9 --tls 1.3)
like "ten connections lose no memory" "$few" '^(definitely=0 indirectly=0 possibly=0 )?(reachable=[0-9,]* )?errors=0'
is "a thousand connections (full, resumed and refused) lose and hold no byte more than ten" "$(held 1000 10 resume 9 --tls 1.3)" "$few"
few=$(held 5 1 renegotiate 1 --tls 1.2)
is "fifty refused renegotiations lose and hold no byte more than five" "$(held 50 1 renegotiate 1 --tls 1.2)" "$few"
like "five refused renegotiations lose no memory" "$few" 'errors=0'
finish
