# What is promised for every daemon (bash, after daemon.sh): each function makes the points of a cell of the table, all named after $label.
# shellcheck shell=bash disable=SC2034,SC2154

expected_visits() {
	local tls
	for tls in $versions; do
		case " $resumes : $vain " in
		*" $tls "*:*) echo "$tls: full, resumed" ;;
		*:*" $tls "*) echo "$tls: full, offered in vain" ;;
		*) echo "$tls: full, no session" ;;
		esac
	done
}

visits() { dialogue visits 127.0.0.31 $versions; }
masked_errors() { own_errors | sed 's/[0-9a-fA-F]*[0-9][0-9a-fA-F]*/N/g' | sort -u; }

stock() { # what it does without the shim
	begin without || return
	answers=$(exchange)
	like "$label: a real client is answered without the shim" "$answers" .
	unlike "$label: and does not give up" "$answers" '^(000|[a-z_]+: .*([Ff]ailed|could not|error).*)$'
	is "$label: what it resumes by itself" "$(visits)" "$(expected_visits)"
	errors=$(masked_errors)
	diag "$label: attempts to renegotiate without the shim: $(dialogue attack 127.0.0.4 127.0.0.5 "$tools/tlsstorm" 20)"
	end
}

serves() {
	local active
	is "$label: a real client is answered the same" "$(exchange)" "$answers"
	is "$label: and resumption is the same" "$(visits)" "$(expected_visits)"
	is "$label: its own log has no other errors" "$(comm -13 <(echo "$errors") <(masked_errors))" ""
	active=$(line_with "$syslog_file" code=RENEGUARD_ACTIVE)
	like "$label: it is guarded" "$active" 'renegotiation=close, resumption=warn:120/60s'
	libssl=$(value_of "$active" libssl)
}

# refused ATTACKER BYSTANDER: the attempt, its line, and what the daemon itself says.
refused() {
	local seen line told_before
	told_before=$(reasons_told)
	seen=$(dialogue attack "$1" "$2" "$tools/tlsstorm" 20)
	ok "$label: $3the first attempt is the last, and a bystander is served on" all_fields "$seen" 'sent=[12]' hellos=0 served=0 bystander=1
	line=$(line_with "$syslog_file" "event=renegotiation.*client=$1 ")
	ok "$label: $3its line names the right client" all_fields "${line#*: }" code=ERR_TLS_RENEGOTIATION_DISABLED action=close client="$1" \
		port="$(value_of "$seen" port)" count=1 tls=TLSv1.2 libssl="$libssl"
	[ -z "$syslog_pid" ] || like "$label: $3a warning of authpriv" "$line" '^authpriv\.warning reneguard\[[0-9]+\]: '
	is "$label: $3and nobody else" "$(count_lines "$syslog_file" "event=renegotiation.*client=$2 ")" 0
	[ -z "$own_log" ] || ok "$label: $3its own log tells the reason" within 10 tells_reason_again
}

reasons_told() { own_log_text | grep -Ec -- "$own_log"; }
tells_reason_again() { [ "$(reasons_told)" -gt "$told_before" ]; }

reloads() {
	reload >>"$tmp/reload.log" 2>&1
	tap_point $? "$label: it reloads"
	sleep 1
	ok "$label: after a reload a real client is answered the same" within 15 answers_again
	refused 127.0.0.6 127.0.0.7 "after a reload "
}

answers_again() { [ "$(exchange)" = "$answers" ]; }

ctl_status() { "$RG_BUILD/reneguardctl" status --json "$@" 2>>"$tmp/status.log"; }
# the_ledger: of its first process that has one, or the file.
the_ledger() {
	local one
	[ -z "$state" ] || { ctl_status --state "$tmp/ledger"; return; }
	for one in $(family); do ctl_status --pid "$one" && return; done
}

# one_ledger: every process of it that has a libssl is guarded and counts into the same account, while connections are open.
one_ledger() {
	local one processes='' unguarded='' leaked='' holder
	exec {holder}> >(dialogue hold 6 127.0.0.41 "${versions%% *}" >"$tmp/hold.log")
	ok "$label: connections are open" within 20 grep -q ^open "$tmp/hold.log"
	for one in $(family); do
		[ -z "$idle" ] || ! tr '\0' ' ' <"/proc/$one/cmdline" | grep -Eq -- "$idle" || continue
		if grep -q libreneguard "/proc/$one/maps"; then
			! grep -q '/libssl[^/]*$' "/proc/$one/maps" || processes="$processes $one"
		elif grep -q '/libssl[^/]*$' "/proc/$one/maps"; then
			unguarded="$unguarded $one ($(tr '\0' ' ' <"/proc/$one/cmdline"))"
		elif find "/proc/$one/fd" -lname '*memfd:reneguard*' | grep -q .; then
			leaked="$leaked $one"
		fi
	done 2>/dev/null
	is "$label: every process with a libssl is guarded" "$unguarded" ""
	# shellcheck disable=SC2086 # a list of pids
	is "$label: and counts into one ledger, which the host sees" \
		"$(ctl_status | python3 -c "$ledgers_of" 127.0.0.41 $processes 2>&1)" \
		"$(wc -w <<<"$processes") processes, 1 ledger, the client is in it"
	is "$label: no descriptor of ours in other programs" "$leaked" ""
	exec {holder}>&-
}
ledgers_of='import json, sys
client, *pids = sys.argv[1], *map(int, sys.argv[2:])
used = [ledger for ledger in json.load(sys.stdin)["ledgers"] if set(pids) & set(ledger["pids"])]
known = all(any(c["client"] == client for c in ledger["clients"]) for ledger in used)
print(sum(len(set(pids) & set(ledger["pids"])) for ledger in used), "processes,", len(used), "ledger,",
      "the client is in it" if known else "the client is not in it")'

