#!/bin/bash
# nginx: two workers without privileges, whose environment is gone; an SNI switch that changes options. On trixie it also listens for QUIC.
. tests/lib/daemon.sh
packages="nginx-light"
packages_trixie="nginx"
clients="curl"
program=nginx
systems="here bullseye trixie"
protocol=http
own_log='SSL_read\(\) failed.*ERR_TLS_RENEGOTIATION_DISABLED'

configure() {
	local user='' quic='' switch=''
	[ "$(id -u)" != 0 ] || user='user nobody nogroup;'
	[ "$system" != trixie ] || quic="listen 127.0.0.1:$port quic;"
	[ "$system" = bullseye ] || switch='ssl_conf_command Options -SessionTicket,ClientRenegotiation;' # since 1.19.4
	cat >"$tmp/nginx.conf" <<-CONF
		$user
		daemon off; worker_processes 2; pid $tmp/nginx.pid; error_log $tmp/error.log info;
		events { worker_connections 512; }
		http {
			access_log off; client_body_temp_path $tmp/b; proxy_temp_path $tmp/p; fastcgi_temp_path $tmp/f;
			uwsgi_temp_path $tmp/u; scgi_temp_path $tmp/s;
			ssl_certificate $tmp/cert.pem; ssl_certificate_key $tmp/key.pem; ssl_session_cache shared:s:1m;
			ssl_protocols TLSv1.2 TLSv1.3;
			server { listen 127.0.0.1:$port ssl default_server reuseport; $quic server_name localhost;
				location / { return 200 "ok\n"; }
				location = /pid { return 200 "\$pid\n"; } }
			server { listen 127.0.0.1:$port ssl; server_name other.test; ssl_prefer_server_ciphers on; $switch return 200 "other\n"; }
		}
	CONF
}
launch() { daemon nginx -c "$tmp/nginx.conf"; }
exchange() { fetch / /another; }
reload() {
	local before
	before=$(pgrep -P "$pid" | sort)
	kill -HUP "$pid" && within 10 other_workers
}
other_workers() { [ -z "$(comm -12 <(echo "$before") <(pgrep -P "$pid" | sort))" ]; }
own_errors() { grep -E '\[(warn|error|crit|alert|emerg)\]' "$tmp/error.log"; }

requests() { # how many of 20 requests on 20 connections were answered 200, over each version
	local paths=()
	for _ in {1..20}; do paths+=(/); done
	fetch -H 'Connection: close' "${paths[@]}" | grep -c '^200$'
}
summed() { awk -F '[ =]' '{ full += $3; reused += $5; refused += $7 } END { print "full=" full, "reused=" reused, "refused=" refused }'; }

switched_by_name() {
	[ "$system" != bullseye ] || return 0
	ok "$label: an SNI switch to a server with ClientRenegotiation does not open it" all_fields \
		"$(peer_summary --tls 1.2 --sni other.test 127.0.0.1 "$port" renegotiate 3)" started=1 honoured=0
}

workers() {
	local n line
	line=$(line_with "$syslog_file" 'event=renegotiation.*client=127.0.0.6')
	unlike "$label: a worker without privileges and environment logs, not the master" "$line" "reneguard\[$pid\]"
	is "$label: RENEGUARD_ACTIVE is said once for all of them" "$(count_lines "$syslog_file" RENEGUARD_ACTIVE)" 1
	is "$label: forty requests on forty connections" "$(requests)" 40
	is "$label: both workers were in it" "$(for n in {1..12}; do fetch /pid; done | grep -v -e '^200$' -e '^$' | sort -u | wc -l)" 2
	end
	begin with RENEGUARD_RESUMPTION=decline:20/600s || return
	is "$label: exactly twenty resumptions, whichever worker" "$(peer_summary --tls 1.3 --from 127.0.0.8 127.0.0.1 "$port" resume 30)" \
		"summary full=11 reused=20 refused=0"
	is "$label: four connections at a time: exactly twenty" \
		"$(for n in 1 2 3 4; do peer_summary --tls 1.2 --from 127.0.0.7 127.0.0.1 "$port" resume 20 & done | summed)" "full=64 reused=20 refused=0"
	reload
	is "$label: after a reload the account goes on" "$(peer_summary --tls 1.3 --from 127.0.0.8 127.0.0.1 "$port" resume 2)" \
		"summary full=3 reused=0 refused=0"
}

load() {
	local seen
	command -v wrk >/dev/null || { skip "$label: two seconds of load" "wrk is not installed"; return; }
	seen=$(wrk -t1 -c16 -d2s -H 'Connection: close' "https://127.0.0.1:$port/" 2>&1)
	like "$label: two seconds of load" "$seen" 'Requests/sec: +[1-9][0-9]'
	unlike "$label: without an error" "$seen" 'Socket errors|Non-2xx'
}

more() {
	workers
	switched_by_name
	load
	unlike "$label: no worker died" "$(own_log_text)" 'exited on signal|\[(alert|emerg)\]'
}
trials
