#!/bin/bash
# vsftpd: two or three processes for each client, made by clone(2) directly, without privileges and in an empty chroot. Data connections resume
# the session of their control connection. Its seccomp sandbox kills libssl even without the shim, so it must be switched off.
. tests/lib/daemon.sh
packages="vsftpd"
clients="curl"
program=vsftpd
root_only=yes
systems="here bullseye"
protocol=ftp-starttls
sandbox=NO

configure() {
	mkdir -p "$tmp/empty" "$tmp/files"
	chmod 755 "$tmp/empty" "$tmp/files"
	seq 1 20000 >"$tmp/files/one"
	seq 1 300 >"$tmp/files/two"
	cat >"$tmp/vsftpd.conf" <<-CONF
		listen=YES
		listen_address=127.0.0.1
		listen_port=$port
		background=NO
		seccomp_sandbox=$sandbox
		secure_chroot_dir=$tmp/empty
		anonymous_enable=YES
		no_anon_password=YES
		anon_root=$tmp/files
		ssl_enable=YES
		allow_anon_ssl=YES
		force_anon_logins_ssl=YES
		force_anon_data_ssl=YES
		rsa_cert_file=$tmp/server.pem
		ssl_ciphers=HIGH
		log_ftp_protocol=YES
		vsftpd_log_file=$tmp/vsftpd-own.log
	CONF
}

launch() { daemon vsftpd "$tmp/vsftpd.conf"; }

exchange() { # [CURL-OPTION]...: two files in one session
	curl -sS --max-time 20 --cacert "$tmp/cert.pem" --ssl-reqd -w '%{http_code} %{size_download}\n' "$@" \
		-o "$tmp/one" -o "$tmp/two" "ftp://localhost:$port/one" "ftp://localhost:$port/two" 2>&1
	cat "$tmp/one" "$tmp/two" 2>&1 | cksum
	rm -f "$tmp/one" "$tmp/two"
}

reload() {
	echo 'ftpd_banner=anew' >>"$tmp/vsftpd.conf"
	kill -HUP "$pid" && within 10 greets_anew
}
greets_anew() { timeout 5 bash -c 'read -r line </dev/tcp/127.0.0.1/"$0" && [[ $line == "220 anew"* ]]' "$port"; }
own_errors() { grep -E '"5|OOPS|ERROR' "$tmp"/vsftpd*.log; }

visit_of_two_files() {
	begin with RENEGUARD_RESUMPTION=count || return
	is "$label: two files are fetched over TLS $1" "$(exchange --tlsv"$1" --tls-max "$1")" "$answers"
	is "$label: that takes one full handshake and two offers to resume, TLS $1" "$(account 127.0.0.1)" "resumption=2 acted=0 handshake=1"
	end
}

# The sandbox breaks TLS with and without the shim, so this limitation is not the shim's.
in_its_sandbox() {
	local sandbox=YES half
	for half in without with; do
		begin $half || continue
		like "$label: with its seccomp sandbox it serves no TLS, $half the shim" "$(exchange)" 'curl: \((35|56)\)'
		end
	done
}

more() {
	end
	visit_of_two_files 1.2
	visit_of_two_files 1.3
	in_its_sandbox
}

trials
