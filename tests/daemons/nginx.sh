#!/bin/bash
# nginx: two workers without privileges and with an empty environment; HTTP/2, client certificates, a server selected by SNI that changes SSL
# options, an upgrade of the running binary. On trixie it also serves HTTP/3 over QUIC, which the shim does not guard and must not disturb.
. tests/lib/daemon.sh
. tests/lib/nginx.sh
packages="nginx-light"
packages_trixie="nginx curl"
clients="curl"
program=nginx
systems="here bullseye trixie"
protocol=http
own_log='SSL_read\(\) failed.*ERR_TLS_RENEGOTIATION_DISABLED'
nginx_daemon=off

configure() {
	local quic='' switch=''
	[ "$system" != trixie ] || quic="listen 127.0.0.1:$port quic reuseport;"
	[ "$system" = bullseye ] || switch='ssl_conf_command Options -SessionTicket,ClientRenegotiation;' # since nginx 1.19.4
	# An upgrade executes the new binary with only the variables that `env` names.
	nginx_conf "$tmp" "env LD_PRELOAD; env RENEGUARD_LOG; env RENEGUARD_SYSLOG_SOCKET; env RENEGUARD_RESUMPTION;" >"$tmp/nginx.conf" <<-CONF
		$(nginx_tls "$tmp")
		ssl_session_cache shared:s:10m; ssl_verify_client optional; ssl_client_certificate $tmp/cert.pem;
		server { listen 127.0.0.1:$port ssl http2 default_server reuseport; $quic server_name localhost;
			location / { return 200 "ok \$server_protocol \$ssl_client_verify\n"; }
			location = /pid { return 200 "\$pid\n"; } }
		server { listen 127.0.0.1:$port ssl; server_name other.test; ssl_prefer_server_ciphers on; $switch return 200 "other\n"; }
	CONF
}
launch() {
	daemon /usr/sbin/nginx -c "$tmp/nginx.conf" || return
	[ $nginx_daemon = off ] || { within 10 test -s "$tmp/nginx.pid" && pid=$(cat "$tmp/nginx.pid"); }
}

# http3 [CURL-OPTION]... URL...: fetches over HTTP/3 by trixie's curl, on one connection. Such connections stall: of 1,350 with two requests, 5
# without the shim and 8 with it. Then all is fetched again.
http3() {
	local answers
	for _ in 1 2 3 4; do
		answers=$(in_system curl -sS --max-time 5 --fail-early --http3-only --cacert "$tmp/cert.pem" --resolve "localhost:$port:127.0.0.1" "$@" 2>&1) && break
	done
	echo "$answers"
}
exchange() {
	fetch / /another
	fetch --http1.1 --cert "$tmp/server.pem" /
	[ "$system" != trixie ] || http3 "https://localhost:$port/" "https://localhost:$port/another"
}
reload() {
	local before
	before=$(pgrep -P "$pid" | sort)
	kill -HUP "$pid" && within 10 other_workers
}
other_workers() { [ -z "$(comm -12 <(echo "$before") <(pgrep -P "$pid" | sort))" ]; }
own_lines() { grep -E '\[(error|crit|alert|emerg)\]' "$tmp/nginx-error.log"; }
own_errors() { grep -E '\[(warn|error|crit|alert|emerg)\]' "$tmp/nginx-error.log" | grep -v 'failed to send stream cancellation'; } # after a time-out of http3

requests() { # prints how many of 20 requests on 20 connections are answered with 200, summed over TLS 1.2 and 1.3
	local paths=()
	for _ in {1..20}; do paths+=(/); done
	fetch --http1.1 -H 'Connection: close' "${paths[@]}" | grep -c '^200$'
}
summed() { awk -F '[ =]' '{ full += $3; reused += $5; refused += $7 } END { print "full=" full, "reused=" reused, "refused=" refused }'; }

switched_by_name() {
	[ "$system" != bullseye ] || return 0
	ok "$label: renegotiation is refused on a server selected by SNI that sets ClientRenegotiation" all_fields \
		"$(peer_summary --tls 1.2 --sni other.test 127.0.0.1 "$port" renegotiate 3)" started=1 honoured=0
}

