# The frame of every daemon test (bash). tests/daemons/NAME.sh sources this file, sets the variables and functions below, and ends with
# `trials`. That tests every promise in each system and writes the daemon's rows of the table that `make check-daemons` prints.
# Variables:
#   packages="…"        Debian packages of the daemon (packages_bullseye="…": the list for that system); scripts/deps.sh reads this line
#   unpacked="…"        packages that conflict with others: unpacked into $unpacked_root instead of installed (only in system `here`)
#   clients="curl …"    what its exchange needs on this machine: PROGRAM or PROGRAM:PACKAGE
#   program=…           where it is not in the system's PATH, that system is skipped (or define `is_available`, which sets $lacking)
#   systems="here …"    `here`, or a Debian root of scripts/libssl-builds.sh (bullseye, trixie), entered by chroot
#   variants="…"        each variant is a trial of its own, with $variant set
#   protocol=…          a protocol of tests/lib/dialogue.py (NAME-serial: the daemon serves one connection at a time)
#   resumes="1.2 1.3"   TLS versions in which it accepts offers to resume
#   ignores="…"         TLS versions in which it issues sessions, but accepts no offer; foreign="…": in which it issues none
#   own_log=REGEX       what the daemon's own log says after a refused renegotiation (own_log_text prints that log: all $tmp/*.log)
#   root_only=yes       it only runs as root
#   run_as=USER         it does not run as root
#   state=yes           it executes its TLS processes; they share the state file $ledger
#   idle=REGEX          command lines of its processes that load libssl and never use it: they need no ledger
#   variables=(…)       further RENEGUARD_ variables
#   around=(…)          words before the wrapper
# Functions that every file defines:
#   configure           writes the configuration into $tmp; the daemon is to listen on 127.0.0.1:$port
#   launch              calls `daemon COMMAND...`
#   exchange            runs a real client and prints the answers
# Functions that a file may define:
#   reload              makes the daemon reload, and fails if it did not
#   own_errors          prints the errors in the daemon's own log
#   own_lines           prints what of its own log is about connections, and is there at the level that is its default
#   limitations         calls `cannot COLUMN REASON` or `half_hellos_are_unknown`
#   more                makes the points that only this daemon needs
# $tmp is the same path inside and outside the chroot; it holds cert.pem, key.pem and server.pem. $half is `with` or `without` (the shim).
# shellcheck shell=bash disable=SC2034,SC2154
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/builds.sh
. tests/lib/unpack.sh
. tests/lib/clients.sh
. tests/lib/promises.sh

: "${RG_BUILD:?is set by tests/run}"
unset "${!RENEGUARD_@}"
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
name=$(basename "$0" .sh) base=$tmp
columns="serves renegotiation ledger crowd unfinished reload warned declined closed"
systems=here variants=- versions="1.2 1.3" resumes="1.2 1.3" ignores='' protocol=line clients='' unpacked='' foreign='' failures_shown=0 own_log='' run_as='' root_only='' state='' idle='' variables=() around=()
packages='' program=''

defined() { declare -F "$1" >/dev/null; }
own_log_text() { find "$tmp/" -maxdepth 1 -name '*.log' ! -name syslog.log ! -name hold.log ! -name status.log -exec cat {} +; }
own_errors() { :; }
root() { [ "$(id -u)" = 0 ]; }
# install_for USER INSTALL-ARGUMENT...: makes files for the USER that the daemon becomes. Without root, the daemon stays the user who tests.
install_for() { if root; then install -o "$@"; else install "${@:2}"; fi; }
cannot() { cell[$1]=$2; }
# The daemon feeds libssl from memory and reads many sockets. libssl says nothing of half a ClientHello, so it may be anybody's.
half_hellos_are_unknown() { unfinished_counts='^unknown=([6-9]|10)$' passes[unfinished]="of an unknown client"; }

# --- where it runs ---
# in_system COMMAND...: runs COMMAND in the system under test.
in_system() { if [ "$system" = here ]; then "$@"; else chroot "$root" "$@"; fi; }

is_available() {
	in_system sh -c 'command -v "$0"' "$program" >/dev/null || { lacking="$program is not installed there (make deps-all)"; return 1; }
}

