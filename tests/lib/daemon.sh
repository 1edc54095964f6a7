# A daemon under test (bash). Its file, tests/daemons/NAME.sh, sources this, says what follows, and ends with `trials`, which shows every
# promise in each system and adds rows to the table of `make check-daemons`.
#   packages="…"        Debian packages that bring it (packages_bullseye="…": another list there); scripts/deps.sh reads this line
#   unpacked="…"        packages that can not be installed beside others: unpacked into $unpacked_root instead (here only)
#   clients="curl …"    what its exchange needs on this machine: PROGRAM or PROGRAM:PACKAGE
#   program=…           not in the system's PATH: that system is skipped, with the reason
#   systems="here …"    here, or a root directory of scripts/libssl-builds.sh (bullseye, trixie), entered by chroot
#   variants="…"        each is a trial of its own, with $variant set
#   protocol=…          of tests/lib/dialogue.py (NAME-serial: it serves one connection at a time)
#   resumes="1.2 1.3"   versions in which it resumes by itself; vain="…": gives sessions and accepts none; foreign="…": gives none
#   own_log=REGEX       what its own log (own_log_text: $tmp/*.log) says after a refused renegotiation
#   run_as=USER         it refuses to be root; state=yes: it executes its TLS processes, which share the ledger in $tmp/ledger
#   idle=REGEX          processes of it, by command line, that have a libssl loaded and never use it: they need no ledger
#   variables=(…)       further RENEGUARD_ variables; around=(…): words before the wrapper
# and functions: configure (into $tmp, listening on 127.0.0.1:$port), launch (calls `daemon COMMAND...`), exchange (a real client's, prints
# the answers); where it has them, reload, own_errors, limitations (calls `cannot COLUMN REASON`), more (what only this daemon has).
# $tmp is one path, good inside and outside the chroot; cert.pem, key.pem and server.pem are there. $half is `with` or `without`.
# shellcheck shell=bash disable=SC2034,SC2154
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/builds.sh
. tests/lib/unpack.sh
. tests/lib/clients.sh

: "${RG_BUILD:?is set by tests/run}"
unset "${!RENEGUARD_@}"
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
name=$(basename "$0" .sh) base=$tmp
columns="serves renegotiation ledger reload warned declined closed"
systems=here variants=- versions="1.2 1.3" resumes="1.2 1.3" vain='' protocol=line clients='' unpacked='' foreign='' told=0 own_log='' run_as='' state='' idle='' variables=() around=()
packages='' program=''

