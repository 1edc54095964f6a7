# A server under faults: each call that the shim makes for memory, and each system call of its own, fails once; from each on, all fail; and each
# function always fails (tests/lib/faults.c). The program serves as ever. Its connections are guarded, and its limit holds; or a line in the
# log says what does not hold (bash, after tap.sh, server.sh and hooks.sh). A script that sources this is skipped if the tools are missing.
# shellcheck shell=bash disable=SC2034,SC2154

needs "${CC:-cc}" openssl python3
[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitizer's runtime has functions of the same names"; exit 0; }
certificates
unset "${!RENEGUARD_@}"

ok "the faults compile" "${CC:-cc}" -std=gnu11 -O1 -fPIC -shared -Wall -Wextra -o "$tmp/faults.so" tests/lib/faults.c -ldl

# A syslog of our own.
start syslog python3 -uc '
import socket, sys
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind(sys.argv[1])
while True:
    sys.stdout.buffer.write(log.recv(65536) + b"\n")' "$tmp/log"
within 5 test -S "$tmp/log"

# attempt FAULT PLACE TLSSERVER-ARGUMENT...: a server with that fault serves one client, refuses a renegotiation and the third offer to resume.
# What is wrong is left in $wrong, which call failed in $failed, and how many there were in $count. $unguarded is empty if both were refused.
attempt() {
	local fault=$1 place=$2 calls=()
	unguarded=''
	shift 2
	: >"$tmp/tlsserver.log"
	: >"$tmp/syslog.log"
	head -c 64 /dev/zero >"$tmp/record"
	[ -z "$RENEGUARD_STATE" ] || rm -f "$RENEGUARD_STATE"
	[ -z "$existing" ] || cp -p "$existing" "$RENEGUARD_STATE"
	FAULT=$fault FAULT_RECORD=$tmp/record preload=$shim:$tmp/faults.so RENEGUARD_RESUMPTION=close:2/600s serve with "$place" --allow --connections -1 --quiet "$@"
	mapfile -t calls < <(peer_summary --tls 1.2 127.0.0.1 "$port" get 1; peer_summary --tls 1.2 --timeout-ms 3000 127.0.0.1 "$port" renegotiate 1
		peer_summary 127.0.0.1 "$port" resume 3; peer_summary --from 127.0.0.2 127.0.0.1 "$port" get 1)
	wrong=''
	[[ ${calls[0]} == *"full=1 "* && ${calls[3]} == *"full=1 "* ]] || wrong="it does not serve"
	! gone "$server_pid" || wrong="it has ended"
	[[ ${calls[1]} == *honoured=0* && ${calls[2]} == "summary full=1 reused=2 refused=1" ]] || unguarded=1
	stop_server
	if [ -n "$unguarded" ] && [[ $fault != *- ]]; then # if all fails, nothing can be said
		grep -qE 'code=ERR_RENEGUARD_(CLIENT|LIBSSL|MEMORY|POLICY)' "$tmp/tlsserver.log" "$tmp/syslog.log" || wrong="$wrong it is not guarded, and nothing is said"
	fi
	[ -z "$wrong" ] || { diag "fault $fault: $wrong: ${calls[*]}"; sed 's/^/# log: /' "$tmp/tlsserver.log" "$tmp/syslog.log"; }
	failed=$(tail -c +5 "$tmp/record" | tr -d '\0')
	count=$(od -An -td4 -N4 "$tmp/record" | tr -d ' ')
}

scenario() { # NAME PLACE TLSSERVER-ARGUMENT...: $needed is left as the functions without which not all is guarded
	local name=$1 fault calls functions=''
	needed=''
	shift
	attempt 0 "$@"
	calls=$count
	diag "$name: $calls calls can fail"
	is "$name: without a fault all is guarded" "$wrong$(grep -h code=ERR_RENEGUARD "$tmp/tlsserver.log" "$tmp/syslog.log")" ""
	for ((fault = 1; fault <= calls; fault++)); do
		attempt $fault "$@"
		is "$name: call $fault ($failed) fails" "$wrong" ""
		functions="$functions $failed"
		attempt $fault- "$@"
		is "$name: call $fault ($failed) and all after it fail" "$wrong" ""
	done
	for fault in $(tr ' ' '\n' <<<"$functions" | sort -u); do
		attempt "$fault" "$@"
		is "$name: $fault always fails" "$wrong" ""
		[ -z "$unguarded" ] || needed="$needed $fault"
	done
}

export RENEGUARD_SYSLOG_SOCKET=$tmp/log RENEGUARD_LOG=syslog,stderr
export RENEGUARD_STATE='' # a file that each attempt begins without,
existing=''		  # or with a copy of this one
