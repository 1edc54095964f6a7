#!/bin/bash
# Apache httpd (event MPM), which renegotiates by itself for a client certificate of one <Location> over TLS 1.2: that goes on
# working, in the same connection, and what the client then starts by itself is refused.
. tests/lib/tap.sh
. tests/lib/server.sh

export PATH=$PATH:/usr/sbin:/usr/bin
needs apache2 curl
modules=$(dirname "$(find /usr/lib* -name mod_ssl.so -path '*apache2*' 2>/dev/null | head -n 1)")
[ -f "$modules/mod_ssl.so" ] || { echo "1..0 # SKIP mod_ssl is not installed" && exit 0; }
certificates
mkdir "$tmp/htdocs" "$tmp/htdocs/secret"
echo ok >"$tmp/htdocs/index.html"
echo secret >"$tmp/htdocs/secret/index.html"
chmod -R a+rX "$tmp"

serve() { # HALF [VARIABLE=VALUE]...
	port=$(pick_port)
	cat >"$tmp/httpd.conf" <<-CONF
		ServerName localhost
		Listen 127.0.0.1:$port
		ServerRoot $tmp
		PidFile $tmp/httpd.pid
		DefaultRuntimeDir $tmp
		ErrorLog $tmp/httpd-error.log
		LogLevel info
		LoadModule mpm_event_module $modules/mod_mpm_event.so
		LoadModule authz_core_module $modules/mod_authz_core.so
		LoadModule dir_module $modules/mod_dir.so
		LoadModule socache_shmcb_module $modules/mod_socache_shmcb.so
		LoadModule ssl_module $modules/mod_ssl.so
		$([ "$(id -u)" = 0 ] && printf 'User www-data\nGroup www-data')
		StartServers 2
		ServerLimit 2
		ThreadsPerChild 8
		MaxRequestWorkers 16
		Timeout 10
		DocumentRoot $tmp/htdocs
		DirectoryIndex index.html
		SSLEngine on
		SSLProtocol -all +TLSv1.2 +TLSv1.3
		SSLSessionCache shmcb:$tmp/cache(65536)
		SSLCertificateFile $tmp/cert.pem
		SSLCertificateKeyFile $tmp/key.pem
		SSLCACertificateFile $tmp/cert.pem
		<Location /secret/>
			SSLVerifyClient require
		</Location>
	CONF
	: >"$tmp/httpd.log"
	under "$@"
	start_on_port httpd "${under[@]}" apache2 -D FOREGROUND -f "$tmp/httpd.conf"
}

fetch() { # CURL-OPTION... PATH: the statuses of two requests in one connection: / and then PATH
	curl -s --max-time 10 --cacert "$tmp/cert.pem" --resolve "localhost:$port:127.0.0.1" -o /dev/null -o /dev/null -w '%{http_code} ' \
		"${@:1:$#-1}" "https://localhost:$port/" "https://localhost:$port${!#}"
}

for half in without with; do
	serve $half
	for tls in 1.2 1.3; do
		is "$half the shim: a certificate asked for in mid connection is given, TLS $tls" \
			"$(fetch --tls-max $tls --cert "$tmp/server.pem" /secret/)" "200 200 "
		unlike "$half: and without one the place stays shut, TLS $tls" "$(fetch --tls-max $tls /secret/)" '^200 200'
	done
	[ $half = with ] || ok "without: libssl warns and httpd serves on" all_fields "$(storm 127.0.0.1 "$port" 20)" warnings=20 served=1
	[ $half = without ] || break
	stop "$pid"
done
is "its own renegotiation is no event" "$(grep -c event=renegotiation "$tmp/httpd.log")" 0
ok "with the shim the client's first attempt is the last" all_fields "$(storm --from 127.0.0.3 127.0.0.1 "$port" 20)" 'sent=[12]' served=0
line=$(line_with "$tmp/httpd.log" event=renegotiation)
[ -n "$line" ] || line=$(line_with "$tmp/httpd-error.log" event=renegotiation)
ok "its line" all_fields "$line" code=ERR_TLS_RENEGOTIATION_DISABLED action=close client=127.0.0.3 'port=[0-9]+' count=1 service=apache2 tls=TLSv1.2
own=$(peer --tls 1.2 --path /secret/ --cert "$tmp/server.pem" --from 127.0.0.5 127.0.0.1 "$port" renegotiate 1)
like "a client's attempt after httpd's own renegotiation is refused" "$own" '^summary started=1 honoured=0 served=0'
ok "and told" grep -q 'event=renegotiation.*client=127.0.0.5 ' "$tmp/httpd.log" "$tmp/httpd-error.log"
like "httpd's error log names the reason" "$(cat "$tmp/httpd-error.log")" 'ERR_TLS_RENEGOTIATION_DISABLED'
for tls in 1.2 1.3; do
	is "ordinary traffic, TLS $tls" "$(peer_summary --tls $tls 127.0.0.1 "$port" get 20)" "summary full=20 reused=0 refused=0"
	is "resumption, TLS $tls" "$(peer_summary --tls $tls 127.0.0.1 "$port" resume 10)" "summary full=1 reused=10 refused=0"
done
stop "$pid"
serve with RENEGUARD_RESUMPTION=decline:6/600s
is "processes and threads share one account" "$(peer_summary --tls 1.3 127.0.0.1 "$port" resume 12)" "summary full=7 reused=6 refused=0"
stop "$pid"
unlike "no child died" "$(cat "$tmp/httpd-error.log")" 'exit signal'
finish
