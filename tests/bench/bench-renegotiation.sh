# shellcheck shell=sh disable=SC2154 # what bench.sh defines
# What a client's attempt to renegotiate costs a server on OpenSSL 1.1.1, which honours it by default (sh, sourced by bench.sh): CPU time, and
# key operations that libssl asks of libcrypto (tests/libssl/keycount.c). A refusal must cost no key operation.

ATTEMPTS=200
REFUSALS=100

old_ssl=npm-18.4.0-beta.17 # 1.1.1 of September 2018
builds=${RG_LIBSSL_BUILDS:-$build/libssl}

# start_old PRELOAD: starts tlsserver on that libssl; sets $server_pid and $port.
start_old() {
	: >"$work/renegotiation.log"
	rm -f "$work/keys"
	KEYCOUNT=$work/keys LD_PRELOAD=$1 "$work/tlsserver" --cert "$work/rsa.pem" --connections -1 --quiet >"$work/renegotiation.log" 2>&1 &
	server_pid=$!
	running=$server_pid
	for _ in $(seq 100); do
		port=$(sed -n 's/^port=//p' "$work/renegotiation.log")
		[ -z "$port" ] || return 0
		sleep 0.05
	done
	return 1
}

# attempt N: opens a connection on which the client tries to renegotiate N times; adds the attempts honoured to $honoured.
attempt() {
	$BOUNDED "$build/tests/tools/tlspeer" --tls 1.2 --none 127.0.0.1 "$port" renegotiate "$1" >"$work/attempt" 2>&1 || :
	honoured=$((honoured + $(sed -n 's/^summary .*honoured=\([0-9]*\).*/\1/p' "$work/attempt")))
}

spent_ns() { cut -d ' ' -f 1 "/proc/$server_pid/schedstat"; }

operations() { od -An -td8 "$work/keys" | tr -d ' '; }

# spend FIGURE CONNECTIONS ATTEMPTS: sets $spent, by how much the counter that FIGURE prints grows over CONNECTIONS with ATTEMPTS each.
spend() {
	before=$($1)
	i=0
	while [ $i -lt "$2" ]; do
		attempt "$3"
		i=$((i + 1))
	done
	spent=$(($($1) - before))
}

# each_attempt FIGURE RUN: sets $each, what one attempt costs beyond the cost of its connection.
each_attempt() {
	connections=1 attempts=$ATTEMPTS preload=
	[ "$2" = without ] || connections=$REFUSALS attempts=1 preload=$shim
	[ "$1" = spent_ns ] || preload=${preload:+$preload:}$work/keycount.so
	start_old "$preload" || return 1
	honoured=0
	attempt 0 # warm-up: costs that occur only once
	spend "$1" $connections 0
	bare=$spent
	spend "$1" $connections $attempts
	stop_running
	[ "$2" = with ] || [ $honoured = $ATTEMPTS ] || return 1
	[ "$2" = without ] || [ $honoured = 0 ] || return 1
	each=$(calc %.1f "($spent - $bare) / ($connections * $attempts)")
}

prepare_renegotiation() {
	library=$builds/$old_ssl/package/native/lib
	cat "$cert" "$key" >"$work/rsa.pem"
	${CC:-cc} -D_GNU_SOURCE -I"$here/../libssl/prototypes" -I"$here/../lib" -std=c11 -O2 -o "$work/tlsserver" "$here/../tools/tlsserver.c" \
		"$library/libssl.so.1.1" "$library/libcrypto.so.1.1" -Wl,--unresolved-symbols=ignore-in-shared-libs -Wl,-rpath,"$library" -lpthread &&
		${CC:-cc} -std=c11 -O2 -fPIC -shared -o "$work/keycount.so" "$here/../libssl/keycount.c" -ldl
}

bench_renegotiation() {
	section "A client's attempt to renegotiate (OpenSSL 1.1.1 of 2018, TLS 1.2, RSA-2048): honoured without the shim, refused with it"
	if ! lacking=$("$here/../../scripts/libssl-builds.sh" "$builds" $old_ssl 2>&1); then
		printf '%-46s skipped: %s\n' "renegotiation" "$lacking"
		unmeasured="; some figures were skipped because tools are not installed"
		return
	fi
	prepare_renegotiation >"$work/renegotiation.log" 2>&1 || { not_measured "renegotiation" "$work/renegotiation.log"; return; }
	for figure in "spent_ns server's CPU us per attempt (a timing)" "operations key operations per attempt"; do
		name=${figure#* } figure=${figure%% *}
		each_attempt "$figure" without && without=$each && each_attempt "$figure" with && with=$each ||
			{ not_measured "$name" "$work/renegotiation.log"; stop_running; continue; }
		if [ "$figure" = spent_ns ]; then
			shown "$name" "$(calc %.0f "$without / 1000")" "$(calc %.0f "$with / 1000")"
		else
			limited "$name" "$without" "$with" "$with" 0
		fi
	done
}
