#!/bin/bash
# Unfinished handshakes: each counts once, for the right client, from the first byte on. Which call reads it does not matter, nor where
# libssl gets its bytes from. A client that connects and sends nothing has begun no handshake.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh
unset "${!RENEGUARD_@}"
needs python3
certificates

raw() { timeout 60 python3 tests/lib/raw_client.py "$@" >>"$tmp/raw.log" 2>&1; }

# unfinished_counts: prints "CLIENT=COUNT ..." for every client in the ledger. CLIENT is the last number of the address.
unfinished_counts() {
	"$RG_BUILD/reneguardctl" status --pid "$server_pid" --json 2>/dev/null | python3 -c 'import json, sys
clients = json.loads(sys.stdin.read() or "{\"ledgers\": [{\"clients\": []}]}")["ledgers"][0]["clients"]
print(*sorted("%s=%d" % (c["client"].rpartition(".")[2], c["events"]["incomplete"]["count"]) for c in clients))'
}

has_counts() { [ "$(unfinished_counts)" = "$1" ]; }

# counted NAME WANTED: waits for these counters, because a server may be slow to notice the end of a connection
counted() { within 5 has_counts "$2"; is "$1" "$(unfinished_counts)" "$2"; }

modern=false # libssl 3.2 or newer
[[ "$(openssl version)" =~ OpenSSL\ (3\.[01]|[12])\. ]] || modern=true

ways="byte header part tear noise bent leave reset garbage abort slam"
each="21=1 22=1 23=1 24=1 25=1 26=1 27=1 28=1 29=1 30=1 31=1"

# every_way: for each way a client that leaves so, a client that sends nothing, and a client that finishes its handshake
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
		counted "$io, $entry: each way counts once, a silent connection does not" "$each 9=0"
		is "$io, $entry: a client that finishes its handshake is served" "$(cat "$tmp/served")" "summary full=1 reused=0 refused=0"
		stop_server
	done
	# With BIO_f_ssl libssl itself makes all the calls, and closes the socket before it frees the SSL: then nobody can tell the client. From 3.2
	# on nobody can tell that there was anything (reneguard(8)).
	serve with main --connections -1 --quiet --io $io --entry bio
	every_way
	counted "$io, BIO_f_ssl: each way counts" "27=1 28=1 29=1 30=1 31=1 9=0$([ $io = membio ] || $modern || echo " unknown=6")"
	stop_server
	[ $io != membio ] || continue # no call fails there, and a reused memory BIO still holds bytes of the previous connection
	# A child for each connection, which ends without freeing anything, as in PostgreSQL: the call that fails counts the handshake.
	serve with fork --connections -1 --quiet --io $io
	every_way
	counted "$io, a child that never frees its SSL: each way counts once, a silent connection does not" "$each 9=0"
	stop_server
	# One SSL object for all connections.
	if libssl_is_old; then
		skip "$io, SSL_clear: each way counts twice when it happens twice" "this libssl cannot clear an SSL after TLS 1.3"
		continue
	fi
	serve with main --connections -1 --quiet --io $io --reuse
	every_way
	every_way
	counted "$io, SSL_clear: each way counts twice when it happens twice" "${each//=1/=2} 9=0"
	stop_server
done

# The program's own timeout (five seconds) ends a handshake: no call fails, and the program frees the object.
for io in nonblocking membio; do
	serve with main --connections -1 --quiet --io $io
	raw pause 127.0.0.1 "$port" 127.0.0.7 &
	pausing=$!
	within 8 has_counts 7=1
	is "$io: half a ClientHello counts when the program's own timeout ends it" "$(unfinished_counts)" 7=1
	wait $pausing
	stop_server
done
# A descriptor number is reused for another socket. Its peer, which is gone too, is not the client that was accepted under that number.
exec {server_in}> >(exec env LD_PRELOAD="$preload" /usr/bin/python3 tests/lib/recycled.py "$tmp/server.pem" >"$tmp/recycled.out" 2>"$tmp/recycled.log")
server_pid=$!
ok "a reused descriptor number: the server has run" within 10 grep -qx "done" "$tmp/recycled.out"
is "a reused descriptor number: the handshake counts for no earlier client" "$(unfinished_counts)" "unknown=1"
exec {server_in}>&-
finish
