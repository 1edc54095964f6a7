#!/bin/bash
# Icinga 2: its API. boost::asio gives each connection a pair of BIOs, and a pool of threads shakes hands.
. tests/lib/daemon.sh
packages="icinga2-bin icinga2-common"
clients="curl"
program=icinga2
protocol=http-alice # it closes a connection that says no password
variables=(RENEGUARD_NAME=icinga2)

configure() {
	local user group
	user=$(id -un) group=$(id -gn)
	rm -rf "$tmp/icinga2"
	mkdir -p "$tmp"/icinga2/{data/certs,run,log,cache,spool}
	cp "$tmp/cert.pem" "$tmp/icinga2/data/certs/localhost.crt"
	cp "$tmp/key.pem" "$tmp/icinga2/data/certs/localhost.key"
	cp "$tmp/cert.pem" "$tmp/icinga2/data/certs/ca.crt"
	cat >"$tmp/icinga2.conf" <<-CONF
		const NodeName = "localhost"
		const ZoneName = "localhost"
		object Endpoint "localhost" { }
		object Zone "localhost" { endpoints = [ "localhost" ] }
		object ApiUser "alice" { password = "secret"; permissions = [ "status/query" ] }
		object ApiListener "api" { bind_host = "127.0.0.1"; bind_port = $port; tls_protocolmin = "TLSv1.2" }
	CONF
	constants=(-DDataDir="$tmp/icinga2/data" -DInitRunDir="$tmp/icinga2/run" -DLogDir="$tmp/icinga2/log" -DCacheDir="$tmp/icinga2/cache"
		-DSpoolDir="$tmp/icinga2/spool" -DRunAsUser="$user" -DRunAsGroup="$group" -DConcurrency=4)
}
launch() { daemon "$(command -v icinga2)" daemon -c "$tmp/icinga2.conf" "${constants[@]}"; }
exchange() { fetch -u alice:secret /v1 /v1/nothing; }
limitations() { half_hellos_are_unknown; }
own_errors() { grep -E 'critical' "$tmp/icinga2.log"; }
trials
