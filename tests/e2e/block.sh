#!/bin/bash
# `block`, for every event: every new handshake of a client over the limit is refused. If the SSL has a descriptor, the refusal comes before
# a byte is read; otherwise it comes before any answer. Other clients are served. The block ends when the client is under its limit again.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh
unset "${!RENEGUARD_@}"
needs python3

raw() { timeout 60 python3 tests/lib/raw_client.py "$@" 2>&1; }

# serve_for EVENT RULE [TLSSERVER-ARGUMENT]...: starts a server that acts upon no event but EVENT.
serve_for() {
	local event=$1 rule=$2
	shift 2
	unset "${!RENEGUARD_@}"
	export RENEGUARD_RENEGOTIATION=count RENEGUARD_RESUMPTION=count RENEGUARD_KEYUPDATE=count
	export "RENEGUARD_${event^^}=$rule"
	: >"$tmp/tlsserver.log"
	serve with main --connections -1 --quiet --allow "$@"
}

# provoke EVENT CLIENT: CLIENT causes EVENT three times. The rule allows two.
provoke() {
	local from=(--from "$2" 127.0.0.1 "$port")
	case $1 in
	renegotiation) peer_summary --tls 1.2 "${from[@]}" renegotiate 3 ;;
	resumption) peer_summary --tls 1.3 "${from[@]}" resume 3 ;;
	handshake) peer_summary --tls 1.3 "${from[@]}" get 3 ;;
	incomplete) peer --tls 1.3 "${from[@]}" incomplete 3 | tail -n 1 ;;
	keyupdate) peer_summary --tls 1.3 "${from[@]}" keyupdate 3 ;;
	esac
}

declare -A allowed=(
	[renegotiation]='^summary started=1 honoured=2 served=0'
	[resumption]='^summary full=1 reused=2 refused=1'
	[handshake]='^summary full=2 reused=0 refused=1'
	[incomplete]='^n=3 result=left'
	[keyupdate]='^summary updates=2 served=0'
)
events="renegotiation resumption handshake incomplete keyupdate"

# is_blocked LABEL CLIENT: CLIENT's new handshakes are refused in either TLS version.
is_blocked() {
	local tls
	for tls in 1.2 1.3; do
		is "$1: new handshakes are refused, TLS $tls" \
			"$(peer_summary --tls $tls --from "$2" 127.0.0.1 "$port" get 3)" "summary full=0 reused=0 refused=3"
	done
}

certificates
for event in $events; do
	for io in blocking nonblocking membio; do
		label="$event, $io"
		serve_for "$event" block:2/600s --io $io
		like "$label: two are allowed, the third is not" "$(provoke "$event" 127.0.0.7)" "${allowed[$event]}"
		is_blocked "$label" 127.0.0.7
		seen=$(raw leave 127.0.0.1 "$port" 127.0.0.7)
		unlike "$label: a ClientHello gets no ServerHello" "$seen" 'answer=(handshake|ccs|other)|Error'
		if [ $io != membio ]; then
			seen=$(raw silent 127.0.0.1 "$port" 127.0.0.7)
			ok "$label: a blocked client that sends nothing is refused within a second, so nothing is read" all_fields "$seen" answer=none 'end=(eof|reset)' 'ms=[0-9]{1,3}'
		fi
		is "$label: another client is served" "$(peer_summary --tls 1.3 --from 127.0.0.9 127.0.0.1 "$port" resume 1)" \
			"summary full=1 reused=1 refused=0"
		is "$label: the blocked client is still refused" "$(peer_summary --from 127.0.0.7 127.0.0.1 "$port" get 1)" "summary full=0 reused=0 refused=1"
		line=$(line_with "$tmp/tlsserver.log" "event=$event")
		ok "$label: exactly one log line, which names the blocked client" all_fields "$line lines=$(count_lines "$tmp/tlsserver.log" event=)" code=ERR_TLS_SESSION_ATTACK action=block \
			client=127.0.0.7 'port=[0-9]+' count=3 limit=2/600s service=tlsserver lines=1
		stop_server
	done

	serve_for "$event" block:2/4s
	provoke "$event" 127.0.0.7 >/dev/null
	blocked=$(peer_summary --from 127.0.0.7 127.0.0.1 "$port" get 1)
	is "$event, block:2/4s: the client is blocked at first" "$blocked" "summary full=0 reused=0 refused=1"
	# After two seconds one event has drained. Where handshakes are counted, the next handshake is an event too, and has room after four.
	sleep "$([ "$event" = handshake ] && echo 4.4 || echo 2.4)"
	is "$event, block:2/4s: the client is served when it is under its limit again" "$(peer_summary --from 127.0.0.7 127.0.0.1 "$port" get 1)" \
		"summary full=1 reused=0 refused=0"
	stop_server
