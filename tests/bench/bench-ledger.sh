# What the ledger costs, and what it gains (sh, sourced by bench.sh): operations per second, connections compared with HAProxy and its stick
# table, a refusal compared with a handshake, and storms by one client. All figures are timings, except the instructions of a refusal. They
# have targets, but do not change the exit status.
# shellcheck shell=sh disable=SC2154,SC2034 # variables of bench.sh

OPERATIONS_MS=250
IN_CACHE_MIN=10000000
MANY_CLIENTS_MIN=2000000
TWO_CORES_MIN=1.8
REFUSAL_MAX=0.02
REFUSALS=200
VISITS_MS=800
VISIT_PAIRS=3
VISITORS=8
STORM_MS=2000
RESUMPTION_STORM_RATE=2000
CONNECTION_STORM_RATE=1000
BYSTANDER_RATE=50

# --- operations ----------------------------------------------------------------------------------

met() { # VALUE >=|<= TARGET
	if [ "$(calc %d "$1 $2 $3")" = 1 ]; then echo met; else echo "not met"; fi
}

millions() {
	calc %.2fM "$1 / 1e6"
}

operation_value() { # CLIENTS NAME
	sed -n "s/^$2 //p" "$work/operations.$1"
}

bench_operations() {
	section "Ledger operations per second: make a key, record an event under a limit (bare: one atomic addition); targets do not change the status"
	row "clients, in a ledger of 65536" "one core" "two threads" "two processes" "x one core" "targets"
	for clients in 1 1000 65536 10000000 zipf; do
		$BOUNDED "$work/ledger" $clients $OPERATIONS_MS >"$work/operations.$clients" 2>"$work/operations.log" ||
			{ not_measured "$clients" "$work/operations.log"; continue; }
		one=$(operation_value $clients one)
		threads=$(operation_value $clients threads) processes=$(operation_value $clients processes)
		target=$IN_CACHE_MIN
		case $clients in 1 | 1000) ;; *) target=$MANY_CLIENTS_MIN ;; esac
		factor=$(calc %.2f "$processes / $one")
		# The best that two cores can reach: one atomic addition to a cache line of the client.
		bare=$(calc %.2f "$(operation_value $clients bare_processes) / $(operation_value $clients bare_one)")
		name=$clients
		[ $clients != zipf ] || name="10000000, skewed (Zipf, exponent 1)"
		row "$name" "$(millions "$one")" "$(millions "$threads")" "$(millions "$processes")" "$factor (bare: $bare)" \
			">= $(millions $target): $(met "$one" '>=' $target); >= $TWO_CORES_MIN: $(met "$factor" '>=' $TWO_CORES_MIN)"
	done
}

# --- visitors ------------------------------------------------------------------------------------

