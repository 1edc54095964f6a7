#!/bin/bash
# nginx with two workers and dropped privileges: one account for both, an SNI switch that changes options, ordinary traffic, and
# the difference to the same server without the shim. Lines are read back from rsyslogd.
. tests/lib/tap.sh
. tests/lib/server.sh

needs nginx rsyslogd curl
certificates
start_rsyslogd
user=$([ "$(id -u)" = 0 ] && echo "user www-data;")

# serve HALF [VARIABLE=VALUE]...
serve() {
	port=$(pick_port)
	cat >"$tmp/nginx.conf" <<-CONF
		$user
		daemon off; worker_processes 2; pid $tmp/nginx.pid; error_log $tmp/nginx-error.log info;
		events { worker_connections 512; }
		http {
			access_log off; client_body_temp_path $tmp/b; proxy_temp_path $tmp/p; fastcgi_temp_path $tmp/f;
			uwsgi_temp_path $tmp/u; scgi_temp_path $tmp/s;
			ssl_certificate $tmp/cert.pem; ssl_certificate_key $tmp/key.pem; ssl_session_cache shared:s:1m;
			ssl_protocols TLSv1.2 TLSv1.3;
			server { listen 127.0.0.1:$port ssl default_server reuseport; server_name localhost; return 200 "ok\$pid\n"; }
			server { listen 127.0.0.1:$port ssl; server_name other.test; ssl_prefer_server_ciphers on;
				ssl_conf_command Options -SessionTicket,ClientRenegotiation; return 200 "other\$pid\n"; }
		}
	CONF
	under "$@"
	start_on_port nginx "${under[@]}" nginx -c "$tmp/nginx.conf"
}

fetch() { # [CURL-OPTION]...: how many of 20 requests on 20 connections were answered 200
	local urls=()
	for _ in {1..20}; do urls+=(-o /dev/null "https://localhost:$port/"); done
	curl -s --cacert "$tmp/cert.pem" --resolve "localhost:$port:127.0.0.1" -H 'Connection: close' -w '%{http_code}\n' "$@" "${urls[@]}" | grep -c '^200$'
}

serve without
ok "without the shim, libssl warns and nginx serves on" all_fields "$(storm 127.0.0.1 "$port" 200)" warnings=200 served=1
field "and the server with the ClientRenegotiation option honours it" \
	"$(peer_summary --tls 1.2 --sni other.test 127.0.0.1 "$port" renegotiate 3)" honoured '[03]'
stop "$pid"

serve with RENEGUARD_LOG=syslog RENEGUARD_SYSLOG_SOCKET="$syslog_socket" RENEGUARD_RESUMPTION=decline:20/600s
for n in 1 2 3 4; do
	ok "with it the first attempt is the last, $n" all_fields "$(storm --from 127.0.0.4 127.0.0.1 "$port" 5)" 'sent=[12]' served=0
done
line=$(line_with "$syslog_file" 'client=127.0.0.4.*count=4')
like "a worker without privileges and environment logs it" "$line" "^authpriv.warning reneguard\[[0-9]+\]: code=ERR_TLS_RENEGOTIATION_DISABLED event=renegotiation action=close client=127\.0\.0\.4 port=[0-9]+ count=4 service=nginx tls=TLSv1\.2 libssl="
ok "of a worker, not of the master" test "$(grep -o 'reneguard\[[0-9]*' <<<"$line" | cut -d[ -f2)" != "$pid"
like "nginx's error log names the reason" "$(cat "$tmp/nginx-error.log")" 'SSL_read\(\) failed.*ERR_TLS_RENEGOTIATION_DISABLED'
is "said once for master and workers" "$(grep -c RENEGUARD_ACTIVE "$syslog_file")" 1
for tls in 1.2 1.3; do
	ok "an SNI switch with other options does not open it" all_fields \
		"$(peer_summary --tls 1.2 --sni other.test 127.0.0.1 "$port" renegotiate 1)" started=1 honoured=0
	is "ordinary requests are served, TLS $tls" "$(fetch --tls-max $tls)" 20
done

# Connections spread over both workers by the kernel (reuseport): the account is one.
seen=$(peer --tls 1.3 --from 127.0.0.6 127.0.0.1 "$port" resume 30)
like "two workers: exactly twenty resumptions, then full handshakes" "$seen" '^summary full=11 reused=20 refused=0'
line=$(line_with "$syslog_file" "event=resumption.*client=127.0.0.6 ")
ok "said once" all_fields "$line lines=$(grep -c "event=resumption.*client=127.0.0.6 " "$syslog_file")" code=ERR_TLS_SESSION_ATTACK action=decline client=127.0.0.6 count=21 limit=20/600s service=nginx lines=1
together=$(for n in 1 2 3 4; do peer_summary --tls 1.2 --from 127.0.0.7 127.0.0.1 "$port" resume 20 & done; wait)
is "four connections at a time: exactly twenty" \
	"$(awk -F '[ =]' '{ full += $3; reused += $5; refused += $7 } END { print full, reused, refused }' <<<"$together")" "64 20 0"
workers=$(for _ in {1..12}; do curl -sk "https://127.0.0.1:$port/"; done | sort -u | wc -l)
is "both workers were in it" "$workers" 2
kill -HUP "$pid" && sleep 0.5
is "after a reload it is served" "$(fetch)" 20
seen=$(peer_summary --tls 1.3 --from 127.0.0.6 127.0.0.1 "$port" resume 2)
is "and the account goes on" "$seen" "summary full=3 reused=0 refused=0"
ok "and renegotiation stays refused" all_fields "$(storm 127.0.0.1 "$port" 3)" 'sent=[12]' served=0
stop "$pid"
unlike "no worker died" "$(cat "$tmp/nginx-error.log")" 'exited on signal|\[(alert|emerg)\]'

if command -v wrk >/dev/null; then
	serve with RENEGUARD_RESUMPTION=count
	load=$(wrk -t1 -c16 -d2s -H 'Connection: close' "https://127.0.0.1:$port/" 2>&1)
	like "two seconds of load" "$load" 'Requests/sec: +[1-9][0-9]'
	unlike "without an error" "$load" 'Socket errors|Non-2xx'
	stop "$pid"
else
	skip "two seconds of load without an error" "wrk is not installed"
fi
finish
