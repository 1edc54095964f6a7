#!/bin/bash
# The log as a real rsyslogd receives it: form, facility, JSON, the rate limit, a stopped and a full reader, a reader that comes
# back, descriptors that the daemon closed and reuses, and a client that can not be told.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh

needs rsyslogd
export RENEGUARD_LOG=syslog
certificates
start_rsyslogd
export RENEGUARD_SYSLOG_SOCKET=$syslog_socket
received() { line_with "$syslog_file" "$1" >/dev/null; }
renegotiate() { peer_summary --tls 1.2 --timeout-ms 3000 "$@" 127.0.0.1 "$port" renegotiate 1; }

RENEGUARD_NAME=shop serve with main --allow --connections 2
renegotiate --from 127.0.0.5 >/dev/null
next_report
line=$(line_with "$syslog_file" code=ERR_TLS_RENEGOTIATION_DISABLED)
like "the line as rsyslogd has it" "$line" "^authpriv\.warning reneguard\[$server_pid\]: code=ERR_TLS_RENEGOTIATION_DISABLED event=renegotiation action=close client=127\.0\.0\.5 port=[0-9]+ count=1 service=shop tls=TLSv1\.2 libssl=[0-9.a-z]+( suppressed=0)?$"
active=$(line_with "$syslog_file" code=RENEGUARD_ACTIVE)
like "who is guarded" "$active" "^authpriv\.info reneguard\[$server_pid\]: code=RENEGUARD_ACTIVE "
is "nothing of it on standard error" "$(grep -c reneguard "$tmp/tlsserver.log")" 0
served_out

RENEGUARD_SYSLOG_FACILITY=local3 RENEGUARD_LOG=syslog,stderr RENEGUARD_LOG_FORMAT=json serve with main --allow
renegotiate >/dev/null
served_out
line=$(line_with "$syslog_file" '^local3.warning .*"event"')
ok "JSON, on another facility" python3 - "${line#*: }" <<-'PYTHON'
	import json, sys
	got = json.loads(sys.argv[1])
	wanted = dict(code="ERR_TLS_RENEGOTIATION_DISABLED", event="renegotiation", action="close", client="127.0.0.1", service="tlsserver", tls="TLSv1.2")
	wrong = {key: got.get(key) for key in wanted if got.get(key) != wanted[key]}
	sys.exit(f"{wrong} in {got}" if wrong or int(got["count"]) != 1 or not 0 < int(got["port"]) < 65536 else 0)
PYTHON
like "and the same on standard error" "$(cat "$tmp/tlsserver.log")" '"code": ?"ERR_TLS_RENEGOTIATION_DISABLED"'

RENEGUARD_RENEGOTIATIONS=off RENEGUARD_RESUMPTION=refuse:1/60s serve with main
line=$(line_with "$syslog_file" 'RENEGUARD_RENEGOTIATIONS')
like "a misspelt variable is told" "$line" "^authpriv\.err reneguard\[$server_pid\]: code=ERR_RENEGUARD_POLICY "
like "a bad value is told" "$(line_with "$syslog_file" 'RENEGUARD_RESUMPTION')" 'code=ERR_RENEGUARD_POLICY .*refuse:1/60s'
served_out
LD_PRELOAD=$preload RENEGUARD_STRICT=1 RENEGUARD_RENEGOTIATION=sometimes "$tools/tlsserver" --help >/dev/null 2>&1
is "a bad policy with RENEGUARD_STRICT=1 ends the process" $? 78

# Thirty clients in less than a period of five lines: the others are counted.
: >"$syslog_file"
RENEGUARD_LOG_RATE=5/10s serve with main --allow --connections -1 --quiet
for i in {1..30}; do renegotiate --from "127.0.1.$i" >/dev/null; done
sleep 2.2
renegotiate --from 127.0.1.99 >/dev/null
line=$(line_with "$syslog_file" 'client=127.0.1.99')
like "what was held back is counted" "$line" 'suppressed=[1-9][0-9]*$'
told=$(awk -F suppressed= '/event=renegotiation/ { n += 1 + $2 } END { print n }' "$syslog_file")
is "lines and suppressed ones make the total" "$told" 31
served_out

