#!/bin/bash
# openssl s_server, which does not change libssl's defaults and serves one connection at a time. It sends what is typed (plain), its page of
# statistics (-www), or the client's lines reversed (-rev, which reads through BIO_f_ssl).
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

# keyboard: types a line every tenth of a second, until the reader has ended.
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
# With -www the handshake runs through BIO_f_ssl, and libssl 3.2 and later frees the parts of an SSL before the shim learns of it.
limitations() {
	[ "$variant-$system" != www-trixie ] || cannot unfinished "only after a whole ClientHello (BIO_f_ssl)"
}
own_errors() { grep ':error:' "$tmp/s_server.log"; }
trials
