#!/bin/sh
# tests/bench/bench.sh BUILD [all|sockets|ledger|renegotiation]: measures what the shim costs, each figure beside the same run without the shim.
# `sockets` measures only the read hooks; `ledger` only the ledger; `renegotiation` measures what a refused renegotiation saves.
# Instructions (callgrind) and allocated bytes have limits: the exit status is 1 if one is exceeded or cannot be measured. Timings are printed
# and do not change the status. A measurement whose tool is missing is skipped, with a message. The results stay in BUILD/bench;
# `callgrind_annotate BUILD/bench/NAME.with.callgrind` shows where the instructions were spent.
set -u

build=$(cd "${1:?usage: $0 BUILD}" && pwd) || exit 2
here=$(cd "$(dirname "$0")" && pwd) || exit 2
shim=$build/libreneguard.so
what=${2:-all}
work=$build/bench
empty=$work/empty.so

# The promised limits.
READ_MAX_INSTRUCTIONS=12
SOCKET_READ_MAX_INSTRUCTIONS=35
HANDSHAKE_MAX_PERCENT=0.5
CONNECTION_MAX_BYTES=512
REQUESTS_MIN_RATIO=0.99

# How often each thing is measured. Resumptions stay below 120 a minute, where the default policy would warn.
READS=8000
SOCKET_READS=20000
FULL_HANDSHAKES=64
RESUMED_HANDSHAKES=100
TRACED_HANDSHAKES=20
CONNECTIONS=1000
STARTS=200
PAIRS=7
LOAD_S=4
LOAD_CONNECTIONS=16
CURL_REQUESTS=2000
RUN_MAX_S=120

# The default policy, but without writing to this machine's log.
for variable in $(env | sed -n 's/^\(RENEGUARD[A-Z0-9_]*\)=.*/\1/p') LD_PRELOAD; do
	unset "$variable"
done
export RENEGUARD_LOG=off LC_ALL=C

failed=0
unmeasured=
tls= # the TLS versions that nginx enables, if not TLS 1.2
running= # pids of background processes that this script has not waited for yet

stop_running() {
	for pid in $running; do
		kill -TERM "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	running=
}
trap stop_running EXIT
trap 'exit 130' INT TERM HUP

# --- the table ---------------------------------------------------------------------------------

# row FIGURE WITHOUT WITH DIFFERENCE LIMIT VERDICT
row() {
	printf '%-46s %12s %12s %17s %8s  %s\n' "$@"
}

section() {
	printf '\n%s\n' "$1"
}

skipped() { # FIGURE TOOL
	printf '%-46s skipped: %s is not installed\n' "$1" "$2"
	unmeasured="; some figures were skipped because tools are not installed"
}

not_measured() { # FIGURE LOG
	printf '%-46s NOT MEASURED\n' "$1"
	grep -v '^==' "$2" | tail -n 5 | sed 's/^/    | /'
	failed=1
}

calc() { # FORMAT EXPRESSION
	awk "BEGIN { printf \"$1\", ($2) }"
}

# limited FIGURE WITHOUT WITH DIFFERENCE LIMIT [UNIT [BEFORE_DIFFERENCE]]: a row with a limit; exceeding it makes the run fail.
limited() {
	verdict=ok
	if [ "$(calc %d "$4 > $5")" = 1 ]; then
		verdict=EXCEEDED
		failed=1
	fi
	row "$1" "$2" "$3" "${7:-}$4${6:-}" "$5${6:-}" "$verdict"
}

# shown FIGURE WITHOUT WITH: a row without a limit.
shown() {
	row "$1" "$2" "$3" "$(calc %+.6g "$3 - $2")" - -
}

median() {
	sort -n | awk '{ value[NR] = $1 } END { print NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2 }'
}

have() {
	command -v "$1" >/dev/null 2>&1
}

now_ns() {
	date +%s%N
}

# --- running -----------------------------------------------------------------------------------

# A command that runs longer has failed. --foreground keeps it in this process group, so that Ctrl-C reaches it.
BOUNDED="timeout --foreground $RUN_MAX_S"

# all_ended_well: waits for all processes in $running; fails if one of them failed.
all_ended_well() {
	well=0
	for pid in $running; do
		wait "$pid" || well=1
	done
	running=
	return $well
}

