#!/bin/bash
# Handshakes that end before they are finished, however little of them there was: counted once each, for the client they are of,
# whichever call reads them and wherever libssl gets its bytes from. Who connects and sends nothing has begun none.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh
unset "${!RENEGUARD_@}"
needs python3
certificates

raw() { timeout 60 python3 tests/lib/raw_client.py "$@" >>"$tmp/raw.log" 2>&1; }

# account: "CLIENT=INCOMPLETE ..." of all on it
account() {
	"$RG_BUILD/reneguardctl" status --pid "$server_pid" --json 2>/dev/null | python3 -c 'import json, sys
clients = json.loads(sys.stdin.read() or "{\"ledgers\": [{\"clients\": []}]}")["ledgers"][0]["clients"]
print(*sorted("%s=%d" % (c["client"].rpartition(".")[2], c["events"]["incomplete"]["count"]) for c in clients))'
}

has_account() { [ "$(account)" = "$1" ]; }

# accounted NAME WANTED: it may take a moment until the server has met the end of a connection
accounted() { within 5 has_account "$2"; is "$1" "$(account)" "$2"; }

ways="byte header part tear noise bent leave reset garbage abort slam"
each="21=1 22=1 23=1 24=1 25=1 26=1 27=1 28=1 29=1 30=1 31=1"

# every_way: one client for each way, one that sends nothing, one that is served
every_way() {
	local way n=20
	for way in $ways; do raw "$way" 127.0.0.1 "$port" 127.0.0.$((n += 1)); done
	raw bare 127.0.0.1 "$port" 127.0.0.8
	peer_summary --from 127.0.0.9 127.0.0.1 "$port" get 1 >"$tmp/served"
}

for io in blocking nonblocking membio; do
	for entry in accept do_handshake read read_ex peek early write; do
		serve with main --connections -1 --quiet --io $io --entry $entry
		every_way
		accounted "$io, $entry: each way counts once, who sends nothing does not" "$each 9=0"
		is "$io, $entry: who shakes hands is served" "$(cat "$tmp/served")" "summary full=1 reused=0 refused=0"
		served_out
	done
	# All calls are libssl's own (BIO_f_ssl), and it closes its socket before it frees the SSL: there is nobody left to ask who it was.
	serve with main --connections -1 --quiet --io $io --entry bio
	every_way
	accounted "$io, BIO_f_ssl: each way counts" "27=1 28=1 29=1 30=1 31=1 9=0$([ $io = membio ] || echo " unknown=6")"
	served_out
	[ $io != membio ] || continue # without a call that fails; what it has of one connection is there for the next
	# A child for each connection, that ends without freeing anything (PostgreSQL): counted where the call fails.
	serve with fork --connections -1 --quiet --io $io
	every_way
	accounted "$io, a child that never frees its SSL: the same" "$each 9=0"
	served_out
	# The object is used again.
	serve with main --connections -1 --quiet --io $io --reuse
	every_way
	every_way
	accounted "$io, SSL_clear: the same, twice" "${each//=1/=2} 9=0"
	served_out
done

# The program's own time is over: nothing fails but its patience (five seconds), and it frees the object.
for io in nonblocking membio; do
	serve with main --connections -1 --quiet --io $io
	raw pause 127.0.0.1 "$port" 127.0.0.7 &
	pausing=$!
	within 8 has_account 7=1
	is "$io: half a ClientHello, and the program's time is over" "$(account)" 7=1
	wait $pausing
	served_out
done
# A number is given to another socket sooner or later: its peer, gone as well, is not the client that was accepted under it.
exec {server_in}> >(exec env LD_PRELOAD="$preload" /usr/bin/python3 tests/lib/recycled.py "$tmp/server.pem" >"$tmp/recycled.out" 2>"$tmp/recycled.log")
server_pid=$!
ok "a descriptor's number is used again" within 10 grep -qx "done" "$tmp/recycled.out"
is "a descriptor's number is used again: nobody takes the blame for it" "$(account)" "unknown=1"
exec {server_in}>&-
finish
