#!/bin/bash
# A libssl that a program opens by dlopen and whose functions it finds by dlsym: Python's ctypes, Free Pascal's openssl unit, a C program,
# also when it is opened after a chroot and without privileges. RTLD_DEEPBIND cannot be guarded; one log line says so.
. tests/lib/tap.sh
. tests/lib/server.sh

libssl=$(ldconfig -p | sed -n 's/.*libssl\.so\.[0-9].*=> //p' | head -n 1)
[ -e "$libssl" ] || { echo "1..0 # SKIP this system has no shared libssl"; exit 0; }
certificates

# echoes NAME COMMAND...: tests a server that echoes lines and does not allow renegotiation. Its port is appended to COMMAND.
echoes() {
	local name=$1 half line
	shift
	for half in without with; do
		port=$(pick_port)
		: >"$tmp/$name.log"
		under $half
		start_on_port "$name" "${under[@]}" "$@" "$port"
		if [ $half = without ]; then
			ok "$name without the shim answers 100 attempts with warnings and goes on, or honours them" goes_on 100 "$(storm --line 127.0.0.1 "$port" 100)"
		else
			ok "$name: the first attempt to renegotiate ends the connection" all_fields "$(storm --line 127.0.0.1 "$port" 100)" 'sent=[12]' hellos=0 served=0
			line=$(line_with "$tmp/$name.log" 'event=renegotiation.*count=1')
			ok "$name: the refusal is logged" all_fields "$line" code=ERR_TLS_RENEGOTIATION_DISABLED action=close client=127.0.0.1 tls=TLSv1.2
			is "$name: ordinary clients are served" "$(peer_summary --line 127.0.0.1 "$port" get 20)" "summary full=20 reused=0 refused=0"
			is "$name: offers to resume are accepted" "$(peer_summary --line --tls 1.3 127.0.0.1 "$port" resume 5)" "summary full=1 reused=5 refused=0"
		fi
		stop "$pid"
	done
}

if python=$(command -v /usr/bin/python3 || command -v python3); then
	echoes ctypes-handle "$python" tests/lib/ctypes_echo.py handle "$tmp/server.pem"
	echoes ctypes-global "$python" tests/lib/ctypes_echo.py global "$tmp/server.pem"
else
	skip "Python's ctypes" "python3 is not installed"
fi
if ! command -v fpc >/dev/null; then
	skip "Free Pascal's openssl unit" "fpc is not installed"
elif ! fpc -v0 -o"$tmp/pascal_echo" -FU"$tmp" tests/lib/pascal_echo.pas >"$tmp/fpc.log" 2>&1; then
	skip "Free Pascal's openssl unit" "it does not compile here: $(tail -n 1 "$tmp/fpc.log")"
else # the unit is old and needs an RSA key
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/rsa.key" -days 2 -subj /CN=localhost -out "$tmp/rsa.pem" 2>/dev/null
	cat "$tmp/rsa.key" >>"$tmp/rsa.pem"
	echoes pascal "$tmp/pascal_echo" "$tmp/rsa.pem"
fi

# faces HALF ARGUMENT...: starts facehost, whose arguments say how it reaches libssl. Sets $port to its first port.
faces() {
	local half=$1
	shift
	: >"$tmp/faces.log"
	under "$half"
	start faces "${under[@]}" "$tools/facehost" "$@"
	within 10 grep -q ^ready "$tmp/faces.log"
	port=$(sed -n 's/^ready //p' "$tmp/faces.log" | head -n 1)
}

faces without "$tmp/server.pem" "lookup=$libssl"
field "a C program that uses dlsym honours renegotiation without the shim" "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 3)" honoured 3
stop "$pid"
faces with "$tmp/server.pem" "lookup=$libssl"
for n in 1 2 3; do
	field "a C program that uses dlsym: renegotiation is refused, $n" "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1)" honoured 0
done
for tls in 1.2 1.3; do
	is "a C program that uses dlsym: ordinary clients are served, TLS $tls" "$(peer_summary --tls $tls 127.0.0.1 "$port" get 20)" "summary full=20 reused=0 refused=0"
	is "a C program that uses dlsym: offers to resume are accepted, TLS $tls" "$(peer_summary --tls $tls 127.0.0.1 "$port" resume 5)" "summary full=1 reused=5 refused=0"
done
field "a C program that uses dlsym: key updates are not taken for renegotiation" "$(peer_summary 127.0.0.1 "$port" keyupdate 5)" served 1
stop "$pid"

