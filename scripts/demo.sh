#!/bin/bash
# scripts/demo.sh BUILD attacks a real server of this system (openssl s_server) twice: as it is, and under the shim. It prints what
# was attempted, what happened, and the log lines. The status is 1 if anything that it announces did not happen.
# It needs no privileges, picks a loopback port itself, and leaves nothing running.
set -u

# So long a period that the limit gains nothing while the demo runs. Every attempt over it is refused.
attempts=150 limit=120 period=24h

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

# start_server [WRAPPER...] starts s_server on a free port, with TLS 1.2 and willing to renegotiate, as every server was before OpenSSL 3.
start_server() {
	local willing='' tries
	! openssl s_server -help 2>&1 | grep -q client_renegotiation || willing=-client_renegotiation # before 3.0 each server is
	for tries in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 12000))
		# shellcheck disable=SC2086 # one option or none
		"$@" openssl s_server -accept "127.0.0.1:$port" -cert "$work/cert.pem" -key "$work/key.pem" -tls1_2 \
			$willing <>"$work/stdin" >"$work/server.log" 2>&1 &
		server=$!
		for _ in $(seq 600); do
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

# expect WHAT TEXT PATTERN prints WHAT and TEXT. The demo fails if TEXT does not match PATTERN.
expect() {
	local unexpected=
	[[ $2 =~ $3 ]] || { unexpected='UNEXPECTED: ' && wrong=1; }
	printf '    %-52s %s\n' "$1" "$unexpected$2"
}

# client COMMAND N [OPTION]... prints the client's one-line summary.
client() { timeout 300 "$peer" --tls 1.2 --none --timeout-ms 60000 "${@:3}" 127.0.0.1 "$port" "$1" "$2" | sed -n 's/^summary //p'; }

# The summaries, for people. Another summary than the expected ones is printed as it is.
renegotiate() { # N
	client renegotiate "$1" | sed -e 's/^started=1 honoured=\([0-9]*\) .*end=-$/\1 honoured, connection still open/' \
		-e 's/^started=1 honoured=\([0-9]*\) .*end=\(.*\)$/\1 honoured, connection ended: \2/'
}
# After the one full handshake that gives the client its session, each of the N attempts is either resumed or refused.
resume() { # N
	client resume "$1" --same-session | sed 's/^full=1 reused=\([0-9]*\) refused=\([0-9]*\)$/\1 resumed, \2 refused/'
}
visit() { # N
	client get "$1" --from 127.0.0.9 | sed 's/^full=\([0-9]*\) reused=0 refused=\([0-9]*\)$/\1 served, \2 refused/'
}

mkfifo "$work/stdin" || exit 1 # s_server ends when its input does
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 2 -subj /CN=localhost 2>/dev/null || exit 1

env -u MAKEFLAGS make -s BUILD="$build" PREFIX="$work/installed" DESTDIR= install >"$work/install.log" 2>&1 || { cat "$work/install.log"; exit 1; }

say "An unmodified server: $(openssl version | cut -d' ' -f1-2), openssl s_server, TLS 1.2, on 127.0.0.1."
say
say "1. As it is"
start_server
expect "a client renegotiates 100 times on one connection:" "$(renegotiate 100)" "^100 honoured, connection still open$"
expect "a client resumes its session $attempts times:" "$(resume $attempts)" "^$attempts resumed, 0 refused$"
stop_server
expect "lines in any log about it:" "$(grep -c reneguard "$work/server.log")" '^0$'

say
say "2. Under the shim: reneguard --log=stderr --resumption=close:$limit/$period -- openssl s_server ..."
start_server "$work/installed/bin/reneguard" --log=stderr --resumption=close:$limit/$period --
expect "a client renegotiates 100 times on one connection:" "$(renegotiate 100)" "^0 honoured, connection ended: (warning:no_renegotiation|fatal:)"
expect "a client tries to resume its session $attempts times:" "$(resume $attempts)" "^$limit resumed, $((attempts - limit)) refused$"
expect "another client connects 3 times:" "$(visit 3)" "^3 served, 0 refused$"
stop_server
say
say "   What it logged (here on standard error, by default to syslog):"
grep '^reneguard' "$work/server.log" | sed 's/^/    /'
grep -q 'code=ERR_TLS_RENEGOTIATION_DISABLED event=renegotiation action=close client=127.0.0.1' "$work/server.log" || wrong=1
grep -q "code=ERR_TLS_SESSION_ATTACK event=resumption action=close client=127.0.0.1 .*count=$((limit + 1)) limit=$limit/86400s" "$work/server.log" || wrong=1
say
say "   What the server itself logged, which knows nothing of the shim:"
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
