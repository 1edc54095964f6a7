#!/bin/bash
# socat: a process for every connection, forked by the listener; client certificates.
. tests/lib/daemon.sh
packages="socat"
program=socat
protocol=line
own_log='no renegotiation'

configure() { :; }

launch() { daemon socat -d -d "OPENSSL-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork,verify=0,cert=$tmp/server.pem,cafile=$tmp/cert.pem" EXEC:cat; }

ask() { timeout 10 socat -t 5 - "OPENSSL:localhost:$port,pf=ip4,cafile=$tmp/cert.pem$1" 2>&1; }

exchange() {
	local tls
	for tls in 1.2 1.3; do
		echo "hello, TLS $tls" | ask ",openssl-min-proto-version=TLS$tls,openssl-max-proto-version=TLS$tls"
		echo "with a certificate" | ask ",cert=$tmp/server.pem"
	done
	seq 100000 | ask | cksum
}

own_errors() { grep -E ' [EW] ' "$tmp"/socat*.log; }

trials
