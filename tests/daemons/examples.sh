#!/bin/bash
# The worked examples of reneguard-daemons(7), "Choosing limits", that need a daemon. An FTPS client resumes its session for each file, which vsftpd requires by
# default. A monitoring system probes nginx. (For the browsers behind one address see tests/unit/test_examples.c.)
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/nginx.sh
unset "${!RENEGUARD_@}"
export PATH=$PATH:/usr/sbin:/usr/bin
needs python3 curl
FILES=10

certificates
chmod -R a+rX "$tmp"

# account PID CLIENT: prints "resumption=COUNT/ACTED handshake=COUNT/ACTED incomplete=COUNT/ACTED".
account() {
	"$RG_BUILD/reneguardctl" status --pid "$1" --json | python3 -c 'import json, sys
for client in json.load(sys.stdin)["ledgers"][0]["clients"]:
    if client["client"] == sys.argv[1]:
        print(*("%s=%d/%d" % (name, client["events"][name]["count"], client["events"][name]["acted"])
            for name in ("resumption", "handshake", "incomplete")))' "$2"
}

# --- FTPS ---
# fetch REUSE RULE: fetches ten files from vsftpd with require_ssl_reuse=REUSE under RULE for resumption. Sets $whole to how many came
# complete, and $seen to the client's counters.
fetch() {
	local n urls=() got
	port=$(pick_port)
	mkdir -p "$tmp/ftp/empty" "$tmp/ftp/files"
	cat >"$tmp/vsftpd.conf" <<-CONF
		listen=YES
		listen_address=127.0.0.1
		listen_port=$port
		background=NO
		anonymous_enable=YES
		local_enable=NO
		anon_root=$tmp/ftp/files
		secure_chroot_dir=$tmp/ftp/empty
		ssl_enable=YES
		allow_anon_ssl=YES
		rsa_cert_file=$tmp/server.pem
		seccomp_sandbox=NO
		require_ssl_reuse=$1
	CONF
	for ((n = 1; n <= FILES; n++)); do
		echo "whole-$n" >"$tmp/ftp/files/$n"
		urls+=("ftp://127.0.0.1:$port/$n")
	done
	chmod -R a+rX "$tmp/ftp"
	under with "RENEGUARD_RESUMPTION=$2"
	start_on_port vsftpd "${under[@]}" vsftpd "$tmp/vsftpd.conf"
	got=$(timeout 60 curl -sSk --ssl-reqd "${urls[@]}" 2>&1)
	whole=$(grep -c '^whole-' <<<"$got")
	seen=$(account "$pid" 127.0.0.1)
	stop "$pid"
}

if ! command -v vsftpd >/dev/null; then
	skip "FTPS" "vsftpd is not installed"
elif [ "$(id -u)" != 0 ]; then
	skip "FTPS" "vsftpd must be started by root"
else
	fetch YES warn:120/60s
	is "FTPS: $FILES files take one full handshake and one offer to resume for each" "$whole files, $seen" "$FILES files, resumption=$FILES/0 handshake=1/0 incomplete=0/0"
	fetch NO decline:4/60s
	is "FTPS, decline over the limit, require_ssl_reuse=NO: every file arrives" "$whole files, $seen" \
		"$FILES files, resumption=$FILES/$((FILES - 4)) handshake=1/0 incomplete=0/0"
	fetch YES decline:4/60s
	is "FTPS, decline over the limit, require_ssl_reuse=YES: vsftpd refuses the files over the limit" "$whole" 4
	fetch YES close:4/60s
	is "FTPS, close over the limit: the files over the limit do not arrive" "$whole" 4
fi

# --- probes ---
probe_tcp() { (exec 3<>"/dev/tcp/127.0.0.1/$port"); }
probe_tls() { timeout 10 openssl s_client -connect "127.0.0.1:$port" </dev/null >/dev/null 2>&1; }
if ! command -v nginx >/dev/null; then
	skip "probes" "nginx is not installed"
else
	port=$(pick_port)
	nginx_conf "$tmp" >"$tmp/nginx.conf" <<-CONF
		$(nginx_tls "$tmp")
		server { listen 127.0.0.1:$port ssl; return 200 "ok\n"; }
	CONF
	under with RENEGUARD_HANDSHAKE=block:3/600s RENEGUARD_INCOMPLETE=block:3/600s RENEGUARD_EXEMPT=127.0.0.1
	start_on_port nginx "${under[@]}" nginx -e "$tmp/nginx-error.log" -c "$tmp/nginx.conf"
	for _ in 1 2 3 4 5 6; do probe_tcp; done
	is "probes: a TCP connection alone is not an event" "$(account "$pid" 127.0.0.1)" ""
	for _ in 1 2 3 4 5 6; do probe_tls; done
	for _ in 1 2 3 4 5; do timeout 60 python3 tests/lib/raw_client.py leave 127.0.0.1 "$port" >/dev/null; done
	is_counted() { [ "$(account "$pid" 127.0.0.1)" = "resumption=0/0 handshake=11/0 incomplete=5/0" ]; }
	within 5 is_counted
	is "probes: those of an exempt client are counted and never acted upon" "$(account "$pid" 127.0.0.1)" "resumption=0/0 handshake=11/0 incomplete=5/0"
	is "probes: those of another client are blocked over the limit" "$(peer_summary --from 127.0.0.7 127.0.0.1 "$port" get 5)" "summary full=3 reused=0 refused=2"
	stop "$pid"
fi
finish
