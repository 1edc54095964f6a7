#!/bin/bash
# prosody: a Lua program that loads libssl later, with a module; STARTTLS. It takes the descriptor off the SSL before it frees it. It refuses to
# run as root.
. tests/lib/daemon.sh
packages="prosody"
clients="go-sendxmpp"
program=prosody
protocol=xmpp
run_as=prosody
own_log='no renegotiation'
variables=(RENEGUARD_NAME=prosody) # the default would be lua5.4

configure() {
	direct_port=$(pick_port) # prosody's default is no_ticket = true, so tickets are switched on below
	install_for prosody -d "$tmp/prosody" "$tmp/certs" "$tmp/prosody/localhost" "$tmp/prosody/localhost/accounts"
	install_for prosody -m 600 "$tmp/key.pem" "$tmp/prosody.key"
	cat >"$tmp/prosody.cfg.lua" <<-CONF
		interfaces = { "127.0.0.1" }
		c2s_ports = { $port }
		c2s_direct_tls_ports = { $direct_port }
		modules_enabled = { "saslauth", "tls", "roster", "offline", "ping", "posix" }
		modules_disabled = { "s2s" }
		pidfile = "$tmp/prosody/pid"
		data_path = "$tmp/prosody"
		log = { info = "*console" }
		authentication = "internal_plain"
		c2s_require_encryption = true
		ssl = { certificate = "$tmp/cert.pem", key = "$tmp/prosody.key", protocol = "tlsv1_2+", options = { no_ticket = false } }
		VirtualHost "localhost"
	CONF
	local user
	for user in alice bob; do echo 'return { ["password"] = "secret" };' >"$tmp/prosody/localhost/accounts/$user.dat"; done
	! root || chown -R prosody "$tmp/prosody"
}

launch() { daemon prosody -F --config "$tmp/prosody.cfg.lua" && within 10 listening "$direct_port"; }

xmpp() { # USER PORT OPTION...: runs the XMPP client by exec, so call it only in a subshell
	SSL_CERT_FILE=$tmp/cert.pem exec timeout 20 go-sendxmpp -u "$1@localhost" -p secret -j "127.0.0.1:$2" "${@:3}" 2>&1
}
both_came() { [ "$(grep -c ': a message by' "$tmp/inbox")" = 2 ]; }

exchange() {
	echo "a message by STARTTLS" | xmpp alice "$port" bob@localhost
	echo "a message by direct TLS" | xmpp alice "$direct_port" -t bob@localhost
	: >"$tmp/inbox"
	xmpp bob "$port" -l >"$tmp/inbox" & # -l listens until the client is stopped
	within 10 both_came
	kill $!
	wait $!
	grep -ao '[a-z@]*: a message by.*' "$tmp/inbox"
}

reload() { reload_certificate kill -HUP "$pid"; }

more() { like "$label: the log line has the service name from RENEGUARD_NAME" "$(grep event=renegotiation "$syslog_file")" ' service=prosody '; }

own_errors() { grep -E '(warn|error)' "$tmp/prosody.log"; }

trials
