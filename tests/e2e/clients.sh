#!/bin/bash
# Which addresses are one client: prefixes of both families, mapped addresses, exempt networks. Where possible the script runs in a network
# namespace of its own, because loopback has only one IPv6 address.
if [ -z "${RG_INSIDE:-}" ] && command -v ip unshare >/dev/null; then
	inside='ip link set lo up && for a in 2001:db8:1:2::1 2001:db8:1:2::2 2001:db8:1:3::1; do ip -6 addr add $a/128 dev lo nodad || exit; done'
	map=$([ "$(id -u)" = 0 ] || echo -r)
	# shellcheck disable=SC2086 # no word or one
	unshare $map -n sh -c "$inside" 2>/dev/null && RG_INSIDE=1 exec unshare $map -n sh -c "$inside"' && exec "$@"' sh "$0"
fi
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh
unset "${!RENEGUARD_@}"
needs python3

# serve_on HOST [VARIABLE=VALUE]...: starts a server with close:2/600s for full handshakes. A client's third handshake is refused, so three
# handshakes show which addresses are one client.
serve_on() {
	local host=$1 setting
	shift
	unset "${!RENEGUARD_@}"
	export RENEGUARD_HANDSHAKE=close:2/600s
	for setting; do export "${setting?}"; done
	: >"$tmp/tlsserver.log"
	serve with main --connections -1 --quiet --host "$host"
}

# get FROM COUNT [HOST]: prints "FULL REFUSED": how many of COUNT handshakes succeeded, and how many were refused.
get() { peer_summary --tls 1.3 --from "$1" "${3:-127.0.0.1}" "$port" get "$2" | sed 's/.*full=\([0-9]*\).*refused=/\1 /'; }

# account CLIENT: prints "COUNT ACTED", the counters of CLIENT's full handshakes in `reneguardctl status --json`, or "none".
account() {
	"$RG_BUILD/reneguardctl" status --pid "$server_pid" --json | python3 -c 'import json, sys
for client in json.load(sys.stdin)["ledgers"][0]["clients"]:
    if client["client"] == sys.argv[1]:
        print(client["events"]["handshake"]["count"], client["events"]["handshake"]["acted"])
        break
else:
    print("none")' "$1"
}

certificates
serve_on 127.0.0.1
is "without a prefix: each address is one client" "$(get 127.0.0.1 3), $(get 127.0.0.2 3)" "2 1, 2 1"
is "without a prefix: each client has its own record" "$(account 127.0.0.1), $(account 127.0.0.2), $(account 127.0.0.3)" "3 1, 3 1, none"
stop_server

serve_on 127.0.0.1 RENEGUARD_IPV4_PREFIX=24
is "/24: neighbours are one client" "$(get 127.0.2.5 1), $(get 127.0.2.6 1), $(get 127.0.2.7 2)" "1 0, 1 0, 0 2"
is "/24: an address of another network is another client" "$(get 127.0.3.5 2)" "2 0"
is "/24: the ledger lists the networks" "$(account 127.0.2.0), $(account 127.0.3.0), $(account 127.0.2.5)" "4 2, 2 0, none"
ok "/24: the log line names the address" all_fields "$(line_with "$tmp/tlsserver.log" event=handshake)" client=127.0.2.7 count=3
stop_server

serve_on 127.0.0.1 RENEGUARD_IPV4_PREFIX=0
is "/0: all addresses are one client" "$(get 127.0.2.5 1), $(get 127.9.2.6 2)" "1 0, 1 1"
stop_server

serve_on 127.0.0.1 RENEGUARD_EXEMPT=127.0.0.9,127.0.5.0/24,::1
is "exempt: no handshake of an exempt address or network is refused" "$(get 127.0.0.9 5), $(get 127.0.5.77 5)" "5 0, 5 0"
is "exempt: their handshakes are counted and never acted upon" "$(account 127.0.0.9), $(account 127.0.5.77)" "5 0, 5 0"
is "exempt: no log line names them" "$(count_lines "$tmp/tlsserver.log" event=)" 0
is "exempt: the next address and the next network are not exempt" "$(get 127.0.0.8 3), $(get 127.0.6.0 3)" "2 1, 2 1"
stop_server

serve_on 127.0.0.1 RENEGUARD_EXEMPT=127.0.2.5 RENEGUARD_IPV4_PREFIX=24
is "exempt: under /24 an exempt address is exempt; it uses up nothing of its neighbour's limit (A18)" \
	"$(get 127.0.2.5 6), $(get 127.0.2.6 3)" "6 0, 2 1"
