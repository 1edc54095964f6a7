#!/bin/bash
# What a guarded program must not notice. Its callbacks, options, errno and error queue are the same as without the shim. Its own
# renegotiations and certificate requests work. Neither TLS 1.3 messages nor a reused SSL object are taken for a renegotiation.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh

# same_report FIELDS PEER-ARGUMENTS -- SERVER-ARGUMENTS: runs server and client without and with the shim. The FIELDS of the server's report
# must be equal, and so must the client's summary. The point is called $name.
same_report() {
	local half fields=$1 client=() got=() key
	shift
	while [ "$1" != -- ]; do client+=("$1") && shift; done
	shift
	for half in without with; do
		serve $half "$place" "$@"
		peer "${client[@]/PORT/$port}" >"$tmp/peer-$half"
		next_report
		stop_server
		got+=("$(for key in $fields; do echo "$key=$(value_of "$report" "$key")"; done | tr '\n' ' ')$(grep summary "$tmp/peer-$half")")
	done
	is "$name" "${got[1]}" "${got[0]}"
}

certificates
watched="requests ret error reason calls errno_sum queue_dirty info started done message wrong_arg getter"
for place in $places; do
	for version in 1.2 1.3; do
		name="same errno, error queue and callbacks on the SSL_CTX as without the shim, TLS $version, $place" \
			same_report "$watched" --tls $version 127.0.0.1 PORT get -- --callbacks ctx
		name="same errno, error queue and callbacks on the SSL as without the shim, TLS $version, $place" \
			same_report "$watched" --tls $version 127.0.0.1 PORT get -- --callbacks ssl --entry read_ex
	done
done
place=main
for io in blocking membio; do
	name="same report as without the shim: a program without callbacks, TLS 1.2, $io" same_report "$watched" --tls 1.2 127.0.0.1 PORT get -- --io $io --entry read
	name="same report as without the shim: a server with early data (0-RTT), $io" same_report "$watched" --tls 1.3 127.0.0.1 PORT get -- --io $io --entry early --callbacks ctx
	name="same report as without the shim: three key updates, $io" same_report "$watched" 127.0.0.1 PORT keyupdate 3 -- --io $io --callbacks ssl
	name="same report as without the shim: renegotiations allowed by warn, $io" RENEGUARD_RENEGOTIATION=warn \
		same_report "$watched" --tls 1.2 127.0.0.1 PORT renegotiate 2 -- --io $io --callbacks ssl --allow
	name="same report as without the shim: renegotiations allowed by off, $io" RENEGUARD_RENEGOTIATION=off \
		same_report "$watched" --tls 1.2 127.0.0.1 PORT renegotiate 2 -- --io $io --callbacks ctx --allow
	name="same report as without the shim: RENEGUARD=off, $io" RENEGUARD=off \
		same_report "$watched" --tls 1.2 127.0.0.1 PORT renegotiate 2 -- --io $io --callbacks ctx --allow
done

# A program's own message callback does not take ours away.
for where in ctx ssl; do
	serve with main --allow --callbacks $where
	field "renegotiation is refused although the program has a message callback on the ${where^^}" \
		"$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1)" honoured 0
	stop_server
done

# The program itself renegotiates, to ask for a client certificate in the middle of a connection.
for io in blocking nonblocking membio; do
	for entry in accept read_ex peek bio; do
		name="same report as without the shim: the program's own renegotiation, $io, $entry" same_report "own requests ret error" --tls 1.2 \
			--cert "$tmp/server.pem" 127.0.0.1 PORT get -- --io $io --entry $entry --renegotiate-self
		serve with main --io $io --entry $entry --renegotiate-self --allow
		summary=$(peer_summary --tls 1.2 --cert "$tmp/server.pem" 127.0.0.1 "$port" renegotiate 1)
		next_report
		stop_server
		field "the program's own renegotiation is done, $io, $entry" "$report" own 1
		ok "after the program's own renegotiation the client's is refused, $io, $entry" all_fields "$summary $report" own=1 honoured=0 served=0 reason=1100
	done
	name="same report as without the shim: post-handshake authentication, $io" same_report "own requests ret error" --tls 1.3 --cert "$tmp/server.pem" 127.0.0.1 PORT \
		get -- --io $io --ask-later
