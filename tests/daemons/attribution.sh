#!/bin/bash
# Who is the client, where the SSL has no descriptor: Dovecot, which reads before the SSL call. Two clients with handshakes interleaved in
# every order, over both versions: the line and the account name the right one, with the right counts.
packages="dovecot-imapd"
. tests/lib/tap.sh
. tests/lib/server.sh
unset "${!RENEGUARD_@}"
export PATH=$PATH:/usr/sbin:/usr/bin
needs python3

# account PID CLIENT: "full=N resumed=N" in `reneguardctl status --json`
account() {
	"$RG_BUILD/reneguardctl" status --pid "$1" --json | python3 -c 'import json, sys
for client in json.load(sys.stdin)["ledgers"][0]["clients"]:
    if client["client"] == sys.argv[1]:
        events = client["events"]
        print("full=%d resumed=%d" % (events["handshake"]["count"], events["resumption"]["count"]))' "$2"
}

# clients PID: all that are on the account (a probe whether the port listens makes no handshake, and is not)
clients() {
	"$RG_BUILD/reneguardctl" status --pid "$1" --json | python3 -c 'import json, sys
print(*sorted(client["client"] for client in json.load(sys.stdin)["ledgers"][0]["clients"]))'
}

# incomplete_of PID: "CLIENT=N ..." of all with unfinished handshakes
incomplete_of() {
	"$RG_BUILD/reneguardctl" status --pid "$1" --json | python3 -c 'import json, sys
counts = {c["client"]: c["events"]["incomplete"]["count"] for c in json.load(sys.stdin)["ledgers"][0]["clients"]}
print(*("%s=%d" % pair for pair in sorted(counts.items()) if pair[1]))'
}

# attributed NAME EXCHANGE LOG [CLIENT]: the server on $port, whose ledger process $ledger_pid has; it warns at the third offer.
# CLIENT was there before.
attributed() {
	local name=$1 kind=$2 log=$3 tls seen line
	for tls in 1.2 1.3; do
		local first=127.0.0.1${tls#1.} second=127.0.0.2${tls#1.}
		seen=$(timeout 60 python3 tests/lib/dialogue.py "$kind" "$port" interleave $first $second $tls warn accepted 2>&1)
		is "$name, TLS $tls: both clients are served in every order" "$seen" "$first full=1 resumed=6 refused=0
$second full=6 resumed=1 refused=0"
		is "$name, TLS $tls: the account of each" "$(account "$ledger_pid" $first), $(account "$ledger_pid" $second)" \
			"full=1 resumed=6, full=6 resumed=1"
		line=$(line_with "$log" "event=resumption.*client=$first ")
		ok "$name, TLS $tls: the line names the one over the limit" all_fields "${line#*: code}" action=warn client=$first 'port=[0-9]+' \
			count=3 limit=2/600s tls=TLSv$tls
		is "$name, TLS $tls: and never the other" "$(count_lines "$log" "client=$second ")" 0
	done
	is "$name: nobody else is on the account" "$(clients "$ledger_pid")" "${4:+$4 }127.0.0.12 127.0.0.13 127.0.0.22 127.0.0.23"
	torn "$name"
}

# torn NAME: two clients at a time that leave in the middle of a ClientHello, the one by FIN, the other by RST
torn() {
	timeout 60 python3 tests/lib/raw_client.py part 127.0.0.1 "$port" 127.0.0.33 5 >"$tmp/torn" 2>&1 &
	timeout 60 python3 tests/lib/raw_client.py tear 127.0.0.1 "$port" 127.0.0.34 5 >>"$tmp/torn" 2>&1
	wait $!
	within 5 has_torn
	is "$1: half a ClientHello is an unfinished handshake of who sent it" "$(incomplete_of "$ledger_pid")" "127.0.0.33=5 127.0.0.34=5"
}
has_torn() { [ "$(incomplete_of "$ledger_pid")" = "127.0.0.33=5 127.0.0.34=5" ]; }

limits=(RENEGUARD_RESUMPTION=warn:2/600s)
certificates
chmod -R a+rX "$tmp"

# --- Dovecot: one login process, executed by the master with an environment that names what to keep ---
login_pid() { ledger_pid=$(pgrep -P "$pid" -x imap-login) && grep -q memfd:reneguard "/proc/$ledger_pid/maps"; }
if command -v dovecot >/dev/null && [ "$(id -u)" = 0 ] && id dovenull >/dev/null 2>&1; then
	port=$(pick_port)
	cat >"$tmp/dovecot.conf" <<-CONF
		base_dir = $tmp/dovecot
		state_dir = $tmp/dovecot-state
		log_path = $tmp/dovecot.log
		protocols = imap
		listen = 127.0.0.1
		ssl = required
		ssl_cert = <$tmp/cert.pem
		ssl_key = <$tmp/key.pem
		ssl_min_protocol = TLSv1.2
		ssl_dh =
		import_environment = TZ LD_PRELOAD RENEGUARD_RESUMPTION RENEGUARD_LOG
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
		  service_count = 0
		  process_min_avail = 1
		  process_limit = 1
		  inet_listener imap {
		    port = 0
		  }
		  inet_listener imaps {
		    port = $port
		    ssl = yes
		  }
		}
	CONF
	: >"$tmp/dovecot.log"
	under with "${limits[@]}"
	start_on_port dovecot-master "${under[@]}" dovecot -F -c "$tmp/dovecot.conf"
	# It opens its ledger with its first connection, or is executed for it.
	timeout 10 openssl s_client -connect "127.0.0.1:$port" </dev/null >/dev/null 2>&1
	ok "Dovecot: its login process is guarded" within 5 login_pid
	attributed Dovecot banner "$tmp/dovecot.log" 127.0.0.1
	stop "$pid"
else
	skip Dovecot "not installed, or not root"
fi
finish
