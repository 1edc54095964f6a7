#!/bin/bash
# Apache httpd, with both of its usual MPMs. It uses a BIO of its own, so the SSL has no descriptor, and renegotiates itself to ask for a client
# certificate in one <Location>. Debian's init script runs apache2ctl by `env -i`; the environment comes from the envvars file it reads.
. tests/lib/daemon.sh
. tests/lib/recipe.sh
packages="apache2"
clients="curl"
program=apache2ctl
systems="here bullseye"
variants="event prefork"
protocol=http
own_log='ERR_TLS_RENEGOTIATION_DISABLED'

configure() {
	local user=nobody group=nogroup modules=/usr/lib/apache2/modules
	[ "$(id -u)" = 0 ] || { user=$(id -un) && group=$(id -gn); }
	mkdir -p "$tmp/htdocs/secret"
	echo ok >"$tmp/htdocs/index.html"
	echo secret >"$tmp/htdocs/secret/index.html"
	cat >"$tmp/apache2.conf" <<-CONF
		ServerName localhost
		Listen 127.0.0.1:$port
		User \${APACHE_RUN_USER}
		Group \${APACHE_RUN_GROUP}
		PidFile \${APACHE_PID_FILE}
		DefaultRuntimeDir \${APACHE_RUN_DIR}
		ErrorLog $tmp/error.log
		LogLevel info
		LoadModule mpm_${variant}_module $modules/mod_mpm_$variant.so
		LoadModule authz_core_module $modules/mod_authz_core.so
		LoadModule dir_module $modules/mod_dir.so
		LoadModule socache_shmcb_module $modules/mod_socache_shmcb.so
		LoadModule ssl_module $modules/mod_ssl.so
		<IfModule mpm_event_module>
			StartServers 2
			ServerLimit 2
			ThreadsPerChild 8
			MinSpareThreads 1
			MaxSpareThreads 16
		</IfModule>
		<IfModule mpm_prefork_module>
			StartServers 4
		</IfModule>
		MaxRequestWorkers 16
		Timeout 10
		DocumentRoot $tmp/htdocs
		DirectoryIndex index.html
		SSLEngine on
		SSLProtocol -all +TLSv1.2 +TLSv1.3
		SSLSessionCache shmcb:$tmp/cache(65536)
		SSLCertificateFile $tmp/cert.pem
		SSLCertificateKeyFile $tmp/key.pem
		SSLCACertificateFile $tmp/cert.pem
		<Location /secret/>
			SSLVerifyClient require
		</Location>
	CONF
	printf 'export %s\n' APACHE_RUN_USER=$user APACHE_RUN_GROUP=$group "APACHE_RUN_DIR=$tmp/run" "APACHE_LOCK_DIR=$tmp/lock" \
		"APACHE_PID_FILE=$tmp/httpd.pid" >"$tmp/envvars"
	[ "$half" = without ] || recipe >>"$tmp/envvars"
}

# The recipe of reneguard-daemons(7) for envvars, with this build's library, and with each variable of this run in place of its example.
recipe() {
	local library=$preload variable
	[ "$system" = here ] || library=$tmp/libreneguard.so
	recipe_lines 'export LD_PRELOAD=' | sed "s|/usr/local/lib/reneguard/libreneguard.so|$library|"
	for variable in "${policy[@]}"; do recipe_lines 'export RENEGUARD_' | sed "s|RENEGUARD_.*|$variable|"; done
}

# How /etc/init.d/apache2 calls apache2ctl.
control=(env -i LANG=C PATH=/usr/sbin:/usr/bin:/sbin:/bin APACHE_STARTED_BY_SYSTEMD=true)
launch() { # it listens before it writes its pid file
	local started
	rm -f "$tmp/httpd.pid"
	half=without daemon "${control[@]}" APACHE_CONFDIR="$tmp" apache2ctl start
	started=$?
	within 10 test -s "$tmp/httpd.pid" && pid=$(cat "$tmp/httpd.pid") && at_exit "stop $(who "$pid")" && return $started
}
reload() { in_system "${control[@]}" APACHE_CONFDIR="$tmp" apache2ctl graceful && within 10 resumed_twice; }
resumed_twice() { [ "$(grep -c 'resuming normal operations' "$tmp/error.log")" = 2 ]; }
own_lines() { own_errors; }
own_errors() { grep -E ':(warn|error|crit|alert|emerg)\]' "$tmp/error.log"; }

# httpd asks for the certificate in the middle of a connection: over TLS 1.2 by a renegotiation, over TLS 1.3 after the handshake.
exchange() { fetch -E"$tmp/server.pem" / /secret/ /; }

own_renegotiation() {
	local own
	is "$label: the protected location is served to a client with a certificate" "$(exchange | grep -cx -e secret -e 200)" 8
	is "$label: httpd's own renegotiation is not logged" "$(count_lines "$syslog_file" 'event=renegotiation.*client=127.0.0.1 ')" 0
	unlike "$label: the protected location is not served to a client without one" "$(fetch / /secret/)" '^secret$'
	own=$(peer --tls 1.2 --path /secret/ --cert "$tmp/server.pem" --from 127.0.0.8 127.0.0.1 "$port" renegotiate 1)
	like "$label: a client's attempt after httpd's own renegotiation is refused" "$own" '^summary started=1 honoured=0 served=0'
	like "$label: that attempt is logged, as the client's first" "$(line_with "$syslog_file" 'event=renegotiation.*client=127.0.0.8 ')" ' count=1 '
}

traffic() {
	local tls
	for tls in 1.2 1.3; do
		is "$label: twenty connections are served, TLS $tls" "$(peer_summary --tls $tls 127.0.0.1 "$port" get 20)" "summary full=20 reused=0 refused=0"
		is "$label: ten offers to resume are accepted, TLS $tls" "$(peer_summary --tls $tls 127.0.0.1 "$port" resume 10)" "summary full=1 reused=10 refused=0"
	done
}

# Without the shim httpd takes any number of attempts, so there is something to refuse.
stock_renegotiates() {
	local seen
	end
	begin without || return
	seen=$(storm 127.0.0.1 "$port" 20)
	ok "$label: without the shim it serves on after twenty attempts" all_fields "$seen" sent=20 served=1
}

more() {
	own_renegotiation
	traffic
	end
	begin with RENEGUARD_RESUMPTION=decline:6/600s || return
	is "$label: all processes and threads count together" "$(peer_summary --tls 1.3 127.0.0.1 "$port" resume 12)" "summary full=7 reused=6 refused=0"
	unlike "$label: no child was killed by a signal" "$(own_log_text)" 'exit signal'
	stock_renegotiates
}
trials
