#!/bin/bash
# coturn: TURN over TLS (up to 1.2) and over DTLS, with several relay threads. It drops its privileges.
. tests/lib/daemon.sh
packages="coturn"
clients="turnutils_uclient:coturn"
program=turnserver
protocol=stun
versions="1.2" resumes="1.2" # it answers a client that offers only TLS 1.3 with handshake_failure

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

# turn PASSWORD [-t]: runs coturn's client, over TLS with -t and over DTLS without. The client tries every version down to 1.0, in no fixed order.
# How many of its eight messages come back depends on its timeouts.
turn() {
	timeout 20 turnutils_uclient -S -y -n 2 -m 2 -l 400 -u alice -w "$1" -p "$port" "${@:2}" 127.0.0.1 2>&1 |
		grep -Eo 'D?TLSv[0-9.]*|Cannot complete Allocation|tot_send_msgs=8, tot_recv_msgs=[4-8]' | sed 's/, tot_recv.*/, and most were relayed/' | sort -u
}

exchange() {
	turn secret -t
	turn wrong -t
}

crowded_dtls() {
	local i pids=()
	for i in 81 82 83 84 85 86 87 88; do
		timeout 20 openssl s_client -dtls1_2 -bind "127.0.0.$i:0" -connect "127.0.0.1:$port" </dev/null >"$tmp/dtls.$i" 2>&1 &
		pids+=($!)
	done
	wait "${pids[@]}"
	is "$label: DTLS: eight clients at once are served" "$(cat "$tmp"/dtls.8? | grep -c '^New, TLSv1.2')" 8
	is "$label: DTLS: and each has its handshake on its account" "$(crowd_accounts 81)" "1 1 1 1 1 1 1 1, unknown 0"
}

# DTLS: coturn reads the datagrams of many peers from one socket and passes them to libssl through memory.
refuses_dtls() {
	local keys line client
	is "$label: DTLS: a real client is answered" "$(turn secret)" "$(turn secret -t | sed 's/^TLSv/DTLSv/')"
	rm -f "$tmp/keys" && mkfifo "$tmp/keys"
	openssl s_client -dtls1_2 -connect "127.0.0.1:$port" <"$tmp/keys" >"$tmp/dtls" 2>&1 &
	client=$!
	exec {keys}>"$tmp/keys"
	ok "$label: DTLS: a handshake succeeds" within 10 grep -q '^New, TLSv1.2' "$tmp/dtls"
	echo R >&"$keys"
	line=$(line_with "$syslog_file" 'event=renegotiation.*tls=DTLSv1.2' 10)
	exec {keys}>&-
	stop "$client"
	ok "$label: DTLS: renegotiation is refused, and the log line names the client" all_fields "${line#*: }" code=ERR_TLS_RENEGOTIATION_DISABLED action=close \
		client=127.0.0.1 'port=[0-9]+' count=1 "libssl=$libssl"
}

more() {
	refuses_dtls
	crowded_dtls
}

reload() { reload_certificate kill -USR2 "$pid"; }

own_errors() { grep -E 'ERROR|WARNING' "$tmp/coturn.log"; }

trials
