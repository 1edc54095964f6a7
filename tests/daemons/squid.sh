#!/bin/bash
# squid: a forward proxy behind TLS (https_port) with its own BIO methods. Its kid is executed with AT_SECURE (the loader ignores LD_PRELOAD
# there), so only `squid -N`, one process, can be guarded.
. tests/lib/daemon.sh
packages="squid-openssl"
clients="curl"
program=squid
protocol=proxy

configure() {
	install_for proxy -d "$tmp/squid" && install_for proxy -m 600 "$tmp/key.pem" "$tmp/squid.key" && install_for proxy /dev/null "$tmp/cache.log"
	backend
	certificate_port=$(pick_port)
	cat >"$tmp/squid.conf" <<-CONF
		https_port 127.0.0.1:$port tls-cert=$tmp/cert.pem tls-key=$tmp/squid.key
		https_port 127.0.0.1:$certificate_port tls-cert=$tmp/cert.pem tls-key=$tmp/squid.key clientca=$tmp/cert.pem
		acl loopback src 127.0.0.0/8
		http_access allow loopback
		http_access deny all
		visible_hostname localhost
		$(! root || echo cache_effective_user proxy)
		pid_filename $tmp/squid/pid
		coredump_dir $tmp/squid
		cache_log $tmp/cache.log
		access_log none
		cache_mem 8 MB
		pinger_enable off
		netdb_filename none
		shutdown_lifetime 0 seconds
	CONF
}

launch() { daemon squid -N -f "$tmp/squid.conf"; }

through() { # PORT CURL-OPTION...
	curl -sS --max-time 10 --noproxy '' --proxy-cacert "$tmp/cert.pem" -x "https://localhost:$1" -w '%{http_connect} %{http_code}\n' "${@:2}" \
		"http://127.0.0.1:$backend_port/" 2>&1
}

exchange() {
	through "$port"
	through "$port" -p # by CONNECT
	through "$certificate_port" --proxy-cert "$tmp/server.pem"
	through "$certificate_port" | tail -n 1 # without a certificate
}

reload() { renew kill -HUP "$pid"; }

# Without -N the kid does the TLS.
kid_pid() { kid=$(pgrep -P "$pid" -f squid-1); }
auxiliary() { od -An -v -t d8 -w16 "/proc/$1/auxv" | awk -v type="$2" '$1 == type { print $2 }'; } # PID TYPE, see getauxval(3)
more() {
	end
	daemon squid --foreground -f "$tmp/squid.conf"
	ok "$label: without -N there is a kid" within 5 kid_pid
	is "$label: which serves" "$(exchange)" "$answers"
	is "$label: in secure-execution mode (AT_SECURE)" "$(auxiliary "$kid" 23)" 1
	ok "$label: the master is preloaded" grep -q libreneguard "/proc/$pid/maps"
	ok "$label: the kid is not, which is the limitation" eval '! grep -q libreneguard "/proc/$kid/maps"'
	like "$label: reneguardctl check tells it" "$("$RG_BUILD/reneguardctl" check --pid "$kid" 2>&1)" 'the shim is not loaded there'
}

own_errors() { grep -E 'ERROR|WARNING|FATAL' "$tmp/cache.log"; }
trials
