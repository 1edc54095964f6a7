# A daemon under test (bash). Its file, tests/daemons/NAME.sh, sources this, says what follows, and ends with `trials`, which shows every
# promise in each system and adds rows to the table of `make check-daemons`.
#   packages="…"        Debian packages that bring it (packages_bullseye="…": another list there); scripts/deps.sh reads this line
#   unpacked="…"        packages that can not be installed beside others: unpacked into $unpacked_root instead (here only)
#   clients="curl …"    what its exchange needs on this machine: PROGRAM or PROGRAM:PACKAGE
#   program=…           not in the system's PATH: that system is skipped, with the reason (or a function `there`, which says it in $lacking)
#   systems="here …"    here, or a root directory of scripts/libssl-builds.sh (bullseye, trixie), entered by chroot
#   variants="…"        each is a trial of its own, with $variant set
#   protocol=…          of tests/lib/dialogue.py (NAME-serial: it serves one connection at a time)
#   resumes="1.2 1.3"   versions in which it resumes by itself; vain="…": gives sessions and accepts none; foreign="…": gives none
#   own_log=REGEX       what its own log (own_log_text: all $tmp/*.log) says after a refused renegotiation
#   root_only=yes       it refuses to be anybody else
#   run_as=USER         it refuses to be root; state=yes: it executes its TLS processes, which share the ledger in $tmp/ledger
#   idle=REGEX          processes of it, by command line, that have a libssl loaded and never use it: they need no ledger
#   variables=(…)       further RENEGUARD_ variables; around=(…): words before the wrapper
# and functions: configure (into $tmp, listening on 127.0.0.1:$port), launch (calls `daemon COMMAND...`), exchange (a real client's, prints
# the answers); where it has them, reload (succeeds when it did), own_errors, limitations (calls `cannot COLUMN REASON`), more (what only this daemon has).
# $tmp is one path, good inside and outside the chroot; cert.pem, key.pem and server.pem are there. $half is `with` or `without`.
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
columns="serves renegotiation ledger unfinished reload warned declined closed"
systems=here variants=- versions="1.2 1.3" resumes="1.2 1.3" vain='' protocol=line clients='' unpacked='' foreign='' told=0 own_log='' run_as='' root_only='' state='' idle='' variables=() around=()
packages='' program=''

defined() { declare -F "$1" >/dev/null; }
own_log_text() { find "$tmp/" -maxdepth 1 -name '*.log' ! -name syslog.log ! -name hold.log ! -name status.log -exec cat {} +; }
own_errors() { :; }
root() { [ "$(id -u)" = 0 ]; }
# install_for USER INSTALL-ARGUMENT...: root installs for the USER that the daemon becomes, anyone else for himself, who it stays.
install_for() { if root; then install -o "$@"; else install "${@:2}"; fi; }
cannot() { cell[$1]=$2; }

# --- where it runs ---
# in_system COMMAND...: there.
in_system() { if [ "$system" = here ]; then "$@"; else chroot "$root" "$@"; fi; }

there() { in_system sh -c 'command -v "$0"' "$program" >/dev/null || { lacking="$program is not installed there (make deps-all)"; return 1; }; }

lacks() { # says in $lacking what the trial has not got
	local client packages_there="packages_$system"
	for client in $clients; do
		command -v "${client%%:*}" >/dev/null || { lacking="${client%%:*} is not installed"; return; }
	done
	if [ -n "$root_only" ] && [ "$(id -u)" != 0 ]; then lacking="it has to be started by root"; return; fi
	if [ -n "$unpacked" ] && ! unpack "$name" $unpacked; then lacking="$unpacked can not be fetched and unpacked"; return; fi
	if [ "$system" != here ]; then
		[ "$preload" = "$shim" ] || { lacking="a sanitized build needs its runtime in there"; return; }
		build_of "$system" || return 0
		root=$builds/$system
	fi
	there || return 0
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
# daemon COMMAND...: under the wrapper, or bare, as the half says; waits until it listens. Its pid is in $pid.
daemon() {
	# The boot's number, which a state file has to tell, is in /proc.
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
	left=$(for one in $(family); do who "$one"; done)
	stop "${left%%$'\n'*}"
	for one in $left; do within 5 gone "$one" || kill -KILL "${one%:*}" 2>/dev/null; done
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
	local stdin=''
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
		promise unfinished unfinished
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
	for system in $systems; do
		[[ " ${RG_SYSTEMS:-$systems} " = *" $system "* ]] || continue
		for variant in $variants; do
			variant=${variant#-}
			trial
		done
	done
	finish
}
