#!/bin/bash
# Postfix, as Debian sets it up: the master executes services, which run in a chroot. Variant smtpd: smtps and STARTTLS. Variant postscreen:
# STARTTLS by tlsproxy, one process for all connections, which receives the socket of each.
. tests/lib/daemon.sh
. tests/lib/executed.sh
packages="postfix"
clients="swaks"
program=postfix
systems="here bullseye"
variants="smtpd postscreen"
recipe_begins='postconf -e "import_environment = '
served='^delivered .Client CN "localhost", Issuer "localhost" .verified OK..'
own_log='TLS library problem: error:.*no renegotiation.*ERR_TLS_RENEGOTIATION_DISABLED'

# services: prints master.cf. A test that needs the whole SMTP dialogue (postscreen_bare_newline_enable below) makes postscreen talk to a new
# client itself.
services() {
	if [ "$variant" = postscreen ]; then
		cat <<-CONF
			127.0.0.1:$port inet n - y - 1 postscreen
			smtpd pass - - y - - smtpd
			tlsproxy unix - - y - 0 tlsproxy
			dnsblog unix - - y - 0 dnsblog
		CONF
	else
		cat <<-CONF
			127.0.0.1:$port inet n - y - - smtpd
			  -o smtpd_tls_wrappermode=yes
			127.0.0.1:$starttls_port inet n - y - - smtpd
		CONF
	fi
	cat <<-CONF
		cleanup unix n - y - 0 cleanup
		qmgr unix n - n 300 1 qmgr
		tlsmgr unix - - y 1000? 1 tlsmgr
		rewrite unix - - y - - trivial-rewrite
		bounce unix - - y - 0 bounce
		defer unix - - y - 0 bounce
		trace unix - - y - 0 bounce
		proxymap unix - - n - - proxymap
		error unix - - y - - error
		retry unix - - y - - error
		virtual unix - n n - - virtual
		anvil unix - - y - 1 anvil
		postlog unix-dgram n - n - 1 postlogd
	CONF
}

configure() {
	starttls_port=$(pick_port) protocol=smtp
	[ "$variant" != postscreen ] || protocol=smtp-starttls
	rm -rf "$tmp/data" "$tmp/mail"
	mkdir -p "$tmp/postfix" "$tmp/spool" "$tmp/data" "$tmp/mail"
	in_system chown postfix "$tmp/data"
	chown 65534:65534 "$tmp/mail"
	services >"$tmp/postfix/master.cf"
	cat >"$tmp/postfix/main.cf" <<-CONF
		compatibility_level = 2
		import_environment = $(in_system postconf -dh import_environment) $passed_on
		queue_directory = $tmp/spool
		data_directory = $tmp/data
		maillog_file_prefixes = $tmp
		maillog_file = $tmp/postfix-own.log
		myhostname = mail.example.test
		mydestination =
		inet_interfaces = 127.0.0.1
		inet_protocols = ipv4
		alias_maps =
		notify_classes =
		virtual_mailbox_domains = example.test
		virtual_mailbox_base = $tmp/mail
		virtual_mailbox_maps = static:joe/
		virtual_uid_maps = static:65534
		virtual_gid_maps = static:65534
		smtpd_tls_security_level = may
		smtpd_tls_chain_files = $tmp/key.pem, $tmp/cert.pem
		smtpd_tls_CAfile = $tmp/cert.pem
		smtpd_tls_ask_ccert = yes
		smtpd_tls_received_header = yes
		smtpd_tls_loglevel = 1
		smtpd_peername_lookup = no
		smtpd_recipient_restrictions = reject_unauth_destination
		postscreen_access_list =
		postscreen_greet_banner =
		postscreen_greet_wait = 1s
		postscreen_greet_ttl = 30d
		postscreen_bare_newline_enable = yes
		postscreen_bare_newline_action = enforce
	CONF
	[ -z "$recipe" ] || by_recipe
}

by_recipe() {
	in_system env MAIL_CONFIG="$tmp/postfix" sh -c "$recipe" &&
		in_system postconf -c "$tmp/postfix" -e "import_environment = $(in_system postconf -c "$tmp/postfix" -h import_environment) ${sink[*]}"
}

# `postfix start-fg` waits for the master, and only the master reacts to signals. So $pid is the master.
launch() {
	rm -f "$tmp/spool/pid/master.pid"
	daemon postfix -c "$tmp/postfix" start-fg && pid=$(tr -d ' ' <"$tmp/spool/pid/master.pid") && at_exit "stop $(who "$pid")"
}

# send PORT SWAKS-OPTION...: sends a mail, from a client with a certificate, and prints the server's answers.
send() {
	local at=$1
	shift
	swaks --server 127.0.0.1 --port "$at" --helo client.example.test --from ann@example.test --to joe@example.test --timeout 20 \
		--tls-cert "$tmp/cert.pem" --tls-key "$tmp/key.pem" --header 'Subject: hello' --body "it came" "$@" 2>&1 | grep -E '^(<|\*\*\*)' | sed -E 's/(queued as ).*/\1ID/'
}

delivered() {
	within 10 grep -rqs 'it came' "$tmp/mail/joe/new" && echo "delivered $(grep -rhoE '\(Client CN.*' "$tmp/mail/joe/new")"
	rm -rf "$tmp/mail/joe"
}

# postscreen defers a new client, and passes it to smtpd the second time.
exchange() {
	local from=127.$((10 + RANDOM % 200)).$((RANDOM % 250)).1
	if [ "$variant" = postscreen ]; then
		send "$port" --tls --local-interface $from
		send "$port" --tls --local-interface $from
		delivered
	else
		send "$port" --tlsc
		delivered
		send "$starttls_port" --tls
		delivered
	fi
}

reload() { kill -HUP "$pid" && line_with "$tmp/postfix-own.log" 'master\[[0-9]*\]: reload -- version' 10; }
own_lines() { cat "$tmp/postfix-own.log"; }
own_errors() { sed -En 's/^.{16}//; s/\[[0-9]+\]//; /(warning|error|fatal|panic):/p' "$tmp/postfix-own.log"; }

trials
