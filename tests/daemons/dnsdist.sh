#!/bin/bash
# dnsdist: DNS over TLS (an acceptor and worker threads) and DNS over HTTPS (h2o, which reads before it calls libssl). It drops its privileges.
. tests/lib/daemon.sh
packages="dnsdist"
clients="kdig:knot-dnsutils"
program=dnsdist
variants="dot doh"

configure() {
	local listener
	install_for _dnsdist -m 600 "$tmp/key.pem" "$tmp/dnsdist.key"
	listener="\"127.0.0.1:$port\", \"$tmp/cert.pem\", \"$tmp/dnsdist.key\""
	case $variant in
	dot) protocol=dns own_log=ERR_TLS_RENEGOTIATION_DISABLED over=+tls listener="addTLSLocal($listener, { provider = \"openssl\" })" ;;
	doh) protocol=http own_log='' over=+https=/dns-query listener="addDOHLocal($listener, { \"/dns-query\" })" ;;
	esac
	cat >"$tmp/dnsdist.conf" <<-CONF
		setSecurityPollSuffix("")
		setLocal("127.0.0.1:$(pick_port)")
		setVerboseHealthChecks(true)
		controlSocket("127.0.0.1:$(pick_port)")
		setKey("$(head -c 32 /dev/urandom | base64)")
		$listener
		addAction("probe.test.", SpoofAction("192.0.2.1"))
		addAction(AllRule(), RCodeAction(DNSRCode.NXDOMAIN))
	CONF
}

launch() {
	local drop=()
	! root || drop=(-u _dnsdist -g _dnsdist)
	daemon dnsdist --supervised -v --disable-syslog "${drop[@]}" -C "$tmp/dnsdist.conf"
}

ask() { timeout 10 kdig @127.0.0.1 -p "$port" $over +tls-ca="$tmp/cert.pem" +tls-hostname=localhost "$@" 2>&1; }

exchange() {
	ask +short probe.test A
	ask +short +keepopen probe.test A probe.test A
	ask absent.test A | grep -o 'status: [A-Z]*'
}

reload() { reload_certificate dnsdist -C "$tmp/dnsdist.conf" -e 'reloadAllCertificates()'; }

own_errors() { grep -iE 'error|warning|fatal|except' "$tmp/$name".log; }

# DNS over HTTPS is h2o's, which reads many sockets and feeds libssl from memory.
limitations() { [ "$variant" != doh ] || half_hellos_are_unknown; }
trials