# nginx's QUIC (before 1.27.5) passes ordinary handshakes to libssl through memory. Their client is unknown; they must count for no other client.
quic_is_left_alone() {
	local urls=() seen n holder before
	[ "$system" = trixie ] || return 0
	exec {holder}> >(dialogue hold 6 127.0.0.62 1.2 >"$tmp/hold.log")
	within 20 grep -q ^open "$tmp/hold.log"
	before=$(accounts_but_unknown)
	for n in {1..20}; do urls+=(-o /dev/null "https://localhost:$port/$n"); done
	for n in {1..6}; do http3 --interface 127.0.0.61 -w '%{http_version} %{http_code}\n' "${urls[@]}"; done >"$tmp/http3"
	is "$label: HTTP/3 is served" "$(sort "$tmp/http3" | uniq -c)" "    120 3 200"
	is "$label: HTTP/3 connections count for no known client" "$(accounts_but_unknown)" "$before"
	exec {holder}>&-
}
accounts_but_unknown() { # prints the numbers of handshakes and of offers to resume of every known client
	the_ledger | python3 -c 'import json, sys
for client in sorted(json.load(sys.stdin)["ledgers"][0]["clients"], key=lambda c: c["client"]):
    if client["client"] != "unknown":
        print(client["client"], client["events"]["handshake"]["count"], client["events"]["resumption"]["count"])'
}

workers() {
	local line
	line=$(line_with "$syslog_file" 'event=renegotiation.*client=127.0.0.6')
	unlike "$label: a worker logs, without privileges and environment, and not the master" "$line" "reneguard\[$pid\]"
	is "$label: RENEGUARD_ACTIVE is logged once for all processes" "$(count_lines "$syslog_file" RENEGUARD_ACTIVE)" 1
	is "$label: forty requests on forty connections are answered" "$(requests)" 40
	is "$label: both workers serve" "$(for _ in {1..40}; do fetch /pid; done | grep -v -e '^200$' -e '^$' | sort -u | wc -l)" 2
}

counted_together() {
	is "$label: decline:20 accepts exactly twenty offers, whichever worker gets them" "$(peer_summary --tls 1.3 --from 127.0.0.8 127.0.0.1 "$port" resume 30)" \
		"summary full=11 reused=20 refused=0"
	is "$label: decline:20 accepts exactly twenty offers, four connections at a time" \
		"$(for _ in 1 2 3 4; do peer_summary --tls 1.2 --from 127.0.0.7 127.0.0.1 "$port" resume 20 & done | summed)" "full=64 reused=20 refused=0"
	reload
	is "$label: after a reload the client is still over its limit" "$(peer_summary --tls 1.3 --from 127.0.0.8 127.0.0.1 "$port" resume 2)" \
		"summary full=3 reused=0 refused=0"
}

# The binary is replaced while it runs: the old master executes a new one. It only does so if it is no longer a child of the
# process that started it.
upgraded() {
	local old
	end
	nginx_daemon=on
	begin with || return
	old=$pid
	kill -USR2 "$old"
	ok "$label: an upgrade starts a new master" within 10 test -s "$tmp/nginx.pid.oldbin" -a -s "$tmp/nginx.pid"
	pid=$(cat "$tmp/nginx.pid")
	at_exit "stop $(who "$pid")"
	within 10 pgrep -P "$pid"
	kill -QUIT "$old"
	ok "$label: an upgrade ends the old master" within 10 gone "$old"
	is "$label: after the upgrade a real client gets the same answers" "$(exchange)" "$answers"
	refused 127.0.0.9 127.0.0.10 "after the upgrade "
	nginx_daemon=off
}

load() {
	local seen
	command -v wrk >/dev/null || { skip "$label: two seconds of load" "wrk is not installed"; return; }
	seen=$(wrk -t1 -c16 -d2s -H 'Connection: close' "https://127.0.0.1:$port/" 2>&1)
	like "$label: two seconds of load: requests are answered" "$seen" 'Requests/sec: +[1-9][0-9]'
	unlike "$label: two seconds of load: no request fails" "$seen" 'Socket errors|Non-2xx'
}

more() {
	workers
	switched_by_name
	quic_is_left_alone
	load
	upgraded
	end
	begin with RENEGUARD_RESUMPTION=decline:20/600s && counted_together
	unlike "$label: no worker died" "$(own_log_text)" 'exited on signal|\[(alert|emerg)\]'
}
trials
