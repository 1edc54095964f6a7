#!/bin/bash
# A program that keeps its SSL objects in shared memory and hands them from process to process (kamailio). Whichever process goes on
# with a connection, every event is counted once, for its client; a refused connection is dead in every process; an address that is used
# again brings nothing of its last connection. tests/tools/sslshare.c says what the letters of a route mean.
. tests/lib/tap.sh
. tests/lib/server.sh
unset "${!RENEGUARD_@}"
needs python3
certificates

# share ROUTE [VARIABLE=VALUE]...
share() {
	local route=$1
	shift
	: >"$tmp/share.log"
	under with "$@"
	start share "${under[@]}" "${emulator[@]}" "$tools/sslshare" "$tmp/server.pem" "$route"
	share_pid=$pid
	within 10 grep -q ^port= "$tmp/share.log"
	port=$(sed -n 's/^port=//p' "$tmp/share.log")
}

# account: "CLIENT:EVENT=COUNT,..." of all that were counted; of a client whose only event is its handshakes, "CLIENT:N".
account() {
	"${emulator[@]}" "$RG_BUILD/reneguardctl" status --pid "$share_pid" --json | python3 -c 'import json, sys
for client in sorted(json.load(sys.stdin)["ledgers"][0]["clients"], key=lambda client: client["client"]):
    events = {name: event["count"] for name, event in client["events"].items() if event["count"]}
    print(client["client"].rpartition(".")[2] + ":" + ",".join(f"{name}={count}" for name, count in sorted(events.items())), end=" ")'
}

visit() { peer_summary --line --from "127.0.0.$1" "${@:3}" 127.0.0.1 "$port" get "$2" | sed 's/.*full=\([0-9]*\).*refused=/\1 /'; }
raw() { timeout 60 python3 tests/lib/raw_client.py "$1" 127.0.0.1 "$port" "127.0.0.$2" >>"$tmp/raw.log" 2>&1; }
served() { [ "$(grep -c ^n= "$tmp/share.log")" -ge "$1" ]; }
last() { within 10 served "$1" && grep ^n= "$tmp/share.log" | tail -n 1; }
leave() {
	like "$1: nothing of ours is left in the program's memory" "$(grep ^n= "$tmp/share.log" | tail -n 1)" ' live=0$'
	stop "$share_pid"
}

# A process makes it, one shakes hands and serves, one frees it; who comes next gets the same address.
for route in AnaBrCf AnBaCrAf AnBarAf; do
	share $route
	is "$route: who is served" "$(visit 2 3), $(visit 3 2), $(visit 2 1 --tls 1.2), $(visit 4 1)" "3 0, 2 0, 1 0, 1 0"
	is "$route: each for its client" "$(account)" "2:handshake=4 3:handshake=2 4:handshake=1 "
	field "$route: the address was used before" "$(last 7)" same 1
	leave $route
done

# What happens in the second process is the doing of the client that the first one met.
share AnaBrCf RENEGUARD_RENEGOTIATION=count
ok "six attempts to renegotiate" all_fields "$(storm --line --from 127.0.0.2 127.0.0.1 "$port" 6)" sent=6 served=1
is "key updates" "$(peer_summary --line --from 127.0.0.3 127.0.0.1 "$port" keyupdate 5)" "summary updates=5 served=1 end=-"
is "offers to resume" "$(peer_summary --line --from 127.0.0.4 --tls 1.2 --how id 127.0.0.1 "$port" resume 4)" "summary full=5 reused=0 refused=0"
is "all are counted" "$(account)" "2:handshake=1,renegotiation=6 3:handshake=1,keyupdate=5 4:handshake=1,resumption=4 "
leave counted

# Refused in one process, dead in the others, and freed in one that did not refuse it.
for route in AnaBrCtf AnaBrAtf AnaBrCtAf; do
	share $route
	for n in 1 2 3; do
		ok "$route: the first attempt is the last, $n" all_fields "$(storm --line --from 127.0.0.2 127.0.0.1 "$port" 5)" 'sent=[12]' hellos=0 served=0
		ok "$route: and the next process can do nothing with it, $n" all_fields "$(last $((2 * n - 1)))" ret=-1 reason=1100
		is "$route: the next client is served, $n" "$(visit 3 1)" "1 0"
	done
	is "$route: each attempt counts" "$(account)" "2:handshake=3,renegotiation=3 3:handshake=3 "
	is "$route: one line names it, as once a minute" "$(count_lines "$tmp/share.log" 'event=renegotiation action=close client=127.0.0.2 ')" 1
	leave $route
