#!/bin/bash
# coturn: TURN over TLS in several relay threads; drops its privileges.
. tests/lib/daemon.sh
packages="coturn"
clients="turnutils_uclient:coturn"
program=turnserver
protocol=stun

configure() {
	install -o turnserver -m 600 "$tmp/key.pem" "$tmp/turn.key"
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
		proc-user=turnserver
	CONF
}

launch() { daemon turnserver -c "$tmp/turn.conf"; }

exchange() {
	timeout 20 turnutils_uclient -t -S -T -y -n 5 -m 2 -l 400 -u alice -w secret -p "$port" -E "$tmp/cert.pem" 127.0.0.1 2>&1 
	timeout 20 turnutils_uclient -t -S -y -n 5 -m 2 -l 400 -u alice -w wrong -p "$port" 127.0.0.1 2>&1 
}

reload() { kill -USR2 "$pid"; }

own_errors() { grep -E 'ERROR|WARNING' "$tmp"/coturn*.log; }

trials
