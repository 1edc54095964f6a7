#!/bin/bash
# openssl s_server, which leaves libssl's defaults alone and serves one connection at a time: what is typed (plain), its page of
# statistics (-www), or what the client says backwards (-rev, which reads through BIO_f_ssl).
. tests/lib/daemon.sh
packages="openssl"
clients="curl"
program=openssl
systems="here bullseye trixie"
variants="plain www rev"

configure() {
	options=("-$variant")
	case $variant in
	plain) protocol='banner-serial' options=() ;;
	www) protocol='http-serial' ;;
	rev) protocol='line-serial' ;;
	esac
}

# What is typed: a line in every tenth of a second, until the reader is gone.
keyboard() {
	[ -p "$tmp/keys" ] || mkfifo "$tmp/keys"
	stdin='' start keyboard bash -c 'while echo tick; do sleep 0.1; done >"$0"' "$tmp/keys"
	stdin=$tmp/keys
}

launch() {
	stdin=''
	[ "$variant" != plain ] || keyboard
	daemon openssl s_server -accept "127.0.0.1:$port" -cert "$tmp/server.pem" "${options[@]}"
}

exchange() {
	case $variant in
	plain) converse 'hello\n' '^tick$' | sort -u && grep -o -m 1 '^hello$' "$tmp/s_server.log" ;;
	www) fetch / | grep -E '^(200|New, |Secure Reneg)' ;;
	rev) converse 'hello\n' '^olleh$' ;;
	esac
}
limitations() { # -www handshakes through BIO_f_ssl, and libssl 3.2 and newer frees an SSL's parts before it says so
	[ "$variant-$system" != www-trixie ] || cannot unfinished "not seen before a whole ClientHello (BIO_f_ssl)"
}
own_errors() { grep ':error:' "$tmp/s_server.log"; }
trials
