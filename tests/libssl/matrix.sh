#!/bin/bash
# A table of the shim's promises (rows) for every available libssl (columns). One server, tlsserver.c, is compiled without OpenSSL headers
# and linked to each of them; this system's clients connect to it. A cell passes, fails, or names a limitation. A build that cannot be
# fetched is skipped with the reason. The table is printed and kept in $RG_BUILD/libssl-versions.md.
# shellcheck disable=SC2154
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh # but `serve` is redefined below
. tests/lib/builds.sh
. tests/lib/columns.sh

needs "${CC:-cc}" openssl python3
: "${RG_BUILD:?}"
[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build: its runtime is not that of the old libraries"; exit 0; }

# column NAME: sets $program for that libssl. On failure $lacking holds the reason.
column() {
	name=$1 program=$tmp/tlsserver-$1
	link_to "$name" "$program" -Itests/libssl/prototypes -Itests/lib tests/tools/tlsserver.c
}

is_old() { [ "$name" = 1.0.1f ]; } # it has no TLS 1.3, no SSL_OP_NO_RENEGOTIATION and no SSL_read_ex

# --- the server of a cell ---
serve() { # with|without TLSSERVER-ARGUMENT...: takes the policy from the environment; sets $port and $server_pid
	local objects='' line=''
	[ "$1" = without ] || objects=$shim
	objects=$objects${behind:+:$behind}
	shift
	: >"$tmp/server.log"
	exec {server_out}< <(exec env RENEGUARD_LOG=stderr LD_PRELOAD="$objects" "$program" --cert "$tmp/server.pem" "$@" \
		2>>"$tmp/server.log")
	server_pid=$!
	port=''
	read -r -t 10 -u "$server_out" line && port=${line#port=}
}

lines() { grep -c "event=$1" "$tmp/server.log"; }
same() { [ "$2" = "$3" ] || { diag "$1: '$2', wanted '$3'"; return 1; }; }

# summary_of WANTED TLSPEER-ARGUMENT...: tlspeer's summary line is WANTED.
summary_of() {
	local wanted=$1
	shift
	same "tlspeer $*" "$(peer_summary "$@")" "summary $wanted"
}

# --- rows ---
dead='-1/1/1100'
refused=('ret=(-1|0)' error=1 lib=20 reason=1100 broken_pipes=0 "later_read=$dead" "later_peek=$dead" "later_write=$dead"
	"later_handshake=$dead" 'data=.*ERR_TLS_RENEGOTIATION_DISABLED.*')

honoured_or_refused() { # IO ENTRY
	local summary
	serve without --io "$1" --entry "$2" --allow
	summary=$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 2)
	stop_server
	all_fields "$summary" started=1 honoured=2 served=1 || return
	serve with --io "$1" --entry "$2" --allow --callbacks ssl
	summary=$(peer_summary --tls 1.2 --timeout-ms 3000 127.0.0.1 "$port" renegotiate 1)
	next_report
	stop_server
	all_fields "$summary" started=1 honoured=0 served=0 'end=(warning:no_renegotiation|fatal:.*)' &&
		all_fields "$report" requests=1 server_hellos=1 "${refused[@]}" &&
		like_line 'code=ERR_TLS_RENEGOTIATION_DISABLED event=renegotiation action=close client=127.0.0.1 '
}

like_line() { grep -q -- "$1" "$tmp/server.log" || { diag "no log line matches: $1"; return 1; }; }

row_refused() {
	local io entry entries="accept read peek do_handshake bio write"
	is_old || entries="$entries read_ex early"
	for entry in $entries; do
		for io in blocking nonblocking membio; do
			honoured_or_refused $io $entry || { diag "$name: $io, $entry"; return 1; }
		done
	done
}

row_storm() {
	local line
	serve with
	line=$(storm 127.0.0.1 "$port" 5)
	next_report
	stop_server
	all_fields "$line" 'sent=[12]' hellos=0 served=0 && all_fields "$report" requests=1 "${refused[@]}"
}

row_first() { # the second full handshake is over the limit: no ServerHello answers it
	local tls
	for tls in $versions; do
		RENEGUARD_HANDSHAKE=close:1/600s serve with --connections 2 --callbacks ctx
		summary_of "full=1 reused=0 refused=0" --tls "$tls" 127.0.0.1 "$port" get 1 || return
		summary_of "full=0 reused=0 refused=1" --tls "$tls" 127.0.0.1 "$port" get 1 || return
		next_report && next_report
		stop_server
		all_fields "$report" server_hellos=1 ret=-1 error=1 lib=20 reason=1049 entries=1 || return
	done
}

# key_operations with|without PEER-ARGUMENT... -- TLSSERVER-ARGUMENT...: sets $operations to the number of key operations that libssl asks
# of libcrypto in a whole run of the server (keycount.c), and $summary to the client's summary.
key_operations() {
	local half=$1 client=() behind=$tmp/keycount.so
	shift
	while [ "$1" != -- ]; do client+=("$1") && shift; done
	shift
	rm -f "$tmp/counts"
	KEYCOUNT=$tmp/counts serve "$half" "$@"
	summary=$(peer_summary "${client[@]/PORT/$port}")
	stop_server
	operations=$(od -An -td8 "$tmp/counts" | tr -d ' ')
}

row_keys() {
	local tls one two refused
	for tls in $versions; do
		key_operations with --tls "$tls" 127.0.0.1 PORT get 1 -- --connections -1 --quiet
		one=$operations
		key_operations with --tls "$tls" 127.0.0.1 PORT get 2 -- --connections -1 --quiet
		two=$operations
		RENEGUARD_HANDSHAKE=close:1/600s key_operations with --tls "$tls" 127.0.0.1 PORT get 2 -- --connections -1 --quiet
		refused=$operations
		same "two handshakes under close:1, TLS $tls" "$summary" "summary full=1 reused=0 refused=1" &&
			same "key operations of one handshake, of two, and of two of which one is refused, TLS $tls" "$one $two $refused" \
				"$one $((2 * one)) $one" &&
			[ "$one" -ge 2 ] || return
	done
	key_operations with --tls 1.2 --none 127.0.0.1 PORT renegotiate 0 -- --allow --quiet
	one=$operations
	key_operations without --tls 1.2 --none 127.0.0.1 PORT renegotiate 3 -- --allow --quiet
	all_fields "$summary" honoured=3 && [ "$operations" -ge $((one + 6)) ] || { diag "key operations without renegotiation: $one, with three honoured ones: $operations"; return 1; }
	key_operations with --tls 1.2 --none 127.0.0.1 PORT renegotiate 3 -- --allow --quiet
	all_fields "$summary" started=1 honoured=0 && same "key operations with a refused renegotiation" "$operations" "$one"
}

row_lenient() {
	local action
	for action in off count warn close:5/600s; do
		RENEGUARD_RENEGOTIATION=$action serve with --allow
		all_fields "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 3)" started=1 honoured=3 served=1 || return
		stop_server
		same "log lines under $action" "$(lines renegotiation)" "$([ $action = warn ] && echo 1 || echo 0)" || return
	done
	RENEGUARD_RENEGOTIATION=close:2/600s serve with --allow
	all_fields "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 5)" started=1 honoured=2 served=0 || return
	stop_server
	like_line 'code=ERR_TLS_SESSION_ATTACK event=renegotiation action=close .*count=3 limit=2/600s'
}

row_block() {
	RENEGUARD_RENEGOTIATION=block:1/600s serve with --allow --connections -1 --quiet
	all_fields "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 2)" started=1 honoured=1 || return
	summary_of "full=0 reused=0 refused=2" 127.0.0.1 "$port" get 2 &&
		summary_of "full=2 reused=0 refused=0" --from 127.0.0.2 127.0.0.1 "$port" get 2
	local status=$?
	stop_server
	return $status
}

# same_report PEER-ARGUMENTS -- SERVER-ARGUMENTS: runs server and client without and with the shim. The watched fields of the server's report
# must be equal, and so must the client's summary.
watched="requests ret error reason calls errno_sum queue_dirty info started done message wrong_arg getter options app_data"
same_report() {
	local half client=() got=() key
	while [ "$1" != -- ]; do client+=("$1") && shift; done
	shift
	for half in without with; do
		serve $half "$@"
		peer "${client[@]/PORT/$port}" >"$tmp/peer"
		next_report
		stop_server
		got+=("$(for key in $watched; do echo "$key=$(value_of "$report" "$key")"; done | tr '\n' ' ')$(grep summary "$tmp/peer")")
	done
	[ -n "$report" ] && same "$name $*" "${got[1]}" "${got[0]}"
}

row_callbacks() {
	local tls where
	for tls in $versions; do
		for where in ctx ssl; do
			same_report --tls "$tls" 127.0.0.1 PORT get -- --callbacks $where || return
		done
	done
	RENEGUARD_RENEGOTIATION=warn same_report --tls 1.2 127.0.0.1 PORT renegotiate 2 -- --callbacks ssl --allow
}

row_untouched() {
	local tls io
	for tls in $versions; do
		for io in blocking nonblocking membio; do
			same_report --tls "$tls" 127.0.0.1 PORT get -- --io $io --entry read || return
		done
	done
}

# resumption TLSPEER-ARGUMENT...: exactly five of nine offers are within the limit. The action decides what happens to the others.
resumption() {
	RENEGUARD_RESUMPTION=warn:5/600s serve with --connections -1 --quiet
	summary_of "full=1 reused=5 refused=0" "$@" 127.0.0.1 "$port" resume 5 && same lines "$(lines resumption)" 0 &&
		summary_of "full=1 reused=4 refused=0" "$@" 127.0.0.1 "$port" resume 4 && same lines "$(lines resumption)" 1 &&
		like_line 'code=ERR_TLS_SESSION_ATTACK event=resumption action=warn client=127.0.0.1 .*count=6 limit=5/600s' || return
	stop_server
	RENEGUARD_RESUMPTION=decline:5/600s serve with --connections -1 --quiet
	summary_of "full=5 reused=5 refused=0" "$@" 127.0.0.1 "$port" resume 9 &&
		summary_of "full=1 reused=2 refused=0" "$@" --from 127.0.0.9 127.0.0.1 "$port" resume 2 || return
	stop_server
	RENEGUARD_RESUMPTION=close:5/600s serve with --connections -1 --quiet
	peer "$@" 127.0.0.1 "$port" resume 9 >"$tmp/peer"
	stop_server
	same "summary under close:5" "$(grep summary "$tmp/peer")" "summary full=3 reused=5 refused=2" &&
		grep -Eq '^n=6 result=refused .*end=fatal:' "$tmp/peer"
}

row_id() { resumption --tls 1.2 --how id; }
row_ticket() { resumption --tls 1.2; }
row_psk() { resumption --tls 1.3; }

# libssl decides whether it resumes from a malformed ClientHello. 1.0.x does: it reads the list of extensions twice and checks its length
# once. For the shim it is an offer anyway. Offers within the limit are answered as without the shim, the others are not.
row_malformed() {
	local kind how usual seen action beyond
	for kind in ticket id; do
		for how in long short byte versions; do
			serve without --connections -1 --quiet
			usual=$(timeout 60 python3 tests/lib/raw_client.py $kind+$how 127.0.0.1 "$port" | sed 's/.*answer=\([a-z]*\).*/\1/')
			stop_server
			is_old || { same "$kind, $how, without the shim" "$usual" alert || return; remark="this libssl refuses them itself"; }
			! is_old || same "$kind, $how, without the shim" "$usual" resumed || return
			for action in decline close; do
				[ "$usual" = resumed ] || continue
				[ $action = decline ] && beyond=full || beyond=alert
				RENEGUARD_RESUMPTION=$action:2/600s serve with --connections -1 --quiet
				seen=$(timeout 60 python3 tests/lib/raw_client.py $kind+$how 127.0.0.1 "$port" "" 4 | sed 's/.*answer=\([a-z]*\).*/\1/' | tr '\n' ' ')
				stop_server
				same "$kind, $how, $action:2/600s" "$seen" "resumed resumed $beyond $beyond " || return
			done
		done
	done
}

row_middlebox() { # a TLS 1.3 client's session id is not an offer, even if the server answers with TLS 1.2
	RENEGUARD_RESUMPTION=close:1/600s serve with --connections -1 --quiet
	summary_of "full=6 reused=0 refused=0" 127.0.0.1 "$port" get 6 && same lines "$(lines resumption)" 0
	local status=$?
	stop_server
	return $status
}

row_keyupdate() {
	serve with
	all_fields "$(peer_summary --tls 1.3 127.0.0.1 "$port" keyupdate 5)" updates=5 served=1 || return
	stop_server
	same lines "$(lines renegotiation)" 0 || return
	RENEGUARD_KEYUPDATE=close:3/600s serve with --connections 2
	all_fields "$(peer_summary --tls 1.3 127.0.0.1 "$port" keyupdate 5)" updates=3 served=0 || return
	stop_server
	like_line 'event=keyupdate action=close .*count=4 limit=3/600s'
}

row_clear() {
	local io limit summary
	for io in blocking membio; do
		serve with --io $io --reuse --connections 4 --allow --entry read
		summary_of "full=3 reused=0 refused=0" --tls 1.2 127.0.0.1 "$port" get 3 || return
		all_fields "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1)" started=1 honoured=0 || return
		stop_server
		# After a refused renegotiation, and after a refused first handshake, the object serves again.
		serve with --io $io --reuse --connections 2 --allow --entry read
		all_fields "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1)" started=1 honoured=0 || return
		next_report
		if is_old; then
			within 2 like_line '^SSL_clear fails' || return
			remark="its SSL_clear fails after any unfinished renegotiation"
		else
			summary_of "full=1 reused=0 refused=0" --tls 1.2 127.0.0.1 "$port" get 1 || return
		fi
		stop_server
		RENEGUARD_HANDSHAKE=close:1/600s serve with --io $io --reuse --connections 3 --entry read
		summary=$(peer_summary --tls 1.2 127.0.0.1 "$port" get 2)
		same "two handshakes under close:1" "$summary" "summary full=1 reused=0 refused=1" || return
		summary_of "full=1 reused=0 refused=0" --from 127.0.0.2 --tls 1.2 127.0.0.1 "$port" get 1 || return
		stop_server
	done
	clear_options
}

# After a refusal and SSL_clear the program's own option bits are still set, and the shim's are gone.
clear_options() {
	local half got=()
	for half in without with; do
		is_old && return # the shim sets no option there
		serve $half --reuse --connections 2 --entry read --own-options
		[ $half = without ] || peer --tls 1.2 127.0.0.1 "$port" renegotiate 1 >"$tmp/peer"
		[ $half = with ] || peer --tls 1.2 127.0.0.1 "$port" get 1 >"$tmp/peer"
		next_report
		peer --tls 1.2 127.0.0.1 "$port" get 1 >"$tmp/peer"
		next_report
		stop_server
		got+=("$(value_of "$report" options)")
	done
	same "options of an object cleared after a refusal" "${got[1]}" "${got[0]}"
}

row_own() {
	local io
	for io in blocking nonblocking membio; do
		same_report --tls 1.2 --cert "$tmp/server.pem" 127.0.0.1 PORT get -- --io $io --renegotiate-self || return
		all_fields "$report" own=1 requests=1 || return
		is_old || same_report --tls 1.3 --cert "$tmp/server.pem" 127.0.0.1 PORT get -- --io $io --ask-later || return
	done
}

row_dup() { # in a -Bsymbolic libssl, SSL_dup does not call the hook of SSL_new
	local way
	for way in --dup "--dup --free-by-bio"; do
		# shellcheck disable=SC2086 # two options in one word
		serve with --allow --connections -1 --quiet $way
		all_fields "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1)" started=1 honoured=0 &&
			summary_of "full=2 reused=0 refused=0" 127.0.0.1 "$port" get 2 || return
		stop_server
	done
}

row_app_data() {
	serve with --callbacks ctx
	summary_of "full=1 reused=0 refused=0" --tls 1.2 127.0.0.1 "$port" get 1 || return
	next_report
	stop_server
	all_fields "$report" app_data=1
}

# Each way not to finish a handshake, three times, each by another client. A client that sends nothing and one that is served leave nothing
# unfinished.
row_incomplete() {
	local io entry way n
	for io in blocking nonblocking membio; do
		for entry in accept read; do
			RENEGUARD_INCOMPLETE=warn:2/600s serve with --connections -1 --quiet --io $io --entry $entry
			peer --tls 1.2 127.0.0.1 "$port" incomplete 3 >/dev/null
			timeout 60 python3 tests/lib/raw_client.py bare 127.0.0.1 "$port" 127.0.0.8 3 >/dev/null
			summary_of "full=3 reused=0 refused=0" --from 127.0.0.9 127.0.0.1 "$port" get 3 || return
			n=20
			for way in byte header part tear noise bent slam garbage; do
				n=$((n + 1))
				timeout 60 python3 tests/lib/raw_client.py $way 127.0.0.1 "$port" 127.0.0.$n 3 >/dev/null
				within 3 like_line "event=incomplete action=warn client=127.0.0.$n .*count=3 limit=2/600s" >/dev/null ||
					{ diag "$io, $entry, $way: no log line"; return 1; }
			done
			stop_server
			like_line 'event=incomplete action=warn client=127.0.0.1 .*count=3 limit=2/600s' && same "log lines, $io, $entry" "$(lines incomplete)" 9 || return
		done
	done
}

row_leak() { # of 200 connections, half of them refused, the second hundred leaves less behind than one object of the shim each
	local n
	RENEGUARD_HANDSHAKE=count serve with --connections 200 --quiet --heap --allow
	for ((n = 0; n < 100; n++)); do
		peer --tls 1.2 127.0.0.1 "$port" get 1
		peer --tls 1.2 127.0.0.1 "$port" renegotiate 1
	done >"$tmp/peer"
	next_report
	stop_server
	[[ $report =~ ^heap\ grown=(-?[0-9]+)$ ]] && [ "${BASH_REMATCH[1]}" -lt 4000 ] && return
	diag "heap growth after 200 connections: $report"
	return 1
}

rows=(
	"refused|renegotiation is refused, whichever call reads it; no ServerHello answers it"
	"storm|a client that ignores warnings is refused at its first attempt"
	"lenient|off, count, warn and a limit allow exactly the renegotiations they should"
	"block|block refuses the client's next handshakes and nobody else's"
	"first|a first handshake over the limit is refused without a ServerHello"
	"keys|neither refusal costs a key operation (counted where libssl calls libcrypto)"
	"id|offers to resume by session id: counted exactly; warn, decline and close work"
	"ticket|offers to resume by ticket: the same"
	"psk|offers to resume by TLS 1.3 PSK: the same"
	"malformed|an offer to resume in a malformed ClientHello counts as an offer"
	"middlebox|the session id of a TLS 1.3 client is not an offer to resume"
	"keyupdate|key updates are not renegotiation; they are counted exactly, and close works"
	"incomplete|unfinished handshakes: counted from the first byte, for the right client; silent connections are not counted"
	"callbacks|the program's callbacks, their argument and the getters are as without the shim"
	"untouched|errno, error queue and options are as without the shim"
	"own|the program's own renegotiation and certificate request work"
	"clear|an SSL reused by SSL_clear is guarded and works, also after a refusal"
	"dup|an SSL made by SSL_dup is guarded"
	"app_data|SSL_set_app_data remains the program's own"
	"leak|no memory is left behind"
)

# limitation ROW: is the promise impossible for this version? $reason says why.
limitation() {
	reason=
	case $name:$1 in
	1.0.1f:psk | 1.0.1f:keyupdate) reason="no TLS 1.3" ;;
	1.0.1f:storm) reason="honours renegotiation, never warns" ;;
	esac
	[ -n "$reason" ]
}