done
# The error queue is shared, too. What a refusal leaves there is nobody else's error: an idle connection just wants to read (2).
share AnaCk,AnaBuCwf
exec {holder}> >(peer --line --from 127.0.0.3 127.0.0.1 "$port" hold 1 >"$tmp/hold.log")
last 1 >/dev/null
for n in 1 2 3; do
	storm --line --from 127.0.0.2 127.0.0.1 "$port" 5 >"$tmp/storm"
	ok "an error that was not read, $n" all_fields "$(last $((n + 1))) $(cat "$tmp/storm")" ret=-1 served=0 error=2
done
exec {holder}>&-
stop "$share_pid"
share AnBaCf RENEGUARD_HANDSHAKE=close:2/600s
is "a limit of handshakes" "$(visit 2 5), $(visit 3 2)" "0 5, 0 2"
is "is of all processes" "$(account), $(count_lines "$tmp/share.log" 'ret=1 ')" "2:handshake=5 3:handshake=2 , 4"
leave limit
share AnBarCf RENEGUARD_HANDSHAKE=block:2/600s RENEGUARD_KEYUPDATE=close:3/600s
is "blocked, in whichever process" "$(visit 2 5), $(visit 3 1)" "2 3, 1 0"
like "a limit of key updates" "$(peer_summary --line --from 127.0.0.4 127.0.0.1 "$port" keyupdate 6)" '^summary updates=[34] served=0'
leave block

# Unfinished: the call fails in another process, or none fails and another frees it.
share AnBaCf
for n in 1 2 3; do for how in header part leave; do raw $how 2; done; raw bare 3; done
last 12 >/dev/null
is "unfinished handshakes, met by another process" "$(account)" "2:handshake=3,incomplete=9 "
leave unfinished
share AnBpCf
for n in 1 2 3 4; do raw part 2; done
last 4 >/dev/null
is "unfinished handshakes, freed by another process" "$(account)" "2:incomplete=4 "
leave freed

# The same object for the next connection; a copy of it.
share AnaBrCcBaArCf
for n in 1 2; do is "SSL_clear in the third process, $n" "$(visit 2 1), $(visit 3 1)" "1 0, 1 0"; done
last 2 >/dev/null
is "each of both is counted" "$(account)" "2:handshake=2 3:handshake=2 "
leave clear
share AnBdCaArBf
is "SSL_dup in the second process" "$(visit 2 3)" "3 0"
last 3 >/dev/null
is "counts once" "$(account)" "2:handshake=3 "
leave dup

# The program's own callback, set in one process and called in the others.
share AnmBaCrAf
is "served with a callback" "$(visit 2 1)" "1 0"
calls=$(value_of "$(last 1)" callbacks)
stop "$share_pid"
under without
: >"$tmp/share.log"
start share "${under[@]}" "${emulator[@]}" "$tools/sslshare" "$tmp/server.pem" AnmBaCrAf
within 10 grep -q ^port= "$tmp/share.log"
port=$(sed -n 's/^port=//p' "$tmp/share.log")
is "which is called as often as without the shim" "$calls, $(visit 2 1)" "$(value_of "$(last 1)" callbacks), 1 0"
stop "$pid"

# Where the program's memory was short when the object was made, the connection is taken on later.
share AsnBeaCrAf
is "adopted at its first message" "$(visit 2 2)" "2 0"
is "nothing is lost" "$(account)" "2:handshake=2 "
leave adopted
share AsnaBerCtf RENEGUARD_KEYUPDATE=count
ok "adopted after its handshake: refused at once" all_fields "$(storm --line --from 127.0.0.2 127.0.0.1 "$port" 5)" 'sent=[12]' hellos=0 served=0
ok "adopted after its handshake: dead in every process" all_fields "$(last 1)" ret=-1 reason=1100
peer_summary --line --from 127.0.0.3 127.0.0.1 "$port" keyupdate 5 >/dev/null
last 2 >/dev/null
is "adopted after its handshake: key updates" "$(account)" "2:renegotiation=1 3:keyupdate=5 "
leave adopted
finish