# --- counting ----------------------------------------------------------------------------------

# start_callgrind NAME PRELOAD OPTIONS COMMAND...: starts COMMAND under callgrind, in the background.
start_callgrind() {
	name=$work/$1 preload=$2 options=$3
	shift 3
	# shellcheck disable=SC2086 # BOUNDED and options are words
	LD_PRELOAD=$preload $BOUNDED valgrind --tool=callgrind --callgrind-out-file="$name.callgrind" \
		$options "$@" >"$name.log" 2>&1 &
	running="$running $!"
}

# instructions NAME: prints the number of instructions that the run NAME counted.
instructions() {
	sed -n 's/^summary: //p' "$work/$1.callgrind"
}

# callgrind_pair NAME BASE_PRELOAD OPTIONS COMMAND...: sets $without and $with; fails if a run failed. Both run at the same time, which does
# not change the number of instructions.
callgrind_pair() {
	pair=$1
	shift
	start_callgrind "$pair.without" "$@"
	shift
	start_callgrind "$pair.with" "$shim" "$@"
	all_ended_well || return 1
	without=$(instructions "$pair.without") with=$(instructions "$pair.with")
	[ -n "$without" ] && [ -n "$with" ]
}

# In the programs of this directory callgrind counts only the server's side, after the warm-up (see bench.h).
SERVER_SIDE='--toggle-collect=counted_* --zero-before=bench_measured'

# syscalls NAME PRELOAD COMMAND...: prints how many system calls COMMAND and its children make.
syscalls() {
	name=$work/$1 preload=$2
	shift 2
	$BOUNDED strace -f -qq -e signal=none -E LD_PRELOAD="$preload" -o "$name.strace" "$@" >"$name.log" 2>&1 || return 1
	grep -vc -e 'resumed>' -e '+++' "$name.strace"
}

# --- reads -------------------------------------------------------------------------------------

bench_read() { # VERSION KIND FIGURE LIMIT
	callgrind_pair "read-$1-$2" '' "$SERVER_SIDE" "$work/reads" "$1" "$2" $READS "$cert" "$key" ||
		{ not_measured "$3" "$work/read-$1-$2.with.log"; return; }
	without=$(calc %.1f "$without / $READS") with=$(calc %.1f "$with / $READS")
	if [ "$4" = - ]; then
		shown "$3" "$without" "$with"
	else
		limited "$3" "$without" "$with" "$(calc %.1f "$with - $without")" "$4"
	fi
}

bench_reads() {
	section "Instructions per SSL_read of 1 byte, on the server"
	have valgrind || { skipped "SSL_read" valgrind; return; }
	for version in 1.2 1.3; do
		bench_read $version one-record "TLS $version, from a 16K record" $READ_MAX_INSTRUCTIONS
		bench_read $version one-byte-records "TLS $version, one-byte records" -
	done
}

bench_sockets() {
	section "Instructions per read(2) and recv(2) of what is not TLS"
	if have valgrind; then
		for kind in same other recv tls; do
			case $kind in
			same) figure="read, the same descriptor" limit=$SOCKET_READ_MAX_INSTRUCTIONS ;;
			other) figure="read, another descriptor each time" limit=- ;;
			recv) figure="recv, the same descriptor" limit=$SOCKET_READ_MAX_INSTRUCTIONS ;;
			tls) figure="read of a ClientHello, which is kept" limit=- ;;
			esac
			callgrind_pair "sockets-$kind" '' "$SERVER_SIDE" "$work/sockets" $kind $SOCKET_READS ||
				{ not_measured "$figure" "$work/sockets-$kind.with.log"; continue; }
			without=$(calc %.1f "$without / $SOCKET_READS") with=$(calc %.1f "$with / $SOCKET_READS")
			if [ $limit = - ]; then
				shown "$figure" "$without" "$with"
			else
				limited "$figure" "$without" "$with" "$(calc %.1f "$with - $without")" $limit
			fi
		done
	else
		skipped "read" valgrind
	fi
	for descriptors in 100 1000 10000; do
		row "ns to find a hello among $descriptors (a timing)" - "$("$work/find" $descriptors 100000)" - - -
	done
}

# --- handshakes --------------------------------------------------------------------------------