certificates
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/rsa.key" -days 2 -subj /CN=localhost -out "$tmp/rsa.pem" 2>/dev/null
cat "$tmp/rsa.pem" "$tmp/rsa.key" >"$tmp/server.pem"
unset "${!RENEGUARD_@}"

"${CC:-cc}" -std=c11 -O2 -Wall -Wextra -fPIC -shared -o "$tmp/keycount.so" tests/libssl/keycount.c -ldl || exit 2

declare -A result
for name in ${RG_COLUMNS:-$columns}; do
	if ! column "$name"; then
		for row in "${rows[@]}"; do
			skip "$name: ${row#*|}" "$lacking"
			result[$name:${row%%|*}]=skipped
		done
		continue
	fi
	versions="1.2 1.3"
	is_old && versions=1.2
	for row in "${rows[@]}"; do
		id=${row%%|*} text=${row#*|}
		if limitation "$id"; then
			skip "$name: $text" "$reason"
			result[$name:$id]="($reason)"
			continue
		fi
		status=0 remark=
		"row_$id" >"$tmp/cell" 2>&1 || status=1
		[ $status = 0 ] || stop_server 2>/dev/null
		tap_point $status "$name: $text" || { cat "$tmp/cell"; sed 's/^/# log: /' "$tmp/server.log" | tail -n 5; }
		result[$name:$id]=$([ $status = 0 ] && echo "pass${remark:+; $remark}" || echo FAIL)
	done
done

{
	echo "| promise | ${columns// / | } |"
	echo "| --- | ${columns//[0-9.a-z]*/}$(sed 's/[^ ]*/--- |/g' <<<"$columns")"
	for row in "${rows[@]}"; do
		printf '| %s |' "${row#*|}"
		for name in $columns; do printf ' %s |' "${result[$name:${row%%|*}]:-not run}"; done
		echo
	done
} >"$RG_BUILD/libssl-versions.md"
sed 's/^/# /' "$RG_BUILD/libssl-versions.md"
finish
