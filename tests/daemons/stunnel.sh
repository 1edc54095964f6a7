#!/bin/bash
# stunnel: threads in one process, chroot and dropped privileges.
. tests/lib/daemon.sh
packages="stunnel4"
program=stunnel4
systems="here bullseye"
protocol=line
own_log='ERR_TLS_RENEGOTIATION_DISABLED'

configure() {
	backend
	mkdir -p "$tmp/empty"
	cat >"$tmp/stunnel.conf" <<-CONF
		foreground = yes
		debug = info
		pid =
		$([ "$(id -u)" != 0 ] || printf '%s\n' "chroot = $tmp/empty" "setuid = nobody" "setgid = nogroup")
		[echo]
		accept = 127.0.0.1:$port
		connect = 127.0.0.1:$backend_port
		cert = $tmp/server.pem
		sslVersionMin = TLSv1.2
	CONF
}
launch() { daemon stunnel4 "$tmp/stunnel.conf"; }
exchange() { converse 'hello\n' '^hello$'; }
reload() { kill -HUP "$pid"; }
own_errors() { grep -E 'LOG[0-4]' "$tmp/stunnel.log"; }
trials
