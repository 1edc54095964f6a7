#!/bin/bash
# Dovecot: the master executes login processes, which open libssl as a plug-in and enter a chroot before they make a context. In variant imaps a
# login process serves many connections (service_count = 0). In variant starttls it serves one (service_count = 1, the default), with its own
# ticket keys.
. tests/lib/daemon.sh
. tests/lib/executed.sh
packages="dovecot-imapd"
clients="curl"
program=dovecot
systems="here bullseye"
variants="imaps starttls"
idle='^dovecot/(stats|auth) '
served='^body'
recipe_begins='import_environment = [$]import_environment '
own_log='SSL_(read|write) failed: error:.*no renegotiation: ERR_TLS_RENEGOTIATION_DISABLED'

configure() {
	# Dovecot sets no session id context, so libssl resumes no session if client certificates are asked for.
	local login='service_count = 1' certificates="ssl_ca = <$tmp/cert.pem"$'\nssl_require_crl = no\nssl_verify_client_cert = yes\nauth_ssl_require_client_cert = yes'
	other_port=$(pick_port) protocol=imap-starttls resumes='' ignores='1.2 1.3'
	if [ "$variant" = imaps ]; then
		protocol=imap resumes='1.2 1.3' ignores='' certificates=''
		login=$'service_count = 0\nprocess_limit = 1'
	fi
	cat >"$tmp/dovecot.conf" <<-CONF
		base_dir = $tmp/run
		state_dir = $tmp/state
		log_path = $tmp/dovecot-own.log
		protocols = imap
		listen = 127.0.0.1
		ssl = required
		ssl_cert = <$tmp/cert.pem
		ssl_key = <$tmp/key.pem
		ssl_min_protocol = TLSv1.2
		ssl_dh =
		$certificates
		${recipe:-import_environment = \$import_environment $passed_on}
		import_environment = \$import_environment ${recipe:+${sink[*]}}
		mail_location = maildir:$tmp/mail/%u
		passdb {
		  driver = static
		  args = nopassword=y
		}
		userdb {
		  driver = static
		  args = uid=65534 gid=65534 home=$tmp
		}
		service imap-login {
		  $login
		  inet_listener imap {
		    port = $([ "$variant" = imaps ] && echo "$other_port" || echo "$port")
		  }
		  inet_listener imaps {
		    port = $([ "$variant" = imaps ] && echo "$port" || echo "$other_port")
		    ssl = yes
		  }
		}
	CONF
	mailbox
}

mailbox() {
	mkdir -p "$tmp/mail/joe/cur" "$tmp/mail/joe/new" "$tmp/mail/joe/tmp"
	printf '%s\n' 'From: ann@localhost' 'To: joe@localhost' 'Subject: hello' 'Date: Sun, 22 Nov 2026 06:00:00 +0000' '' body \
		>"$tmp/mail/joe/cur/1700000000.M1P1.localhost:2,S"
	chown -R 65534:65534 "$tmp/mail"
}

launch() { daemon dovecot -F -c "$tmp/dovecot.conf"; }

# Prints the state of the mailbox and its mail, from both listeners, for a client with a certificate.
exchange() {
	local options=(-sS --max-time 20 --cacert "$tmp/cert.pem" --cert "$tmp/server.pem" --ssl-reqd -u joe:secret)
	local urls=("imaps://localhost:$port" "imap://localhost:$other_port") url
	[ "$variant" = imaps ] || urls=("imaps://localhost:$other_port" "imap://localhost:$port")
	for url in "${urls[@]}"; do
		curl "${options[@]}" "$url/INBOX" -X 'STATUS INBOX (MESSAGES UNSEEN)' 2>&1
		curl "${options[@]}" "$url/INBOX;MAILINDEX=1" 2>&1
	done
}

reload() { kill -HUP "$pid" && line_with "$tmp/dovecot-own.log" 'SIGHUP received - reloading configuration' 10; }

limitations() { [ "$variant" != imaps ] || half_hellos_are_unknown; }
own_lines() { cat "$tmp/dovecot-own.log"; }
own_errors() { sed -n 's/^.\{16\}//; /Error\|Fatal\|Panic\|Warning/p' "$tmp/dovecot-own.log" | grep -Ev 'SIGHUP received|Killed with signal 15'; }

trials
