#!/bin/bash
# What a guarded program must not notice: its callbacks, options, errno and error queue are as without the shim; what it asks for
# itself works; nothing of TLS 1.3 and no second life of an SSL object is taken for a renegotiation.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh

# The same server and client twice; the fields named must be equal, and are shown.
same_report() { # FIELDS PEER-ARGUMENTS -- SERVER-ARGUMENTS
	local half fields=$1 client=() got=() key
	shift
	while [ "$1" != -- ]; do client+=("$1") && shift; done
	shift
	for half in without with; do
		serve $half "$place" "$@"
		peer "${client[@]/PORT/$port}" >"$tmp/peer-$half"
		next_report
		served_out
		got+=("$(for key in $fields; do echo "$key=$(value_of "$report" "$key")"; done | tr '\n' ' ')$(grep summary "$tmp/peer-$half")")
	done
	is "$name" "${got[1]}" "${got[0]}"
}

certificates
watched="requests ret error reason calls errno_sum queue_dirty info started done message wrong_arg getter"
for place in $places; do
	for version in 1.2 1.3; do
		name="errno, queue and callbacks on the SSL_CTX, TLS $version, $place" \
			same_report "$watched" --tls $version 127.0.0.1 PORT get -- --callbacks ctx
		name="errno, queue and callbacks on the SSL, TLS $version, $place" \
			same_report "$watched" --tls $version 127.0.0.1 PORT get -- --callbacks ssl --entry read_ex
	done
done
place=main
for io in blocking membio; do
	name="program without callbacks, TLS 1.2, $io" same_report "$watched" --tls 1.2 127.0.0.1 PORT get -- --io $io --entry read
	name="0-RTT server, $io" same_report "$watched" --tls 1.3 127.0.0.1 PORT get -- --io $io --entry early --callbacks ctx
	name="three key updates, $io" same_report "$watched" 127.0.0.1 PORT keyupdate 3 -- --io $io --callbacks ssl
	name="a renegotiation allowed by warn, $io" RENEGUARD_RENEGOTIATION=warn \
		same_report "$watched" --tls 1.2 127.0.0.1 PORT renegotiate 2 -- --io $io --callbacks ssl --allow
	name="a renegotiation allowed by off, $io" RENEGUARD_RENEGOTIATION=off \
		same_report "$watched" --tls 1.2 127.0.0.1 PORT renegotiate 2 -- --io $io --callbacks ctx --allow
	name="the shim loaded but off, $io" RENEGUARD=off \
		same_report "$watched" --tls 1.2 127.0.0.1 PORT renegotiate 2 -- --io $io --callbacks ctx --allow
done

# A client certificate asked for in the middle of a connection is the program's own doing.
for io in blocking nonblocking membio; do
	for entry in accept read_ex peek bio; do
		name="the program's own renegotiation, $io, $entry" same_report "own requests ret error" --tls 1.2 \
			--cert "$tmp/server.pem" 127.0.0.1 PORT get -- --io $io --entry $entry --renegotiate-self
		serve with main --io $io --entry $entry --renegotiate-self --allow
		summary=$(peer_summary --tls 1.2 --cert "$tmp/server.pem" 127.0.0.1 "$port" renegotiate 1)
		next_report
		served_out
		field "is done, $io, $entry" "$report" own 1
		ok "and the client's after it is refused, $io, $entry" all_fields "$summary $report" own=1 honoured=0 served=0 reason=339
	done
	name="post-handshake authentication, $io" same_report "own requests ret error" --tls 1.3 --cert "$tmp/server.pem" 127.0.0.1 PORT \
		get -- --io $io --ask-later
done

# One SSL for several connections (SSL_clear), and options changed after SSL_new.
for io in blocking membio; do
	serve with main --io $io --reuse --connections 4 --allow --entry read
	reused=$(peer_summary --tls 1.2 127.0.0.1 "$port" get 3)
	is "an SSL object cleared for a new connection, $io" "$reused" "summary full=3 reused=0 refused=0"
	reused=$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1)
	field "is guarded like a new one, $io" "$reused" honoured 0
	served_out
	serve with main --io $io --reuse --connections 2 --allow --entry read
	peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1 >/dev/null
	next_report
	after=$(peer_summary --tls 1.2 127.0.0.1 "$port" get 1)
	is "and lives again after a refused one, $io" "$after" "summary full=1 reused=0 refused=0"
	served_out
	for allow in '' --allow; do
		serve with main --io $io --change-options $allow
		line=$(storm 127.0.0.1 "$port" 3)
		next_report
		served_out
		ok "options changed after SSL_new, $io $allow" all_fields "$line $report" served=0 hellos=0 reason=339
	done
done

# An SSL that is a copy, one that a BIO frees, and new ones that get the address of a refused one.
for place in main plugin; do
	for way in --dup --free-by-bio "--dup --free-by-bio" ''; do
		# shellcheck disable=SC2086 # two options in one word
		serve with $place --allow --connections -1 --quiet $way
		for n in 1 2 3; do
			field "SSL object $way, $place: refused, $n" "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1)" honoured 0
			is "SSL object $way, $place: the next ones served, $n" "$(peer_summary --tls 1.2 127.0.0.1 "$port" get 3)" \
				"summary full=3 reused=0 refused=0"
		done
		served_out
	done
done

# A guarded program's connections as a client are its own affair, by default.
under with
serve without main --allow
as_client=$(timeout 20 "${under[@]}" "${emulator[@]}" "$tools/tlspeer" --tls 1.2 127.0.0.1 "$port" renegotiate 2 2>&1)
served_out
like "a guarded client renegotiates" "$as_client" '^summary started=1 honoured=2 served=1'
unlike "and nothing is said of it" "$as_client" 'event='
serve without main --renegotiate-self
like "and answers a server that asks for it" "$(timeout 20 "${under[@]}" "${emulator[@]}" "$tools/tlspeer" --tls 1.2 --cert "$tmp/server.pem" 127.0.0.1 \
	"$port" get 2>&1)" '^summary full=1 reused=0 refused=0'
served_out
serve without main --connections -1 --quiet
under with RENEGUARD_RESUMPTION=close:1/600s RENEGUARD_HANDSHAKE=close:1/600s
is "and resumes as often as it likes" "$(timeout 20 "${under[@]}" "${emulator[@]}" "$tools/tlspeer" 127.0.0.1 "$port" resume 5 2>&1 | grep summary)" \
	"summary full=1 reused=5 refused=0"
served_out

# Ways to hide a ClientHello from a reader: records of few bytes, several in one write.
for fragment in 1 3 4 5 60; do
	serve without main --allow
	line=$(storm --fragment $fragment 127.0.0.1 "$port" 1)
	field "a ClientHello in records of $fragment bytes is honoured without the shim" "$line" hellos 1
	served_out
	for allow in '' --allow; do
		serve with main $allow
		line=$(storm --fragment $fragment 127.0.0.1 "$port" 2)
		next_report
		served_out
		ok "and refused with it $allow" all_fields "$line $report" served=0 hellos=0 reason=339
	done
done
serve with main
line=$(storm --pipeline 127.0.0.1 "$port" 500)
next_report
served_out
ok "five hundred without waiting for an answer" all_fields "$line $report" 'warnings=[01]' served=0 reason=339
finish
