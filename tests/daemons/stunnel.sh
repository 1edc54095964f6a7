#!/bin/bash
# stunnel: threads in one process, in a chroot and without privileges.
. tests/lib/daemon.sh
packages="stunnel4"
program=stunnel4
systems="here bullseye"
protocol=line
own_log='SSL_read: reneguard:0: .*no renegotiation'

configure() {
	backend
	local jail=$tmp/jail
	mkdir -p "$jail$tmp" # a reload reads its files inside the chroot, where user and group names cannot be looked up
	cat >"$tmp/stunnel.conf" <<-CONF
		foreground = yes
		debug = info
		pid =
		$([ "$(id -u)" != 0 ] || printf '%s\n' "chroot = $jail" "setuid = 65534" "setgid = 65534")
		[echo]
		accept = 127.0.0.1:$port
		connect = 127.0.0.1:$backend_port
		cert = $tmp/server.pem
		sslVersionMin = TLSv1.2
	CONF
	cp "$tmp/stunnel.conf" "$tmp/server.pem" "$jail$tmp"
}
launch() { daemon stunnel4 "$tmp/stunnel.conf"; }
exchange() { converse 'hello\n' '^hello$'; }
reload() { kill -HUP "$pid" && within 10 configured_twice; }
configured_twice() { [ "$(grep -c 'Configuration successful' "$tmp/stunnel.log")" = 2 ]; }
own_errors() { grep -E 'LOG[0-4]' "$tmp/stunnel.log"; }
trials
