#!/bin/bash
# Library, wrapper and inspector as they were built here, in front of the daemons of an older system: Debian 11, glibc 2.31,
# OpenSSL 1.1.1w, which honours renegotiation by default. Each half also without the shim.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/builds.sh

[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build needs its runtime in there"; exit 0; }
build_of bullseye || { echo "1..0 # SKIP $lacking"; exit 0; }
enter bullseye
certificates
cp "$tmp/cert.pem" "$tmp/key.pem" "$tmp/server.pem" "$jail"

unset MAKEFLAGS MAKELEVEL
make -s install BUILD="$RG_BUILD" DESTDIR="$root" PREFIX="$inside" >"$tmp/install.log" 2>&1

# What runs a command in that root with /proc, where the inspector finds ledgers; the pid is the command's own.
there=(unshare -m sh -c 'mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"' "$root")

# wrapped [OPTION]...: sets the words that run a command there under the wrapper into ${under[@]}.
wrapped() { under=("${there[@]}" "$inside/bin/reneguard" --require --log=stderr "$@" --); }

is "the loader there takes it" "$(chroot "$root" env LD_BIND_NOW=1 LD_PRELOAD="$inside/libreneguard.so" /bin/sh -c 'echo runs' 2>&1)" runs
like "glibc there is older than the one here" "$(chroot "$root" ldd --version | head -n 1)" ' 2\.31$'

like "the inspector runs there" "$(chroot "$root" "$inside/sbin/reneguardctl" check /usr/sbin/nginx 2>&1)" \
	'nginx: will be guarded: it is linked to .*/libssl\.so\.1\.1'
wrapped
is "and the wrapper" "$("${under[@]}" openssl version 2>&1 | cut -d' ' -f1,2)" "OpenSSL 1.1.1w"
wrapped --resumption=often
like "which reads the policy" "$("${under[@]}" openssl version 2>&1; echo "status=$?")" '^status=125$'

# serve HALF [VARIABLE=VALUE]...: openssl s_server, which leaves libssl's defaults alone.
serve() {
	port=$(pick_port)
	: >"$tmp/s_server.log"
	jailed "$@"
	start_on_port s_server "${under[@]}" openssl s_server -accept "127.0.0.1:$port" -cert "$inside/server.pem" -www
}

serve without
field "s_server: renegotiation is honoured without the shim" "$(peer_summary --tls 1.2 --none 127.0.0.1 "$port" renegotiate 5)" honoured 5
is "s_server: resumption, without the shim" "$(peer_summary --tls 1.2 127.0.0.1 "$port" resume 4)" "summary full=1 reused=4 refused=0"
stop "$pid"

serve with RENEGUARD_RESUMPTION=decline:6/600s
ok "s_server: and refused with it" all_fields "$(peer_summary --tls 1.2 --none 127.0.0.1 "$port" renegotiate 5)" started=1 honoured=0
line=$(line_with "$tmp/s_server.log" event=renegotiation)
ok "s_server: which is said" all_fields "$line" code=ERR_TLS_RENEGOTIATION_DISABLED action=close client=127.0.0.1 service=openssl \
	tls=TLSv1.2 libssl=1.1.1w
for how in "--tls 1.2 --how id" "--tls 1.2" "--tls 1.3"; do
	from=127.0.0.$((++n + 1))
	# shellcheck disable=SC2086 # options
	is "s_server: of nine resumptions six are accepted, $how" "$(peer_summary $how --from $from 127.0.0.1 "$port" resume 9)" \
		"summary full=4 reused=6 refused=0"
	ok "s_server: and the seventh is told, $how" all_fields "$(line_with "$tmp/s_server.log" "event=resumption.*client=$from ")" \
		code=ERR_TLS_SESSION_ATTACK action=decline count=7 limit=6/600s libssl=1.1.1w
done
stop "$pid"

# nginx_there: under whatever is in ${under[@]}
nginx_there() {
	port=$(pick_port)
	cat >"$jail/nginx.conf" <<-CONF
		user nobody nogroup; daemon off; worker_processes 2; pid $inside/nginx.pid; error_log $inside/nginx-error.log info;
		events { worker_connections 512; }
		http {
			access_log off; client_body_temp_path $inside/b; proxy_temp_path $inside/p; fastcgi_temp_path $inside/f;
			uwsgi_temp_path $inside/u; scgi_temp_path $inside/s;
			ssl_certificate $inside/cert.pem; ssl_certificate_key $inside/key.pem; ssl_session_cache shared:s:1m;
			ssl_protocols TLSv1.2 TLSv1.3;
			server { listen 127.0.0.1:$port ssl; return 200 "ok\n"; }
		}
	CONF
	: >"$tmp/nginx.log"
	: >"$jail/nginx-error.log"
	start_on_port nginx "${under[@]}" nginx -c "$inside/nginx.conf"
}

jailed without
nginx_there
storm=$(storm 127.0.0.1 "$port" 100)
stop "$pid"
diag "nginx 1.18 without the shim: $storm"
wrapped --resumption=decline:6/600s
nginx_there
line=$(storm 127.0.0.1 "$port" 100)
ok "nginx: the first attempt is the last" all_fields "$line" 'sent=[12]' hellos=0 served=0
ok "nginx: a worker says so" all_fields "$(line_with "$tmp/nginx.log" event=renegotiation)" code=ERR_TLS_RENEGOTIATION_DISABLED \
	client=127.0.0.1 count=1 service=nginx tls=TLSv1.2 libssl=1.1.1w
like "nginx: its own error log names the reason" "$(cat "$jail/nginx-error.log")" ERR_TLS_RENEGOTIATION_DISABLED
is "nginx: others are served" "$(peer_summary --from 127.0.0.9 127.0.0.1 "$port" get 5)" "summary full=5 reused=0 refused=0"
is "nginx: resumption is counted over both workers" "$(peer_summary --from 127.0.0.8 127.0.0.1 "$port" resume 9)" \
	"summary full=4 reused=6 refused=0"
ok "nginx: and told" all_fields "$(line_with "$tmp/nginx.log" 'event=resumption.*client=127.0.0.8')" count=7 limit=6/600s tls=TLSv1.3
like "nginx: and shown by the inspector there" "$("${there[@]}" "$inside/sbin/reneguardctl" status --pid "$pid" 2>&1)" '^ *127\.0\.0\.8 '
stop "$pid"
finish
