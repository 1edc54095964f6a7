#!/bin/bash
# scripts/demo.sh BUILD: a real server of this system (openssl s_server), attacked twice: as it is, and under the shim. Prints what was
# attempted, what happened, and the log lines. Ends with a status other than 0 when what it shows did not happen.
# Needs no privileges; uses a loopback port it picks itself; leaves nothing running.
set -u

build=$1
peer=$build/tests/tools/tlspeer
work=$(mktemp -d)
server=
wrong=0

stop_server() {
	[ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null
	server=
}
trap 'stop_server; rm -rf "$work"' EXIT

say() { printf '%s\n' "$*"; }

# start_server [WRAPPER...]: s_server on a free port, TLS up to 1.2, willing to renegotiate as servers before OpenSSL 3 all were.
start_server() {
	local tries
	for tries in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 12000))
		"$@" openssl s_server -accept "127.0.0.1:$port" -cert "$work/cert.pem" -key "$work/key.pem" -tls1_2 \
			-client_renegotiation <>"$work/stdin" >"$work/server.log" 2>&1 &
		server=$!
		for _ in $(seq 100); do
			grep -q '^ACCEPT' "$work/server.log" && return 0
			kill -0 "$server" 2>/dev/null || break
			sleep 0.05
		done
		stop_server
	done
	say "openssl s_server did not start (try $tries):"
	cat "$work/server.log"
	exit 1
}

# expect WHAT TEXT PATTERN: print it, and find it out if it is not so.
expect() {
	local unexpected=
	[[ $2 =~ $3 ]] || { unexpected='UNEXPECTED: ' && wrong=1; }
	printf '    %-52s %s\n' "$1" "$unexpected$2"
}

# The client's one-line summary, for people.
renegotiate() { # N
	timeout 20 "$peer" --tls 1.2 --none 127.0.0.1 "$port" renegotiate "$1" |
		sed -n -e 's/^summary .*honoured=\([0-9]*\) .*end=-$/\1 honoured, connection still open/p' \
			-e 's/^summary .*honoured=\([0-9]*\) .*end=\(.*\)$/\1 honoured, connection ended: \2/p'
}
resume() { # N
	timeout 60 "$peer" --tls 1.2 --none 127.0.0.1 "$port" resume "$1" |
		sed -n 's/^summary full=\([0-9]*\) reused=\([0-9]*\) refused=\([0-9]*\)$/\2 resumed, \3 refused/p'
}
visit() { # N
	timeout 20 "$peer" --tls 1.2 --none --from 127.0.0.9 127.0.0.1 "$port" get "$1" |
		sed -n 's/^summary full=\([0-9]*\) reused=0 refused=\([0-9]*\)$/\1 served, \2 refused/p'
}

mkfifo "$work/stdin" || exit 1 # s_server ends when its input does
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 -subj /CN=localhost 2>/dev/null || exit 1

say "An unmodified server: $(openssl version | cut -d' ' -f1-2), openssl s_server, TLS 1.2, on 127.0.0.1."
say
say "1. As it is"
start_server
expect "a client renegotiates 100 times on one connection:" "$(renegotiate 100)" "^100 honoured, connection still open"
expect "a client resumes its session 150 times:" "$(resume 150)" "^150 resumed, 0 refused"
stop_server
expect "lines in any log about it:" "$(grep -c reneguard "$work/server.log")" '^0$'

say
say "2. Under the shim: reneguard --log=stderr --resumption=close:120/60s -- openssl s_server ..."
start_server scripts/reneguard --log=stderr --resumption=close:120/60s --
expect "a client renegotiates 100 times on one connection:" "$(renegotiate 100)" "^0 honoured, connection ended: (warning:no_renegotiation|fatal)"
expect "a client tries to resume its session 150 times:" "$(resume 150)" "^120 resumed, [1-9][0-9]* refused"
expect "a bystander connects 3 times meanwhile:" "$(visit 3)" "^3 served, 0 refused"
stop_server
say
say "   What it said (here on standard error; ordinarily in syslog):"
grep '^reneguard' "$work/server.log" | sed 's/^/    /'
grep -q 'code=ERR_TLS_RENEGOTIATION_DISABLED event=renegotiation action=close client=127.0.0.1' "$work/server.log" || wrong=1
grep -q 'code=ERR_TLS_SESSION_ATTACK event=resumption action=close client=127.0.0.1 .*limit=120/60s' "$work/server.log" || wrong=1
say
say "   And the server's own error log, which knows nothing of us:"
grep -m1 'no renegotiation' "$work/server.log" | sed 's/^/    /'
grep -q 'no renegotiation.*ERR_TLS_RENEGOTIATION_DISABLED' "$work/server.log" || wrong=1

say
if [ $wrong = 0 ]; then
	say "All of it happened as announced."
else
	say "Something above did not happen as announced; the server's log:"
	sed 's/^/    /' "$work/server.log"
fi
exit $wrong
