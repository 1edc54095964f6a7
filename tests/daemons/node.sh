#!/bin/bash
# Debian's Node.js 18, which uses the system's libssl and allows three renegotiations in ten minutes by itself
# (SSL_OP_ALLOW_CLIENT_RENEGOTIATION).
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/node.sh

if ! find_node; then
	echo "1..0 # SKIP no Node.js that uses the system's libssl: its package can not be fetched, or run in a mount namespace"
	exit 0
fi
certificates

serve() { # HALF [VARIABLE=VALUE]...
	port=$(pick_port)
	: >"$tmp/node.log"
	under "$@"
	start_on_port node "${inside[@]}" "${under[@]}" "${node[@]}" tests/lib/tls_echo.js "$tmp/server.pem" "$port"
}

serve without
field "without the shim three renegotiations are honoured" "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 3)" honoured 3
declare -A stock
for tls in 1.2 1.3; do stock[$tls]=$(peer_summary --tls $tls 127.0.0.1 "$port" resume 10); done
field "and the fourth is not" "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 4)" honoured 3
stop "$pid"

serve with
for n in 1 2; do
	summary=$(peer_summary --tls 1.2 --timeout-ms 4000 127.0.0.1 "$port" renegotiate 3)
	ok "with it the first is refused by an alert, $n" all_fields "$summary" started=1 honoured=0 served=0 'end=(warning:no_renegotiation|fatal:.*)'
done
ok "node closes the connection and does not hang" within 3 grep -q 'socket closed' "$tmp/node.log"
like "and tells the reason" "$(cat "$tmp/node.log")" '(RENEGOTIATION_DISABLED|NO_RENEGOTIATION|no renegotiation)'
line=$(line_with "$tmp/node.log" 'event=renegotiation.*count=2')
ok "the line" all_fields "$line" code=ERR_TLS_RENEGOTIATION_DISABLED action=close client=127.0.0.1 'port=[0-9]+' service=node tls=TLSv1.2
ok "a storm" all_fields "$(storm --fragment 2 --from 127.0.0.8 127.0.0.1 "$port" 3)" hellos=0 served=0
for tls in 1.2 1.3; do
	is "ordinary traffic, TLS $tls" "$(peer_summary --tls $tls 127.0.0.1 "$port" get 20)" "summary full=20 reused=0 refused=0"
	is "resumption as without us, TLS $tls" "$(peer_summary --tls $tls 127.0.0.1 "$port" resume 10)" "${stock[$tls]}"
done
field "key updates" "$(peer_summary 127.0.0.1 "$port" keyupdate 5)" served 1
stop "$pid"

serve with RENEGUARD_RENEGOTIATION=close:2/600s RENEGUARD_RESUMPTION=decline:3/600s
field "close:2/600s allows two" "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 3)" honoured 2
ok "and ends the third with its line" all_fields "$(line_with "$tmp/node.log" code=ERR_TLS_SESSION_ATTACK)" event=renegotiation count=3 limit=2/600s
is "decline:3" "$(peer_summary --tls 1.2 127.0.0.1 "$port" resume 5)" "summary full=3 reused=3 refused=0"
stop "$pid"
finish
