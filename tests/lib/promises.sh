# What is promised for every daemon (bash, after daemon.sh). Each function makes the points of one cell of the table; their names begin
# with $label.
# shellcheck shell=bash disable=SC2034,SC2154

expected_visits() {
	local tls
	for tls in $versions; do
		case " $resumes : $ignores " in
		*" $tls "*:*) echo "$tls: full, resumed" ;;
		*:*" $tls "*) echo "$tls: full, offer ignored" ;;
		*) echo "$tls: full, no session" ;;
		esac
	done
}

visits() { dialogue visits 127.0.0.31 $versions; }
masked_errors() { own_errors | sed 's/[0-9a-fA-F]*[0-9][0-9a-fA-F]*/N/g' | sort -u; }

stock() { # what the daemon does without the shim: sets $answers and $errors, with which the later points compare
	begin without || return
	answers=$(exchange)
	like "$label: a real client is answered without the shim" "$answers" .
	unlike "$label: a real client reports no error without the shim" "$answers" '^(000|[a-z_]+: .*([Ff]ailed|could not|error).*)$'
	is "$label: it resumes in the expected TLS versions without the shim" "$(visits)" "$(expected_visits)"
	errors=$(masked_errors)
	diag "$label: attempts to renegotiate without the shim: $(dialogue attack 127.0.0.4 127.0.0.5 "$tools/tlsstorm" 20)"
	end
}

serves() {
	local active
	is "$label: a real client gets the same answers as without the shim" "$(exchange)" "$answers"
	is "$label: it resumes in the same TLS versions as without the shim" "$(visits)" "$(expected_visits)"
	is "$label: its own log has no errors but those it has without the shim" "$(comm -13 <(echo "$errors") <(masked_errors))" ""
	active=$(line_with "$syslog_file" code=RENEGUARD_ACTIVE)
	like "$label: RENEGUARD_ACTIVE is logged with the policy" "$active" 'renegotiation=close, resumption=warn:120/60s'
	libssl=$(value_of "$active" libssl)
}

# refused ATTACKER BYSTANDER WHEN: ATTACKER tries to renegotiate while BYSTANDER has a connection. WHEN begins the points' names.
refused() {
	local seen line reasons_before
	reasons_before=$(count_reasons)
	seen=$(dialogue attack "$1" "$2" "$tools/tlsstorm" 20)
	ok "$label: $3the first attempt to renegotiate ends the connection, a bystander is still served" all_fields "$seen" 'sent=[12]' hellos=0 served=0 bystander=1
	line=$(line_with "$syslog_file" "event=renegotiation.*client=$1 ")
	ok "$label: $3the log line names the attacker" all_fields "${line#*: }" code=ERR_TLS_RENEGOTIATION_DISABLED action=close client="$1" \
		port="$(value_of "$seen" port)" count=1 tls=TLSv1.2 libssl="$libssl"
	[ -z "$syslog_pid" ] || like "$label: $3the line is an authpriv warning" "$line" '^authpriv\.warning reneguard\[[0-9]+\]: '
	is "$label: $3no line names the bystander" "$(count_lines "$syslog_file" "event=renegotiation.*client=$2 ")" 0
	[ -z "$own_log" ] || ok "$label: $3the daemon's own log tells the reason" within 10 has_another_reason
}

count_reasons() { own_log_text | grep -Ec -- "$own_log"; }
has_another_reason() { [ "$(count_reasons)" -gt "$reasons_before" ]; }

reloads() {
	reload >>"$tmp/reload.log" 2>&1
	tap_point $? "$label: it reloads"
	sleep 1
	ok "$label: after a reload a real client gets the same answers" within 15 answers_again
	refused 127.0.0.6 127.0.0.7 "after a reload "
}

answers_again() { [ "$(exchange)" = "$answers" ]; }

