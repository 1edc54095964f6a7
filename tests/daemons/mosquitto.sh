#!/bin/bash
# Mosquitto: one thread, in which handshakes end inside SSL_read. It drops its privileges. One listener requires client certificates.
. tests/lib/daemon.sh
packages="mosquitto"
clients="mosquitto_pub:mosquitto-clients"
program=mosquitto
protocol=mqtt
own_log='no renegotiation'

configure() {
	certificate_port=$(pick_port)
	install_for mosquitto -m 600 "$tmp/key.pem" "$tmp/mosquitto.key"
	cp "$tmp/cert.pem" "$tmp/client.pem" # a reload reads the server's certificate again, but not the CA of the clients
	cat >"$tmp/mosquitto.conf" <<-CONF
		per_listener_settings true
		listener $port 127.0.0.1
		allow_anonymous true
		certfile $tmp/cert.pem
		keyfile $tmp/mosquitto.key
		listener $certificate_port 127.0.0.1
		certfile $tmp/cert.pem
		keyfile $tmp/mosquitto.key
		cafile $tmp/client.pem
		require_certificate true
		use_identity_as_username true
	CONF
}

launch() { daemon mosquitto -v -c "$tmp/mosquitto.conf" && within 10 listening "$certificate_port"; }

# publish_and_read PORT TLS [OPTION]...: one client stores a retained message, the next one reads it.
publish_and_read() {
	local server=(-h localhost -p "$1" --cafile "$tmp/cert.pem" --tls-version "tlsv$2" "${@:3}")
	timeout 10 mosquitto_pub "${server[@]}" -q 1 -r -t "reading/$1" -m "42 over $2" 2>&1 || return
	timeout 10 mosquitto_sub "${server[@]}" -C 1 -t "reading/$1" 2>&1
}

exchange() {
	local tls
	for tls in 1.2 1.3; do
		publish_and_read "$port" $tls
		publish_and_read "$certificate_port" $tls --cert "$tmp/client.pem" --key "$tmp/key.pem"
	done
	publish_and_read "$certificate_port" 1.2 >/dev/null || echo "refused without a certificate"
	head -c 1000000 /dev/zero | timeout 10 mosquitto_pub -h localhost -p "$port" --cafile "$tmp/cert.pem" -q 1 -r -t big -s
	timeout 10 mosquitto_sub -h localhost -p "$port" --cafile "$tmp/cert.pem" -C 1 -t big | wc -c
}

reload() { reload_certificate kill -HUP "$pid"; }

# "unexpected eof" comes from connections that only check whether the daemon listens.
own_errors() { grep -iE 'error|warning' "$tmp/mosquitto.log" | grep -v 'unexpected eof'; }

trials
