# TAP for the test scripts (bash). A script sources this, makes its points with ok, is, like, unlike, field or skip, and
# ends with `finish`. What went wrong is told as diagnostics; `finish` shows every log in $tmp when something failed.
# $tmp is the script's own directory; at_exit COMMAND registers what undoes what the script did.
# shellcheck shell=bash disable=SC2034

tap_points=0 tap_failed=0 tap_undo=()
tmp=$(mktemp -d "${TMPDIR:-/tmp}/reneguard-test.XXXXXX")
shim=$RG_BUILD/libreneguard.so
tools=$RG_BUILD/tests/tools
# For another architecture: what runs a program of that build, and where the clients of this machine's own are (tests/lib/arch.sh).
read -r -a emulator <<<"${RG_EMULATOR:-}"
peers=${RG_PEERS:-$tools}
# What LD_PRELOAD gets: a sanitized shim wants its runtime before it, and the programs' own leaks are not the subject.
preload=$(ldd "$shim" 2>/dev/null | awk '/lib(asan|tsan|ubsan)/ { printf "%s:", $3 }')$shim
export ASAN_OPTIONS=detect_leaks=0:log_path=$tmp/sanitizer.log TSAN_OPTIONS=log_path=$tmp/sanitizer.log \
	UBSAN_OPTIONS=print_stacktrace=1:log_path=$tmp/sanitizer.log

at_exit() { tap_undo+=("$*"); }

tap_cleanup() {
	local i
	for ((i = ${#tap_undo[@]} - 1; i >= 0; i--)); do
		eval "${tap_undo[i]}"
	done
	rm -rf "$tmp"
}
trap tap_cleanup EXIT
trap 'exit 143' TERM INT

# in_memory: $memory, a directory of this script's own on a tmpfs, where RENEGUARD_STATE has to be. Others may enter it.
in_memory() {
	memory=$(mktemp -d /dev/shm/reneguard-test.XXXXXX) && chmod 711 "$memory" && at_exit "rm -rf $memory"
}

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

tap_point() { # STATUS NAME
	tap_points=$((tap_points + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap_points - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_points - $2"
		return 1
	fi
}

# ok NAME COMMAND...: COMMAND succeeds.
ok() {
	local name=$1 status=0
	shift
	"$@" || status=$?
	tap_point $status "$name" || diag "status $status of: $*"
}

# is NAME GOT WANTED
is() {
	[ "$2" = "$3" ]
	tap_point $? "$1" || { diag "got:    $2"; diag "wanted: $3"; }
}

# like NAME TEXT REGEX, unlike NAME TEXT REGEX: extended regular expressions, on any line of TEXT.
like() {
	grep -Eq -- "$3" <<<"$2"
	tap_point $? "$1" || { diag "got:    $2"; diag "wanted: /$3/"; }
}

unlike() {
	! grep -Eq -- "$3" <<<"$2"
	tap_point $? "$1" || { diag "got:    $2"; diag "unwanted: /$3/"; }
}

# field NAME LINE KEY WANTED-REGEX: the value of KEY= in a line of pairs, matched whole.
field() {
	local value
	value=$(value_of "$2" "$3")
	[[ $value =~ ^($4)$ ]]
	tap_point $? "$1" || diag "$3 is '$value', wanted '$4', in: $2"
}

value_of() { sed -n "s/^\(.* \)\{0,1\}$2=\([^ ]*\).*/\2/p" <<<"$1" | head -n 1; }

# all_fields LINE KEY=REGEX...: every field matches; says which does not.
all_fields() {
	local line=$1 pair value status=0
	shift
	for pair in "$@"; do
		value=$(value_of "$line" "${pair%%=*}")
		[[ $value =~ ^(${pair#*=})$ ]] && continue
		diag "${pair%%=*} is '$value', wanted '${pair#*=}', in: $line"
		status=1
	done
	return $status
}

skip() { # NAME REASON
	tap_points=$((tap_points + 1))
	echo "ok $tap_points - $1 # SKIP $2"
}

# needs PROGRAM...: or the whole script is skipped with the reason.
needs() {
	local program
	for program in "$@"; do
		if ! command -v "$program" >/dev/null; then
			echo "1..0 # SKIP $program is not installed"
			exit 0
		fi
	done
}

# Of the reports on standard input those with a frame of ours: a program may well have races of its own (V8's job queue has).
sanitizer_reports() { awk 'BEGIN { RS = "==================+\n" } /libreneguard|shim\/|AddressSanitizer|runtime error/'; }

show_logs() { # DIRECTORY
	local log
	for log in "$1"/*.log; do
		[ -s "$log" ] && diag "--- ${log##*/}" && diag "$(tail -n 60 "$log")"
	done
}

finish() {
	[ "$preload" = "$shim" ] ||
		is "no sanitizer report that names us" "$(cat "$tmp"/sanitizer.log.* 2>/dev/null | sanitizer_reports | head -n 60)" ""
	echo "1..$tap_points"
	[ $tap_failed = 0 ] || show_logs "$tmp"
	[ $tap_failed = 0 ]
	exit
}

# within SECONDS COMMAND...: tries every 50 ms until COMMAND succeeds.
within() {
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}