bench_handshake() { # VERSION KIND COUNT FIGURE
	callgrind_pair "handshake-$1-$2" '' "$SERVER_SIDE" "$work/handshakes" "$1" "$2" "$3" "$cert" "$key" ||
		{ not_measured "$4" "$work/handshake-$1-$2.with.log"; return; }
	added=$(calc %+d "int(($with - $without) / $3)")
	limited "$4" "$(calc %.0f "$without / $3")" "$(calc %.0f "$with / $3")" \
		"$(calc %.3f "100 * ($with - $without) / $without")" $HANDSHAKE_MAX_PERCENT % "$added = "
}

bench_handshakes() {
	section "Instructions per handshake over TCP, on the server, from SSL_new to SSL_free"
	have valgrind || { skipped "handshakes" valgrind; return; }
	bench_handshake 1.2 full $FULL_HANDSHAKES "TLS 1.2 full, ECDHE-RSA-2048"
	bench_handshake 1.2 ticket $RESUMED_HANDSHAKES "TLS 1.2 resumed by ticket"
	bench_handshake 1.2 id $RESUMED_HANDSHAKES "TLS 1.2 resumed by session id"
	bench_handshake 1.3 full $FULL_HANDSHAKES "TLS 1.3 full, RSA-2048"
	bench_handshake 1.3 ticket $RESUMED_HANDSHAKES "TLS 1.3 resumed, PSK is a ticket"
	bench_handshake 1.3 id $RESUMED_HANDSHAKES "TLS 1.3 resumed, PSK is a cache key"
}

# syscalls_each: system calls per connection. It compares N with 2 N connections, so that starting the program does not count.
syscalls_each() { # PRELOAD VERSION KIND
	few=$(syscalls handshakes "$1" "$work/handshakes" "$2" "$3" $TRACED_HANDSHAKES "$cert" "$key") &&
		many=$(syscalls handshakes "$1" "$work/handshakes" "$2" "$3" $((2 * TRACED_HANDSHAKES)) "$cert" "$key") &&
		calc %.1f "($many - $few) / $TRACED_HANDSHAKES"
}

bench_handshake_syscalls() {
	section "System calls per connection, both ends"
	have strace || { skipped "system calls" strace; return; }
	for kind in full ticket; do
		for version in 1.2 1.3; do
			if without=$(syscalls_each '' $version $kind) && with=$(syscalls_each "$shim" $version $kind); then
				shown "TLS $version $kind" "$without" "$with"
			else
				not_measured "TLS $version $kind" "$work/handshakes.log"
			fi
		done
	done
}

# --- start -------------------------------------------------------------------------------------

start_us() { # PRELOAD
	begin=$(now_ns)
	i=0
	while [ $i -lt $STARTS ]; do
		LD_PRELOAD=$1 /bin/true
		i=$((i + 1))
	done
	calc '%.1f\n' "($(now_ns) - $begin) / 1000 / $STARTS"
}

bench_start() {
	section "Starting /bin/true, under an empty preload and under the shim"
	if ! have valgrind; then
		skipped "instructions" valgrind
	elif callgrind_pair start "$empty" '' /bin/true; then
		shown "instructions" "$without" "$with"
	else
		not_measured "instructions" "$work/start.with.log"
	fi
	if ! have strace; then
		skipped "system calls" strace
	elif without=$(syscalls start.without "$empty" /bin/true) && with=$(syscalls start.with "$shim" /bin/true); then
		shown "system calls" "$without" "$with"
	else
		not_measured "system calls" "$work/start.with.log"
	fi
	for pair in $(seq $PAIRS); do
		start_us "$empty" >>"$work/start.without.us"
		start_us "$shim" >>"$work/start.with.us"
	done
	shown "microseconds (median of $PAIRS, a timing)" "$(median <"$work/start.without.us")" "$(median <"$work/start.with.us")"
}

# --- memory ------------------------------------------------------------------------------------

memory_value() { # RUN NAME
	sed -n "s/^$2 //p" "$work/memory.$1"
}

