#!/bin/bash
# coturn: TURN over TLS, 1.2 at most, in several relay threads; drops its privileges.
. tests/lib/daemon.sh
packages="coturn"
clients="turnutils_uclient:coturn"
program=turnserver
protocol=stun
versions="1.2" resumes="1.2" # it answers TLS 1.3 alone with handshake_failure

configure() {
	install_for turnserver -m 600 "$tmp/key.pem" "$tmp/turn.key"
	cat >"$tmp/turn.conf" <<-CONF
		listening-ip=127.0.0.1
		relay-ip=127.0.0.1
		listening-port=$(pick_port)
		tls-listening-port=$port
		relay-threads=2
		cert=$tmp/cert.pem
		pkey=$tmp/turn.key
		no-dtls
		no-udp
		no-cli
		lt-cred-mech
		user=alice:secret
		realm=localhost
		cli-password=unused
		allow-loopback-peers
		log-file=stdout
		userdb=$tmp/turn.sqlite
		pidfile=$tmp/turn.pid
		$(! root || echo proc-user=turnserver)
	CONF
}

launch() { daemon turnserver -c "$tmp/turn.conf"; }

# It tries every version down to TLS 1.0 on the way, in an order of its own.
turn() { # PASSWORD
	timeout 20 turnutils_uclient -t -S -T -y -n 2 -m 2 -l 400 -u alice -w "$1" -p "$port" 127.0.0.1 2>&1
}

exchange() {
	turn secret | grep -Eo 'TLSv[0-9.]*|mclient: tot_.*' | sort -u
	turn wrong | grep -o 'Cannot complete Allocation'
}

reload() { renew kill -USR2 "$pid"; }

own_errors() { grep -E 'ERROR|WARNING' "$tmp"/coturn*.log; }

trials