lacks() { # true if the trial cannot run; $lacking says why. Otherwise sets $root and $version.
	local client packages_there="packages_$system"
	for client in $clients; do
		command -v "${client%%:*}" >/dev/null || { lacking="${client%%:*} is not installed"; return; }
	done
	if [ -n "$root_only" ] && [ "$(id -u)" != 0 ]; then lacking="it must be started by root"; return; fi
	if [ -n "$unpacked" ] && ! unpack "$name" $unpacked; then lacking="$unpacked cannot be fetched and unpacked"; return; fi
	if [ "$system" != here ]; then
		[ "$preload" = "$shim" ] || { lacking="a sanitized build needs its runtime inside the chroot"; return; }
		build_of "$system" || return 0
		root=$builds/$system
	fi
	is_available || return 0
	[ -z "$unpacked" ] || version=$(sed -n '1{s/^[0-9]*://;s/-[^-]*$//;p}' "$unpacked_root/versions" 2>/dev/null)
	[ -n "$version" ] ||
		version=$(in_system dpkg-query -W -f '${source:Upstream-Version}' "$(set -- ${!packages_there:-$packages} && echo "$1")" 2>/dev/null)
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
# daemon COMMAND...: starts COMMAND with or without the shim, as $half says, waits until it listens and sets $pid.
daemon() {
	# A state file records the boot id, which is read from /proc: so /proc is mounted in the chroot.
	local words=("${around[@]}") enter=(unshare -m sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root")
	[ -z "$run_as" ] || ! root || words+=(setpriv --reuid="$run_as" --regid="$(in_system id -g "$run_as")" --init-groups)
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

# $ledger, a file on a tmpfs that is one path, good inside and outside the chroot. Whoever the daemon becomes may make it.
ledger_in_memory() {
	if [ "$system" = here ]; then
		[ -n "${memory:-}" ] || { in_memory && chmod 1777 "$memory"; }
		ledger=$memory/ledger
		return
	fi
	ledger=$tmp/memory/ledger
	mountpoint -q "$tmp/memory" && return
	mkdir -p "$tmp/memory" && mount -t tmpfs -o mode=1777 tmpfs "$tmp/memory" && at_exit "umount $tmp/memory"
}

# begin with|without [VARIABLE=VALUE]...: configures the daemon and starts it, on a new port and with empty logs.
begin() {
	local log
	half=$1
	shift
	policy=("${sink[@]}" "${variables[@]}" "$@") port=$(pick_port)
	[ -z "$state" ] || { ledger_in_memory && rm -f "$ledger" && policy+=(RENEGUARD_STATE="$ledger"); }
	for log in "$tmp"/*.log; do [ ! -e "$log" ] || : >"$log"; done
	configure && launch && return
	tap_point 1 "$label: starts $half the shim $*"
	end
	return 1
}

# family [PID]: prints the daemon's processes: PID ($pid) and all its descendants.
family() {
	local child
	echo "${1:-$pid}"
	for child in $(pgrep -P "${1:-$pid}"); do family "$child"; done
}

end() { # shows the logs if a point has failed since `begin`, and stops the daemon with all its processes
	local one left
	[ "$tap_failed" = "$failures_shown" ] || show_logs "$tmp"
	failures_shown=$tap_failed
	left=$(for one in $(family); do who "$one"; done)
	stop "${left%%$'\n'*}"
	for one in $left; do within 5 gone "$one" || kill -KILL "${one%:*}" 2>/dev/null; done
}

# --- the trials ---
# promise COLUMN COMMAND...: the points that COMMAND makes decide the cell in COLUMN, unless it already holds a limitation.
promise() {
	local column=$1 before=$tap_failed
	shift
	[ -z "${cell[$column]:-}" ] || return
	"$@" || true
	[ "$tap_failed" = "$before" ] && cell[$column]=${passes[$column]:-pass} || cell[$column]=FAIL
}

trial() {
	local column title="$name${variant:+ $variant}"
	local -A cell=() passes=()
	local stdin='' unfinished_counts=$unfinished_counts
	label="$title ($system)" root='' version='' libssl='' answers='' errors=''
	! lacks || { skip "$label" "$lacking"; return; }
	enter_system
	! defined limitations || limitations
	defined reload || cell[reload]=-
	[[ $protocol != *-serial ]] || cell[crowd]="one at a time"
	[ -n "$resumes$ignores$foreign" ] || cell[warned]="never resumes" cell[declined]="never resumes" cell[closed]="never resumes"
	if stock && begin with; then
		promise serves serves
		promise renegotiation refused 127.0.0.4 127.0.0.5 ''
		promise ledger one_ledger
		promise crowd crowded
		promise unfinished unfinished
		promise reload reloads
		! defined more || promise more more
		end
		promise warned limited warn
		promise declined limited decline
		promise closed limited close
		! defined own_lines || promise quiet quiet
	fi
	leave_system
	printf '| %s | %s |' "$title $version" "$(. "$root/etc/os-release" && echo "${PRETTY_NAME%% *}" "$VERSION_ID"), $libssl" >>"$row"
	for column in $columns; do printf ' %s |' "${cell[$column]:-FAIL}" >>"$row"; done
	echo >>"$row"
}

trials() {
	mkdir -p "$RG_BUILD/daemons/own-logs"
	row=$RG_BUILD/daemons/$name.md own_log_row=$RG_BUILD/daemons/own-logs/$name.md
	: >"$row"
	rm -f "$own_log_row"
	for system in $systems; do
		[[ " ${RG_SYSTEMS:-$systems} " = *" $system "* ]] || continue
		for variant in $variants; do
			variant=${variant#-}
			trial
		done
	done
	finish
}
