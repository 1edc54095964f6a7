#!/bin/bash
# squid: a forward proxy reached over TLS (https_port), with BIO methods of its own. If root starts it, it executes its kids with AT_SECURE, and
# the loader ignores LD_PRELOAD there. Two ways can be guarded: `squid -N`, one process, and the kids of a squid started as its own user.
. tests/lib/daemon.sh
packages="squid-openssl"
clients="curl"
program=squid
variants="alone kids"
protocol=proxy

workers=1

# The kids are executed by their master, so they share a state file.
is_available() {
	[ "$variant" != kids ] || run_as=proxy state=yes
	command -v squid >/dev/null || { lacking="squid is not installed"; return 1; }
}

configure() {
	install_for proxy -d "$tmp/squid" && install_for proxy -m 600 "$tmp/key.pem" "$tmp/squid.key" && install_for proxy /dev/null "$tmp/cache.log"
	[ "$variant" != kids ] || ! root || chown proxy "$tmp/"
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
		workers $workers
	CONF
}

launch() {
	case $variant in
	alone) daemon squid -N -f "$tmp/squid.conf" ;;
	kids) daemon squid --foreground -f "$tmp/squid.conf" ;;
	esac && within 10 listening "$certificate_port"
}

through() { # PORT CURL-OPTION...
	curl -sS --max-time 10 --noproxy '' --proxy-cacert "$tmp/cert.pem" -x "https://localhost:$1" -w '%{http_connect} %{http_code}\n' "${@:2}" \
		"http://127.0.0.1:$backend_port/" 2>&1
}

exchange() {
	through "$port"
	through "$port" -p # -p: by CONNECT
	through "$certificate_port" --proxy-cert "$tmp/server.pem"
	through "$certificate_port" | tail -n 1 # without a certificate
}

reload() { reload_certificate kill -HUP "$pid"; }

auxiliary() { od -An -v -t d8 -w16 "/proc/$1/auxv" | awk -v type="$2" '$1 == type { print $2 }'; } # PID TYPE, see getauxval(3)
kid_pid() { kid=$(pgrep -P "$pid" -f squid-1); }
more() {
	end
	if [ "$variant" = kids ]; then two_kids; else kid_of_root; fi
}
# Each kid has its own ticket keys. Which offers are accepted is therefore chance, but all are counted.
two_kids() {
	local workers=2
	begin with && one_ledger
	is "$label: squid runs as a master, two kids and their coordinator" "$(family | wc -l)" 4
}
kid_of_root() {
	root || { skip "$label: kids of a squid that root started" "not root"; return; }
	daemon squid --foreground -f "$tmp/squid.conf"
	ok "$label: started by root without -N, squid executes a kid" within 5 kid_pid
	is "$label: the kid serves" "$(exchange)" "$answers"
	is "$label: the kid runs in secure-execution mode (AT_SECURE)" "$(auxiliary "$kid" 23)" 1
	is "$label: the library is not loaded in the kid (limitation)" "$(grep -c libreneguard "/proc/$kid/maps")" 0
	like "$label: reneguardctl check tells it" "$("$RG_BUILD/reneguardctl" check --pid "$kid" 2>&1)" 'is not guarded: the shim is not loaded'
}

own_errors() { grep -E 'ERROR|WARNING|FATAL' "$tmp/cache.log"; }
trials