# libssl is opened after a chroot, as user nobody. Inside there is no syslog socket, no /proc and no file of ours.
if [ "$(id -u)" != 0 ] || [ "$preload" != "$shim" ]; then
	skip "libssl opened in a chroot" "not root, or a sanitized build"
elif ! command -v rsyslogd >/dev/null; then
	skip "libssl opened in a chroot" "rsyslogd is not installed"
else
	start_rsyslogd
	in_memory
	jail=$tmp/jail
	mkdir -p "$jail${libssl%/*}" && chmod 755 "$tmp" "$jail"
	cp -L "$libssl" "${libssl/ssl/crypto}" "$jail${libssl%/*}" && cp "$tmp/server.pem" "$jail" && chmod 644 "$jail/server.pem"
	for half in without with; do
		: >"$tmp/faces.log"
		under $half RENEGUARD_LOG=syslog RENEGUARD_SYSLOG_SOCKET="$syslog_socket" RENEGUARD_STATE="$memory/state" RENEGUARD_NAME=jailed
		start faces "${under[@]}" "$tools/facehost" --jail "$jail" /server.pem "lookup=$libssl"
		within 10 grep -q ^ready "$tmp/faces.log"
		port=$(sed -n 's/^ready //p' "$tmp/faces.log")
		is "chroot, $half the shim: the program runs inside, as nobody" "$(stat -c %U "/proc/$pid")$(readlink "/proc/$pid/root")" "nobody$jail"
		if [ $half = without ]; then
			field "chroot, without the shim: renegotiation is honoured" "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 2)" honoured 2
		else
			field "chroot: renegotiation is refused" "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 2)" honoured 0
			like "chroot: syslog, outside, gets the line" "$(line_with "$syslog_file" event=renegotiation)" \
				'authpriv\.warning reneguard.*action=close client=127\.0\.0\.1 .*service=jailed'
			like "chroot: the state file, outside, has the client" "$("$RG_BUILD/reneguardctl" status --state "$memory/state" 2>&1)" '127\.0\.0\.1'
		fi
		stop "$pid"
	done
fi

# RTLD_DEEPBIND.
compile() { "${CC:-cc}" -std=c11 -O2 -fPIC -shared -Itests/lib -o "$@" 2>"$tmp/compile.log"; }
if [ "$preload" != "$shim" ]; then
	skip RTLD_DEEPBIND "a sanitizer's runtime does not allow it"
elif ! compile "$tmp/face.so" tests/lib/face.c -lssl -lcrypto || ! compile "$tmp/other.so" -xc - <<<'int other;'; then
	skip RTLD_DEEPBIND "the plug-in does not compile: $(tail -n 1 "$tmp/compile.log")"
else
	faces with "$tmp/server.pem" "deepbind=$tmp/face.so"
	field "RTLD_DEEPBIND: the module is not guarded" "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 2)" honoured 2
	ok "RTLD_DEEPBIND: the log says so" all_fields "$(line_with "$tmp/faces.log" RTLD_DEEPBIND)" code=ERR_RENEGUARD_LIBSSL service=facehost
	like "RTLD_DEEPBIND: the line names the module" "$(cat "$tmp/faces.log")" "text=\"$tmp/face.so was opened with RTLD_DEEPBIND"
	is "RTLD_DEEPBIND: there is one line only" "$(count_lines "$tmp/faces.log" RTLD_DEEPBIND)" 1
	stop "$pid"
	faces with "$tmp/server.pem" "deepbind=$tmp/face.so" "lookup=$libssl"
	ports=("$port" "$(sed -n 's/^ready //p' "$tmp/faces.log" | tail -n 1)")
	field "RTLD_DEEPBIND beside a libssl found by dlsym: the module is not guarded" "$(peer_summary --tls 1.2 127.0.0.1 "${ports[0]}" renegotiate 2)" honoured 2
	field "RTLD_DEEPBIND beside a libssl found by dlsym: the other libssl is" "$(peer_summary --tls 1.2 127.0.0.1 "${ports[1]}" renegotiate 2)" honoured 0
	stop "$pid"
	: >"$tmp/faces.log"
	under with
	"${under[@]}" "$tools/facehost" "$tmp/server.pem" "deepbind=$tmp/other.so" >>"$tmp/faces.log" 2>&1
	is "RTLD_DEEPBIND: a module without libssl is not logged" "$(count_lines "$tmp/faces.log" RTLD_DEEPBIND)" 0
fi
finish
