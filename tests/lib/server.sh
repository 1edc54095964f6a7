# Servers under test (bash, after tap.sh): certificates, ports, start and stop, rsyslogd as the receiver.
# Everything runs on loopback ports of its own choosing and is stopped, by its pid, when the script ends.
# shellcheck shell=bash disable=SC2034,SC2154

certificates() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$tmp/key.pem" 2>/dev/null
	certificate
}

certificate() { # another one for that key
	openssl req -x509 -key "$tmp/key.pem" -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
		-out "$tmp/cert.pem" 2>/dev/null
	cat "$tmp/cert.pem" "$tmp/key.pem" >"$tmp/server.pem"
}

# A loopback port that nothing listens on, outside the range the kernel hands out by itself.
pick_port() {
	local p
	while :; do
		p=$((20000 + RANDOM % 12000))
		(exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || break
	done
	echo $p
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# start NAME COMMAND...: in the background, output in $tmp/NAME.log, input from $stdin where that is set; its pid is in $pid.
start() {
	local name=$1
	shift
	"$@" <"${stdin:-/dev/null}" >>"$tmp/$name.log" 2>&1 &
	pid=$!
	at_exit "stop $(who "$pid")"
}

# start_on_port NAME COMMAND...: also waits for it to listen on $port; without that there is nothing to test.
start_on_port() {
	start "$@"
	within 10 listening "$port" || { tap_point 1 "$1 listens on $port" || finish; }
}

# who PID: its number and when it was started. A number alone is another process's soon: where four hundred are started in a second, all
# 32,768 have come round after a minute and a quarter, and what a test started may have ended long before.
who() { echo "$1:$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20)"; }

# stop PID|WHO [SIGNAL]: ends the process and waits for it, at most five seconds politely.
stop() {
	! gone "$1" || return 0
	kill "-${2:-TERM}" "${1%:*}" 2>/dev/null
	within 5 gone "$1" || kill -KILL "${1%:*}" 2>/dev/null
	wait "${1%:*}" 2>/dev/null
	return 0
}

gone() { # PID|WHO
	! kill -0 "${1%:*}" 2>/dev/null || [[ $1 == *:* && $(who "${1%:*}") != "$1" ]] || [ "$(ps -o stat= -p "${1%:*}" | cut -c1)" = Z ]
}

# under with|without [VARIABLE=VALUE]...: sets the words that put a command under the shim (lines go to standard error unless told
# otherwise), or leave it alone, into ${under[@]}. So one test body states both halves, and $! is the program's own pid.
under() {
	local half=$1
	shift
	under=(env)
	[ "$half" = without ] || under+=(RENEGUARD_LOG=stderr LD_PRELOAD="$preload")
	under+=("$@")
}

peer() { timeout 60 "$peers/tlspeer" "$@" 2>&1; }

# The summary line alone.
peer_summary() { peer "$@" | grep '^summary'; }

storm() { timeout 60 "$peers/tlsstorm" "$@" 2>&1; }

# rsyslogd, listening on $syslog_socket and writing `facility.severity tag message` to $syslog_file.
start_rsyslogd() {
	syslog_socket=$tmp/syslog.socket syslog_file=$tmp/syslog.log
	: >"$syslog_file"
	cat >"$tmp/rsyslog.conf" <<-CONF
		module(load="imuxsock" SysSock.Use="off")
		input(type="imuxsock" Socket="$syslog_socket" CreatePath="off" RateLimit.Interval="0" UsePIDFromSystem="off")
		template(name="plain" type="string" string="%syslogfacility-text%.%syslogseverity-text% %syslogtag%%msg%\n")
		action(type="omfile" file="$syslog_file" template="plain" asyncWriting="off" flushOnTXEnd="on")
	CONF
	start rsyslogd rsyslogd -n -f "$tmp/rsyslog.conf" -i "$tmp/rsyslogd.pid"
	syslog_pid=$pid
	within 5 test -S "$syslog_socket" && chmod 666 "$syslog_socket" && chmod 711 "$tmp"
}

# line_with FILE REGEX [SECONDS]: waits for a line that matches, and prints the last such line; fails when none comes.
line_with() {
	within "${3:-10}" grep -Eq -- "$2" "$1" || return
	grep -E -- "$2" "$1" | tail -n 1
}

count_lines() { grep -Ec -- "$2" "$1"; }
