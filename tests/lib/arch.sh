# Tests of a build by another compiler or for another architecture (bash, after tap.sh, server.sh and builds.sh). It is built beside
# the ordinary build. Each of its unit and hook tests becomes one point of the script that sources this.
# shellcheck shell=bash disable=SC2034,SC2154
. tests/lib/nginx.sh

build=${RG_BUILD:?}/$(basename "$0" .sh)

# build_with VARIABLE=VALUE...: builds everything into $build with these make variables; ends the script if that fails.
build_with() {
	unset MAKEFLAGS MAKELEVEL
	make -s -j2 CI=1 BUILD="$build" "$@" all tests-build >"$tmp/build.log" 2>&1
	tap_point $? "builds without a warning: $1" || finish
}

# suite NAME TEST...: runs the TESTs of that build and makes a point of each. Hook tests run in three of their five places (lib/hooks.sh).
suite() {
	local name=$1 line test
	shift
	RG_PLACES="main thread plugin" tests/run "$build" "$@" >"$tmp/suite.out" 2>&1
	while IFS= read -r line; do
		if [[ $line =~ ^([^ ]+):\ 0\ passed,\ 0\ failed,\ 1\ skipped, ]]; then
			test=${BASH_REMATCH[1]}
		elif [[ $line =~ ^\ +1\.\.0\ #\ SKIP\ (.*) ]]; then
			skip "$name: $test" "${BASH_REMATCH[1]}"
		elif [[ $line =~ ^([^ ]+):\ ([0-9]+)\ passed,\ ([0-9]+)\ failed,\ [0-9]+\ skipped, ]]; then
			[ "${BASH_REMATCH[2]}" -gt 0 ] && [ "${BASH_REMATCH[3]}" = 0 ]
			tap_point $? "$name: ${BASH_REMATCH[1]} passes (${BASH_REMATCH[2]} points)"
		elif [[ $line =~ ^\ +ok.*-\ (.*)\ #\ SKIP\ (.*) ]]; then
			skip "$name: ${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
		else
			diag "$line"
		fi
	done <"$tmp/suite.out"
}

# glibc 2.17 is the oldest supported version (shim/os/glibc_floor.h).
floor_holds() {
	local newest
	newest=$(nm -D --undefined-only "$build/libreneguard.so" "$build/reneguardctl" | sed -n 's/.*@GLIBC_\([0-9.]*\)$/\1/p' | sort -Vu | tail -n 1)
	is "library and inspector need no glibc newer than 2.17" "$(printf '%s\n' "$newest" 2.17 | sort -V | tail -n 1)" 2.17
}

unit_tests() {
	local source
	for source in tests/unit/test_*.c; do echo "$build/tests/unit/$(basename "$source" .c)"; done
}

# foreign ARCHITECTURE TRIPLET: unpacks Debian's packages for ARCHITECTURE at $root and sets ${cross[@]} and $ldflags, the make variables
# that build for it. Skips the whole script if the cross compiler or the packages are missing.
foreign() {
	needs "$2-gcc"
	build_of "$1" || { echo "1..0 # SKIP $lacking"; exit 0; }
	root=$builds/$1
	lib=$(cd "$root/usr/lib" && echo *-linux-gnu)
	libraries=$root/usr/lib/$lib:$root/lib/$lib
	cross=(CC="$2-gcc" CPPFLAGS="-isystem $root/usr/include -isystem $root/usr/include/$lib"
		CHECK_CFLAGS= CHECK_LIBS="-lcheck_pic -lrt -lm -lsubunit -lpthread")
	ldflags="-L$root/usr/lib/$lib -Wl,-rpath-link,$libraries"
}

# daemons NAME LAUNCHER...: puts that build's shim in front of Debian's s_server and nginx of that architecture. LAUNCHER is the emulator or
# loader that runs them.
daemons() {
	local name=$1 line
	shift
	launcher=("$@") shim=$build/libreneguard.so preload=$build/libreneguard.so
	s_server without
	ok "$name: s_server honours renegotiation without the shim" all_fields "$(peer_summary --tls 1.2 --none 127.0.0.1 "$port" renegotiate 5)" honoured=5
	stop "$pid"
	s_server with RENEGUARD_RESUMPTION=decline:6/600s
	ok "$name: s_server with the shim refuses it" all_fields "$(peer_summary --tls 1.2 --none 127.0.0.1 "$port" renegotiate 5)" started=1 honoured=0
	ok "$name: the refusal is logged" all_fields "$(line_with "$tmp/s_server.log" event=renegotiation)" code=ERR_TLS_RENEGOTIATION_DISABLED \
		action=close client=127.0.0.1 service=openssl tls=TLSv1.2 'libssl=3\..*'
	for line in "--tls 1.2 --how id" "--tls 1.2" "--tls 1.3"; do
		from=127.0.0.$((++clients + 1))
		# shellcheck disable=SC2086 # options
		is "$name: decline:6 accepts six of nine offers to resume, $line" "$(peer_summary $line --from $from 127.0.0.1 "$port" resume 9)" \
			"summary full=4 reused=6 refused=0"
	done
	stop "$pid"
	nginx_of without
	ok "$name: nginx without the shim answers every attempt to renegotiate with a warning" all_fields "$(storm 127.0.0.1 "$port" 20)" warnings=20 served=1
	stop "$pid"
	nginx_of with RENEGUARD_RESUMPTION=decline:6/600s
	ok "$name: nginx with the shim closes the connection at the first attempt" all_fields "$(storm 127.0.0.1 "$port" 20)" 'sent=[12]' hellos=0 served=0
	ok "$name: the worker logs it" all_fields "$(line_with "$tmp/nginx.log" event=renegotiation)" service=nginx client=127.0.0.1 count=1
	like "$name: nginx's own log names the reason" "$(cat "$tmp/nginx-error.log")" ERR_TLS_RENEGOTIATION_DISABLED
	is "$name: both nginx workers count resumptions together" "$(peer_summary --from 127.0.0.8 127.0.0.1 "$port" resume 9)" \
		"summary full=4 reused=6 refused=0"
	stop "$pid"
}

s_server() { # with|without [VARIABLE=VALUE]...
	port=$(pick_port)
	: >"$tmp/s_server.log"
	under "$@"
	start_on_port s_server "${under[@]}" "${launcher[@]}" "$root/usr/bin/openssl" s_server -accept "127.0.0.1:$port" -cert "$tmp/server.pem" -www \
		-client_renegotiation
}

nginx_of() { # with|without [VARIABLE=VALUE]...
	port=$(pick_port)
	chmod 711 "$tmp"
	nginx_conf "$tmp" >"$tmp/nginx.conf" <<-CONF
		$(nginx_tls "$tmp")
		ssl_session_cache shared:s:1m;
		server { listen 127.0.0.1:$port ssl; return 200 "ok\n"; }
	CONF
	: >"$tmp/nginx.log"
	: >"$tmp/nginx-error.log"
	under "$@"
	start_on_port nginx "${under[@]}" "${launcher[@]}" "$root/usr/sbin/nginx" -c "$tmp/nginx.conf" -e "$tmp/nginx-error.log"
}
