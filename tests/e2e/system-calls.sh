#!/bin/bash
# A sandboxed program must be able to allow the library's system calls: reneguard(8) names them under "System calls". A server runs under a
# seccomp filter that kills it for every call but those, and those that it makes without the library in the same conversations.
# shellcheck disable=SC2154
. tests/lib/tap.sh
. tests/lib/server.sh

needs strace openssl python3 rsyslogd
python=$(command -v /usr/bin/python3 || command -v python3) # a package of the system
"$python" -c 'import seccomp' 2>/dev/null || { echo "1..0 # SKIP python3-seccomp is not installed"; exit 0; }
[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitizer makes system calls of its own"; exit 0; }
certificates
start_rsyslogd
in_memory
server=("$tools/tlsserver" --cert "$tmp/server.pem" --connections -1 --quiet --allow)

named=$(sed -n '/^\.B System calls$/,/^\.TP$/p' scripts/reneguard.8 | sed -n 's/^\.BR //p' | tr -d '"(),;.2' | tr -s ' ' '\n' | sort -u | tr '\n' ' ')
like "reneguard(8) names system calls" "$named" 'getpeername.*memfd_create.*sendto'

# conversations: every kind of event, and a client that resets the connection.
conversations() {
	local kind
	peer --tls 1.2 --timeout-ms 3000 127.0.0.1 "$port" renegotiate 1
	peer --tls 1.2 127.0.0.1 "$port" resume 3
	peer --tls 1.3 127.0.0.1 "$port" resume 3
	peer --tls 1.3 --timeout-ms 3000 127.0.0.1 "$port" keyupdate 3
	for kind in part tear slam noise; do python3 tests/lib/raw_client.py $kind 127.0.0.1 "$port"; done
	peer --tls 1.3 --from 127.0.0.2 127.0.0.1 "$port" get 3
	peer --tls 1.3 --from 127.0.0.3 127.0.0.1 "$port" get 1 | grep '^summary'
}

# begin NAME COMMAND...: starts COMMAND, which prints its port.
begin() {
	start "$@"
	port=$(line_with "$tmp/$1.log" '^port=')
	port=${port#port=}
}

begin stock strace -f -qq -e signal=none -o "$tmp/strace" "${server[@]}"
conversations >"$tmp/stock.out" 2>&1
stop "$(pgrep -P "$pid" -f tlsserver | head -n 1)"
stop "$pid"
own=$(grep -oE '^[0-9]+ +[a-z_0-9]+\(' "$tmp/strace" | sed 's/^[0-9]* *//; s/($//' | sort -u | tr '\n' ' ')
begin unfiltered env LD_PRELOAD="$preload" "${server[@]}"
unlike "check --pid of a server without a filter names none" "$("$RG_BUILD/reneguardctl" check --pid "$pid" 2>&1)" 'seccomp|is not guarded'
stop "$pid"
like "the calls of the server itself were seen" "$own" 'accept.*mmap.*read'

# sandboxed CALLS NAME [VARIABLE=VALUE]...: the server under the filter; $ended is how it ended.
sandboxed() {
	local calls=$1 name=$2
	shift 2
	begin "$name" "$python" tests/lib/sandbox.py "$calls" LD_PRELOAD="$preload" RENEGUARD_SYSLOG_SOCKET="$syslog_socket" RENEGUARD_RESUMPTION=close:1/600s \
		RENEGUARD_INCOMPLETE=warn:1/600s RENEGUARD_KEYUPDATE=close:1/600s RENEGUARD_HANDSHAKE=block:20/600s "$@" -- "${server[@]}"
	answers=$(conversations 2>&1)
	checked=$("$RG_BUILD/reneguardctl" check --pid "$pid" 2>&1)
	ended=alive
	kill -0 "$pid" 2>/dev/null || { wait "$pid"; ended=$?; }
	stop "$pid"
}

for case in memory state stderr; do
	variables=(RENEGUARD_LOG=syslog)
	[ $case != state ] || variables+=(RENEGUARD_STATE="$memory/state")
	[ $case != stderr ] || variables=(RENEGUARD_LOG=stderr)
	sandboxed "$own $named" $case "${variables[@]}"
	is "$case: a server that may make its own calls and those that reneguard(8) names lives on" "$ended" alive
	like "$case: check --pid names the filter" "$checked" '^  seccomp: a filter is in force: it has to allow what reneguard\(8\) lists under System calls'
	is "$case: and serves" "$(tail -n 1 <<<"$answers")" "summary full=1 reused=0 refused=0"
done
for event in renegotiation resumption incomplete keyupdate; do
	ok "it has logged $event" grep -q "event=$event" "$syslog_file"
done
sandboxed "$own ${named/getpeername /}" without-one RENEGUARD_LOG=syslog
is "without one of them it is killed (SIGSYS)" "$ended" 159
finish
