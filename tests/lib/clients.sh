# Clients of a daemon under test, and what stands behind a proxy (bash, after server.sh). The daemon is at $port.
# shellcheck shell=bash disable=SC2034,SC2154

# dialogue COMMAND ARGUMENT...: the client that can do what no ordinary one does.
dialogue() { timeout 300 python3 tests/lib/dialogue.py "$protocol" "$port" "$@" 2>&1 || echo "dialogue.py $*: status $?"; }

# fetch [CURL-OPTION]... /PATH...: bodies and statuses by curl, over TLS 1.2 and then 1.3.
fetch() {
	local tls paths=() options=() word
	for word; do
		if [[ $word = /* ]] && [ ! -f "$word" ]; then paths+=("https://localhost:$port$word"); else options+=("$word"); fi
	done
	for tls in 1.2 1.3; do
		curl -sS --max-time 30 --cacert "$tmp/cert.pem" --resolve "localhost:$port:127.0.0.1" --tlsv$tls --tls-max $tls \
			-w '\n%{http_code}\n' "${options[@]}" "${paths[@]}" 2>&1
	done
}

# converse TEXT REGEX [S_CLIENT-OPTION]...: openssl s_client sends TEXT and stays until a line matches; what it printed, over TLS 1.2 and then 1.3.
converse() {
	local text=$1 regex=$2 version words
	shift 2
	[ -p "$tmp/words" ] || mkfifo "$tmp/words"
	for version in -tls1_2 -tls1_3; do
		: >"$tmp/answers" # those of before are none
		timeout 60 openssl s_client -quiet -no_ign_eof -CAfile "$tmp/cert.pem" -connect "127.0.0.1:$port" $version "$@" \
			<"$tmp/words" >"$tmp/answers" 2>"$tmp/s_client.err" &
		exec {words}>"$tmp/words"
		printf %b "$text" >&"$words"
		within 30 grep -Eq -- "$regex" "$tmp/answers"
		exec {words}>&-
		wait $!
		tr -d '\r' <"$tmp/answers"
	done
}

# renew COMMAND...: makes another certificate, COMMAND has the daemon reload it, and it is served.
renew() {
	certificate
	"$@" && within 10 serves_certificate
}
serves_certificate() { [ "$(dialogue certificate 127.0.0.1)" = "$(cat "$tmp/cert.pem")" ]; }

# backend: starts, once, what a proxy stands in front of (tests/lib/backend.py: lines and HTTP); it is at $backend_port.
backend() {
	[ -z "${backend_port:-}" ] || return 0
	local kept=${pid:-}
	backend_port=$(pick_port)
	start backend python3 tests/lib/backend.py "$backend_port"
	pid=$kept
	within 10 listening "$backend_port"
}

# foreign_server: starts, once, another server, whose sessions mean nothing to the daemon; it is at $foreign_port.
foreign_server() {
	[ -z "${foreign_port:-}" ] || return 0
	local kept=${pid:-}
	foreign_port=$(pick_port)
	start foreign openssl s_server -accept "127.0.0.1:$foreign_port" -cert "$tmp/server.pem" -www
	pid=$kept
	within 10 listening "$foreign_port"
}
