# Servers under test (bash, after tap.sh): certificates, ports, starting and stopping, rsyslogd as the log's receiver.
# Every server listens on a free loopback port and is stopped, by its pid, when the script ends.
# shellcheck shell=bash disable=SC2034,SC2154

certificates() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$tmp/key.pem" 2>/dev/null
	certificate
}

certificate() { # makes a new certificate for the same key
	openssl req -x509 -key "$tmp/key.pem" -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
		-out "$tmp/cert.pem" 2>/dev/null
	cat "$tmp/cert.pem" "$tmp/key.pem" >"$tmp/server.pem"
}

# The ports that running scripts have picked. Each is a link, named after the port, to the script's pid.
picked_ports=${TMPDIR:-/tmp}/reneguard-ports
mkdir -m 1777 "$picked_ports" 2>/dev/null
at_exit "find '$picked_ports' -lname $$ -delete"

# Prints a loopback port on which nothing listens, which no running script has picked, and which is outside the range of ports that
# the kernel assigns by itself.
pick_port() {
	local p
	while :; do
		p=$((20000 + RANDOM % 12000))
		if ln -s $$ "$picked_ports/$p" 2>/dev/null; then
			listening $p || break
		elif ! kill -0 "$(readlink "$picked_ports/$p")" 2>/dev/null; then
			rm -f "$picked_ports/$p"
		fi
	done
	echo $p
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# start NAME COMMAND...: starts COMMAND in the background and sets $pid. Output goes to $tmp/NAME.log; input comes from $stdin if that is set.
start() {
	local name=$1
	shift
	"$@" <"${stdin:-/dev/null}" >>"$tmp/$name.log" 2>&1 &
	pid=$!
	at_exit "stop $(who "$pid")"
}

# start_on_port NAME COMMAND...: like start, then waits until something listens on $port. If nothing does, the script ends with a failure.
start_on_port() {
	start "$@"
	within 10 listening "$port" || { tap_point 1 "$1 listens on $port" || finish; }
}

# who PID: prints PID:START-TIME, which names one process only. A pid alone is soon reused: where 400 processes start in a second, all
# 32,768 pids are used up after 75 seconds, and what a test started may have ended long before.
who() { echo "$1:$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20)"; }

# stop PID|PID:START-TIME [SIGNAL]: sends SIGNAL (TERM), waits up to five seconds, then sends KILL.
stop() {
	! gone "$1" || return 0
	kill "-${2:-TERM}" "${1%:*}" 2>/dev/null
	within 5 gone "$1" || kill -KILL "${1%:*}" 2>/dev/null
	wait "${1%:*}" 2>/dev/null
	return 0
}

gone() { # PID|PID:START-TIME: has the process ended, or is it a zombie?
	! kill -0 "${1%:*}" 2>/dev/null || [[ $1 == *:* && $(who "${1%:*}") != "$1" ]] || [ "$(ps -o stat= -p "${1%:*}" | cut -c1)" = Z ]
}

# under with|without [VARIABLE=VALUE]...: sets ${under[@]}, the words to put before a command so that it runs with or without the shim.
# The shim logs to standard error unless VARIABLE=VALUE says otherwise. One test body serves both halves; $! is the program's own pid.
under() {
	local half=$1
	shift
	under=(env)
	[ "$half" = without ] || under+=(RENEGUARD_LOG=stderr LD_PRELOAD="$preload")
	under+=("$@")
}

# This system's libssl is 1.1.1: a server honours renegotiation by default, and SSL_clear does not work after TLS 1.3.
libssl_is_old() { [[ $(openssl version) == "OpenSSL 1."* ]]; }

# renegotiation_options: sets the options of openssl s_server with which it honours renegotiation, ${willing[@]}, and refuses it, ${unwilling[@]}.
renegotiation_options() {
	willing=(-client_renegotiation) unwilling=()
	! libssl_is_old || willing=() unwilling=(-no_renegotiation)
}

# goes_on N STORM-LINE: without the shim N attempts to renegotiate are answered with warnings, or the first one is honoured by an old libssl.
goes_on() {
	if libssl_is_old; then all_fields "$2" sent=1 hellos=1; else all_fields "$2" warnings="$1" served=1; fi
}

peer() { timeout 60 "$peers/tlspeer" "$@" 2>&1; }

# peer_summary TLSPEER-ARGUMENT...: prints only tlspeer's summary line.
peer_summary() { peer "$@" | grep '^summary'; }

storm() { timeout 60 "$peers/tlsstorm" "$@" 2>&1; }

# Starts rsyslogd, which listens on $syslog_socket and writes `facility.severity tag message` to $syslog_file.
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

# line_with FILE REGEX [SECONDS]: waits up to SECONDS (10) for a matching line and prints the last one; fails if none comes.
line_with() {
	within "${3:-10}" grep -Eq -- "$2" "$1" || return
	grep -E -- "$2" "$1" | tail -n 1
}

count_lines() { grep -Ec -- "$2" "$1"; }
