#!/bin/bash
# hitch: a TLS proxy with two workers, without privileges and in an empty chroot. A reload starts new workers and retires the old ones.
. tests/lib/daemon.sh
packages="hitch"
program=hitch
own_log='SSL renegotiation asked by client'

configure() {
	backend
	mkdir -p "$tmp/empty"
	cat >"$tmp/hitch.conf" <<-CONF
		frontend = "[127.0.0.1]:$port"
		backend = "[127.0.0.1]:$backend_port"
		pem-file = "$tmp/server.pem"
		tls-protos = TLSv1.2 TLSv1.3
		workers = 2
		daemon = off
		log-level = 2
		$([ "$(id -u)" != 0 ] || printf '%s\n' "user = \"nobody\"" "group = \"nogroup\"" "chroot = \"$tmp/empty\"")
	CONF
}

launch() { daemon hitch --config="$tmp/hitch.conf"; }
exchange() { converse 'hello\n' '^hello$'; }
reload() {
	local before
	before=$(pgrep -P "$pid" | sort)
	kill -HUP "$pid" && within 10 other_workers
}
other_workers() { [ -n "$before" ] && [ -z "$(comm -12 <(echo "$before") <(pgrep -P "$pid" | sort))" ] && pgrep -P "$pid"; }
# Every handshake that waits for the client says SSL_ERROR_WANT_READ, and the probe for the port leaves an unexpected eof, sooner or later.
own_errors() { grep -Ei 'error|fail|fatal' "$tmp/hitch.log" | grep -v -e 'ssl client handshake err=' -e 'unexpected eof'; }

trials