bench_memory() {
	section "Memory of a server, in bytes ($CONNECTIONS connections open at once)"
	for run in without with; do
		preload=
		[ "$run" = without ] || preload=$shim
		LD_PRELOAD=$preload $BOUNDED "$work/connections" $CONNECTIONS "$cert" "$key" \
			>"$work/memory.$run" 2>"$work/memory.log" || { not_measured "memory" "$work/memory.log"; return; }
	done
	without=$(memory_value without malloc_bytes_each) with=$(memory_value with malloc_bytes_each)
	limited "per connection, from malloc" "$without" "$with" "$((with - without))" $CONNECTION_MAX_BYTES
	without=$(memory_value without dirty_bytes_each) with=$(memory_value with dirty_bytes_each)
	limited "per connection, dirty pages of any kind" "$without" "$with" "$((with - without))" $CONNECTION_MAX_BYTES
	shown "after the start, resident" "$(memory_value without start_rss_bytes)" "$(memory_value with start_rss_bytes)"
	shown "after the start, dirty" "$(memory_value without start_dirty_bytes)" "$(memory_value with start_dirty_bytes)"
	shown "after the first connections, resident" "$(memory_value without warm_rss_bytes)" "$(memory_value with warm_rss_bytes)"
	shown "after the first connections, dirty" "$(memory_value without warm_dirty_bytes)" "$(memory_value with warm_dirty_bytes)"
}

# --- nginx -------------------------------------------------------------------------------------

listening() { # PORT
	grep -q ":$(printf %04X "$1") 00000000:0000 0A " /proc/net/tcp
}

server_conf() { # PORT
	# shellcheck disable=SC2086 # $tls is a list of versions
	nginx_workers=1 nginx_log=error nginx_conf "$work/nginx" <<-CONF
		$(nginx_tls "$work" ${tls:-TLSv1.2})
		keepalive_requests 100000000;
		server { listen 127.0.0.1:$1 ssl; return 200 "hello\n"; }
	CONF
}

# start_nginx PRELOAD: sets $nginx_pid and $port; fails if nginx does not listen within 5 s on any of a few ports.
start_nginx() {
	mkdir -p "$work/nginx"
	for attempt in 1 2 3 4 5; do
		port=$((20000 + ($$ + attempt * 7919 + $(now_ns) / 1000) % 12000))
		! listening $port || continue
		server_conf $port >"$work/nginx/nginx.conf"
		LD_PRELOAD=$1 nginx -p "$work/nginx" -e "$work/nginx/nginx-error.log" -c "$work/nginx/nginx.conf" >"$work/nginx/log" 2>&1 &
		nginx_pid=$!
		running=$nginx_pid
		for _ in $(seq 100); do
			kill -0 $nginx_pid 2>/dev/null || break
			! listening $port || return 0
			sleep 0.05
		done
		stop_running
	done
	return 1
}

# load keep-alive|close: prints the number of requests answered and the seconds taken.
load() {
	url=https://127.0.0.1:$port/
	set -- "$1" -H "Connection: $1"
	shift
	if have wrk; then
		$BOUNDED wrk -t 1 -c $LOAD_CONNECTIONS -d ${LOAD_S}s "$@" "$url" >"$work/load.log" 2>&1 || return 1
		! grep -q -e 'Non-2xx' -e 'Socket errors' "$work/load.log" || return 1
		sed -n 's/^ *\([0-9]*\) requests in \([0-9.]*\)s,.*/\1 \2/p' "$work/load.log"
	else
		begin=$(now_ns)
		$BOUNDED curl -skf --no-sessionid -o /dev/null "$@" "${url}[1-$CURL_REQUESTS]" >"$work/load.log" 2>&1 || return 1
		echo $CURL_REQUESTS "$(calc %.3f "($(now_ns) - $begin) / 1e9")"
	fi
}

# worker_cpu_ns: prints the CPU time of nginx's worker so far, in ns; 0 if the kernel does not report it.
worker_cpu_ns() {
	children=$(cat "/proc/$nginx_pid/task/$nginx_pid/children" 2>/dev/null)
	cut -d ' ' -f 1 "/proc/${children%% *}/schedstat" 2>/dev/null || echo 0
}

# one_load KIND RUN PRELOAD: puts load on a fresh nginx; appends requests per second to KIND.RUN.rps and CPU us per request to KIND.RUN.cpu.
one_load() {
	start_nginx "$3" || { cp "$work/nginx/log" "$work/load.log"; return 1; }
	cpu=$(worker_cpu_ns)
	answered=$(load "$1")
	cpu=$(($(worker_cpu_ns) - cpu))
	stop_running
	[ -n "$answered" ] || return 1
	calc '%.1f\n' "${answered% *} / ${answered#* }" >>"$work/$1.$2.rps"
	calc '%.2f\n' "$cpu / 1000 / ${answered% *}" >>"$work/$1.$2.cpu"
}

