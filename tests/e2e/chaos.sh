#!/bin/bash
# Chaos: servers and children killed at random, no descriptors left, a full tmpfs under the state file, a full /dev/shm.
# No counted event is lost, and no connection is harmed.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh
unset "${!RENEGUARD_@}"
needs python3

ctl=$RG_BUILD/reneguardctl

# account WHERE... CLIENT: prints "FULL RESUMED INCOMPLETE", CLIENT's counters in `reneguardctl status WHERE --json`.
account() {
	"$ctl" status "${@:1:$#-1}" --json | python3 -c 'import json, sys
for client in json.load(sys.stdin)["ledgers"][0]["clients"]:
    if client["client"] == sys.argv[1]:
        print(*(client["events"][name]["count"] for name in ("handshake", "resumption", "incomplete")))' "${!#}"
}

full_count() { account "$@" | cut -d' ' -f1; }

# is_consistent WHERE...: the ledger can be read, uses no more slots than it has and lists no client twice. No client was acted upon more
# often than it had events.
is_consistent() {
	"$ctl" status "$@" --json | python3 -c 'import json, sys
l = json.load(sys.stdin)["ledgers"][0]
names = [c["client"] for c in l["clients"]]
assert l["used"] <= l["places"] and len(names) == len(set(names)), l
assert all(e["acted"] <= e["count"] for c in l["clients"] for e in c["events"].values()), l'
}

certificates

# --- servers with one state file, killed while they serve: every handshake that a client saw answered is in the ledger ---
in_memory
export RENEGUARD_STATE=$memory/state RENEGUARD_RESUMPTION=count RENEGUARD_CLIENTS=64
answered=0 begun=0 killed=0
end=$((SECONDS + 6))
while [ $SECONDS -lt $end ]; do
	serve with main --connections -1 --quiet
	peer --tls 1.3 --timeout-ms 1000 --from 127.0.0.7 127.0.0.1 "$port" get 40 >"$tmp/visits" &
	visitor=$!
	sleep 0.0$((RANDOM % 90 + 10))
	kill -KILL "$server_pid" && killed=$((killed + 1))
	stop_server 2>/dev/null
	wait $visitor
	answered=$((answered + $(grep -c 'result=full' "$tmp/visits")))
	begun=$((begun + 40))
done 2>/dev/null
count=$(full_count --state "$memory/state" 127.0.0.7)
ok "$killed servers killed: all $answered answered handshakes are in the ledger" test "$count" -ge "$answered"
ok "$killed servers killed: the ledger has at most one handshake more for each kill ($count)" test "$count" -le $((answered + killed))
ok "$killed servers killed: the ledger is consistent" is_consistent --state "$memory/state"
unlike "$killed servers killed: no later server rejects the state file" "$(cat "$tmp/tlsserver.log")" ERR_RENEGUARD
unset RENEGUARD_STATE RENEGUARD_CLIENTS
: >"$tmp/tlsserver.log"

# --- a child per connection, children killed at random ---
export RENEGUARD_HANDSHAKE=warn:1000000/600s
serve with fork --connections -1 --quiet
for client in 1 2; do peer --tls 1.3 --timeout-ms 2000 --from 127.0.0.2$client 127.0.0.1 "$port" get 150 >"$tmp/visits.$client" & visitors[client]=$!; done
killed=0
while kill -0 "${visitors[1]}" 2>/dev/null || kill -0 "${visitors[2]}" 2>/dev/null; do
	child=$(pgrep -P "$server_pid" | head -n 1)
	[ -z "$child" ] || { kill -KILL "$child" 2>/dev/null && killed=$((killed + 1)); }
	sleep 0.0$((RANDOM % 40 + 10))
done
wait "${visitors[1]}" "${visitors[2]}"
for client in 1 2; do
	answered=$(grep -c 'result=full' "$tmp/visits.$client")
	count=$(full_count --pid "$server_pid" 127.0.0.2$client)
	ok "$killed children killed: client $client has all $answered answered handshakes in the ledger ($count)" \
		test "$count" -ge "$answered" -a "$count" -le 150
done
ok "$killed children killed: the ledger is consistent" is_consistent --pid "$server_pid"
is "$killed children killed: the next client is served" "$(peer_summary 127.0.0.1 "$port" get 5)" "summary full=5 reused=0 refused=0"
stop_server
unset RENEGUARD_HANDSHAKE

