#!/bin/bash
# Python's ssl module: blocking sockets in threads (wrap_socket) and memory BIOs (asyncio). It loads libssl with a plug-in opened
# RTLD_LOCAL. Without the shim it answers any number of attempts with a warning and goes on.
. tests/lib/tap.sh
. tests/lib/server.sh

python=$(command -v /usr/bin/python3 || command -v python3) || needs python3
certificates

serve() { # wrap_socket|asyncio HALF [VARIABLE=VALUE]...
	local kind=$1
	shift
	port=$(pick_port)
	: >"$tmp/python.log"
	under "$@"
	start_on_port python "${under[@]}" "$python" tests/lib/tls_echo.py "$kind" "$tmp/server.pem" "$port"
}

for kind in wrap_socket asyncio; do
	serve $kind without
	ok "$kind without the shim answers 300 attempts with warnings and goes on, or honours them" goes_on 300 "$(storm --line 127.0.0.1 "$port" 300)"
	stop "$pid"

	serve $kind with
	for n in 1 2; do
		ok "$kind: the first attempt to renegotiate ends the connection, $n" all_fields "$(storm --line 127.0.0.1 "$port" 300)" 'sent=[12]' hellos=0 served=0
	done
	line=$(line_with "$tmp/python.log" 'event=renegotiation.*count=1')
	is "$kind: the refusals are logged, once a minute" "$(count_lines "$tmp/python.log" event=renegotiation)" 1
	ok "$kind: that line names the client" all_fields "$line" code=ERR_TLS_RENEGOTIATION_DISABLED action=close client=127.0.0.1 'port=[0-9]+' 'service=python3.*' tls=TLSv1.2
	[ $kind = asyncio ] ||
		like "$kind: the program's exception names the reason" "$(cat "$tmp/python.log")" 'connection ended: .*(NO_RENEGOTIATION|RENEGOTIATION_DISABLED|no renegotiation)'
	ok "$kind: a ClientHello in small records is refused as well" all_fields "$(storm --line --fragment 3 127.0.0.1 "$port" 3)" hellos=0 served=0
	for tls in 1.2 1.3; do
		is "$kind: ordinary clients are served, TLS $tls" "$(peer_summary --line --tls $tls 127.0.0.1 "$port" get 20)" "summary full=20 reused=0 refused=0"
		is "$kind: offers to resume are accepted, TLS $tls" "$(peer_summary --line --tls $tls 127.0.0.1 "$port" resume 10)" "summary full=1 reused=10 refused=0"
	done
	field "$kind: key updates are not taken for renegotiation" "$(peer_summary --line 127.0.0.1 "$port" keyupdate 5)" served 1
	stop "$pid"

	serve $kind with RENEGUARD_RESUMPTION=decline:3/600s
	is "$kind: decline:3 holds for each of two interleaved clients" "$(for n in 1 2; do
		for client in 127.0.0.11 127.0.0.12; do peer_summary --line --from $client 127.0.0.1 "$port" resume 3 & done
		wait
	done | sort | tr '\n' ' ')" "summary full=1 reused=3 refused=0 summary full=1 reused=3 refused=0 summary full=4 reused=0 refused=0 summary full=4 reused=0 refused=0 "
	is "$kind: the log has a line for each of them" "$(grep -o 'client=127.0.0.1[12] .*count=4' "$tmp/python.log" | cut -d' ' -f1 | sort -u | tr '\n' ' ')" "client=127.0.0.11 client=127.0.0.12 "
	stop "$pid"
done

serve wrap_socket with RENEGUARD_RESUMPTION=decline:100/600s
together=$(for n in 1 2 3 4; do peer_summary --line --tls 1.2 127.0.0.1 "$port" resume 50 & done; wait)
is "wrap_socket, four connections at a time: decline:100 accepts exactly a hundred offers" \
	"$(awk -F '[ =]' '{ full += $3; reused += $5; refused += $7 } END { print full, reused, refused }' <<<"$together")" "104 100 0"
is "wrap_socket, four connections at a time: one log line says so" "$(grep -c 'event=resumption.*count=101 ' "$tmp/python.log")" 1
stop "$pid"
finish
