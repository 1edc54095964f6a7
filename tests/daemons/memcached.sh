#!/bin/bash
# memcached: one thread accepts a connection and passes it to another, which does the handshake inside SSL_read.
. tests/lib/daemon.sh
packages="memcached"
program=memcached
protocol=memcached

configure() { :; }

launch() {
	daemon memcached -u nobody -l "127.0.0.1:$port" -t 2 -v -Z -o "ssl_chain_cert=$tmp/cert.pem,ssl_key=$tmp/key.pem,ssl_min_version=2"
}

exchange() { converse 'set one 0 0 5\r\nhello\r\nget one\r\nget two\r\nquit\r\n' '^END'; }
reload() { converse 'refresh_certs\r\n' '^OK' | grep -c '^OK' | grep -x 2; }
# A client that leaves at once, such as the test's check whether the port is open, sometimes causes this error.
own_errors() { grep -Ei 'error|fail' "$tmp/memcached.log" | grep -v 'SSL connection failed with error code : 1 '; }

more() { is "$label: the client reads back what it stored" "$answers" "$(for _ in 1 2; do printf '%s\n' STORED 'VALUE one 0 5' hello END END; done)"; }

trials