done

# One SSL for several connections (SSL_clear), and options changed after SSL_new.
for io in blocking membio; do
	serve with main --io $io --reuse --connections 4 --allow --entry read
	reused=$(peer_summary --tls 1.2 127.0.0.1 "$port" get 3)
	is "an SSL object that SSL_clear reuses serves new connections, $io" "$reused" "summary full=3 reused=0 refused=0"
	reused=$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1)
	field "an SSL object that SSL_clear reuses is still guarded, $io" "$reused" honoured 0
	stop_server
	serve with main --io $io --reuse --connections 2 --allow --entry read
	peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1 >/dev/null
	next_report
	after=$(peer_summary --tls 1.2 127.0.0.1 "$port" get 1)
	is "an SSL object that SSL_clear reuses after a refusal serves again, $io" "$after" "summary full=1 reused=0 refused=0"
	stop_server
	for allow in '' --allow; do
		serve with main --io $io --change-options $allow
		line=$(storm 127.0.0.1 "$port" 3)
		next_report
		stop_server
		ok "renegotiation is refused although the program changes its options after SSL_new, $io $allow" all_fields "$line $report" served=0 hellos=0 reason=1100
	done
done

# While a connection is refused, all calls take the slow path. The flags of shim/guard/gate.h are read from the server's memory.
gate() {
	python3 -c 'import struct, sys
pid, shim, offset = int(sys.argv[1]), sys.argv[2], int(sys.argv[3], 16)
base = next(int(line.split("-")[0], 16) for line in open(f"/proc/{pid}/maps") if line.rstrip().endswith(shim))
with open(f"/proc/{pid}/mem", "rb") as memory:
    memory.seek(base + offset)
    print(struct.unpack("i", memory.read(4))[0])' "$server_pid" "${shim##*/}" "$(nm "$shim" | sed -n 's/ [a-zA-Z] rg_gate$//p')"
}
if [ ${#emulator[@]} = 0 ]; then
	serve with main --allow --connections -1 --quiet
	peer_summary --tls 1.2 127.0.0.1 "$port" get 1 >/dev/null
	is "in use, a server takes the fast path" "$(gate)" 0
	field "a renegotiation is refused" "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1)" honoured 0
	peer_summary --tls 1.2 127.0.0.1 "$port" get 1 >/dev/null
	is "and then it takes the fast path again" "$(gate)" 0
	stop_server
fi

# SSL objects made by SSL_dup, freed by their BIO, or allocated at the address of a refused one.
for place in main plugin; do
	for way in --dup --free-by-bio "--dup --free-by-bio" ''; do
		# shellcheck disable=SC2086 # two options in one word
		serve with $place --allow --connections -1 --quiet $way
		for n in 1 2 3; do
			field "SSL object, ${way:-ordinary}, $place: renegotiation is refused, $n" "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1)" honoured 0
			is "SSL object, ${way:-ordinary}, $place: the next connections are served, $n" "$(peer_summary --tls 1.2 127.0.0.1 "$port" get 3)" \
				"summary full=3 reused=0 refused=0"
		done
		stop_server
	done
done

# By default the shim leaves a program's own client connections alone.
under with
serve without main --allow
as_client=$(timeout 20 "${under[@]}" "${emulator[@]}" "$tools/tlspeer" --tls 1.2 127.0.0.1 "$port" renegotiate 2 2>&1)
stop_server
like "as a client, a guarded program may renegotiate" "$as_client" '^summary started=1 honoured=2 served=1'
unlike "as a client, a guarded program's renegotiation is not logged" "$as_client" 'event='
serve without main --renegotiate-self
like "as a client, a guarded program answers a server that renegotiates" "$(timeout 20 "${under[@]}" "${emulator[@]}" "$tools/tlspeer" --tls 1.2 --cert "$tmp/server.pem" 127.0.0.1 \
	"$port" get 2>&1)" '^summary full=1 reused=0 refused=0'
stop_server
serve without main --connections -1 --quiet
under with RENEGUARD_RESUMPTION=close:1/600s RENEGUARD_HANDSHAKE=close:1/600s
is "as a client, a guarded program may resume any number of times" "$(timeout 20 "${under[@]}" "${emulator[@]}" "$tools/tlspeer" 127.0.0.1 "$port" resume 5 2>&1 | grep summary)" \
	"summary full=1 reused=5 refused=0"
stop_server

# Ways to hide a ClientHello from the code that reads it: records of few bytes, or several records in one write.
for fragment in 1 3 4 5 60; do
	serve without main --allow
	line=$(storm --fragment $fragment 127.0.0.1 "$port" 1)
	field "without the shim a ClientHello in records of $fragment bytes is honoured" "$line" hellos 1
	stop_server
	for allow in '' --allow; do
		serve with main $allow
		line=$(storm --fragment $fragment 127.0.0.1 "$port" 2)
		next_report
		stop_server
		ok "a ClientHello in records of $fragment bytes is refused $allow" all_fields "$line $report" served=0 hellos=0 reason=1100
	done
done
serve with main
line=$(storm --pipeline 127.0.0.1 "$port" 500)
next_report
stop_server
ok "five hundred ClientHellos sent without waiting for an answer are refused at the first" all_fields "$line $report" 'warnings=[01]' served=0 reason=1100

# Where there is no object, libssl's own error comes back. A second libssl, and SSLs that were freed before, change nothing.
libssl=$(ldd "$tools/nullssl" | sed -n 's/.*libssl\.so[^ ]* => \([^ ]*\).*/\1/p')
mkdir "$tmp/second" && cp -L "$libssl" "$tmp/second"
for second in "" "$tmp/second/${libssl##*/}"; do
	# shellcheck disable=SC2086 # no argument or one
	is "SSL_new(NULL)${second:+, with two libssl}" "$(LD_PRELOAD=$preload RENEGUARD_LOG=off "$tools/nullssl" $second 2>&1)" "$("$tools/nullssl" $second 2>&1)"
done
# Without memory for its state a connection is served as without the shim, and the log says once that connections are not guarded.
elf_kind() { head -c 20 "$1" | od -An -tx1; } # class, byte order, machine
if [ "$preload" != "$shim" ]; then
	skip "no memory for the state of an SSL" "a sanitizer has a calloc of its own"
elif "${CC:-cc}" -O1 -shared -fPIC -o "$tmp/faults.so" tests/lib/faults.c -ldl >"$tmp/compile.log" 2>&1 &&
	[ "$(elf_kind "$tmp/faults.so")" = "$(elf_kind "$shim")" ]; then
	is "no memory for the state of 2,000 SSLs: libssl answers as ever" \
		"$(FAULT=calloc RENEGUARD_LOG=stderr LD_PRELOAD=$preload:$tmp/faults.so "$tools/nullssl" 2>"$tmp/nomemory.log")" "$("$tools/nullssl")"
	is "no memory: one line says so" "$(count_lines "$tmp/nomemory.log" 'code=ERR_RENEGUARD_MEMORY .*not guarded')" 1
	is "with memory, none does" "$(RENEGUARD_LOG=stderr LD_PRELOAD=$preload:$tmp/faults.so "$tools/nullssl" 2>&1 | grep -c MEMORY)" 0
else
	skip "no memory for the state of an SSL" "a shared library for this architecture cannot be compiled"
fi
finish