stop_server

serve_on 127.0.0.1 RENEGUARD_EXEMPT=127.0.0.9 RENEGUARD_HANDSHAKE=block:1/600s RENEGUARD_RESUMPTION=block:1/600s RENEGUARD_RENEGOTIATION=block:1/600s
is "exempt: an exempt client is never blocked" "$(get 127.0.0.9 4), $(get 127.0.0.9 4)" "4 0, 4 0"
is "exempt: all its offers to resume are accepted" "$(peer_summary --from 127.0.0.9 127.0.0.1 "$port" resume 4)" "summary full=1 reused=4 refused=0"
stop_server

# A listener for both families sees IPv4 clients as ::ffff:a.b.c.d. They are still IPv4 clients.
(exec 3<>"/dev/tcp/::1/1") 2>"$tmp/ipv6" || true
if grep -q refused "$tmp/ipv6"; then
	serve_on :: RENEGUARD_EXEMPT=127.0.0.9
	is "mapped: two IPv4 addresses are two clients" "$(get 127.0.0.1 3), $(get 127.0.0.2 3)" "2 1, 2 1"
	is "mapped: the ledger lists their IPv4 addresses" "$(account 127.0.0.1), $(account ::ffff:127.0.0.1)" "3 1, none"
	ok "mapped: the log line names the IPv4 address" all_fields "$(line_with "$tmp/tlsserver.log" event=handshake)" client=127.0.0.2
	is "mapped: an exempt IPv4 address is exempt" "$(get 127.0.0.9 5)" "5 0"
	is "mapped: on the same listener ::1 is a client" "$(get ::1 3 ::1)" "2 1"
	is "mapped: the ledger lists ::1 as its /64" "$(account ::)" "3 1"
	ok "mapped: the log line names ::1" all_fields "$(line_with "$tmp/tlsserver.log" 'client=::1 ')" event=handshake action=close count=3
	stop_server
	serve_on :: RENEGUARD_IPV4_PREFIX=16 RENEGUARD_EXEMPT=::1
	is "mapped: RENEGUARD_IPV4_PREFIX applies" "$(get 127.3.0.1 1), $(get 127.3.1.1 1), $(get 127.3.2.1 1), $(get 127.4.0.1 1)" "1 0, 1 0, 0 1, 1 0"
	is "mapped: ::1 can be exempt" "$(get ::1 4 ::1)" "4 0"
	stop_server
	serve_on ::1 RENEGUARD_IPV6_PREFIX=128
	is "/128: ::1 is one client, and the ledger lists it as such" "$(get ::1 3 ::1), $(account ::1)" "2 1, 3 1"
	stop_server
else
	skip "both families" "no IPv6 here"
fi
if [ -n "${RG_INSIDE:-}" ]; then
	serve_on ::
	is "/64: the addresses of one network are one client" "$(get 2001:db8:1:2::1 2 ::1), $(get 2001:db8:1:2::2 2 ::1)" "2 0, 0 2"
	is "/64: the next network is another client" "$(get 2001:db8:1:3::1 2 ::1)" "2 0"
	is "/64: the ledger lists the networks" "$(account 2001:db8:1:2::), $(account 2001:db8:1:3::)" "4 2, 2 0"
	stop_server
	serve_on :: RENEGUARD_IPV6_PREFIX=128
	is "/128: each address is one client" "$(get 2001:db8:1:2::1 2 ::1), $(get 2001:db8:1:2::2 3 ::1)" "2 0, 2 1"
	stop_server
	serve_on :: RENEGUARD_IPV6_PREFIX=48
	is "/48: two networks of one /48 are one client" "$(get 2001:db8:1:2::1 1 ::1), $(get 2001:db8:1:3::1 2 ::1), $(account 2001:db8:1::)" "1 0, 1 1, 3 1"
	stop_server
	serve_on :: RENEGUARD_EXEMPT=2001:db8:1:2::/64,2001:db8:1:3::2
	is "exempt IPv6: every address of the network is exempt" "$(get 2001:db8:1:2::1 4 ::1), $(get 2001:db8:1:2::2 4 ::1)" "4 0, 4 0"
	is "exempt IPv6: an address of another network is not" "$(get 2001:db8:1:3::1 4 ::1)" "2 2"
	stop_server
else
	skip "IPv6 networks" "no network namespace is allowed here"
fi
finish
