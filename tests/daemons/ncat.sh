#!/bin/bash
# ncat: one process for all connections, a forked command behind each.
. tests/lib/daemon.sh
packages="ncat"
program=ncat
protocol=line

configure() { :; }

launch() { daemon ncat -l -k -v --ssl --ssl-cert "$tmp/cert.pem" --ssl-key "$tmp/key.pem" 127.0.0.1 "$port" --exec /bin/cat; }

# ask LINES: ncat takes the end of its input for the end of the connection, so it comes after the answer.
ask() {
	{ seq "$1"; within 10 answered "$1"; } | timeout 15 ncat --ssl --ssl-verify --ssl-trustfile "$tmp/cert.pem" localhost "$port" >"$tmp/answer" 2>&1
	cksum <"$tmp/answer"
}
answered() { [ "$(wc -l <"$tmp/answer")" = "$1" ]; }

exchange() { ask 1 && ask 5000; } # more than its pipes hold, and ncat and its cat wait for each other

own_errors() { grep -iE 'error|fail' "$tmp/ncat.log"; }

trials
