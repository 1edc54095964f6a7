#!/bin/bash
# Redis: it clears its environment when it starts, so the shim must read the policy before. Without the shim its libssl only warns about a
# renegotiation and goes on, a thousand times on one connection.
. tests/lib/daemon.sh
packages="redis-server"
clients="redis-cli:redis-tools"
program=redis-server
protocol=redis
variables=(RENEGUARD_NAME=cache)

configure() {
	cat >"$tmp/redis.conf" <<-CONF
		port 0
		tls-port $port
		bind 127.0.0.1
		tls-cert-file $tmp/cert.pem
		tls-key-file $tmp/key.pem
		tls-auth-clients no
		tls-protocols "TLSv1.2 TLSv1.3"
		save ""
		protected-mode no
		dir $tmp
	CONF
}
launch() { daemon redis-server "$tmp/redis.conf"; }
cli() { timeout 10 redis-cli --tls --cacert "$tmp/cert.pem" --sni localhost -h 127.0.0.1 -p "$port" "$@" 2>&1; }
exchange() {
	cli set fruit pear
	cli get fruit
	converse 'PING\r\nQUIT\r\n' '^.OK'
}
reload() { cli config set tls-cert-file "$tmp/cert.pem"; } # Redis then makes a new SSL_CTX
own_errors() { grep -i -e error -e warning "$tmp/redis.log" | sed 's/ (conn: .*//'; }

more() {
	ok "$label: the log line has RENEGUARD_NAME, although Redis cleared its environment" all_fields "$(line_with "$syslog_file" event=renegotiation)" service=cache
	end
	begin without || return
	ok "$label: without the shim it answers a thousand attempts on one connection with warnings" all_fields "$(storm --line 127.0.0.1 "$port" 1000)" \
		sent=1000 warnings=1000
}
trials
