#!/bin/bash
# openssl s_client renegotiates with openssl s_server -client_renegotiation, which honours it by itself and refuses it under the shim. Also
# tests the limits and the other actions of RENEGUARD_RENEGOTIATION, and the log lines field by field.
. tests/lib/tap.sh
. tests/lib/server.sh

# serve HALF [VARIABLE=VALUE]... -- [S_SERVER-OPTION]...: starts s_server. Its standard input stays open, because s_server ends with it.
serve() {
	local half=$1 variables=()
	shift
	while [ "$1" != -- ]; do variables+=("$1") && shift; done
	shift
	port=$(pick_port)
	: >"$tmp/s_server.log"
	under "$half" "${variables[@]}"
	"${under[@]}" openssl s_server -accept "127.0.0.1:$port" -cert "$tmp/server.pem" "$@" \
		<&"$held_open" >>"$tmp/s_server.log" 2>&1 &
	pid=$!
	at_exit "stop $(who "$pid")"
	within 10 grep -q ACCEPT "$tmp/s_server.log"
}

# s_client N: prints what openssl s_client sees when it renegotiates N times and then sends a line.
s_client() {
	{
		sleep 0.3
		for ((i = 0; i < $1; i++)); do echo R && sleep 0.25; done
		echo arrived
		sleep 0.25
	} | timeout 20 openssl s_client -connect "127.0.0.1:$port" -tls1_2 2>&1
}

lines() { grep -a '^reneguard\[' "$tmp/s_server.log"; }

mkfifo "$tmp/input"
exec {held_open}<>"$tmp/input"
certificates
renegotiation_options
serve without -- "${willing[@]}"
client=$(s_client 2)
is "without the shim s_client renegotiates twice" "$(grep -c RENEGOTIATING <<<"$client") $(grep -c ':error:' <<<"$client")" "2 0"
ok "without the shim what s_client sends afterwards arrives" grep -aq arrived "$tmp/s_server.log"
stop $pid

serve with -- "${willing[@]}"
client=$(s_client 1)
like "an alert tells s_client that renegotiation is refused" "$client" 'no renegotiation|alert'
unlike "what s_client sends after a refusal does not arrive" "$(cat "$tmp/s_server.log")" '^arrived'
line=$(line_with "$tmp/s_server.log" '^reneguard.*ERR_TLS_RENEGOTIATION_DISABLED')
like "the log line has exactly the documented fields" "$line" "^reneguard\[$pid\]: code=ERR_TLS_RENEGOTIATION_DISABLED event=renegotiation action=close client=127\.0\.0\.1 port=[0-9]+ count=1 service=openssl tls=TLSv1\.2 libssl=[0-9.a-z]+( suppressed=0)?$"
like "the server's own error log names the reason" "$(cat "$tmp/s_server.log")" 'error:.*ERR_TLS_RENEGOTIATION_DISABLED'
like "RENEGUARD_ACTIVE is logged once" "$(lines | grep -c RENEGUARD_ACTIVE)" '^1$'
is "other clients are still served" "$(peer_summary --none --from 127.0.0.2 127.0.0.1 "$port" get 3)" "summary full=3 reused=0 refused=0"
is "offers to resume are still accepted" "$(peer_summary --none --tls 1.2 127.0.0.1 "$port" resume 2)" "summary full=1 reused=2 refused=0"
stop $pid

# Exactly as many renegotiations as the limit says are allowed.
serve with RENEGUARD_RENEGOTIATION=close:3/600s -- "${willing[@]}"
summary=$(peer_summary --none --tls 1.2 127.0.0.1 "$port" renegotiate 3)
field "close:3/600s allows three" "$summary" honoured 3
is "close:3/600s logs nothing about them" "$(lines | grep -vc RENEGUARD_ACTIVE)" 0
summary=$(peer_summary --none --tls 1.2 127.0.0.1 "$port" renegotiate 1)
field "close:3/600s refuses the fourth, on another connection too" "$summary" honoured 0
line=$(line_with "$tmp/s_server.log" code=ERR_TLS_SESSION_ATTACK)
like "close:3/600s logs the fourth" "$line" 'code=ERR_TLS_SESSION_ATTACK event=renegotiation action=close client=127\.0\.0\.1 port=[0-9]+ count=4 limit=3/600s service=openssl tls=TLSv1\.2 libssl=[^ ]+'
summary=$(peer_summary --none --from 127.0.0.2 --tls 1.2 127.0.0.1 "$port" renegotiate 4)
field "another client has its own three" "$summary" honoured 3
stop $pid

serve with RENEGUARD_RENEGOTIATION=close:2/2s -- "${willing[@]}"
field "close:2/2s allows two" "$(peer_summary --none --tls 1.2 127.0.0.1 "$port" renegotiate 3)" honoured 2
sleep 4.2
field "close:2/2s allows two again when the period is over" "$(peer_summary --none --tls 1.2 127.0.0.1 "$port" renegotiate 3)" honoured 2
stop $pid

serve with RENEGUARD_RENEGOTIATION=warn:1/60s -- "${willing[@]}"
field "warn:1/60s lets every renegotiation pass" "$(peer_summary --none --tls 1.2 127.0.0.1 "$port" renegotiate 5)" honoured 5
line=$(line_with "$tmp/s_server.log" 'event=renegotiation')
ok "warn:1/60s logs the client" grep -q 'action=warn client=127.0.0.1' <<<"$line"
ok "warn:1/60s logs it once a minute, when the client exceeds its limit" all_fields "n=$(lines | grep -c event=renegotiation) $line" n=1 count=2 limit=1/60s
stop $pid

for action in count off; do
	serve with RENEGUARD_RENEGOTIATION=$action -- "${willing[@]}"
	field "$action lets every renegotiation pass" "$(peer_summary --none --tls 1.2 127.0.0.1 "$port" renegotiate 5)" honoured 5
	is "$action logs nothing" "$(lines | grep -c event=)" 0
	stop $pid
done

serve with RENEGUARD_RENEGOTIATION=close:3/600s -- "${unwilling[@]}"
summary=$(peer_summary --none --tls 1.2 127.0.0.1 "$port" renegotiate 1)
field "a limit does not allow renegotiation where libssl itself refuses it" "$summary" end 'warning:no_renegotiation|fatal:.*'
stop $pid

serve with RENEGUARD_EXEMPT=127.0.0.0/8 -- "${willing[@]}"
field "an exempt client is not acted upon" "$(peer_summary --none --tls 1.2 127.0.0.1 "$port" renegotiate 2)" honoured 2
stop $pid

serve with -- "${willing[@]}" -rev
field "renegotiation is refused when s_server reads through BIO_f_ssl (-rev)" "$(peer_summary --line --tls 1.2 127.0.0.1 "$port" renegotiate 1)" honoured 0
stop $pid
finish