# --- few descriptors left: the log uses at most two, and the shim needs no other ---
# serve_within DESCRIPTORS [PRELOAD]: prints what a client gets in three connections to a server that may have DESCRIPTORS descriptors
serve_within() {
	local server
	port=$(pick_port)
	: >"$tmp/within.out"
	(
		ulimit -n "$1"
		exec env LD_PRELOAD="${2:-}" RENEGUARD_LOG=stderr,syslog RENEGUARD_SYSLOG_SOCKET="$syslog" RENEGUARD_NAME=within \
			"$tools/tlsserver" --cert "$tmp/server.pem" --port "$port" --connections 3 --quiet
	) </dev/null >"$tmp/within.out" 2>>"$tmp/within.log" &
	server=$!
	within 5 grep -q port= "$tmp/within.out" || gone $server
	peer_summary --tls 1.3 127.0.0.1 "$port" resume 2
	kill $server 2>/dev/null
	wait $server 2>/dev/null
}
syslog=$tmp/syslog.socket
python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); time.sleep(60)' "$syslog" &
at_exit "stop $(who $!)"
within 5 test -S "$syslog"
served="summary full=1 reused=2 refused=0"
enough=4
until [ "$(serve_within $enough)" = "$served" ] || [ $enough = 12 ]; do enough=$((enough + 1)); done
is "a server that needs $enough descriptors needs at most two more under the shim" "$(serve_within $((enough + 2)) "$preload")" "$served"
syslog=$tmp/nothing-listens-here
is "a server that needs $enough descriptors needs at most one more under the shim where syslog is absent" "$(serve_within $((enough + 1)) "$preload")" "$served"

# A server that runs out of descriptors under load and gets them back.
python=$(command -v /usr/bin/python3 || command -v python3)
port=$(pick_port)
under with RENEGUARD_HANDSHAKE=warn:1000/600s
start_on_port asyncio prlimit --nofile=16 "${under[@]}" "$python" tests/lib/tls_echo.py asyncio "$tmp/server.pem" "$port"
mkfifo "$tmp/hold"
"$tools/tlspeer" --none --timeout-ms 300 --from 127.0.0.7 127.0.0.1 "$port" hold 16 <"$tmp/hold" >"$tmp/held" &
holder=$!
exec {hold}>"$tmp/hold"
within 20 grep -q summary "$tmp/held"
open=$(value_of "$(cat "$tmp/held")" open)
ok "a server runs out of descriptors ($open of 16 connections are open)" test "$open" -gt 0 -a "$open" -lt 16
exec {hold}>&-
wait $holder
sleep 1.2 # asyncio pauses after a failed accept
is "when descriptors are free again, every connection is served" "$(peer_summary --line --from 127.0.0.8 127.0.0.1 "$port" get 5)" "summary full=5 reused=0 refused=0"
ok "the ledger has these connections and those that were open before" test "$(full_count --pid "$pid" 127.0.0.7)" -ge "$open" -a "$(full_count --pid "$pid" 127.0.0.8)" = 5
stop "$pid"
rm "$tmp/asyncio.log" # asyncio's own errors

# --- a full tmpfs under the state file ---
small=$tmp/small
mkdir "$small"
export RENEGUARD_STATE=$small/state RENEGUARD_CLIENTS=1024 RENEGUARD_RESUMPTION=count
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=1m tmpfs "$small" 2>/dev/null; then
	at_exit "umount $small"
	serve with main --connections -1 --quiet
	dd if=/dev/zero of="$small/filler" bs=64k 2>/dev/null
	is "the tmpfs is full" "$(df --output=avail "$small" | tail -n 1 | tr -d ' ')" 0
	for n in {1..60}; do peer --tls 1.3 --from 127.0.$n.1 127.0.0.1 "$port" get 1; done >"$tmp/visits"
	is "full tmpfs: sixty clients are served" "$(grep -c 'result=full' "$tmp/visits")" 60
	stop_server
	serve with main --connections -1 --quiet
	is "full tmpfs: a new server uses the existing state file" "$(peer_summary --tls 1.3 --from 127.0.7.1 127.0.0.1 "$port" resume 2)" "summary full=1 reused=2 refused=0"
	stop_server
	is "full tmpfs: no client is missing from the ledger" "$("$ctl" status --state "$small/state" --json | grep -o '"client"' | wc -l), $(account --state "$small/state" 127.0.7.1)" \
		"60, 2 2 0"
	# A copy with holes: its memory is not allocated, and there is none left.
	cp --sparse=always "$small/state" "$tmp/holes"
	rm "$small/state" "$small/filler"
	cp --sparse=always "$tmp/holes" "$small/state" && chmod 600 "$small/state"
	dd if=/dev/zero of="$small/filler" bs=4k 2>/dev/null
	: >"$tmp/tlsserver.log"
	serve with main --connections -1 --quiet
	for n in {101..140}; do peer --tls 1.3 --from 127.0.$n.1 127.0.0.1 "$port" get 1; done >"$tmp/visits"
	is "full, a file with holes: forty clients are served" "$(grep -c 'result=full' "$tmp/visits")" 40
	like "full, a file with holes: it is refused" "$(cat "$tmp/tlsserver.log")" 'variable=RENEGUARD_STATE .*its memory cannot be allocated: No space left'
	ok "full, a file with holes: and left alone" test -s "$small/state"
	: >"$tmp/tlsserver.log"
	stop_server
