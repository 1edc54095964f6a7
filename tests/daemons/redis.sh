#!/bin/bash
# Redis: clears its environment when it starts, so the policy must have been read before; its libssl merely warns about a
# renegotiation and carries on, a thousand times over one connection.
. tests/lib/tap.sh
. tests/lib/server.sh

if ! command -v redis-server >/dev/null; then
	echo "1..0 # SKIP redis-server is not installed"
	exit 0
fi
certificates

serve() { # HALF [VARIABLE=VALUE]...
	port=$(pick_port)
	: >"$tmp/redis.log"
	under "$@"
	start_on_port redis "${under[@]}" redis-server --port 0 --tls-port "$port" --bind 127.0.0.1 --tls-cert-file "$tmp/cert.pem" \
		--tls-key-file "$tmp/key.pem" --tls-auth-clients no --tls-protocols 'TLSv1.2 TLSv1.3' --save '' --appendonly no --dir "$tmp"
}

# An exchange in its own protocol.
ping() { printf 'PING\r\nQUIT\r\n' | timeout 10 openssl s_client -quiet -connect "127.0.0.1:$port" "$@" 2>/dev/null | head -n 1 | tr -d '\r'; }

serve without
is "without the shim it is served" "$(ping)" "+PONG"
ok "and takes a thousand attempts on one connection" all_fields "$(storm --line 127.0.0.1 "$port" 1000)" sent=1000 warnings=1000
stop "$pid"

serve with RENEGUARD_NAME=cache RENEGUARD_RESUMPTION=warn:5/600s
is "with it it is served, TLS 1.2" "$(ping -tls1_2)" "+PONG"
is "and TLS 1.3" "$(ping -tls1_3)" "+PONG"
ok "the first attempt is the last" all_fields "$(storm --line 127.0.0.1 "$port" 1000)" 'sent=[12]' hellos=0 'end=(closed|reset|fatal:.*)'
line=$(line_with "$tmp/redis.log" 'event=renegotiation')
ok "the line, under the name that the cleared environment gave" all_fields "$line" code=ERR_TLS_RENEGOTIATION_DISABLED action=close \
	client=127.0.0.1 'port=[0-9]+' service=cache tls=TLSv1.2 count=1
is "a bystander is served on" "$(ping)" "+PONG"
is "resumption" "$(peer_summary --none --tls 1.2 127.0.0.1 "$port" resume 9)" "summary full=1 reused=9 refused=0"
ok "is accounted by the policy of the environment that is gone" all_fields "$(line_with "$tmp/redis.log" event=resumption)" \
	action=warn count=6 limit=5/600s service=cache
stop "$pid"
finish