# A reader that is stopped, or never reads: the program is not held up.
kill -STOP "$syslog_pid"
RENEGUARD_LOG_RATE=100000/1s serve with main --allow --connections -1 --quiet
is "a stopped rsyslogd holds nothing up: 150 lines" \
	"$(for i in {1..150}; do peer --none --tls 1.2 --from "127.0.2.$i" 127.0.0.1 "$port" renegotiate 1; done | grep -c '^summary')" 150
kill -CONT "$syslog_pid"
within 3 grep -q 'client=127.0.2.1 ' "$syslog_file"
renegotiate --from 127.0.3.1 >/dev/null
ok "and has the next line when it goes on" received 'client=127.0.3.1 '
stop "$syslog_pid"
is "without a receiver the server serves" "$(peer_summary 127.0.0.1 "$port" get 3)" "summary full=3 reused=0 refused=0"
renegotiate --from 127.0.3.2 >/dev/null
start_rsyslogd
renegotiate --from 127.0.3.3 >/dev/null
ok "and a new receiver gets what comes then" received 'client=127.0.3.3 '
served_out

# A daemon that closes all it inherited, and opens files of its own under those numbers.
serve with main --allow --churn-fds "$tmp/precious"
renegotiate --from 127.0.4.1 >/dev/null
next_report
served_out
ok "the line arrives although the daemon closed every descriptor" received 'client=127.0.4.1 '
is "and nothing was written into the daemon's own files" "$(cat "$tmp/precious")" ""

# A daemon that locked itself up in an empty directory and gave its privileges away.
if [ "$(id -u)" = 0 ]; then
	mkdir "$tmp/jail"
	for place in main fork plugin; do
		: >"$syslog_file"
		serve with $place --allow --jail "$tmp/jail"
		renegotiate --from 127.0.5.1 >/dev/null
		served_out
		ok "from a jail, without privileges ($place)" received 'action=close client=127.0.5.1 '
	done
	cp "$tmp/server.pem" "$tmp/jail" && chmod 644 "$tmp/jail/server.pem"
	: >"$syslog_file"
	RENEGUARD_STATE=$tmp/state serve with plugin --allow --early-jail "$tmp/jail" --cert server.pem
	renegotiate --from 127.0.5.1 >/dev/null
	served_out
	ok "from a jail in which the first context was made, by a libssl that was opened later" received 'action=close client=127.0.5.1 '
	like "and to the account that is outside of it" "$("$RG_BUILD/reneguardctl" status --state "$tmp/state" 2>&1)" '^ *127\.0\.5\.1 '
else
	skip "from a jail, without privileges" "only root can lock itself up"
fi

serve with main --allow --host "unix:$tmp/server.socket"
summary=$(peer_summary --tls 1.2 "unix:$tmp/server.socket" 0 renegotiate 1)
field "over a Unix socket it is refused as well" "$summary" honoured 0
like "of a client unknown" "$(line_with "$syslog_file" 'client=unknown')" 'action=close client=unknown count='
served_out
RENEGUARD_RESUMPTION=close:1/60s serve with main --connections -1 --quiet --host "unix:$tmp/other.socket"
is "no limit acts on a client unknown" "$(peer_summary "unix:$tmp/other.socket" 0 resume 4)" "summary full=1 reused=4 refused=0"
served_out

serve with main --allow --host ::
is "an IPv4 client of a dual-stack listener" "$(renegotiate --from 127.0.0.77 >/dev/null && line_with "$syslog_file" 'client=(::ffff:)?127.0.0.77' | grep -o 'client=[^ ]*')" "client=127.0.0.77"
served_out
finish
