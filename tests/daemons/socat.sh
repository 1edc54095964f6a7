#!/bin/bash
# socat: the listener forks a process for every connection, which executes a program; client certificates.
. tests/lib/daemon.sh
packages="socat"
program=socat
own_log='SSL_read\(\): .*no renegotiation'

configure() { certificates_of_clients=verify=0; }
launch() {
	daemon socat -d -d "OPENSSL-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork,$certificates_of_clients,cert=$tmp/server.pem,cafile=$tmp/cert.pem" EXEC:cat
}

ask() { timeout 15 socat -t 10 - "OPENSSL:localhost:$port,pf=ip4,cafile=$tmp/cert.pem$1" 2>&1; }
exchange() {
	local tls
	for tls in 1.2 1.3; do
		echo "hello, TLS $tls" | ask ",openssl-min-proto-version=TLS$tls,openssl-max-proto-version=TLS$tls"
	done
	seq 100000 | ask | cksum
}
own_errors() { grep -E ' [EW] ' "$tmp/socat.log"; }

more() {
	end
	certificates_of_clients=verify=1
	launch
	is "$label: a client certificate is accepted" "$(echo hello | ask ",cert=$tmp/server.pem")" hello
	unlike "$label: a client without a certificate is not served" "$(echo hello | ask)" '^hello$'
}
trials