ctl_status() { "$RG_BUILD/reneguardctl" status --json "$@" 2>>"$tmp/status.log"; }
# the_ledger: prints, as JSON, the state file's ledger or that of the first process that has one.
the_ledger() {
	local one
	[ -z "$state" ] || { ctl_status --state "$ledger"; return; }
	for one in $(family); do ctl_status --pid "$one" && return; done
}

# one_ledger: while connections are open, every process of the daemon that has a libssl is guarded, and all of them use one ledger.
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
	is "$label: all of them use one ledger, which reneguardctl finds from the host" \
		"$(ctl_status | python3 -c "$ledgers_of" 127.0.0.41 $processes 2>&1)" \
		"$(wc -w <<<"$processes") processes, 1 ledger, the client is in it"
	is "$label: programs without libssl inherit no descriptor of the ledger" "$leaked" ""
	exec {holder}>&-
}
ledgers_of='import json, sys
client, *pids = sys.argv[1], *map(int, sys.argv[2:])
used = [ledger for ledger in json.load(sys.stdin)["ledgers"] if set(pids) & set(ledger["pids"])]
known = all(any(c["client"] == client for c in ledger["clients"]) for ledger in used)
print(sum(len(set(pids) & set(ledger["pids"])) for ledger in used), "processes,", len(used), "ledger,",
      "the client is in it" if known else "the client is not in it")'

# account CLIENT: prints CLIENT's counters in the ledger.
# clients_listed: prints the clients in the ledger, without 127.0.0.1, which the ordinary clients use.
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

# expected_results ACTION HOW OFFERS: the results of a client's seven connections, if it offers to resume in OFFERS of them under a limit of 2.
# HOW is `accepted` if the daemon accepts such offers. expected_account: the client's counters in the ledger then.
expected_results() {
	local over=$(($3 > 2 ? $3 - 2 : 0)) full=$((7 - $3)) resumed=0 refused=0
	case $1 in close) refused=$over ;; decline) full=$((full + over)) ;; *) over=0 ;; esac
	if [ "$2" = accepted ]; then resumed=$(($3 - over)); else full=$((full + $3 - over)); fi
	echo "full=$full resumed=$resumed refused=$refused"
}
# An offer that is not accepted is one event, a resumption, though a full handshake follows.
expected_account() { echo "resumption=$3 acted=$(($3 > 2 ? $3 - 2 : 0)) handshake=$((7 - $3))"; }

# crowded: eight clients at once, each hello in two parts. What each did is on its account, and nothing on that of `unknown`.
crowded() {
	local before
	before=$(crowd_accounts 61) # QUIC's handshakes are of an unknown client
	is "$label: eight clients at once are served" "$(dialogue crowd 8 127.0.0 "${versions%% *}")" ""
	is "$label: and each has what it did on its account" "$(crowd_accounts 61)" "3 4 5 6 7 8 9 10, unknown ${before##* }"
}
# crowd_accounts N: the handshakes of 127.0.0.N and the seven after it.
crowd_accounts() {
	the_ledger | python3 -c 'import json, sys
counts = {client["client"]: client["events"]["handshake"]["count"] for client in json.load(sys.stdin)["ledgers"][0]["clients"]}
print(*(counts.get(f"127.0.0.{i}", 0) for i in range(int(sys.argv[1]), int(sys.argv[1]) + 8)), end=", unknown %d\n" % counts.get("unknown", 0))' "$1"
}

# unfinished: a client that leaves in the middle of its ClientHello has begun a handshake and not finished it.
unfinished() {
	dialogue abandon 127.0.0.51 127.0.0.52 5
	within 10 all_unfinished
	like "$label: half a ClientHello counts as an unfinished handshake ${passes[unfinished]:-of the client that sent it}" "$(unfinished_of)" "$unfinished_counts"
}
# What the ledger has of them then; see half_hellos_are_unknown.
unfinished_counts='^127\.0\.0\.51=5 127\.0\.0\.52=[1-5]$'
# Python frees a failed connection's objects when it collects garbage, which a next connection may trigger.
all_unfinished() {
	unfinished_of | grep -Eq "$unfinished_counts" && return
	visits >"$tmp/visits.log"
	return 1
}
unfinished_of() {
	the_ledger | python3 -c 'import json, sys
counts = {client["client"]: client["events"]["incomplete"]["count"] for client in json.load(sys.stdin)["ledgers"][0]["clients"]}
print(*(f"{client}={count}" for client, count in sorted(counts.items()) if count and client != "127.0.0.1"))'
}

