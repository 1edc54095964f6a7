#!/bin/bash
# The account of resumption: offers by session id, ticket and PSK, exact limits, and what each action does to client and server.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh

# serve_for POLICY [TLSSERVER-ARGUMENT]...: under the shim, for any number of connections, its lines in $tmp/tlsserver.log.
serve_for() {
	export RENEGUARD_RESUMPTION=$1
	shift
	: >"$tmp/tlsserver.log"
	serve with main --connections -1 --quiet "$@"
}

lines() { grep -c "event=resumption" "$tmp/tlsserver.log"; }
resume() { peer_summary "${how[@]}" 127.0.0.1 "$port" resume "$1"; }

certificates
while read -r label how; do
	read -ra how <<<"$how"

	serve without main --connections -1 --quiet
	is "$label, without the shim" "$(resume 9)" "summary full=1 reused=9 refused=0"
	served_out

	serve_for warn:5/600s
	is "$label: five offers are within warn:5" "$(resume 5)" "summary full=1 reused=5 refused=0"
	is "$label: and nothing is said" "$(lines)" 0
	is "$label: the client over the limit is served" "$(resume 4)" "summary full=1 reused=4 refused=0"
	line=$(line_with "$tmp/tlsserver.log" event=resumption)
	ok "$label: one line for the sixth offer" all_fields "$line lines=$(lines)" code=ERR_TLS_SESSION_ATTACK action=warn \
		client=127.0.0.1 count=6 limit=5/600s service=tlsserver "tls=${how[1]/1./TLSv1.}" 'port=[0-9]+' lines=1
	served_out

	serve_for decline:5/600s
	is "$label: beyond decline:5 offers get a full handshake" "$(resume 9)" "summary full=5 reused=5 refused=0"
	ok "$label: decline is said" all_fields "$(line_with "$tmp/tlsserver.log" event=resumption)" action=decline count=6
	is "$label: another client is not declined" "$(peer_summary "${how[@]}" --from 127.0.0.9 127.0.0.1 "$port" resume 2)" \
		"summary full=1 reused=2 refused=0"
	served_out

	serve_for close:5/600s
	# libssl's client drops a session that a fatal alert answered, and begins anew: every other attempt is an offer.
	refused=$(peer "${how[@]}" 127.0.0.1 "$port" resume 9)
	like "$label: beyond close:5 offers are refused" "$refused" '^summary full=3 reused=5 refused=2'
	like "$label: by an alert" "$refused" '^n=6 result=refused .*end=fatal:'
	is "$label: full handshakes of that client go on" "$(peer_summary "${how[@]}" 127.0.0.1 "$port" get 2)" \
		"summary full=2 reused=0 refused=0"
	served_out
done <<-CASES
	session-id --tls 1.2 --how id
	ticket --tls 1.2
	PSK --tls 1.3
CASES

how=(--tls 1.3)
serve_for decline
is "decline without a limit: never" "$(resume 4)" "summary full=5 reused=0 refused=0"
served_out
serve_for count:1/600s
is "count does not interfere" "$(resume 4) $(lines)" "summary full=1 reused=4 refused=0 0"
served_out
serve_for off
is "off does not interfere" "$(resume 4) $(lines)" "summary full=1 reused=4 refused=0 0"
served_out
serve_for close:1/600s
is "ordinary TLS 1.3 handshakes are no offers (middlebox session id)" "$(peer_summary --tls 1.3 127.0.0.1 "$port" get 10) $(lines)" \
	"summary full=10 reused=0 refused=0 0"
served_out
serve_for close:3/2s
is "the limit is passed" "$(resume 4)" "summary full=1 reused=3 refused=1"
sleep 4.2
is "and the client is free again when the period is over" "$(resume 3)" "summary full=1 reused=3 refused=0"
served_out

# A HelloRetryRequest brings a second ClientHello: one handshake, one offer.
port=$(pick_port)
under with RENEGUARD_RESUMPTION=close:3/600s
start_on_port s_server "${under[@]}" openssl s_server -accept "127.0.0.1:$port" -cert "$tmp/server.pem" -groups P-384 -www
retried=$(peer --tls 1.3 --groups X25519:P-384 127.0.0.1 "$port" resume 4)
like "the server asks for another key share" "$retried" 'n=1 result=reused.* client_hellos=2 '
like "a handshake with HelloRetryRequest counts once" "$retried" '^summary full=1 reused=3 refused=1'
stop "$pid"

serve_for warn:2/600s --entry early
line=$(peer_summary --tls 1.3 127.0.0.1 "$port" early-data 3)
served=$(grep -o 'count=[0-9]*' "$tmp/tlsserver.log" | head -n 1)
is "0-RTT counts as an offer" "$served" count=3
served_out

# Others than resumption.
export RENEGUARD_HANDSHAKE=close:3/600s
serve_for off
is "RENEGUARD_HANDSHAKE=close:3: the fourth full handshake is refused" "$(peer_summary --tls 1.3 127.0.0.1 "$port" get 5)" \
	"summary full=3 reused=0 refused=2"
served_out
unset RENEGUARD_HANDSHAKE
export RENEGUARD_INCOMPLETE=warn:2/600s
serve_for off
peer --tls 1.3 127.0.0.1 "$port" incomplete 3 >/dev/null
ok "RENEGUARD_INCOMPLETE=warn:2: the third is told" all_fields "$(line_with "$tmp/tlsserver.log" event=incomplete)" count=3 limit=2/600s action=warn
served_out
unset RENEGUARD_INCOMPLETE
export RENEGUARD_KEYUPDATE=close:3/600s
serve_for off
summary=$(peer_summary 127.0.0.1 "$port" keyupdate 3)
ok "RENEGUARD_KEYUPDATE=close:3 lets three pass" all_fields "$summary" updates=3 served=1
summary=$(peer_summary --from 127.0.0.3 127.0.0.1 "$port" keyupdate 5)
ok "and ends the connection at the fourth" all_fields "$summary" updates=3 served=0
served_out
finish
