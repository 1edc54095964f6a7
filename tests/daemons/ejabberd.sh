#!/bin/bash
# ejabberd: Erlang, whose schedulers read the sockets and whose fast_tls feeds libssl from memory, in whatever thread comes by; STARTTLS.
. tests/lib/daemon.sh
packages="ejabberd"
program=erl
protocol=xmpp
own_log="no renegotiation"
resumes="" ignores="1.3" foreign="1.2"
variables=(RENEGUARD_NAME=ejabberd) # or it is beam.smp

configure() {
	rm -rf "$tmp/mnesia"
	mkdir -p "$tmp/mnesia"
	cat >"$tmp/ejabberd.yml" <<-YML
		hosts: [localhost]
		loglevel: warning
		certfiles: ["$tmp/server.pem"]
		listen:
		  - port: $port
		    ip: "127.0.0.1"
		    module: ejabberd_c2s
		    starttls_required: true
		    protocol_options: [no_sslv3, no_tlsv1, no_tlsv1_1]
		auth_method: [internal]
		modules:
		  mod_ping: {}
	YML
}

launch() {
	local libs
	libs=$(dirname "$(find /usr/lib -maxdepth 3 -type d -name 'ejabberd-[0-9]*' | head -n 1)")
	daemon env ERL_LIBS="$libs" EJABBERD_CONFIG_PATH="$tmp/ejabberd.yml" EJABBERD_LOG_PATH="$tmp/ejabberd-own.log" HOME="$tmp" \
		erl -noinput +S 4:4 +A 4 -mnesia dir "\"$tmp/mnesia\"" -s ejabberd
}

exchange() {
	converse "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>" '</stream:features>' \
		-starttls xmpp -xmpphost localhost | grep -o '<mechanism>[^<]*'
}

limitations() { half_hellos_are_unknown; }
own_errors() { grep -E '\[(warning|error)\]' "$tmp/ejabberd-own.log"; }
trials
