#!/bin/bash
# ProFTPD: it forks a process for each client, which drops its privileges after the login. Its package conflicts with vsftpd's.
. tests/lib/daemon.sh
unpacked="proftpd-core proftpd-mod-crypto libmemcached11 libmemcachedutil2 libhashkit2 libpcre2-posix3 libhiredis0.14"
clients="curl"
program=proftpd
root_only=yes
protocol=ftp-starttls
own_log='client-initiated session renegotiation detected, aborting connection'
PATH=$PATH:$RG_BUILD/cache/$name/usr/sbin

configure() {
	local libraries
	libraries=$(echo "$unpacked_root"/usr/lib/*-linux-gnu)
	around=(env "LD_LIBRARY_PATH=$libraries")
	mkdir -p "$tmp/files"
	chmod 755 "$tmp/files"
	seq 1 20000 >"$tmp/files/one"
	seq 1 300 >"$tmp/files/two"
	cat >"$tmp/proftpd.conf" <<-CONF
		ModulePath $unpacked_root/usr/lib/proftpd
		LoadModule mod_tls.c
		ServerName localhost
		ServerType standalone
		DefaultServer on
		DefaultAddress 127.0.0.1
		SocketBindTight on
		Port $port
		UseIPv6 off
		UseReverseDNS off
		User nobody
		Group nogroup
		PidFile $tmp/proftpd.pid
		ScoreboardFile $tmp/scoreboard
		DelayTable $tmp/delays
		SystemLog $tmp/proftpd-own.log
		WtmpLog off
		TLSEngine on
		TLSLog $tmp/proftpd-tls.log
		TLSProtocol TLSv1.2 TLSv1.3
		TLSECCertificateFile $tmp/cert.pem
		TLSECCertificateKeyFile $tmp/key.pem
		TLSRequired on
		<Anonymous $tmp/files>
		  User nobody
		  Group nogroup
		  UserAlias anonymous nobody
		  RequireValidShell off
		  UseFtpUsers off
		</Anonymous>
	CONF
	chmod 600 "$tmp/key.pem" # it rejects a key that others can read
}

launch() { daemon proftpd -n -q -c "$tmp/proftpd.conf"; }

exchange() { # two files in one session
	curl -sS --max-time 20 --cacert "$tmp/cert.pem" --ssl-reqd -w '%{http_code} %{size_download}\n' \
		-o "$tmp/one" -o "$tmp/two" "ftp://localhost:$port/one" "ftp://localhost:$port/two" 2>&1
	cat "$tmp/one" "$tmp/two" 2>&1 | cksum
	rm -f "$tmp/one" "$tmp/two"
}

reload() { kill -HUP "$pid" && line_with "$tmp/proftpd-own.log" 'received SIGHUP -- master server reparsing configuration file' 10; }
own_errors() { grep -Ei 'error|fatal|unable|failed' "$tmp"/proftpd-*.log; }

more() { is "$label: both files arrive complete" "$answers" "$(printf '226 %s\n' 108894 1092 && seq 1 20000 | cat - <(seq 1 300) | cksum)"; }

trials