else
	skip "a full tmpfs" "mounting is not allowed here"
fi
export RENEGUARD_STATE=$memory/limited.state
serve with main --connections -1 --quiet
peer --tls 1.3 127.0.0.1 "$port" get 3 >/dev/null
stop_server
# serve_limited: starts a server that may write no file beyond 8 KiB. Its standard error is the file $tmp/tlsserver.log.
unlimited=$(ulimit -S -f)
serve_limited() {
	ulimit -S -f 8
	serve with main --connections -1 --quiet
	ulimit -S -f "$unlimited"
}
: >"$tmp/tlsserver.log"
serve_limited
is "RLIMIT_FSIZE: a server that may not make a state file uses an existing one" "$(peer_summary --tls 1.3 127.0.0.1 "$port" get 4)" "summary full=4 reused=0 refused=0"
stop_server
is "RLIMIT_FSIZE: that server goes on counting in the existing state file" "$(full_count --state "$memory/limited.state" 127.0.0.1)" 7
export RENEGUARD_STATE=$memory/limited.other
serve_limited
is "RLIMIT_FSIZE: a server that cannot make its state file serves with a private ledger" "$(peer_summary --tls 1.3 127.0.0.1 "$port" get 4)" "summary full=4 reused=0 refused=0"
like "RLIMIT_FSIZE: that server logs why" "$(cat "$tmp/tlsserver.log")" 'variable=RENEGUARD_STATE .*cannot be made: File too large'
stop_server
unset RENEGUARD_STATE
head -c 8192 /dev/zero | tr '\0' '\n' >"$tmp/tlsserver.log"
serve_limited
is "RLIMIT_FSIZE: a server serves although its standard error may not grow" "$(peer_summary --tls 1.3 127.0.0.1 "$port" get 4)" "summary full=4 reused=0 refused=0"
stop_server
rm "$tmp/tlsserver.log"
unset RENEGUARD_STATE RENEGUARD_CLIENTS

# --- a full /dev/shm, in a mount namespace of the server's own ---
space=(unshare "$([ "$(id -u)" = 0 ] && echo -m || echo -rm)" sh -c
	'mount -t tmpfs -o size=4k tmpfs /dev/shm && { dd if=/dev/zero of=/dev/shm/filler bs=4k 2>/dev/null; test -s /dev/shm/filler; } && exec "$@"' sh)
if "${space[@]}" true 2>/dev/null; then
	port=$(pick_port)
	under with RENEGUARD_RESUMPTION=warn:2/600s
	start_on_port shm "${space[@]}" "${under[@]}" "$tools/tlsserver" --cert "$tmp/server.pem" --port "$port" --connections -1 --quiet
	is "full /dev/shm: the client is served" "$(peer_summary --tls 1.3 --from 127.0.0.7 127.0.0.1 "$port" resume 3)" "summary full=1 reused=3 refused=0"
	is "full /dev/shm: reneguardctl shows the client's counters" "$(account --pid "$pid" 127.0.0.7)" "1 3 0"
	ok "full /dev/shm: the log warns of the client over its limit" all_fields "$(line_with "$tmp/shm.log" event=resumption)" client=127.0.0.7 count=3
	stop "$pid"
else
	skip "a full /dev/shm" "no mount namespace is allowed here"
fi
finish
