#!/bin/bash
# ncat: one process serves all connections and forks a command for each.
. tests/lib/daemon.sh
packages="ncat"
program=ncat
protocol=line

configure() { :; }

launch() { daemon ncat -l -k -v --ssl --ssl-cert "$tmp/cert.pem" --ssl-key "$tmp/key.pem" 127.0.0.1 "$port" --exec /bin/cat; }

# ask LINES: prints a checksum of the answer to LINES lines. ncat closes the connection when its input ends, so the input stays open until the
# answer is complete.
ask() {
	{ seq "$1"; within 10 answered "$1"; } | timeout 15 ncat --ssl --ssl-verify --ssl-trustfile "$tmp/cert.pem" localhost "$port" >"$tmp/answer" 2>&1
	cksum <"$tmp/answer"
}
answered() { [ "$(wc -l <"$tmp/answer")" = "$1" ]; }

exchange() { ask 1 && ask 5000; } # if the pipes filled up, ncat and its cat would wait for each other

own_errors() { grep -iE 'error|fail' "$tmp/ncat.log"; }

trials
