#!/bin/bash
# scripts/reneguard and reneguardctl: exit statuses, messages, what the program receives, and the installed copies.
. tests/lib/tap.sh
. tests/lib/server.sh
unset "${!RENEGUARD_@}" LD_PRELOAD

wrapper=$PWD/scripts/reneguard
ctl=$RG_BUILD/reneguardctl
if [ "$RG_BUILD" != "$PWD/build" ]; then
	echo "1..0 # SKIP the wrapper of the tree runs programs under build/, not under this sanitized build"
	exit 0
fi

# run COMMAND...: sets $status, $out (standard output) and $err (standard error).
run() {
	out=$(timeout 20 "$@" 2>"$tmp/err")
	status=$?
	err=$(cat "$tmp/err")
}

run "$wrapper" --help
is "--help: exit status 0" $status 0
for variable in RENEGOTIATION RESUMPTION HANDSHAKE INCOMPLETE KEYUPDATE ROLE EXEMPT IPV4_PREFIX IPV6_PREFIX CLIENTS STATE NAME LOG \
	LOG_FORMAT LOG_RATE SYSLOG_FACILITY SYSLOG_SOCKET STRICT; do
	like "--help names $variable" "$out" "RENEGUARD_$variable( |=|$)|--$(tr 'A-Z_' 'a-z-' <<<$variable)(=| |$)"
done
run "$wrapper" --version
like "--version prints the version" "$out" '^reneguard [0-9]+\.[0-9]+'

run "$wrapper" -- openssl version
ok "a program that can be guarded runs without a warning" all_fields "status=$status err=$err" status=0 err=
run "$wrapper" sh -c 'exit 7'
is "the wrapper ends with PROGRAM's own status" $status 7
run "$wrapper" "$tmp/missing"
is "127: PROGRAM is not found" $status 127
: >"$tmp/plain" && chmod 644 "$tmp/plain"
run "$wrapper" "$tmp/plain"
is "126: PROGRAM cannot be executed" $status 126
run "$wrapper"
is "125: no PROGRAM" $status 125
run "$wrapper" --no-such-option true
is "125: an unknown option" $status 125
run "$wrapper" --resumption=refuse:120 openssl version
is "125: a bad policy; PROGRAM does not run" "$status$out" 125
like "a bad policy: the message names the variable and the value" "$err" "RENEGUARD_RESUMPTION.*refuse:120.*"
is "a bad policy: the message is one line" "$(wc -l <<<"$err")" 1
run env RENEGUARD_RENEGOTIATE=off "$wrapper" openssl version
is "125: a misspelt variable; PROGRAM does not run" "$status$out" 125
like "a misspelt variable: the message names it" "$err" RENEGUARD_RENEGOTIATE
run "$wrapper" /bin/true
ok "a program without libssl runs, with one line of warning" all_fields "status=$status lines=$(wc -l <<<"$err")" status=0 lines=1
like "a program without libssl: the warning names it and libssl" "$err" '^reneguard: warning: .*true.*libssl'
run "$wrapper" --require /bin/true
is "125: --require and a program without libssl" $status 125
run "$wrapper" --require openssl version
is "--require: a program that can be guarded runs" $status 0

run "$wrapper" --renegotiation=close:3/600s --log-format=json --name=shop sh -c 'echo $RENEGUARD_RENEGOTIATION $RENEGUARD_LOG_FORMAT $RENEGUARD_NAME'
is "options set the RENEGUARD_ variables" "$out" "close:3/600s json shop"
run env LD_PRELOAD="$tools/tlsserver.so" "$wrapper" sh -c 'echo "$LD_PRELOAD"'
is "an existing LD_PRELOAD stays, behind the shim" "$out" "$shim:$tools/tlsserver.so"
run "$wrapper" sh -c 'echo "$1|$2|$3"' -- 'a b' '' '*'
is "PROGRAM gets its arguments unchanged" "$out" 'a b||*'
"$wrapper" sleep 30 2>/dev/null &
pid=$!
at_exit "stop $(who "$pid")"
ok "the wrapper's pid becomes PROGRAM's own" within 3 grep -q sleep "/proc/$pid/comm"
kill -TERM $pid
wait $pid
is "PROGRAM receives signals sent to that pid" $? 143

run "$ctl" policy
like "policy: it prints the defaults" "$out" '^RENEGUARD_RENEGOTIATION=close$'
is "policy: exit status 0" $status 0
run env RENEGUARD_RESUMPTION=close:9/1m RENEGUARD_EXEMPT=10.0.0.0/8,::1 "$ctl" policy
like "policy: it prints what the environment sets" "$out" '^RENEGUARD_RESUMPTION=close:9/(1m|60s)$'
run env RENEGUARD_RESUMPTION=maybe RENEGUARD_CLIENTS=-1 RENEGUARD_TYPO=1 "$ctl" policy
ok "policy: it fails, with one line for each bad variable" all_fields "failed=$((status != 0)) lines=$(wc -l <<<"$err")" failed=1 lines=3
for value in close:0/1s close:1 close:1/ close:1/0s close:/1s close:1/1d ' close' CLOSE close:-1/1s close:99999999999999999999/1s decline ''; do
	run env RENEGUARD_RENEGOTIATION="$value" "$ctl" policy
	[ "$value" = '' ] || ok "policy: it rejects the value '$value'" test $status != 0
done
run "$ctl" check "$(command -v openssl)"
like "check: a program linked to libssl: it names that libssl" "$out" 'libssl\.so'
is "check: a program linked to libssl: exit status 0" $status 0
run "$ctl" check /bin/true
ok "check: it fails for a program without libssl" test $status != 0

unset MAKEFLAGS MAKELEVEL
mkdir "$tmp/root"
if make -s install DESTDIR="$tmp/root" PREFIX=/usr >"$tmp/install.log" 2>&1; then
	run env -C / "$tmp/root/usr/bin/reneguard" --version
	ok "the installed wrapper names the installed library" grep -q '^shim=/usr/lib/reneguard/libreneguard.so' "$tmp/root/usr/bin/reneguard"
	ok "library, wrapper, inspector and manual page are installed" test -f "$tmp/root/usr/lib/reneguard/libreneguard.so" -a \
		-x "$tmp/root/usr/sbin/reneguardctl" -a -s "$tmp/root/usr/share/man/man8/reneguard.8"
	make -s uninstall DESTDIR="$tmp/root" PREFIX=/usr >>"$tmp/install.log" 2>&1
	is "make uninstall leaves no file" "$(find "$tmp/root" ! -type d)" ""
else
	tap_point 1 "make install DESTDIR=... succeeds"
fi
finish
