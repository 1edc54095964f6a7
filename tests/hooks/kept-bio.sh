#!/bin/bash
# A BIO outlives the SSL that was refused on it: it is what it was, and so is the program's callback on it. tests/tools/keptbio.c keeps one.
. tests/lib/tap.sh
. tests/lib/server.sh
unset "${!RENEGUARD_@}"
certificates

kept() { timeout 60 env RENEGUARD_LOG=off LD_PRELOAD="$preload" "${emulator[@]}" "$tools/keptbio" "$tmp/server.pem" "$1" "$2" 2>&1; }

for way in free clear swap; do
	for kind in none ex old; do
		called=1 mine=1
		[ $kind != none ] || called=0 mine=0
		got=$(kept $kind $way)
		like "$kind, $way: the renegotiation is refused, and the callback sees the alert" "$got" "^first: echoed=1 reads=$called writes=$([ $called = 0 ] && echo 0 || echo '[4-9]') mine=$mine$"
		like "$kind, $way: the refused SSL_read_ex returns 0, and the reason is on the queue once" "$got" "^again: read_ex=0 entries=1$"
		like "$kind, $way: the program's callback is on the BIO" "$got" "^then: callback=$kind$"
		like "$kind, $way: the next connection on the BIO is served" "$got" "^second: echoed=2 callback=$kind called=$called$"
	done
	got=$(kept late $way)
	like "a callback that is set after the refusal stays, $way" "$got" "^then: callback=ex$"
	like "and the next connection is served, $way" "$got" "^second: echoed=2 callback=ex called=1$"
	got=$(kept fresh $way)
	like "so does one that replaces another, $way" "$got" "^then: callback=ex_too$"
	like "and the next connection is served then, too, $way" "$got" "^second: echoed=2 callback=ex_too called=1$"
done

# openssl s_server -debug shows what passes its BIO by such a callback.
needs openssl
renegotiation_options
debugged() {
	port=$(pick_port)
	: >"$tmp/s_server.log"
	under "$1"
	stdin=/dev/null start_on_port s_server "${under[@]}" openssl s_server -accept "127.0.0.1:$port" -cert "$tmp/server.pem" -www -debug "${willing[@]}"
	peer_summary --tls 1.2 --none 127.0.0.1 "$port" renegotiate 1 >/dev/null
	within 5 grep -q '^write to .*(0x[0-9A-F]*)' "$tmp/s_server.log"
	peer_summary --tls 1.2 127.0.0.1 "$port" get 1
	stop "$pid"
}
if [ ${#emulator[@]} = 0 ]; then
	debugged with >"$tmp/with"
	like "s_server -debug: the alert of the refusal is shown" "$(grep -A1 '^write to' "$tmp/s_server.log")" '^0000 - 15 03 03'
	is "and it serves on" "$(cat "$tmp/with")" "summary full=1 reused=0 refused=0"
fi
finish
