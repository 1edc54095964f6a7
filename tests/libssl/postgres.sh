#!/bin/bash
# PostgreSQL on OpenSSL 1.1.1 (2018) and on 1.1.1m, with and without the shim. It forks a process for every connection and reads through a BIO
# of its own. The attacker is openssl s_client -starttls postgres.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/builds.sh

[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build: its runtime is not that of the old libraries"; exit 0; }
needs openssl setpriv
as_user=()
[ "$(id -u)" != 0 ] || as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
unset "${!RENEGUARD_@}"
certificates
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/server.key" -days 2 -subj /CN=localhost -out "$tmp/server.crt" 2>/dev/null
cp "$shim" "$tmp/libreneguard.so" # PostgreSQL's user can read it there
chmod 600 "$tmp/server.key"
chmod 711 "$tmp"

# serve HALF [VARIABLE=VALUE]...
serve() {
	local half=$1
	shift
	port=$(pick_port)
	: >"$tmp/postgres.log"
	preload=$tmp/libreneguard.so under "$half" "$@"
	start_on_port postgres "${as_user[@]}" "${under[@]}" "$pg/bin/postgres" -D "$data" -p "$port" -k "$data" \
		-c listen_addresses=127.0.0.1 -c ssl=on -c ssl_cert_file="$data/server.crt" -c ssl_key_file="$data/server.key"
}

s_client() { timeout 20 openssl s_client -starttls postgres -connect "127.0.0.1:$port" "$@" 2>&1; }

# served [S_CLIENT-OPTION]...: does the server answer the start-up packet of protocol 3.0 with its version?
served() {
	{
		printf '\0\0\0\x29\0\3\0\0user\0postgres\0database\0postgres\0\0'
		sleep 0.3
		printf 'X\0\0\0\4'
	} | s_client -quiet "$@" | grep -aq server_version
}

renegotiate() { # prints what s_client sees when it renegotiates
	{
		sleep 0.4
		echo R
		sleep 0.6
	} | s_client -tls1_2
}

for package in 18.4.0-beta.17 10.20.0-beta.6; do
	if ! build_of "npm-$package"; then
		skip "PostgreSQL of $package" "$lacking"
		continue
	fi
	pg=$builds/npm-$package/package/native data=$tmp/data-$package
	install -d -m 700 "$data" && install -m 644 "$tmp/server.crt" "$data.crt"
	[ "$(id -u)" != 0 ] || chown 65534:65534 "$data"
	if ! "${as_user[@]}" env HOME="$tmp" "$pg/bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C >"$tmp/initdb.log" 2>&1; then
		skip "PostgreSQL of $package" "initdb fails here: $(tail -n 1 "$tmp/initdb.log")"
		continue
	fi
	for file in server.crt server.key; do
		install -m 600 "$tmp/$file" "$data/$file"
		[ "$(id -u)" != 0 ] || chown 65534:65534 "$data/$file"
	done
	name=$("$pg/bin/postgres" --version)

	serve without
	ok "$name: a client is served without the shim" served
	seen=$(renegotiate) # 1.1.1 honours it or answers with a warning, of which PostgreSQL learns nothing
	like "$name: s_client tries to renegotiate without the shim" "$seen" RENEGOTIATING
	unlike "$name: nothing is logged without the shim" "$(cat "$tmp/postgres.log")" 'event='
	stop "$pid" INT

	serve with RENEGUARD_HANDSHAKE=close:6/600s
	ok "$name: the parent process logs RENEGUARD_ACTIVE" line_with "$tmp/postgres.log" "reneguard\[$pid\]: code=RENEGUARD_ACTIVE service=postgres libssl=1\.1\.1"
	for tls in -tls1_2 "$([ $package = 18.4.0-beta.17 ] && echo -tls1_3 || echo -tls1_2)"; do
		ok "$name: a client is served under the shim, $tls" served "$tls"
	done
	renegotiate >/dev/null
	line=$(line_with "$tmp/postgres.log" event=renegotiation)
	ok "$name: the process that serves the connection logs the refused renegotiation" all_fields "$line" \
		code=ERR_TLS_RENEGOTIATION_DISABLED action=close client=127.0.0.1 count=1 service=postgres tls=TLSv1.2 'libssl=1.1.1m?'
	like "$name: its own log names the reason" "$(cat "$tmp/postgres.log")" '(SSL error|LOG).*ERR_TLS_RENEGOTIATION_DISABLED|no renegotiation'
	for n in 4 5 6; do ok "$name: handshake $n is within close:6" served; done
	ok "$name: the seventh is refused, although each handshake had its own process" eval '! served'
	ok "$name: the seventh is logged" all_fields "$(line_with "$tmp/postgres.log" event=handshake)" code=ERR_TLS_SESSION_ATTACK count=7 limit=6/600s
	ok "$name: the server still listens" listening "$port"
	stop "$pid" INT
done
finish