# paired KIND rps|cpu: sets $without and $with to the medians of the runs, and $ratio to the median of the ratios of all pairs.
paired() {
	without=$(median <"$work/$1.without.$2")
	with=$(median <"$work/$1.with.$2")
	ratio=$(paste "$work/$1.without.$2" "$work/$1.with.$2" | awk '$1 > 0 { print $2 / $1 }' | median)
}

bench_load() { # KIND FIGURE
	for pair in $(seq $PAIRS); do
		order="without with"
		[ $((pair % 2)) = 1 ] || order="with without"
		for run in $order; do
			preload=
			[ "$run" = without ] || preload=$shim
			one_load "$1" "$run" "$preload" || { not_measured "$2" "$work/load.log"; return; }
		done
	done
	paired "$1" rps
	verdict="met"
	[ "$(calc %d "$ratio >= $REQUESTS_MIN_RATIO")" = 1 ] || verdict="not met"
	row "$2: requests per second" "$without" "$with" "x $(calc %.3f "$ratio")" ">= $REQUESTS_MIN_RATIO" "$verdict (a timing, does not change the status)"
	paired "$1" cpu
	[ -z "$ratio" ] || row "$2: worker's CPU us per request" "$without" "$with" "x $(calc %.3f "$ratio")" - -
}

bench_nginx() {
	section "HTTPS requests of nginx under load, $PAIRS pairs of ${LOAD_S} s, medians"
	have nginx || { skipped "nginx" nginx; return; }
	have wrk || have curl || { skipped "nginx" "wrk or curl"; return; }
	bench_load keep-alive "keep-alive"
	bench_load close "one connection per request"
}

# shellcheck source=tests/lib/nginx.sh
. "$here/../lib/nginx.sh"
# shellcheck source=tests/bench/bench-ledger.sh
. "$here/bench-ledger.sh"
# shellcheck source=tests/bench/bench-renegotiation.sh
. "$here/bench-renegotiation.sh"

# --- main ---------------------------------------------------------------------------------

prepare() {
	rm -rf "$work"
	mkdir -p "$work"
	for program in reads sockets handshakes connections; do
		# callgrind follows calls and returns, so these programs are compiled without tail calls.
		${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -g -fno-optimize-sibling-calls -Wall -Wextra -o "$work/$program" \
			"$here/$program.c" "$here/bench.c" -lssl -lcrypto || return 1
	done
	${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -I"$here/../../include" -I"$here/../../shim" -o "$work/find" "$here/find.c" \
		"$build/shim/os/hellos.o" "$build/shim/os/socket.o" "$build"/shim/core/*.o || return 1
	${CC:-cc} -shared -o "$empty" -x c /dev/null || return 1
	prepare_ledger || return 1
	cert=$work/cert.pem key=$work/key.pem
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$key" -out "$cert" 2>"$work/openssl.log"
}

[ -e "$shim" ] || { echo "$0: no $shim: run make first" >&2; exit 2; }
refusal=$(LD_PRELOAD=$shim /bin/true 2>&1)
[ -z "$refusal" ] || { echo "$0: $refusal" >&2; exit 2; } # otherwise the loader would run the programs without the shim
prepare || { echo "$0: cannot build its programs" >&2; exit 2; }
echo "$(openssl version), $(uname -m), $(getconf _NPROCESSORS_ONLN) CPUs; default policy"
row figure without with difference limit verdict
if [ "$what" = all ]; then
	bench_reads
	bench_sockets
	bench_handshakes
	bench_handshake_syscalls
	bench_start
	bench_memory
	bench_nginx
fi
[ "$what" != sockets ] || bench_sockets
case $what in all | ledger) bench_ledger ;; esac
case $what in all | renegotiation) bench_renegotiation ;; esac
echo
if [ $failed = 0 ]; then
	echo "bench: within every limit$unmeasured"
else
	echo "bench: a limit is exceeded, or a figure could not be measured"
fi
exit $failed
