#!/bin/bash
# Library, wrapper and inspector, built here, in front of the daemons of an older system: Debian 11, glibc 2.31, OpenSSL 1.1.1w, which
# honours renegotiation by default. Each daemon also runs without the shim.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/nginx.sh
. tests/lib/builds.sh

[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build needs its runtime inside the chroot"; exit 0; }
build_of bullseye || { echo "1..0 # SKIP $lacking"; exit 0; }
enter bullseye
certificates
cp "$tmp/cert.pem" "$tmp/key.pem" "$tmp/server.pem" "$jail"

unset MAKEFLAGS MAKELEVEL
make -s install BUILD="$RG_BUILD" DESTDIR="$root" PREFIX="$inside" >"$tmp/install.log" 2>&1

# Words that run a command in that root with /proc, where the inspector finds ledgers. The pid is the command's own.
in_root=(unshare -m sh -c 'mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"' "$root")

# wrapped [OPTION]...: sets ${under[@]} to the words that run a command in that root under the wrapper.
wrapped() { under=("${in_root[@]}" "$inside/bin/reneguard" --require --log=stderr "$@" --); }

is "Debian 11: its loader loads the library" "$(chroot "$root" env LD_BIND_NOW=1 LD_PRELOAD="$inside/libreneguard.so" /bin/sh -c 'echo runs' 2>&1)" runs
like "Debian 11: its glibc is 2.31" "$(chroot "$root" ldd --version | head -n 1)" ' 2\.31$'

like "Debian 11: the inspector runs" "$(chroot "$root" "$inside/sbin/reneguardctl" check /usr/sbin/nginx 2>&1)" \
	'nginx: will be guarded: it is linked to .*/libssl\.so\.1\.1'
wrapped
is "Debian 11: the wrapper runs a program" "$("${under[@]}" openssl version 2>&1 | cut -d' ' -f1,2)" "OpenSSL 1.1.1w"
wrapped --resumption=often
like "Debian 11: the wrapper checks the policy" "$("${under[@]}" openssl version 2>&1; echo "status=$?")" '^status=125$'

# serve HALF [VARIABLE=VALUE]...: starts openssl s_server, which does not change libssl's defaults.
serve() {
	port=$(pick_port)
	: >"$tmp/s_server.log"
	jailed "$@"
	start_on_port s_server "${under[@]}" openssl s_server -accept "127.0.0.1:$port" -cert "$inside/server.pem" -www
}

serve without
field "s_server: renegotiation is honoured without the shim" "$(peer_summary --tls 1.2 --none 127.0.0.1 "$port" renegotiate 5)" honoured 5
is "s_server: offers to resume are accepted without the shim" "$(peer_summary --tls 1.2 127.0.0.1 "$port" resume 4)" "summary full=1 reused=4 refused=0"
stop "$pid"

serve with RENEGUARD_RESUMPTION=decline:6/600s
ok "s_server: renegotiation is refused with the shim" all_fields "$(peer_summary --tls 1.2 --none 127.0.0.1 "$port" renegotiate 5)" started=1 honoured=0
line=$(line_with "$tmp/s_server.log" event=renegotiation)
ok "s_server: the refusal is logged" all_fields "$line" code=ERR_TLS_RENEGOTIATION_DISABLED action=close client=127.0.0.1 service=openssl \
	tls=TLSv1.2 libssl=1.1.1w
for how in "--tls 1.2 --how id" "--tls 1.2" "--tls 1.3"; do
	from=127.0.0.$((++n + 1))
	# shellcheck disable=SC2086 # options
	is "s_server: decline:6 accepts six of nine offers to resume, $how" "$(peer_summary $how --from $from 127.0.0.1 "$port" resume 9)" \
		"summary full=4 reused=6 refused=0"
	ok "s_server: the seventh offer is logged, $how" all_fields "$(line_with "$tmp/s_server.log" "event=resumption.*client=$from ")" \
		code=ERR_TLS_SESSION_ATTACK action=decline count=7 limit=6/600s libssl=1.1.1w
done
stop "$pid"

# start_nginx: starts nginx in that root with the words of ${under[@]} before it
start_nginx() {
	port=$(pick_port)
	nginx_conf "$inside" >"$jail/nginx.conf" <<-CONF
		$(nginx_tls "$inside")
		ssl_session_cache shared:s:1m;
		server { listen 127.0.0.1:$port ssl; return 200 "ok\n"; }
	CONF
	: >"$tmp/nginx.log"
	: >"$jail/nginx-error.log"
	start_on_port nginx "${under[@]}" nginx -c "$inside/nginx.conf"
}

jailed without
start_nginx
storm=$(storm 127.0.0.1 "$port" 100)
stop "$pid"
diag "nginx 1.18 without the shim: $storm"
wrapped --resumption=decline:6/600s
start_nginx
line=$(storm 127.0.0.1 "$port" 100)
ok "nginx: the first attempt to renegotiate ends the connection" all_fields "$line" 'sent=[12]' hellos=0 served=0
ok "nginx: the worker logs it" all_fields "$(line_with "$tmp/nginx.log" event=renegotiation)" code=ERR_TLS_RENEGOTIATION_DISABLED \
	client=127.0.0.1 count=1 service=nginx tls=TLSv1.2 libssl=1.1.1w
like "nginx: its own error log names the reason" "$(cat "$jail/nginx-error.log")" ERR_TLS_RENEGOTIATION_DISABLED
is "nginx: another client is served" "$(peer_summary --from 127.0.0.9 127.0.0.1 "$port" get 5)" "summary full=5 reused=0 refused=0"
is "nginx: both workers count resumptions together" "$(peer_summary --from 127.0.0.8 127.0.0.1 "$port" resume 9)" \
	"summary full=4 reused=6 refused=0"
ok "nginx: the seventh offer to resume is logged" all_fields "$(line_with "$tmp/nginx.log" 'event=resumption.*client=127.0.0.8')" count=7 limit=6/600s tls=TLSv1.3
like "nginx: the inspector inside the root shows the client" "$("${in_root[@]}" "$inside/sbin/reneguardctl" status --pid "$pid" 2>&1)" '^ *127\.0\.0\.8 '
stop "$pid"
finish
