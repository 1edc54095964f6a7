#!/bin/bash
# unbound, DNS over TLS: two threads, in a chroot and without privileges. It sets the descriptor with SSL_set_fd.
. tests/lib/daemon.sh
packages="unbound"
clients="kdig:knot-dnsutils"
program=unbound
protocol=dns
own_log='no renegotiation'

configure() {
	install_for unbound -d "$tmp/jail"
	install_for unbound -m 600 "$tmp/key.pem" "$tmp/cert.pem" "$tmp/jail"
	cat >"$tmp/jail/unbound.conf" <<-CONF
		server:
			interface: 127.0.0.1@$port
			tls-port: $port
			tls-service-key: $tmp/jail/key.pem
			tls-service-pem: $tmp/jail/cert.pem
			num-threads: 2
			do-daemonize: no
			use-syslog: no
			log-time-ascii: yes
			verbosity: 1
			username: "$(! root || echo unbound)"
			chroot: "$(! root || echo "$tmp/jail")"
			directory: $tmp/jail
			pidfile: ""
			module-config: iterator
			local-zone: "test." static
			local-data: "probe.test. A 192.0.2.1"
			local-data: 'large.test. TXT $(printf '"%0200d" ' {1..60})'
		remote-control:
			control-enable: no
	CONF
}

launch() { daemon unbound -d -c "$tmp/jail/unbound.conf"; }

ask() { timeout 10 kdig @127.0.0.1 -p "$port" +tls-ca="$tmp/cert.pem" +tls-hostname=localhost "$@" 2>&1; }

exchange() {
	ask +short probe.test A
	ask +short large.test TXT | cksum
	ask +short +keepopen probe.test A probe.test A
	ask absent.test A | grep -o 'status: [A-Z]*'
}

reload() { kill -HUP "$pid" && within 10 restarted; } # unbound restarts its threads and keeps its SSL_CTX
restarted() { [ "$(grep -c 'start of service' "$tmp/unbound.log")" = 2 ]; }

own_errors() { grep -E 'error|warning|fatal' "$tmp/unbound.log"; }

trials
