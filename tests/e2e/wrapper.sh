#!/bin/bash
# scripts/reneguard and reneguardctl: exit statuses, messages, what reaches the program, and the installed copies.
. tests/lib/tap.sh
. tests/lib/server.sh
unset "${!RENEGUARD_@}" LD_PRELOAD

wrapper=$PWD/scripts/reneguard
ctl=$RG_BUILD/reneguardctl
if [ "$RG_BUILD" != "$PWD/build" ]; then
	echo "1..0 # SKIP the wrapper of the tree runs programs under build/, not under this sanitized build"
	exit 0
fi

# run COMMAND...: its status in $status, its output in $out and $err.
run() {
	out=$(timeout 20 "$@" 2>"$tmp/err")
	status=$?
	err=$(cat "$tmp/err")
}

run "$wrapper" --help
is "--help succeeds" $status 0
for variable in RENEGOTIATION RESUMPTION HANDSHAKE INCOMPLETE KEYUPDATE ROLE EXEMPT IPV4_PREFIX IPV6_PREFIX CLIENTS STATE NAME LOG \
	LOG_FORMAT LOG_RATE SYSLOG_FACILITY SYSLOG_SOCKET STRICT; do
	like "--help names $variable" "$out" "RENEGUARD_$variable( |=|$)|--$(tr 'A-Z_' 'a-z-' <<<$variable)(=| |$)"
done
run "$wrapper" --version
like "--version" "$out" '^reneguard [0-9]+\.[0-9]+'

run "$wrapper" -- openssl version
ok "a program that can be guarded: no word, its own status" all_fields "status=$status err=$err" status=0 err=
run "$wrapper" sh -c 'exit 7'
is "PROGRAM's own status" $status 7
run "$wrapper" "$tmp/missing"
is "127: not found" $status 127
: >"$tmp/plain" && chmod 644 "$tmp/plain"
run "$wrapper" "$tmp/plain"
is "126: can not be executed" $status 126
run "$wrapper"
is "125: no PROGRAM" $status 125
run "$wrapper" --no-such-option true
is "125: an unknown option" $status 125
run "$wrapper" --resumption=refuse:120 openssl version
is "125: a bad policy, before anything is run" "$status$out" 125
like "one line with variable, value and accepted form" "$err" "RENEGUARD_RESUMPTION.*refuse:120.*"
is "one line" "$(wc -l <<<"$err")" 1
run env RENEGUARD_RENEGOTIATE=off "$wrapper" openssl version
is "125: a misspelt variable" "$status$out" 125
like "which is named" "$err" RENEGUARD_RENEGOTIATE
run "$wrapper" /bin/true
ok "no libssl in reach: run all the same, with one warning" all_fields "status=$status lines=$(wc -l <<<"$err")" status=0 lines=1
like "which says why" "$err" '^reneguard: warning: .*true.*libssl'
run "$wrapper" --require /bin/true
is "125 with --require" $status 125
run "$wrapper" --require openssl version
is "--require and a program that can be guarded" $status 0

run "$wrapper" --renegotiation=close:3/600s --log-format=json --name=shop sh -c 'echo $RENEGUARD_RENEGOTIATION $RENEGUARD_LOG_FORMAT $RENEGUARD_NAME'
is "options set the variables" "$out" "close:3/600s json shop"
run env LD_PRELOAD="$tools/tlsserver.so" "$wrapper" sh -c 'echo "$LD_PRELOAD"'
is "an existing LD_PRELOAD is kept behind ours" "$out" "$shim:$tools/tlsserver.so"
run "$wrapper" sh -c 'echo "$1|$2|$3"' -- 'a b' '' '*'
is "arguments arrive as they are" "$out" 'a b||*'
"$wrapper" sleep 30 2>/dev/null &
pid=$!
at_exit "stop $(who "$pid")"
ok "the pid is PROGRAM's own" within 3 grep -q sleep "/proc/$pid/comm"
kill -TERM $pid
wait $pid
is "and signals reach it" $? 143

run "$ctl" policy
like "policy prints the defaults" "$out" '^RENEGUARD_RENEGOTIATION=close$'
is "and succeeds" $status 0
run env RENEGUARD_RESUMPTION=close:9/1m RENEGUARD_EXEMPT=10.0.0.0/8,::1 "$ctl" policy
like "what the environment says" "$out" '^RENEGUARD_RESUMPTION=close:9/(1m|60s)$'
run env RENEGUARD_RESUMPTION=maybe RENEGUARD_CLIENTS=-1 RENEGUARD_TYPO=1 "$ctl" policy
ok "a line for each bad one, and a failure" all_fields "failed=$((status != 0)) lines=$(wc -l <<<"$err")" failed=1 lines=3
for value in close:0/1s close:1 close:1/ close:1/0s close:/1s close:1/1d ' close' CLOSE close:-1/1s close:99999999999999999999/1s decline ''; do
	run env RENEGUARD_RENEGOTIATION="$value" "$ctl" policy
	[ "$value" = '' ] || ok "a bad value: '$value'" test $status != 0
done
run "$ctl" check "$(command -v openssl)"
like "check a program linked to libssl" "$out" 'libssl\.so'
is "succeeds" $status 0
run "$ctl" check /bin/true
ok "check one that is not" test $status != 0

unset MAKEFLAGS MAKELEVEL
mkdir "$tmp/root"
if make -s install DESTDIR="$tmp/root" PREFIX=/usr >"$tmp/install.log" 2>&1; then
	run env -C / "$tmp/root/usr/bin/reneguard" --version
	ok "the installed wrapper names the installed library" grep -q '^shim=/usr/lib/reneguard/libreneguard.so' "$tmp/root/usr/bin/reneguard"
	ok "library, wrapper, inspector and manual page are installed" test -f "$tmp/root/usr/lib/reneguard/libreneguard.so" -a \
		-x "$tmp/root/usr/sbin/reneguardctl" -a -s "$tmp/root/usr/share/man/man8/reneguard.8"
	make -s uninstall DESTDIR="$tmp/root" PREFIX=/usr >>"$tmp/install.log" 2>&1
	is "and nothing is left by uninstall" "$(find "$tmp/root" ! -type d)" ""
else
	tap_point 1 "make install DESTDIR=..."
fi
finish