# limited ACTION: the handshakes of two clients interleave in every order. One exceeds its limit of 2 with its third offer; the other does not.
limited() {
	local tls how seen line listed=''
	begin with RENEGUARD_RESUMPTION="$1:2/600s" || return
	for tls in $versions; do
		case " $resumes : $ignores : $foreign " in
		*" $tls "*:*:*) how=accepted ;;
		*:*" $tls "*:*) how=ignored ;;
		*:*:*" $tls "*) foreign_server && how=$foreign_port ;;
		*) continue ;;
		esac
		local first=127.0.0.1${tls#1.} second=127.0.0.2${tls#1.} point="$label: $1, TLS $tls:"
		listed="$listed $first $second"
		seen=$(dialogue interleave $first $second "$tls" "$1" $how)
		is "$point each client gets the expected results, in every order" "$seen" "$first $(expected_results "$1" $how 6)
$second $(expected_results "$1" $how 1)"
		is "$point the ledger has the right counters for each client" "$(account $first), $(account $second)" \
			"$(expected_account "$1" $how 6), $(expected_account "$1" $how 1)"
		line=$(line_with "$syslog_file" "event=resumption.*client=$first ")
		ok "$point the log line names the client over the limit" all_fields "${line#*: }" code=ERR_TLS_SESSION_ATTACK action="$1" client=$first \
			'port=[0-9]+' count=3 limit=2/600s tls=TLSv"$tls" "libssl=$libssl"
		is "$point no line names the other client" "$(count_lines "$syslog_file" "client=$second ")" 0
	done
	is "$label: $1: the ledger lists no other client" "$(clients_listed | tr ' ' '\n' | sort)" "$(tr ' ' '\n' <<<"${listed# }" | sort)"
	end
}

# quiet: what the library refuses makes no more lines in the daemon's own log, at its default level, than handshakes that the daemon refuses
# by itself (there is no such line about a renegotiation). own_lines prints what such a log has.
quiet() {
	local kind stock n=300 made lines=()
	begin without || return
	lines_of fail 127.0.0.70 $n
	stock=$made
	end
	begin with RENEGUARD_RESUMPTION=close:1/600s || return
	for kind in offer "$tools/tlsstorm"; do
		lines_of refused 127.0.0.71 $n "$kind"
		lines+=("$made")
	done
	end
	begin with RENEGUARD_HANDSHAKE=block:1/600s || return
	lines_of refused 127.0.0.72 $n handshake
	lines+=("$made")
	end
	printf '| %s | %s | %s | %s | %s |\n' "$title $version, $libssl" "$stock" "${lines[@]}" >>"$own_log_row"
	for kind in "${lines[@]}"; do
		ok "$label: a refusal makes no more lines in its own log than one of its own" test "$kind" -le $((stock + 20)) # two are served first
	done
}
# lines_of DIALOGUE-COMMAND...: has $n handshakes or renegotiations refused, and sets $made, the lines that they made. The log is complete
# when it has not grown for half a second.
lines_of() {
	local before count=-1 now
	before=$(own_lines | wc -l)
	is "$label: $1 ${4##*/}: all are refused" "$(dialogue "$@" 2>&1)" "refused $n"
	now=$(own_lines | wc -l)
	while [ "$now" != $count ]; do
		count=$now
		sleep 0.5
		now=$(own_lines | wc -l)
	done
	made=$((now - before))
}
