#!/bin/bash
# `block`, for every event: over the limit every new handshake of that client is refused, before a byte of it is read where the SSL
# has a descriptor and before any answer where it has none; others are served; and it ends when the client is under the limit again.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh
unset "${!RENEGUARD_@}"
needs python3

raw() { timeout 60 python3 tests/lib/raw_client.py "$@" 2>&1; }

# serve_for EVENT RULE [TLSSERVER-ARGUMENT]...: nothing but that event is acted upon.
serve_for() {
	local event=$1 rule=$2
	shift 2
	unset "${!RENEGUARD_@}"
	export RENEGUARD_RENEGOTIATION=count RENEGUARD_RESUMPTION=count RENEGUARD_KEYUPDATE=count
	export "RENEGUARD_${event^^}=$rule"
	: >"$tmp/tlsserver.log"
	serve with main --connections -1 --quiet --allow "$@"
}

# Three events of CLIENT, of which two are allowed.
provoke() { # EVENT CLIENT
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

# refused_all LABEL CLIENT: a full handshake of either version, an offer to resume
refused_all() {
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
		refused_all "$label" 127.0.0.7
		seen=$(raw leave 127.0.0.1 "$port" 127.0.0.7)
		unlike "$label: a ClientHello gets no ServerHello" "$seen" 'answer=(handshake|ccs|other)|Error'
		if [ $io != membio ]; then
			seen=$(raw silent 127.0.0.1 "$port" 127.0.0.7)
			ok "$label: who sends nothing is refused at once: nothing is read" all_fields "$seen" answer=none 'end=(eof|reset)' 'ms=[0-9]{1,3}'
		fi
		is "$label: another client is served" "$(peer_summary --tls 1.3 --from 127.0.0.9 127.0.0.1 "$port" resume 1)" \
			"summary full=1 reused=1 refused=0"
		is "$label: the one is refused still" "$(peer_summary --from 127.0.0.7 127.0.0.1 "$port" get 1)" "summary full=0 reused=0 refused=1"
		line=$(line_with "$tmp/tlsserver.log" "event=$event")
		ok "$label: one line" all_fields "$line lines=$(count_lines "$tmp/tlsserver.log" event=)" code=ERR_TLS_SESSION_ATTACK action=block \
			client=127.0.0.7 'port=[0-9]+' count=3 limit=2/600s service=tlsserver lines=1
		served_out
	done

	serve_for "$event" block:2/4s
	provoke "$event" 127.0.0.7 >/dev/null
	blocked=$(peer_summary --from 127.0.0.7 127.0.0.1 "$port" get 1)
	is "$event, block:2/4s: blocked at first" "$blocked" "summary full=0 reused=0 refused=1"
	# One event has drained after two seconds; a handshake is an event itself, and finds room for it after four.
	sleep "$([ "$event" = handshake ] && echo 4.4 || echo 2.4)"
	is "$event, block:2/4s: served when under the limit again" "$(peer_summary --from 127.0.0.7 127.0.0.1 "$port" get 1)" \
		"summary full=1 reused=0 refused=0"
	served_out
done

# One that keeps trying, but no faster than the limit allows, gets through.
serve_for handshake block:4/4s
provoked=$(peer_summary --from 127.0.0.7 127.0.0.1 "$port" get 5)
is "block:4/4s" "$provoked" "summary full=4 reused=0 refused=1"
for _ in 1 2 3 4; do
	sleep 1.5
	summary=$(peer_summary --from 127.0.0.7 127.0.0.1 "$port" get 1)
done
is "block:4/4s: served again though it retries, each 1.5 s" "$summary" "summary full=1 reused=0 refused=0"
served_out

# What libssl saw of a refused connection, by the program's own callbacks: nothing.
export RENEGUARD_HANDSHAKE=block:1/600s
for io in blocking nonblocking; do
	serve with main --connections 3 --io $io --callbacks ssl
	peer --tls 1.3 127.0.0.1 "$port" get 3 >/dev/null
	next_report && next_report && second=$report
	next_report
	ok "$io: the program is told by the error queue, and libssl starts no handshake, reads and writes no message" all_fields "$report" \
		ret=-1 error=1 lib=20 reason=3999 "started=$(value_of "$second" started)" "message=$(value_of "$second" message)"
	served_out
done

unset RENEGUARD_HANDSHAKE

# Every way not to finish a handshake counts, and the blocked client is told so.
ways="leave reset garbage abort binder"
for io in blocking membio; do
	for reuse in "" --reuse; do
		[ "$io$reuse" != membio--reuse ] || continue # it keeps the bytes of one connection for the next
		# shellcheck disable=SC2086 # no word or one
		serve_for incomplete block:2/600s --io $io $reuse
		n=10
		for way in $ways; do
			n=$((n + 1))
			raw $way 127.0.0.1 "$port" 127.0.0.$n 3 >"$tmp/way"
			is "incomplete, $io $reuse: $way, three times: blocked" "$(peer_summary --from 127.0.0.$n 127.0.0.1 "$port" get 1)" \
				"summary full=0 reused=0 refused=1"
			ok "incomplete, $io $reuse: $way: told" all_fields "$(line_with "$tmp/tlsserver.log" "client=127.0.0.$n ")" \
				event=incomplete action=block count=3
		done
		is "incomplete, $io $reuse: a finished handshake is none" "$(peer_summary --from 127.0.0.9 127.0.0.1 "$port" get 5)" \
			"summary full=5 reused=0 refused=0"
		served_out
	done
done
serve_for incomplete block
raw stay 127.0.0.1 "$port" 127.0.0.7 1 >"$tmp/way" # the server's own patience is five seconds
is "incomplete: the program's time is over" "$(peer_summary --from 127.0.0.7 127.0.0.1 "$port" get 1)" "summary full=0 reused=0 refused=1"
served_out

# block without a limit: the first event blocks.
serve_for renegotiation block
is "block without a limit: the first renegotiation ends the connection" \
	"$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1 | cut -d' ' -f1-4)" "summary started=1 honoured=0 served=0"
refused_all "block without a limit" 127.0.0.1
ok "and is told" all_fields "$(line_with "$tmp/tlsserver.log" event=renegotiation)" code=ERR_TLS_RENEGOTIATION_DISABLED action=block
served_out
finish
