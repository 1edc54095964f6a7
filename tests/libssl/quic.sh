#!/bin/bash
# QUIC with libssl 3.5 and later. Its own QUIC objects are left alone, and a program that has nothing else gets no line RENEGUARD_ACTIVE. The
# handshakes of a program with a QUIC transport of its own (SSL_set_quic_tls_cbs) are of the client unknown. RG_COLUMNS chooses columns.
# shellcheck disable=SC2154
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/builds.sh
. tests/lib/columns.sh

needs "${CC:-cc}" openssl python3
[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build: its runtime is not that of the other systems"; exit 0; }
unset "${!RENEGUARD_@}"
certificates
export CERTIFICATE=$tmp/server.pem

for column in ${RG_COLUMNS:-3.5 3.6 4.0}; do
	case $column in 3.[5-9] | 4.*) ;; *) continue ;; esac
	program=$tmp/quic-$column
	link_to "$column" "$program" -Wall -Wextra tests/libssl/quic.c || { skip "$column" "$lacking"; continue; }
	for role in server both; do
		guarded=(env RENEGUARD_LOG=stderr RENEGUARD_ROLE="$role" LD_PRELOAD="$preload")
		is "$column, role $role: libssl's QUIC objects are made, and no RENEGUARD_ACTIVE is logged" "$("${guarded[@]}" "$program" objects 2>&1)" done=2
	done
	is "$column: without the shim, handshakes over a transport of the program's own" "$("$program" transport 3 2>&1)" done=3
	# shellcheck disable=SC2016 # $PPID is the program
	is "$column: with it they are the same" "$(env RENEGUARD_LOG=off RENEGUARD_HANDSHAKE=block:1/600s LD_PRELOAD="$preload" \
		AFTER="LD_PRELOAD= '$RG_BUILD/reneguardctl' status --pid \$PPID --json >'$tmp/status'" "$program" transport 3 2>&1)" done=3
	is "$column: and of the client unknown, who is beyond every limit" "$(python3 -c 'import json, sys
print([(c["client"], c["events"]["handshake"]["count"]) for l in json.load(open(sys.argv[1]))["ledgers"] for c in l["clients"]])' "$tmp/status")" "[('unknown', 3)]"
done
finish
