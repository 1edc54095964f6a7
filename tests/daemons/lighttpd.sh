#!/bin/bash
# lighttpd: two workers without privileges. Its TLS is a plug-in, and handshakes end inside SSL_read. Also tests client certificates.
. tests/lib/daemon.sh
packages="lighttpd lighttpd-mod-openssl"
clients="curl"
program=lighttpd
around=(setsid) # without root, lighttpd ends its whole process group when it is told to end
verification=''
protocol=http
own_log='SSL: renegotiation initiated by client, killing connection'

configure() {
	mkdir -p "$tmp/htdocs" "$tmp/logs"
	[ "$(id -u)" != 0 ] || chown www-data "$tmp/logs"
	echo hello >"$tmp/htdocs/index.html"
	cat >"$tmp/lighttpd.conf" <<-CONF
		server.modules = ("mod_openssl")
		server.document-root = "$tmp/htdocs"
		server.bind = "127.0.0.1"
		server.port = $port
		server.max-worker = 2
		server.errorlog = "$tmp/logs/error.log"
		index-file.names = ("index.html")
		$([ "$(id -u)" != 0 ] || printf '%s\n' 'server.username = "www-data"' 'server.groupname = "www-data"')
		ssl.engine = "enable"
		ssl.pemfile = "$tmp/server.pem"
		ssl.openssl.ssl-conf-cmd = ("MinProtocol" => "TLSv1.2")
		$verification
	CONF
}

launch() { daemon lighttpd -D -f "$tmp/lighttpd.conf"; }
exchange() { fetch / /missing; }
reload() {
	local before
	before=$(pgrep -P "$pid" | sort)
	kill -USR1 "$pid" && within 10 other_workers
}
other_workers() { [ -n "$before" ] && [ -z "$(comm -12 <(echo "$before") <(pgrep -P "$pid" | sort))" ] && pgrep -P "$pid"; }
own_errors() { grep -Ei 'error|fail|fatal' "$tmp/logs/error.log"; }
own_log_text() { cat "$tmp/logs/error.log"; }

more() {
	end
	local verification='ssl.verifyclient.activate = "enable"'$'\n''ssl.verifyclient.enforce = "enable"'$'\n'"ssl.verifyclient.ca-file = \"$tmp/cert.pem\""
	begin with || return
	is "$label: where certificates are required, a client with one is served" "$(fetch "-E$tmp/server.pem" / /missing)" "$answers"
	unlike "$label: where certificates are required, a client without one is not" "$(fetch /)" '^200$'
}

trials
