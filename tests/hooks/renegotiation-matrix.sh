#!/bin/bash
# A client's renegotiation is refused whichever function of libssl reads it, for every kind of I/O and every place from which the program
# calls. Each cell is also run without the shim: there libssl must honour the attempt or answer with a warning.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh

dead='-1/1/1100'
# From 3.2 on, libssl takes a read that fails on an empty memory BIO for its end: BIO_f_ssl, of which no call is hooked, then says 0.
refused=(error=1 lib=20 reason=1100 broken_pipes=0 "later_read=$dead" "later_peek=$dead" "later_write=$dead" "later_handshake=$dead"
	'data=.*ERR_TLS_RENEGOTIATION_DISABLED.*')

returned() { [ "$1, $2" = "membio, bio" ] && echo 'ret=(-1|0)' || echo ret=-1; }

# The server allows renegotiation. Without the shim it is honoured. With it, an alert tells the client, and every later call on the SSL fails.
honoured_or_refused() { # IO ENTRY PLACE
	local summary
	serve without "$3" --io "$1" --entry "$2" --allow
	summary=$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 2)
	stop_server
	all_fields "$summary" started=1 honoured=2 served=1 || return
	serve with "$3" --io "$1" --entry "$2" --allow
	summary=$(peer_summary --tls 1.2 --timeout-ms 3000 127.0.0.1 "$port" renegotiate 1)
	next_report
	stop_server
	all_fields "$summary" started=1 honoured=0 served=0 'end=(warning:no_renegotiation|fatal:.*)' &&
		all_fields "$report" requests=1 "$(returned "$1" "$2")" "${refused[@]}"
}

# The server does not allow renegotiation. Without the shim libssl warns after each attempt and goes on. With it, the first attempt ends the
# connection.
warned_or_refused() { # IO ENTRY PLACE
	local line
	serve without "$3" --io "$1" --entry "$2"
	line=$(storm 127.0.0.1 "$port" 5)
	stop_server
	all_fields "$line" sent=5 warnings=5 served=1 || return
	serve with "$3" --io "$1" --entry "$2"
	line=$(storm 127.0.0.1 "$port" 5)
	next_report
	stop_server
	all_fields "$line" 'sent=[12]' hellos=0 served=0 'end=(closed|reset|fatal:.*)' &&
		all_fields "$report" requests=1 "$(returned "$1" "$2")" "${refused[@]}"
}

certificates
for place in $places; do
	for io in blocking nonblocking membio; do
		for entry in accept read read_ex peek do_handshake early bio write; do
			ok "refused although the program allows it: $io, $entry, $place" honoured_or_refused $io $entry "$place"
			ok "refused where libssl only warns: $io, $entry, $place" warned_or_refused $io $entry "$place"
		done
	done
done
finish