defined() { declare -F "$1" >/dev/null; }
own_log_text() { cat "$tmp"/*.log; }
own_errors() { :; }
cannot() { cell[$1]=$2; }

# --- where it runs ---
# in_system COMMAND...: there.
in_system() { if [ "$system" = here ]; then "$@"; else chroot "$root" "$@"; fi; }

lacks() { # says in $lacking what the trial has not got
	local client packages_there="packages_$system"
	for client in $clients; do
		command -v "${client%%:*}" >/dev/null || { lacking="${client%%:*} is not installed"; return; }
	done
	if [ -n "$unpacked" ] && ! unpack "$name" $unpacked; then lacking="$unpacked can not be fetched and unpacked"; return; fi
	if [ "$system" != here ]; then
		[ "$preload" = "$shim" ] || { lacking="a sanitized build needs its runtime in there"; return; }
		build_of "$system" || return 0
		root=$builds/$system
	fi
	in_system sh -c 'command -v "$0"' "$program" >/dev/null || { lacking="$program is not installed there (make deps-all)"; return; }
	version=$(in_system dpkg-query -W -f '${source:Upstream-Version}' "$(set -- ${!packages_there:-$packages} $unpacked && echo "$1")" 2>/dev/null)
	return 1
}

enter_system() {
	tmp=$base/$system$variant
	if [ "$system" = here ]; then
		mkdir -p "$tmp"
	else
		mkdir -p "$root$tmp"
		at_exit "rm -rf '$root$base'"
		chmod 755 "$root$base"
		ln -s "$root$tmp" "$tmp"
		install -m 755 "$shim" "$tmp"
	fi
	chmod 755 "$base" "$tmp/"
	certificates
	chmod 644 "$tmp/key.pem"
	if command -v rsyslogd >/dev/null; then
		start_rsyslogd
		sink=(RENEGUARD_LOG=syslog RENEGUARD_SYSLOG_SOCKET="$syslog_socket")
	else
		syslog_pid='' syslog_file=$tmp/$name.log sink=(RENEGUARD_LOG=stderr)
	fi
}

leave_system() {
	[ -z "$syslog_pid" ] || stop "$syslog_pid"
	tmp=$base
}

# --- one run of it ---
# daemon COMMAND...: under the wrapper, or bare, as the half says; waits until it listens. Its pid is in $pid.
daemon() {
	# The boot's number, which a state file has to tell, is in /proc.
	local words=("${around[@]}") enter=(unshare -m sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root")
	[ -z "$run_as" ] || words+=(setpriv --reuid="$run_as" --regid="$(in_system id -g "$run_as")" --init-groups)
	words+=(env)
	case $half-$system in
	without-here) ;;
	without-*) words=("${enter[@]}" "${words[@]}") ;;
	with-here)
		words+=("${policy[@]}")
		if [ "$shim" -ef build/libreneguard.so ] && [ "$preload" = "$shim" ]; then words+=(scripts/reneguard --); else words+=(LD_PRELOAD="$preload"); fi
		;;
	with-*) words=("${enter[@]}" "${words[@]}" "${policy[@]}" LD_PRELOAD="$tmp/libreneguard.so") ;;
	esac
	start "$name" "${words[@]}" "$@"
	within 30 listening "$port"
}

# begin with|without [VARIABLE=VALUE]...: configured anew, on another port, with empty logs.
begin() {
	local log
	half=$1
	shift
	policy=("${sink[@]}" "${variables[@]}" "$@") port=$(pick_port)
	rm -f "$tmp/ledger"
	[ -z "$state" ] || policy+=(RENEGUARD_STATE="$tmp/ledger")
	for log in "$tmp"/*.log; do [ ! -e "$log" ] || : >"$log"; done
	configure && launch && return
	tap_point 1 "$label: starts $half the shim $*"
	end
	return 1
}

# All processes of it: $pid and what came from it.
family() { # [PID]
	local child
	echo "${1:-$pid}"
	for child in $(pgrep -P "${1:-$pid}"); do family "$child"; done
}

end() {
	local one left
	[ "$tap_failed" = "$told" ] || show_logs "$tmp"
	told=$tap_failed
	left=$(family)
	stop "$pid"
	for one in $left; do within 5 gone "$one" || kill -KILL "$one" 2>/dev/null; done
}

# --- what is asked of it ---
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
	ok "$label: a real client is answered without the shim" test -n "$answers"
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
	local seen line
	seen=$(dialogue attack "$1" "$2" "$tools/tlsstorm" 20)
	ok "$label: $3the first attempt is the last, and a bystander is served on" all_fields "$seen" 'sent=[12]' hellos=0 served=0 bystander=1
	line=$(line_with "$syslog_file" "event=renegotiation.*client=$1 ")
	ok "$label: $3its line names the right client" all_fields "${line#*: }" code=ERR_TLS_RENEGOTIATION_DISABLED action=close client="$1" \
		port="$(value_of "$seen" port)" count=1 tls=TLSv1.2 libssl="$libssl"
	[ -z "$syslog_pid" ] || like "$label: $3a warning of authpriv" "$line" '^authpriv\.warning reneguard\[[0-9]+\]: '
	is "$label: $3and nobody else" "$(count_lines "$syslog_file" "event=renegotiation.*client=$2 ")" 0
	[ -z "$own_log" ] || ok "$label: $3its own log tells the reason" within 5 tells_reason
}

tells_reason() { own_log_text | grep -Eq -- "$own_log"; }

reloads() {
	reload
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

# account CLIENT: what the ledger has of it; clients: all that it has but this machine's ordinary address.
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

# --- all of it ---
# promise COLUMN COMMAND...: its points decide the cell, unless a limitation stands there already.
promise() {
	local column=$1 before=$tap_failed
	shift
	[ -z "${cell[$column]:-}" ] || return
	"$@" || true
	[ "$tap_failed" = "$before" ] && cell[$column]=pass || cell[$column]=FAIL
}

trial() {
	local column title="$name${variant:+ $variant}"
	local -A cell=()
	label="$title ($system)" root='' version='' libssl='' answers='' errors=''
	! lacks || { skip "$label" "$lacking"; return; }
	enter_system
	! defined limitations || limitations
	defined reload || cell[reload]=-
	[ -n "$resumes$vain$foreign" ] || cell[warned]="never resumes" cell[declined]="never resumes" cell[closed]="never resumes"
	if stock && begin with; then
		promise serves serves
		promise renegotiation refused 127.0.0.4 127.0.0.5 ''
		promise ledger one_ledger
		promise reload reloads
		! defined more || promise more more
		end
		promise warned limited warn
		promise declined limited decline
		promise closed limited close
	fi
	leave_system
	printf '| %s | %s |' "$title $version" "$(. "$root/etc/os-release" && echo "${PRETTY_NAME%% *}" "$VERSION_ID"), $libssl" >>"$row"
	for column in $columns; do printf ' %s |' "${cell[$column]:-FAIL}" >>"$row"; done
	echo >>"$row"
}

trials() {
	mkdir -p "$RG_BUILD/daemons"
	row=$RG_BUILD/daemons/$name.md
	: >"$row"
	for system in ${RG_SYSTEMS:-$systems}; do
		for variant in $variants; do
			variant=${variant#-}
			trial
		done
	done
	finish
}