# account CLIENT: what the ledger has of it; clients_listed: all that it has but this machine's ordinary address.
account() {
	the_ledger | python3 -c 'import json, sys
for client in json.load(sys.stdin)["ledgers"][0]["clients"]:
    if client["client"] == sys.argv[1]:
        events = client["events"]
        print("resumption=%(count)d acted=%(acted)d" % events["resumption"], "handshake=%(count)d" % events["handshake"])' "$1"
}
clients_listed() {
	the_ledger | python3 -c 'import json, sys
print(*sorted({client["client"] for client in json.load(sys.stdin)["ledgers"][0]["clients"]} - {"127.0.0.1"}))'
}

# given ACTION HOW OFFERS: what a client of seven connections is given that offers to resume in so many of them; accounted: what the
# ledger has of it then.
given() {
	local over=$(($3 > 2 ? $3 - 2 : 0)) full=$((7 - $3)) resumed=0 refused=0
	case $1 in close) refused=$over ;; decline) full=$((full + over)) ;; *) over=0 ;; esac
	if [ "$2" = accepted ]; then resumed=$(($3 - over)); else full=$((full + $3 - over)); fi
	echo "full=$full resumed=$resumed refused=$refused"
}
accounted() { echo "resumption=$3 acted=$(($3 > 2 ? $3 - 2 : 0)) handshake=$(value_of "$(given "$@")" full)"; }

# unfinished: who leaves in the middle of a ClientHello has begun a handshake and not finished it.
unfinished() {
	dialogue torn 127.0.0.51 127.0.0.52 5
	within 10 all_unfinished
	like "$label: half a ClientHello is an unfinished handshake of who sent it" "$(unfinished_of)" "$torn"
}
torn='^127\.0\.0\.51=5 127\.0\.0\.52=[1-5]$'
# Python frees what failed when it collects its garbage, at the next connection.
all_unfinished() {
	unfinished_of | grep -Eq "$torn" && return
	visits >"$tmp/visits.log"
	return 1
}
unfinished_of() {
	the_ledger | python3 -c 'import json, sys
counts = {client["client"]: client["events"]["incomplete"]["count"] for client in json.load(sys.stdin)["ledgers"][0]["clients"]}
print(*(f"{client}={count}" for client, count in sorted(counts.items()) if count and client != "127.0.0.1"))'
}

# limited ACTION: two clients' handshakes interleaved in every order; the third offer of one is acted upon.
limited() {
	local tls how seen line listed=''
	begin with RENEGUARD_RESUMPTION="$1:2/600s" || return
	for tls in $versions; do
		case " $resumes : $vain : $foreign " in
		*" $tls "*:*:*) how=accepted ;;
		*:*" $tls "*:*) how=vain ;;
		*:*:*" $tls "*) foreign_server && how=$foreign_port ;;
		*) continue ;;
		esac
		local first=127.0.0.1${tls#1.} second=127.0.0.2${tls#1.} point="$label: $1, TLS $tls:"
		listed="$listed $first $second"
		seen=$(dialogue interleave $first $second "$tls" "$1" $how)
		is "$point each client is given what it should be, in every order" "$seen" "$first $(given "$1" $how 6)
$second $(given "$1" $how 1)"
		is "$point the account of each" "$(account $first), $(account $second)" "$(accounted "$1" $how 6), $(accounted "$1" $how 1)"
		line=$(line_with "$syslog_file" "event=resumption.*client=$first ")
		ok "$point the line names the one over the limit" all_fields "${line#*: }" code=ERR_TLS_SESSION_ATTACK action="$1" client=$first \
			'port=[0-9]+' count=3 limit=2/600s tls=TLSv"$tls" "libssl=$libssl"
		is "$point and never the other" "$(count_lines "$syslog_file" "client=$second ")" 0
	done
	is "$label: $1: nobody else is on the account" "$(clients_listed | tr ' ' '\n' | sort)" "$(tr ' ' '\n' <<<"${listed# }" | sort)"
	end
}

