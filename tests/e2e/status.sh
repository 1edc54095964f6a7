#!/bin/bash
# reneguardctl status and top: what they print about real servers, which they find by themselves. Reading a ledger changes nothing in it.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh
unset "${!RENEGUARD_@}"
needs python3

ctl=$RG_BUILD/reneguardctl
resident() { awk '/^[0-9a-f]+-/ { ours = /memfd:reneguard/ } ours && /^Rss:/ { print $2 }' "/proc/$1/smaps"; }
# value JSON EXPRESSION: prints a Python expression over the ledger `l`, the first one, and `c`, its clients by address.
value() { python3 -c 'import json, sys
d = json.loads(sys.argv[1]); l = d["ledgers"][0]; c = {c["client"]: c for c in l["clients"]}
print(eval(sys.argv[2]))' "$1" "$2"; }

certificates
export RENEGUARD_RESUMPTION=warn:5/600s RENEGUARD_NAME='sh"op\x'
serve with fork --connections -1 --quiet
at_exit "stop $(who "$server_pid")"
unset RENEGUARD_RESUMPTION RENEGUARD_NAME
peer --tls 1.3 127.0.0.1 "$port" resume 7 >/dev/null
peer --tls 1.3 --from 127.0.0.9 127.0.0.1 "$port" resume 2 >/dev/null
peer --tls 1.2 --from 127.0.0.8 127.0.0.1 "$port" renegotiate 1 >/dev/null

json=$("$ctl" status --pid "$server_pid" --json)
is "status: exit status 0" $? 0
ok "status: reading makes no more of the ledger resident than the pages of its three clients" test "$(resident "$server_pid")" -le 64
is "status: the service's name, even with quotes and backslashes" "$(value "$json" 'l["service"]')" 'sh"op\x'
is "status: the version of libssl" "$(value "$json" 'l["libssl"]')" "$(openssl version | awk '{ print $2 }')"
is "status: the policy" "$(value "$json" 'l["policy"]["resumption"], l["policy"]["renegotiation"]')" "('warn:5/600s', 'close')"
is "status: slots, used slots, evictions, and what did not fit" "$(value "$json" 'l["places"], l["used"], l["evictions"], l["unplaced"], l["lost"]')" "(65536, 3, 0, 0, 0)"
ok "status: the server's pid" test "$(value "$json" "$server_pid in l['pids']")" = True
is "status: no file for a ledger in memory" "$(value "$json" 'l["file"]')" None
is "status: a client over its limit has nothing left" "$(value "$json" 'c["127.0.0.1"]["events"]["resumption"]')" "{'count': 7, 'acted': 2, 'left': 0}"
is "status: a client below its limit has the rest left" "$(value "$json" 'c["127.0.0.9"]["events"]["resumption"]')" "{'count': 2, 'acted': 0, 'left': 3}"
is "status: an event without a limit has no rest" "$(value "$json" 'c["127.0.0.9"]["events"]["handshake"]')" "{'count': 1, 'acted': 0, 'left': None}"
is "status: a refused renegotiation counts as acted upon" "$(value "$json" 'c["127.0.0.8"]["events"]["renegotiation"]["acted"]')" 1
is "status: offers accepted and not accepted" "$(value "$json" 'c["127.0.0.1"]["outcomes"]')" "{'accepted': 7, 'not_accepted': 0}"
like "status: the time since when a client is known" "$(value "$json" 'c["127.0.0.1"]["since"]')" "^$(date -u +%Y-%m-%d)T.*Z$"
is "status: clients are sorted by how often they were acted upon" "$(value "$json" 'l["clients"][0]["client"]')" 127.0.0.1
is "status --sort resumption --limit 2: the two clients with most offers" "$(value "$("$ctl" status --pid "$server_pid" --json --sort resumption --limit 2)" \
	'[x["client"] for x in l["clients"]]')" "['127.0.0.1', '127.0.0.9']"
is "status --sort left: clients nearest to a limit first" "$(value "$("$ctl" status --pid "$server_pid" --json --sort left)" \
	'[x["client"] for x in l["clients"]]')" "['127.0.0.1', '127.0.0.9', '127.0.0.8']"
like "status: a row of the table" "$("$ctl" status --pid "$server_pid")" '^  127\.0\.0\.9 +20[-0-9T:]+Z +20[-0-9T:]+Z +0/0/- +2/0/3 +1/0/- +0/0/- +0/0/64 +2 +0$'

metrics=$("$ctl" status --pid "$server_pid" --prometheus)
like "Prometheus: events" "$metrics" '^reneguard_events_total\{service="sh\\"op\\\\x",ledger="[0-9]+",event="resumption"\} 9$'
like "Prometheus: events acted upon" "$metrics" '^reneguard_acted_total\{.*event="resumption"\} 2$'
like "Prometheus: offers accepted" "$metrics" '^reneguard_accepted_total\{[^}]*\} 9$'
unlike "Prometheus: every line is a comment or a sample" "$(grep -Ev '^# (HELP|TYPE) reneguard_[a-z_]+ |^reneguard_[a-z_]+\{[^}]*\} [0-9]+$' <<<"$metrics")" .

# All ledgers of the machine, and the one in a state file.
first_pid=$server_pid
in_memory
export RENEGUARD_STATE=$memory/state
serve with main --connections -1 --quiet
second_pid=$server_pid
at_exit "stop $(who "$second_pid")"
unset RENEGUARD_STATE
peer --tls 1.3 127.0.0.1 "$port" get 3 >/dev/null
every=$("$ctl" status --json 2>"$tmp/every.err")
for pid in "$first_pid" "$second_pid"; do
	is "status without --pid: process $((pid == first_pid ? 1 : 2)) is found, once" \
		"$(value "$every" "len([1 for x in d['ledgers'] if $pid in x['pids']])")" 1
done
json=$("$ctl" status --state "$memory/state" --json)
is "status --state: the clients and the processes of a state file" "$(value "$json" 'c["127.0.0.1"]["events"]["handshake"]["count"], l["pids"]')" "(3, [$second_pid])"
kill "$first_pid" "$second_pid"
within 5 gone "$second_pid"
is "status --state: a state file that no process uses" "$(value "$("$ctl" status --state "$memory/state" --json)" \
	'c["127.0.0.1"]["events"]["handshake"]["count"], l["pids"]')" "(3, [])"

# A process chooses the names of the files it maps; a name longer than any buffer must not pass for another mapping.
mkdir "$tmp/long"
mkfifo "$tmp/end"
stdin=$tmp/end start forger env LD_PRELOAD="$preload" python3 tests/lib/long_mapping.py "$tmp/long"
exec {end}>"$tmp/end"
ok "a process with a forged mapping is ready" within 10 grep -q ready "$tmp/forger.log"
ok "one line of its mappings is longer than 5,000 characters" grep -qE '.{5000}' "/proc/$pid/maps"
is "its ledger is found once, and no forged one" "$(value "$("$ctl" status --pid "$pid" --json)" 'len(d["ledgers"]), l["file"]')" "(1, None)"
exec {end}>&-

# top
has_redrawn() { [ "$(grep -c 'handshake=count' "$tmp/screen")" -ge 2 ]; }
mkfifo "$tmp/top-keys"
timeout 30 "$ctl" top --state "$memory/state" --limit 1 <"$tmp/top-keys" >"$tmp/screen" &
top=$!
exec {keys}>"$tmp/top-keys"
ok "top redraws by itself" within 10 has_redrawn
printf q >&"$keys"
wait "$top"
is "top ends with q" $? 0
exec {keys}>&-
timeout -s INT 1.5 "$ctl" top --state "$memory/state" </dev/null >"$tmp/top.out"
is "top ends with SIGINT" "$(grep -c CLIENT "$tmp/top.out" | sed 's/[1-9]/drawn/')" drawn

# Requests that fail.
failing() { # NAME STATUS REGEX ARGUMENT...
	local name=$1 status=$2 regex=$3
	shift 3
	err=$("$ctl" "$@" 2>&1 >/dev/null)
	is "$name: exit status $status" $? "$status"
	like "$name: the message" "$err" "$regex"
}
failing "a process without a ledger" 1 "has no ledger" status --pid $$
failing "a file that is none" 1 "cannot be read as a ledger" status --state "$tmp/cert.pem"
failing "no file" 1 "No such file" status --state "$tmp/nothing"
failing "an unknown column" 2 "accepted: acted, client.*keyupdate.*not_accepted" status --sort size
failing "an unknown argument" 2 "accepted: --pid" status --colour
failing "a value that is missing" 2 "accepted: --pid" status --limit
failing "top takes no --json" 2 "unknown argument '--json'" top --json
finish
