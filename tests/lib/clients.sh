# Clients of a daemon under test, and backends for proxies under test (bash, after server.sh). The daemon listens on $port.
# shellcheck shell=bash disable=SC2034,SC2154

# dialogue COMMAND ARGUMENT...: runs tests/lib/dialogue.py, which does what ordinary clients cannot do.
dialogue() { timeout 300 python3 tests/lib/dialogue.py "$protocol" "$port" "$@" 2>&1 || echo "dialogue.py $*: status $?"; }

# fetch [CURL-OPTION]... /PATH...: prints body and status of each PATH, fetched by curl over TLS 1.2 and then over TLS 1.3.
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

# converse TEXT REGEX [S_CLIENT-OPTION]...: openssl s_client sends TEXT and stays connected until a line of the answer matches REGEX. Prints
# the answers, over TLS 1.2 and then over TLS 1.3.
converse() {
	local text=$1 regex=$2 version words
	shift 2
	[ -p "$tmp/words" ] || mkfifo "$tmp/words"
	for version in -tls1_2 -tls1_3; do
		: >"$tmp/answers" # the pattern must not match an earlier answer
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

# reload_certificate COMMAND...: makes a new certificate and runs COMMAND, which tells the daemon to reload. Fails unless the daemon then
# serves the new certificate.
reload_certificate() {
	certificate
	"$@" && within 10 serves_certificate
}
serves_certificate() { [ "$(dialogue certificate 127.0.0.1)" = "$(cat "$tmp/cert.pem")" ]; }

# backend: starts the server behind a proxy (tests/lib/backend.py: lines and HTTP) on $backend_port, unless it runs already.
backend() {
	[ -z "${backend_port:-}" ] || return 0
	local kept=${pid:-}
	backend_port=$(pick_port)
	start backend python3 tests/lib/backend.py "$backend_port"
	pid=$kept
	within 10 listening "$backend_port"
}

# foreign_server: starts another TLS server on $foreign_port, unless it runs already. The daemon cannot resume its sessions.
foreign_server() {
	[ -z "${foreign_port:-}" ] || return 0
	local kept=${pid:-}
	foreign_port=$(pick_port)
	start foreign openssl s_server -accept "127.0.0.1:$foreign_port" -cert "$tmp/server.pem" -www
	pid=$kept
	within 10 listening "$foreign_port"
}