# cpu_ns PID...: prints the CPU time so far, in ns, of these processes with their threads and children.
cpu_ns() {
	for pid; do
		# shellcheck disable=SC2046 # a list of pids
		for process in $pid $(cat "/proc/$pid/task/$pid/children" 2>/dev/null); do
			cat "/proc/$process/task"/*/schedstat 2>/dev/null
		done
	done | awk '{ sum += $1 } END { printf "%.0f", sum }'
}

visited() { # FILE NAME
	sed -n "s/^$2 //p" "$1"
}

haproxy_conf() { # PORT BACKEND-PORT
	cat <<END
global
	nbthread 1
	maxconn 2000
defaults
	mode tcp
	timeout connect 5s
	timeout client 10s
	timeout server 10s
frontend tls
	bind 127.0.0.1:$1
	stick-table type ip size 64k expire 60s store conn_rate(60s)
	tcp-request connection track-sc0 src
	tcp-request connection reject if { sc0_conn_rate gt 1000000 }
	default_backend nginx
backend nginx
	server nginx 127.0.0.1:$2
END
}

# start_haproxy: starts HAProxy in front of the nginx on $port and sets $port to HAProxy's port.
start_haproxy() {
	backend=$port
	for attempt in 1 2 3 4 5; do
		port=$((20000 + ($$ + attempt * 6007 + $(now_ns) / 1000) % 12000))
		! listening $port || continue
		haproxy_conf $port $backend >"$work/haproxy.cfg"
		haproxy -db -f "$work/haproxy.cfg" >"$work/haproxy.log" 2>&1 &
		haproxy_pid=$!
		running="$running $haproxy_pid"
		for _ in $(seq 100); do
			kill -0 $haproxy_pid 2>/dev/null || break
			! listening $port || return 0
			sleep 0.05
		done
	done
	return 1
}

# one_visit SETUP KIND: appends connections per second to visits.SETUP.KIND.cps and CPU us per connection to visits.SETUP.KIND.cpu.
one_visit() {
	preload=
	[ "$1" != shim ] || preload=$shim
	start_nginx "$preload" || { cp "$work/nginx/log" "$work/visits.log"; return 1; }
	measured=$nginx_pid
	if [ "$1" = haproxy ]; then
		start_haproxy || { cp "$work/haproxy.log" "$work/visits.log"; return 1; }
		measured="$measured $haproxy_pid"
	fi
	# shellcheck disable=SC2086 # a list of pids
	before=$(cpu_ns $measured)
	$BOUNDED "$work/visitors" "$2" $port 127.0.0.7 $VISITS_MS $VISITORS 0 >"$work/visits.out" 2>"$work/visits.log" || return 1
	# shellcheck disable=SC2086
	after=$(cpu_ns $measured)
	stop_running
	seen=$(visited "$work/visits.out" served)
	[ "$seen" -gt 0 ] || return 1
	calc '%.0f\n' "$seen / $(visited "$work/visits.out" seconds)" >>"$work/visits.$1.$2.cps"
	calc '%.1f\n' "($after - $before) / 1000 / $seen" >>"$work/visits.$1.$2.cpu"
}

bench_visits() {
	section "New TLS 1.3 connections to nginx, limited by the shim or by HAProxy in front (TCP mode, stick table); medians of $VISIT_PAIRS"
	have nginx || { skipped "connections" nginx; return; }
	setups="alone shim haproxy"
	have haproxy || { skipped "HAProxy" haproxy; setups="alone shim"; }
	export RENEGUARD_HANDSHAKE=close:1000000/60s RENEGUARD_RESUMPTION=close:1000000/60s
	for kind in full resumed; do
		for pair in $(seq $VISIT_PAIRS); do
			order=$setups
			[ $((pair % 2)) = 1 ] || order=$(printf '%s\n' $setups | tac)
			for setup in $order; do
				one_visit $setup $kind || { not_measured "$setup, $kind" "$work/visits.log"; stop_running; return; }
			done
		done
	done
	unset RENEGUARD_HANDSHAKE RENEGUARD_RESUMPTION
	row "" "nginx alone" "shim" "HAProxy + table" "" ""
	for kind in full resumed; do
		for figure in cps cpu; do
			name="connections per second"
			[ $figure = cps ] || name="CPU us per connection, all processes"
			set --
			for setup in $setups; do set -- "$@" "$(median <"$work/visits.$setup.$kind.$figure")"; done
			row "$kind: $name" "$1" "$2" "${3:--}" - "shim x $(calc %.3f "$2 / $1")${3:+, HAProxy x $(calc %.3f "$3 / $1")}"
		done
	done
}

# --- a refusal -------------------------------------------------------------------------------------

bench_refusal() {
	section "Refusing a blocked client, compared with a full handshake (TLS 1.3, RSA-2048)"
	if ! have valgrind; then
		skipped "instructions" valgrind
	else
		RENEGUARD_HANDSHAKE=block start_callgrind refusals "$shim" "$SERVER_SIDE" "$work/refusals" $REFUSALS "$cert" "$key"
		start_callgrind refusals.handshakes "$shim" "$SERVER_SIDE" "$work/handshakes" 1.3 full 16 "$cert" "$key"
		if all_ended_well; then
			full=$(calc %.0f "$(instructions refusals.handshakes) / 16") refusal=$(calc %.0f "$(instructions refusals) / $REFUSALS")
			ratio=$(calc %.4f "$refusal / $full")
			row "instructions, from SSL_new to SSL_free" "$full" "$refusal" "x $ratio" "<= $REFUSAL_MAX" "$(met "$ratio" '<=' $REFUSAL_MAX)"
		else
			not_measured "instructions" "$work/refusals.log"
		fi
	fi
	have nginx || { skipped "nginx" nginx; return; }
	for kind in full bare; do
		export RENEGUARD_HANDSHAKE=count
		[ $kind = full ] || export RENEGUARD_HANDSHAKE=block
		start_nginx "$shim" || { not_measured "nginx" "$work/nginx/log"; return; }
		"$work/visitors" full $port 127.0.0.7 100 1 0 >/dev/null 2>&1 # after this the client is blocked
		before=$(cpu_ns $nginx_pid)
		$BOUNDED "$work/visitors" $kind $port 127.0.0.7 $VISITS_MS $VISITORS 0 >"$work/refused.$kind" 2>"$work/refused.log" ||
			{ not_measured "nginx" "$work/refused.log"; return; }
		after=$(cpu_ns $nginx_pid)
		stop_running
		count=$(visited "$work/refused.$kind" served)
		[ $kind = full ] || count=$(visited "$work/refused.$kind" refused)
		calc %.2f "($after - $before) / 1000 / $count" >"$work/refused.$kind.cpu"
	done
	unset RENEGUARD_HANDSHAKE
	full=$(cat "$work/refused.full.cpu") refusal=$(cat "$work/refused.bare.cpu")
	row "CPU us of nginx, with the kernel's accept, close" "$full" "$refusal" "x $(calc %.4f "$refusal / $full")" "<= $REFUSAL_MAX" \
		"$(met "$(calc %.4f "$refusal / $full")" '<=' $REFUSAL_MAX) (a timing, does not change the status)"
}

# --- storms ------------------------------------------------------------------------------------------

# one_storm KIND RATE PRELOAD: sets $busy (percent of a core), $latency (the bystander's p50/p99 in ms) and $stormed (served/refused).
one_storm() {
	start_nginx "$3" || { cp "$work/nginx/log" "$work/storm.log"; return 1; }
	before=$(cpu_ns $nginx_pid) begin=$(now_ns)
	running="$nginx_pid"
	if [ "$2" != 0 ]; then
		$BOUNDED "$work/visitors" "$1" $port 127.0.0.66 $STORM_MS 32 "$2" >"$work/storm.out" 2>"$work/storm.log" &
		storm_pid=$!
		running="$running $storm_pid"
	fi
	$BOUNDED "$work/visitors" full $port 127.0.0.9 $STORM_MS 1 $BYSTANDER_RATE >"$work/bystander.out" 2>"$work/storm.log" || return 1
	stormed=-
	if [ "$2" != 0 ]; then
		wait $storm_pid || return 1
		stormed="$(visited "$work/storm.out" served)/$(visited "$work/storm.out" refused)"
	fi
	busy=$(calc %.0f%% "100 * ($(cpu_ns $nginx_pid) - $before) / ($(now_ns) - $begin)")
	running=$nginx_pid
	stop_running
	latency=$(calc %.1f "$(visited "$work/bystander.out" p50_us) / 1000")/$(calc %.1f "$(visited "$work/bystander.out" p99_us) / 1000")
}

bench_storms() {
	section "Storms by one client for $((STORM_MS / 1000)) s, with a bystander that connects $BYSTANDER_RATE times a second; block:120/60s for both events"
	have nginx || { skipped "storms" nginx; return; }
	row "" "server's CPU" "bystander ms" "served/refused" "" ""
	export RENEGUARD_HANDSHAKE=block:120/60s RENEGUARD_RESUMPTION=block:120/60s
	while read -r kind rate name; do
		for run in without with; do
			preload=
			[ $run = without ] || preload=$shim
			one_storm "$kind" "$rate" "$preload" </dev/null || { not_measured "$name" "$work/storm.log"; stop_running; break; }
			row "$name, $run" "$busy" "$latency" "$stormed" - "latency p50/p99"
		done
	done <<-CASES
		full 0 no storm
		resumed $RESUMPTION_STORM_RATE resumptions, $RESUMPTION_STORM_RATE/s
		full $CONNECTION_STORM_RATE full handshakes, $CONNECTION_STORM_RATE/s
	CASES
	unset RENEGUARD_HANDSHAKE RENEGUARD_RESUMPTION
}

prepare_ledger() {
	${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -I"$here/../../include" -o "$work/ledger" "$here/ledger.c" \
		"$build"/shim/core/*.o "$build"/shim/core/ledger/*.o -lm -lpthread &&
		${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -o "$work/visitors" "$here/visitors.c" "$here/bench.c" -lssl -lcrypto -lpthread &&
		${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -g -fno-optimize-sibling-calls -Wall -Wextra -o "$work/refusals" \
			"$here/refusals.c" "$here/bench.c" -lssl -lcrypto
}

bench_ledger() {
	tls=TLSv1.3 # for nginx
	bench_operations
	bench_visits
	bench_refusal
	bench_storms
}
