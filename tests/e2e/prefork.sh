#!/bin/bash
# A program that opens its libssl by dlopen, forks, and makes its first context only then (Python, gunicorn): its workers count into
# one ledger, so a limit is a limit of all of them together.
. tests/lib/tap.sh
. tests/lib/server.sh
unset "${!RENEGUARD_@}"

python=$(command -v /usr/bin/python3 || command -v python3) || needs python3
certificates

# visits FROM PORT...: "FULL REFUSED" of one handshake with each port.
visits() {
	local from=$1 one
	shift
	for one; do peer_summary --line --tls 1.3 --from "$from" 127.0.0.1 "$one" get 1; done |
		awk -F '[ =]' '{ full += $3; refused += $7 } END { print full, refused }'
}

# ledgers PID...: how many ledgers they have between them, and how many of them have one
ledgers() {
	"$RG_BUILD/reneguardctl" status --json | "$python" -c 'import json, sys
pids = set(map(int, sys.argv[1:]))
used = [pids & set(ledger["pids"]) for ledger in json.load(sys.stdin)["ledgers"] if pids & set(ledger["pids"])]
print(len(used), "of", sum(map(len, used)))' "$@"
}

# workers WHERE VARIABLE=VALUE...: two workers of prefork.py; their ports are in $one and $two.
workers() {
	local where=$1
	shift
	one=$(pick_port) two=$(pick_port)
	while [ "$two" = "$one" ]; do two=$(pick_port); done
	: >"$tmp/prefork.log"
	under with "$@"
	port=$two start_on_port prefork "${under[@]}" "$python" tests/lib/prefork.py "$where" "$tmp/server.pem" "$one" "$two"
	within 5 listening "$one"
	children=$(pgrep -P "$pid")
	at_exit "kill $(echo "$children" | tr '\n' ' ') 2>/dev/null"
}

dismiss() {
	# shellcheck disable=SC2086 # a list of pids
	kill $children
	stop "$pid"
}

for where in main thread; do
	workers $where RENEGUARD_HANDSHAKE=close:3/600s
	is "forked by $where: the limit holds for both workers together" "$(visits 127.0.0.2 "$one" "$two" "$one" "$two" "$two" "$one")" "3 3"
	is "forked by $where: each client has its own" "$(visits 127.0.0.3 "$two" "$two" "$one" "$one")" "3 1"
	# shellcheck disable=SC2086 # a list of pids
	is "forked by $where: one ledger, the parent's too" "$(ledgers "$pid" $children)" "1 of 3"
	is "forked by $where: it says once that it guards" "$(count_lines "$tmp/prefork.log" code=RENEGUARD_ACTIVE)" 1
	dismiss
done

workers main RENEGUARD=off
is "switched off: no ledger is made" "$(grep -c memfd:reneguard "/proc/$pid/maps")" 0
dismiss

# The handlers of a program's allocator may run before ours or after it.
if ${CC:-cc} -shared -fPIC -O2 -o "$tmp/forklock.so" tests/lib/forklock.c 2>"$tmp/forklock.log" && [ "$preload" = "$shim" ]; then
	for order in "$tmp/forklock.so:$shim" "$shim:$tmp/forklock.so"; do
		for where in main thread; do
			workers $where RENEGUARD_HANDSHAKE=close:1/600s LD_PRELOAD="$order"
			is "an allocator that locks itself, ${order//[^:]*\//}, $where" "$(visits 127.0.0.2 "$one" "$two")" "1 1"
			is "and was locked, ${order//[^:]*\//}, $where" "$(count_lines "$tmp/prefork.log" 'forklock: locked')" 2
			dismiss
		done
	done
else
	skip "an allocator that locks itself before a fork" "it does not compile here, or the build is sanitized"
fi

# A program that never opens a libssl has no ledger, however often it forks.
LD_PRELOAD=$preload RENEGUARD_LOG=stderr "$python" -c 'import os, sys
for _ in range(3):
    if os.fork() == 0:
        os._exit("memfd:reneguard" in open("/proc/self/maps").read())
    if os.wait()[1]:
        sys.exit("a ledger")'
is "without a libssl none is made" $? 0

if command -v gunicorn >/dev/null; then
	port=$(pick_port)
	cat >"$tmp/hello.py" <<-'PY'
		def application(environ, start_response):
		    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
		    return [b"hello\n"]
	PY
	under with RENEGUARD_HANDSHAKE=close:5/600s
	start_on_port gunicorn "${under[@]}" gunicorn --chdir "$tmp" -w 2 --certfile "$tmp/cert.pem" --keyfile "$tmp/key.pem" -b "127.0.0.1:$port" hello
	two_workers() { [ "$(pgrep -c -P "$pid")" = 2 ]; }
	within 10 two_workers
	# shellcheck disable=SC2046 # a list of pids
	is "gunicorn -w 2: one ledger" "$(ledgers "$pid" $(pgrep -P "$pid"))" "1 of 3"
	summaries=$(for n in 1 2 3 4; do peer_summary --tls 1.2 --from 127.0.0.2 127.0.0.1 "$port" get 4 & done; wait)
	is "gunicorn -w 2: five of sixteen pass, in whichever worker" \
		"$(awk -F '[ =]' '{ full += $3; refused += $7 } END { print full, refused }' <<<"$summaries")" "5 11"
	is "gunicorn -w 2: another client is served" "$(peer_summary --tls 1.3 --from 127.0.0.3 127.0.0.1 "$port" get 2)" "summary full=2 reused=0 refused=0"
	stop "$pid"
else
	skip "gunicorn -w 2" "it is not installed"
fi
finish
