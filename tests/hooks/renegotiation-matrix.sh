#!/bin/bash
# A client's renegotiation, refused whichever entry point of libssl reads it, through whichever kind of I/O, from wherever
# the program calls; and each cell without the shim, where it must be honoured or merely warned about.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh

dead='-1/1/339'
refused=(ret=-1 error=1 lib=20 reason=339 broken_pipes=0 "later_read=$dead" "later_peek=$dead" "later_write=$dead" "later_handshake=$dead"
	'data=.*ERR_TLS_RENEGOTIATION_DISABLED.*')

# The server allows it: honoured without the shim; with it the client is told by an alert, and the object is dead.
honoured_or_refused() { # IO ENTRY PLACE
	local summary
	serve without "$3" --io "$1" --entry "$2" --allow
	summary=$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 2)
	served_out
	all_fields "$summary" started=1 honoured=2 served=1 || return
	serve with "$3" --io "$1" --entry "$2" --allow
	summary=$(peer_summary --tls 1.2 --timeout-ms 3000 127.0.0.1 "$port" renegotiate 1)
	next_report
	served_out
	all_fields "$summary" started=1 honoured=0 served=0 'end=(warning:no_renegotiation|fatal:.*)' &&
		all_fields "$report" requests=1 "${refused[@]}"
}

# libssl itself warns and carries on: served after any number of attempts; with the shim the first is the last.
warned_or_refused() { # IO ENTRY PLACE
	local line
	serve without "$3" --io "$1" --entry "$2"
	line=$(storm 127.0.0.1 "$port" 5)
	served_out
	all_fields "$line" sent=5 warnings=5 served=1 || return
	serve with "$3" --io "$1" --entry "$2"
	line=$(storm 127.0.0.1 "$port" 5)
	next_report
	served_out
	all_fields "$line" 'sent=[12]' hellos=0 served=0 'end=(closed|reset|fatal:.*)' &&
		all_fields "$report" requests=1 "${refused[@]}"
}

certificates
for place in $places; do
	for io in blocking nonblocking membio; do
		for entry in accept read read_ex peek do_handshake early bio write; do
			ok "allowed by the program: $io, $entry, $place" honoured_or_refused $io $entry "$place"
			ok "warned about by libssl: $io, $entry, $place" warned_or_refused $io $entry "$place"
		done
	done
done
finish
