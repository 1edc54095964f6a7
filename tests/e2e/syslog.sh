#!/bin/bash
# The log as a real rsyslogd receives it: format, facility, JSON, rate limit. rsyslogd is stopped, ends and comes back. The daemon closes and
# reuses descriptors. The client's address is unknown.
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
like "syslog: the line about a refused renegotiation" "$line" "^authpriv\.warning reneguard\[$server_pid\]: code=ERR_TLS_RENEGOTIATION_DISABLED event=renegotiation action=close client=127\.0\.0\.5 port=[0-9]+ count=1 service=shop tls=TLSv1\.2 libssl=[0-9.a-z]+( suppressed=0)?$"
active=$(line_with "$syslog_file" code=RENEGUARD_ACTIVE)
like "syslog: the line RENEGUARD_ACTIVE" "$active" "^authpriv\.info reneguard\[$server_pid\]: code=RENEGUARD_ACTIVE "
is "syslog: nothing is written to standard error" "$(grep -c reneguard "$tmp/tlsserver.log")" 0
stop_server

# A program such as a select(2) loop needs the low numbers itself. It meets no descriptor of the ledger.
serve with main --allow --connections -1 --quiet
peer_summary 127.0.0.1 "$port" get 1 >/dev/null
is "the log's socket has a number above 511" "$(find "/proc/$server_pid/fd" -lname 'socket:*' -printf '%f\n' | awk '$1 >= 512' | wc -l)" 1
is "the ledger's descriptor is closed" "$(find "/proc/$server_pid/fd" -lname '*memfd:*')" ""
stop_server

RENEGUARD_SYSLOG_FACILITY=local3 RENEGUARD_LOG=syslog,stderr RENEGUARD_LOG_FORMAT=json serve with main --allow
renegotiate >/dev/null
stop_server
line=$(line_with "$syslog_file" '^local3.warning .*"event"')
ok "JSON to another facility: the line has the right values" python3 - "${line#*: }" <<-'PYTHON'
	import json, sys
	got = json.loads(sys.argv[1])
	wanted = dict(code="ERR_TLS_RENEGOTIATION_DISABLED", event="renegotiation", action="close", client="127.0.0.1", service="tlsserver", tls="TLSv1.2")
	wrong = {key: got.get(key) for key in wanted if got.get(key) != wanted[key]}
	sys.exit(f"{wrong} in {got}" if wrong or int(got["count"]) != 1 or not 0 < int(got["port"]) < 65536 else 0)
PYTHON
like "JSON: standard error gets it too" "$(cat "$tmp/tlsserver.log")" '"code": ?"ERR_TLS_RENEGOTIATION_DISABLED"'

RENEGUARD_RENEGOTIATIONS=off RENEGUARD_RESUMPTION=refuse:1/60s serve with main
line=$(line_with "$syslog_file" 'RENEGUARD_RENEGOTIATIONS')
like "a misspelt variable is logged" "$line" "^authpriv\.err reneguard\[$server_pid\]: code=ERR_RENEGUARD_POLICY "
like "a bad value is logged" "$(line_with "$syslog_file" 'RENEGUARD_RESUMPTION')" 'code=ERR_RENEGUARD_POLICY .*refuse:1/60s'
stop_server
LD_PRELOAD=$preload RENEGUARD_STRICT=1 RENEGUARD_RENEGOTIATION=sometimes "$tools/tlsserver" --help >/dev/null 2>&1
is "a bad policy with RENEGUARD_STRICT=1 ends the process" $? 78

# Thirty clients within a period in which five lines are allowed: the lines held back are counted.
: >"$syslog_file"
RENEGUARD_LOG_RATE=5/10s serve with main --allow --connections -1 --quiet
for i in {1..30}; do renegotiate --from "127.0.1.$i" >/dev/null; done
sleep 2.2
renegotiate --from 127.0.1.99 >/dev/null
line=$(line_with "$syslog_file" 'client=127.0.1.99')
like "the rate limit counts the lines it holds back" "$line" 'suppressed=[1-9][0-9]*$'
accounted=$(awk -F suppressed= '/event=renegotiation/ { n += 1 + $2 } END { print n }' "$syslog_file")
is "the lines written and held back add up to all events" "$accounted" 31
stop_server

# One client floods while forty others attack again and again. The rate is too low for a line about each of them in their first round.
: >"$syslog_file"
RENEGUARD_LOG_RATE=10/1s serve with main --allow --connections -1 --quiet
touch "$tmp/flood"
while [ -e "$tmp/flood" ]; do renegotiate --from 127.0.7.1 >/dev/null; done &
named() { grep event=renegotiation "$syslog_file" | grep -o 'client=127.0.6.[0-9]*'; }
attack_all() {
	local i
	for i in {1..40}; do renegotiate --from "127.0.6.$i" >/dev/null; done
	[ "$(named | wc -l)" -ge 40 ]
}
ok "one client floods: all forty others are named within a minute" within 50 attack_all
rm "$tmp/flood"
wait $!
is "one client floods: each of the others is named once" "$(named | sort | uniq -c | awk '{ print $1 }' | sort -u)" 1
is "one client floods: it has its line, and no more" "$(grep -c 'event=renegotiation.*client=127.0.7.1 ' "$syslog_file")" 1
stop_server

