#!/bin/bash
# Counting resumption: offers by session id, ticket and PSK, exact limits, and what each action does to client and server.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh

# serve_for RULE [TLSSERVER-ARGUMENT]...: starts a server with RULE for resumption. It serves any number of connections and logs to
# $tmp/tlsserver.log.
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
	is "$label: without the shim all nine offers are accepted" "$(resume 9)" "summary full=1 reused=9 refused=0"
	stop_server

	serve_for warn:5/600s
	is "$label: warn:5 accepts five offers" "$(resume 5)" "summary full=1 reused=5 refused=0"
	is "$label: warn:5 logs nothing about five offers" "$(lines)" 0
	is "$label: warn:5 accepts offers over the limit" "$(resume 4)" "summary full=1 reused=4 refused=0"
	line=$(line_with "$tmp/tlsserver.log" event=resumption)
	ok "$label: warn:5 logs one line, for the sixth offer" all_fields "$line lines=$(lines)" code=ERR_TLS_SESSION_ATTACK action=warn \
		client=127.0.0.1 count=6 limit=5/600s service=tlsserver "tls=${how[1]/1./TLSv1.}" 'port=[0-9]+' lines=1
	stop_server

	serve_for decline:5/600s
	is "$label: decline:5 answers offers over the limit with full handshakes" "$(resume 9)" "summary full=5 reused=5 refused=0"
	ok "$label: decline:5 logs the sixth offer" all_fields "$(line_with "$tmp/tlsserver.log" event=resumption)" action=decline count=6
	is "$label: decline:5 accepts another client's offers" "$(peer_summary "${how[@]}" --from 127.0.0.9 127.0.0.1 "$port" resume 2)" \
		"summary full=1 reused=2 refused=0"
	stop_server

	serve_for close:5/600s
	# After a fatal alert libssl's client drops the session and makes a full handshake next. So only every other attempt is an offer.
	refused=$(peer "${how[@]}" 127.0.0.1 "$port" resume 9)
	like "$label: close:5 refuses offers over the limit" "$refused" '^summary full=3 reused=5 refused=2'
	like "$label: close:5 refuses them by an alert" "$refused" '^n=6 result=refused .*end=fatal:'
	is "$label: close:5 allows that client's full handshakes" "$(peer_summary "${how[@]}" 127.0.0.1 "$port" get 2)" \
		"summary full=2 reused=0 refused=0"
	stop_server
done <<-CASES
	session-id --tls 1.2 --how id
	ticket --tls 1.2
	PSK --tls 1.3
CASES

how=(--tls 1.3)
serve_for decline
is "decline without a limit accepts no offer" "$(resume 4)" "summary full=5 reused=0 refused=0"
stop_server
serve_for count:1/600s
is "count:1 accepts every offer and logs nothing" "$(resume 4) $(lines)" "summary full=1 reused=4 refused=0 0"
stop_server
serve_for off
is "off accepts every offer and logs nothing" "$(resume 4) $(lines)" "summary full=1 reused=4 refused=0 0"
stop_server
serve_for close:1/600s
is "the session id of an ordinary TLS 1.3 handshake is not an offer (middlebox compatibility)" "$(peer_summary --tls 1.3 127.0.0.1 "$port" get 10) $(lines)" \
	"summary full=10 reused=0 refused=0 0"
stop_server
serve_for close:3/2s
is "close:3/2s refuses the fourth offer" "$(resume 4)" "summary full=1 reused=3 refused=1"
sleep 4.2
is "close:3/2s accepts three offers again when the period is over" "$(resume 3)" "summary full=1 reused=3 refused=0"
stop_server

# After a HelloRetryRequest the client sends a second ClientHello. It is still one handshake and one offer.
port=$(pick_port)
under with RENEGUARD_RESUMPTION=close:3/600s
start_on_port s_server "${under[@]}" openssl s_server -accept "127.0.0.1:$port" -cert "$tmp/server.pem" -groups P-384 -www
retried=$(peer --tls 1.3 --groups X25519:P-384 127.0.0.1 "$port" resume 4)
like "HelloRetryRequest: the client sends a second ClientHello" "$retried" 'n=1 result=reused.* client_hellos=2 '
like "HelloRetryRequest: the two ClientHellos count as one offer" "$retried" '^summary full=1 reused=3 refused=1'
stop "$pid"

serve_for warn:2/600s --entry early
line=$(peer_summary --tls 1.3 127.0.0.1 "$port" early-data 3)
served=$(grep -o 'count=[0-9]*' "$tmp/tlsserver.log" | head -n 1)
is "a handshake with early data (0-RTT) counts as an offer" "$served" count=3
stop_server

# The other events.
export RENEGUARD_HANDSHAKE=close:3/600s
serve_for off
is "RENEGUARD_HANDSHAKE=close:3 refuses the fourth full handshake" "$(peer_summary --tls 1.3 127.0.0.1 "$port" get 5)" \
	"summary full=3 reused=0 refused=2"
stop_server
unset RENEGUARD_HANDSHAKE
export RENEGUARD_INCOMPLETE=warn:2/600s
serve_for off
peer --tls 1.3 127.0.0.1 "$port" incomplete 3 >/dev/null
ok "RENEGUARD_INCOMPLETE=warn:2 logs the third unfinished handshake" all_fields "$(line_with "$tmp/tlsserver.log" event=incomplete)" count=3 limit=2/600s action=warn
stop_server
unset RENEGUARD_INCOMPLETE
export RENEGUARD_KEYUPDATE=close:3/600s
serve_for off
summary=$(peer_summary 127.0.0.1 "$port" keyupdate 3)
ok "RENEGUARD_KEYUPDATE=close:3 allows three key updates" all_fields "$summary" updates=3 served=1
summary=$(peer_summary --from 127.0.0.3 127.0.0.1 "$port" keyupdate 5)
ok "RENEGUARD_KEYUPDATE=close:3 ends the connection at the fourth" all_fields "$summary" updates=3 served=0
stop_server
finish
