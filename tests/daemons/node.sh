#!/bin/bash
# Debian's Node.js, which uses the system's libssl through memory BIOs. By itself it allows three renegotiations in ten minutes
# (SSL_OP_ALLOW_CLIENT_RENEGOTIATION).
. tests/lib/daemon.sh
. tests/lib/node.sh
packages_trixie="nodejs"
clients="curl"
systems="here trixie"
protocol=http
own_log='(RENEGOTIATION_DISABLED|NO_RENEGOTIATION|no renegotiation)'

is_available() {
	lacking="no Node.js that uses the system's libssl: its package cannot be fetched, or cannot run in a mount namespace"
	if [ "$system" = here ]; then
		find_node || return
	else
		inside=() node=(node)
		uses_system_libssl chroot "$root" node || return
	fi
	around=("${inside[@]}")
	version=$(in_system "${inside[@]}" "${node[@]}" --version) && version=${version#v}
}
configure() { cp tests/lib/tls_echo.js "$tmp"; }
launch() { daemon "${node[@]}" "$tmp/tls_echo.js" "$tmp/server.pem" "$port"; }
exchange() { fetch / /another; }
limitations() { half_hellos_are_unknown; }
own_errors() { grep error "$tmp/node.log"; }

allows_three() {
	field "$label: without the shim three renegotiations are honoured" "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 3)" honoured 3
	field "$label: without the shim the fourth renegotiation is not" "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 4)" honoured 3
}

refuses() {
	local n
	for n in 1 2; do
		ok "$label: the first renegotiation is refused by an alert, $n" all_fields \
			"$(peer_summary --tls 1.2 --from 127.0.0.8 --timeout-ms 4000 127.0.0.1 "$port" renegotiate 3)" started=1 honoured=0 served=0 \
			'end=(warning:no_renegotiation|fatal:.*)'
	done
	ok "$label: node closes the refused connection" within 3 grep -q 'socket closed' "$tmp/node.log"
	ok "$label: the client's attempts are logged, once a minute" all_fields \
		"$(line_with "$syslog_file" 'event=renegotiation.*client=127.0.0.8 .*count=1') lines=$(count_lines "$syslog_file" 'event=renegotiation.*client=127.0.0.8 ')" service=node lines=1
	ok "$label: a ClientHello in records of two bytes is refused" all_fields "$(storm --fragment 2 --from 127.0.0.9 127.0.0.1 "$port" 3)" hellos=0 served=0
	field "$label: key updates are not taken for renegotiation" "$(peer_summary 127.0.0.1 "$port" keyupdate 5)" served 1
}

allows_two() {
	field "$label: close:2/600s allows two renegotiations" "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 3)" honoured 2
	ok "$label: close:2/600s logs the third" all_fields "$(line_with "$syslog_file" code=ERR_TLS_SESSION_ATTACK)" \
		event=renegotiation count=3 limit=2/600s
}

more() {
	refuses
	end
	begin without && allows_three
	end
	begin with RENEGUARD_RENEGOTIATION=close:2/600s && allows_two
}
trials