# A stopped reader does not delay the program.
kill -STOP "$syslog_pid"
RENEGUARD_LOG_RATE=100000/1s serve with main --allow --connections -1 --quiet
is "a stopped rsyslogd: all 150 clients get their answer" \
	"$(for i in {1..150}; do peer --none --tls 1.2 --from "127.0.2.$i" 127.0.0.1 "$port" renegotiate 1; done | grep -c '^summary')" 150
kill -CONT "$syslog_pid"
within 3 grep -q 'client=127.0.2.1 ' "$syslog_file"
renegotiate --from 127.0.3.1 >/dev/null
ok "a stopped rsyslogd gets the next line when it continues" received 'client=127.0.3.1 '
stop "$syslog_pid"
is "without rsyslogd the server serves" "$(peer_summary 127.0.0.1 "$port" get 3)" "summary full=3 reused=0 refused=0"
renegotiate --from 127.0.3.2 >/dev/null
start_rsyslogd
renegotiate --from 127.0.3.3 >/dev/null
ok "a new rsyslogd gets the lines from then on" received 'client=127.0.3.3 '
like "the first of them says that there were lines before" "$(line_with "$syslog_file" 'client=127.0.3.3')" 'suppressed=[1-9][0-9]*$'
stop_server

# A daemon that closes every descriptor it inherited and opens files of its own under those numbers.
serve with main --allow --churn-fds "$tmp/precious"
renegotiate --from 127.0.4.1 >/dev/null
next_report
stop_server
ok "a daemon that closed every descriptor: the line arrives" received 'client=127.0.4.1 '
is "a daemon that closed every descriptor: nothing is written into its own files" "$(cat "$tmp/precious")" ""

# The same if the log is standard error, which it keeps.
RENEGUARD_LOG=stderr serve with main --allow --churn-fds "$tmp/precious"
renegotiate --from 127.0.4.2 >/dev/null
next_report
stop_server
like "a daemon that closed every descriptor but standard error: the line arrives there" "$(cat "$tmp/tlsserver.log")" 'client=127.0.4.2 '
is "and nothing is written into its own files" "$(cat "$tmp/precious")" ""

# Writing a line is no cancellation point (pthreads(7)), since the program's calls of libssl are none.
for target in syslog stderr; do
	is "a cancelled thread ends where it would end without the shim, $target" \
		"$(LD_PRELOAD=$preload RENEGUARD_INCOMPLETE=warn RENEGUARD_LOG=$target "$tools/cancelled" 2>"$tmp/cancelled.log")" "ended=3 cancelled=1"
done
like "and its line is written" "$(cat "$tmp/cancelled.log")" 'event=incomplete action=warn client=unknown'

# A daemon that has changed its root to an empty directory and dropped its privileges.
if [ "$(id -u)" = 0 ]; then
	mkdir "$tmp/jail"
	for place in main fork plugin; do
		: >"$syslog_file"
		serve with $place --allow --jail "$tmp/jail"
		renegotiate --from 127.0.5.1 >/dev/null
		stop_server
		ok "a daemon in a chroot, without privileges ($place): the line arrives" received 'action=close client=127.0.5.1 '
	done
	cp "$tmp/server.pem" "$tmp/jail" && chmod 644 "$tmp/jail/server.pem"
	: >"$syslog_file"
	in_memory && chmod 1777 "$memory"
	RENEGUARD_STATE=$memory/state serve with plugin --allow --early-jail "$tmp/jail" --cert server.pem
	renegotiate --from 127.0.5.1 >/dev/null
	stop_server
	ok "a plug-in that opens libssl in the chroot and makes its context there: the line arrives" received 'action=close client=127.0.5.1 '
	like "a plug-in that opens libssl in the chroot: the state file outside has the client" "$("$RG_BUILD/reneguardctl" status --state "$memory/state" 2>&1)" '^ *127\.0\.5\.1 '
else
	skip "a daemon in a chroot, without privileges" "only root can use chroot"
fi

serve with main --allow --host "unix:$tmp/server.socket"
summary=$(peer_summary --tls 1.2 "unix:$tmp/server.socket" 0 renegotiate 1)
field "over a Unix socket renegotiation is refused" "$summary" honoured 0
like "over a Unix socket the log line has client=unknown" "$(line_with "$syslog_file" 'client=unknown')" 'action=close client=unknown count='
stop_server
RENEGUARD_RESUMPTION=close:1/60s serve with main --connections -1 --quiet --host "unix:$tmp/other.socket"
is "no limit applies to unknown clients" "$(peer_summary "unix:$tmp/other.socket" 0 resume 4)" "summary full=1 reused=4 refused=0"
stop_server

serve with main --allow --host ::
is "the log line of an IPv4 client on a dual-stack listener has its IPv4 address" "$(renegotiate --from 127.0.0.77 >/dev/null && line_with "$syslog_file" 'client=(::ffff:)?127.0.0.77' | grep -o 'client=[^ ]*')" "client=127.0.0.77"
stop_server
finish
