#!/bin/bash
# HAProxy in master-worker mode, with threads, in a chroot, as another user. It uses a BIO of its own, so the SSL has no descriptor, and sets
# callbacks. With allow-0rtt handshakes end in SSL_read_early_data. To reload, the master executes itself: RENEGUARD_STATE keeps the ledger.
. tests/lib/daemon.sh
packages="haproxy"
clients="curl"
program=haproxy
systems="here trixie"
variants="- 0rtt"
protocol=http
state=yes

configure() {
	local drop='' early=''
	[ "$(id -u)" != 0 ] || drop=$(printf '%s\n' "user haproxy" "group haproxy" "chroot $tmp/empty")
	[ "$variant" != 0rtt ] || early=allow-0rtt
	mkdir -p "$tmp/empty"
	echo "$tmp/server.pem [ssl-max-ver TLSv1.2] old.example" >"$tmp/crt-list"
	cat >"$tmp/haproxy.cfg" <<-CONF
		global
			$drop
			nbthread 2
			log stderr format raw local0
		defaults
			mode http
			log global
			option dontlog-normal
			error-log-format "%ci error: %[fc_err_str], %[ssl_fc_err_str]"
			timeout connect 5s
			timeout client 10s
			timeout server 10s
		frontend tls
			bind 127.0.0.1:$port ssl crt $tmp/server.pem ssl-min-ver TLSv1.2 ca-file $tmp/cert.pem verify optional $early
			bind 127.0.0.2:$port ssl crt-list $tmp/crt-list
			http-request return status 200 content-type text/plain lf-string "certificate: %[ssl_c_used]\n"
	CONF
}
launch() { daemon haproxy -W -f "$tmp/haproxy.cfg"; }
exchange() {
	fetch / /another
	fetch -E"$tmp/server.pem" /
}
reload() { kill -USR2 "$pid" && within 10 loaded_twice; }
loaded_twice() { [ "$(grep -c 'Loading success' "$tmp/haproxy.log")" = 2 ]; }
own_lines() { grep -v '^\[' "$tmp/haproxy.log"; }
own_errors() { grep -E '^\[(WARNING|ALERT)\]' "$tmp/haproxy.log"; }

# HAProxy logs the error that ended a connection before the first request.
logs_reason() {
	peer --tls 1.2 --none --from 127.0.0.9 127.0.0.1 "$port" renegotiate 1 >/dev/null
	like "$label: HAProxy's own log tells the reason" "$(line_with "$tmp/haproxy.log" '^127.0.0.9 error')" 'SSL fatal error, error:0A00044C:.*no renegotiation'
}

# With ssl-max-ver in a crt-list HAProxy switches TLS 1.3 off in its client_hello callback. So an id in a hello that offers TLS 1.3 is
# an offer to resume, or only middlebox compatibility. Only the answer tells.
switches_off_tls13() {
	rm -f "$tmp/session"
	is "$label: TLS 1.3 switched off late: a session id is accepted" \
		"$(by_id -sess_out "$tmp/session") $(by_id -sess_in "$tmp/session") $(by_id)" "New, TLSv1.2 Reused, TLSv1.2 New, TLSv1.2"
	is "$label: and each handshake is the event that it was" "$(account 127.0.0.12)" "resumption=1 acted=0 handshake=2"
}
by_id() { timeout 20 openssl s_client -no_ticket -servername old.example -bind 127.0.0.12:0 -connect "127.0.0.2:$port" "$@" </dev/null 2>&1 | grep -oE '^(New|Reused), TLSv1.[23]'; }

more() {
	local accepted=0 seen
	logs_reason
	switches_off_tls13
	is "$label: HAProxy sees a certificate exactly from the clients that have one" "$(exchange | grep certificate | sort | uniq -c | tr -s ' \n' ' ')" " 4 certificate: 0 2 certificate: 1 "
	[ "$variant" != 0rtt ] || accepted=3
	seen=$(peer --tls 1.3 --from 127.0.0.8 127.0.0.1 "$port" early-data 3)
	like "$label: early data is accepted $accepted times of 3" "$seen" "^summary accepted=$accepted$"
	is "$label: connections with early data are served and count as offers to resume" "$(grep -c 'reused=1 served=1 status=200' <<<"$seen"), $(account 127.0.0.8)" \
		"3, resumption=3 acted=0 handshake=1"
	is "$label: the ledger still has clients from before the reload" "$(clients_listed | grep -ow -e 127.0.0.31 -e 127.0.0.4 | sort -u | wc -l)" 2
	unlike "$label: no worker died" "$(own_log_text)" 'exited with code [1-9]'
}
trials