done

# A client that keeps trying, but no faster than its limit allows, gets through.
serve_for handshake block:4/4s
provoked=$(peer_summary --from 127.0.0.7 127.0.0.1 "$port" get 5)
is "handshake, block:4/4s: the fifth handshake is refused" "$provoked" "summary full=4 reused=0 refused=1"
for _ in 1 2 3 4; do
	sleep 1.5
	summary=$(peer_summary --from 127.0.0.7 127.0.0.1 "$port" get 1)
done
is "handshake, block:4/4s: a client that retries every 1.5 s is served again" "$summary" "summary full=1 reused=0 refused=0"
stop_server

# The program's own callbacks show that libssl does nothing for a refused connection.
export RENEGUARD_HANDSHAKE=block:1/600s
for io in blocking nonblocking; do
	serve with main --connections 3 --io $io --callbacks ssl
	peer --tls 1.3 127.0.0.1 "$port" get 3 >/dev/null
	next_report && next_report && second=$report
	ok "$io: a refused handshake leaves one entry on the error queue, ours" all_fields "$second" ret=-1 error=1 lib=20 reason=1049 entries=1
	next_report
	ok "$io: a refusal is reported in the error queue; libssl starts no handshake, reads and writes no message" all_fields "$report" \
		ret=-1 error=1 lib=20 reason=1049 entries=1 "started=$(value_of "$second" started)" "message=$(value_of "$second" message)"
	stop_server
done

unset RENEGUARD_HANDSHAKE

# Every way not to finish a handshake counts, and the log has a line about the blocked client.
ways="leave reset garbage abort binder"
for io in blocking membio; do
	for reuse in "" --reuse; do
		[ "$io$reuse" != membio--reuse ] || continue # a reused memory BIO still holds bytes of the previous connection
		if [ -n "$reuse" ] && libssl_is_old; then
			skip "incomplete, $io $reuse" "this libssl cannot clear an SSL after TLS 1.3"
			continue
		fi
		# shellcheck disable=SC2086 # no word or one
		serve_for incomplete block:2/600s --io $io $reuse
		n=10
		for way in $ways; do
			n=$((n + 1))
			raw $way 127.0.0.1 "$port" 127.0.0.$n 3 >"$tmp/way"
			is "incomplete, $io $reuse: \"$way\" three times blocks the client" "$(peer_summary --from 127.0.0.$n 127.0.0.1 "$port" get 1)" \
				"summary full=0 reused=0 refused=1"
			ok "incomplete, $io $reuse: \"$way\" three times is logged" all_fields "$(line_with "$tmp/tlsserver.log" "client=127.0.0.$n ")" \
				event=incomplete action=block count=3
		done
		is "incomplete, $io $reuse: finished handshakes do not count" "$(peer_summary --from 127.0.0.9 127.0.0.1 "$port" get 5)" \
			"summary full=5 reused=0 refused=0"
		stop_server
	done
done
serve_for incomplete block
raw stay 127.0.0.1 "$port" 127.0.0.7 1 >"$tmp/way" # the server's own timeout is five seconds
is "incomplete: a handshake that ends by the program's own timeout counts" "$(peer_summary --from 127.0.0.7 127.0.0.1 "$port" get 1)" "summary full=0 reused=0 refused=1"
stop_server

# block without a limit: the first event blocks.
serve_for renegotiation block
is "block without a limit: the first renegotiation ends the connection" \
	"$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1 | cut -d' ' -f1-4)" "summary started=1 honoured=0 served=0"
is_blocked "block without a limit" 127.0.0.1
ok "block without a limit: the renegotiation is logged" all_fields "$(line_with "$tmp/tlsserver.log" event=renegotiation)" code=ERR_TLS_RENEGOTIATION_DISABLED action=block
stop_server
finish
