#!/bin/bash
# The soak: nginx, HAProxy and Dovecot run side by side under the shim for SOAK_SECONDS (600), with ordinary traffic, resumption storms,
# renegotiation attempts and reloads. No connection is lost except those refused. Ledgers and log agree with what the clients did, and memory
# stays flat.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/nginx.sh
unset "${!RENEGUARD_@}"
export PATH=$PATH:/usr/sbin
needs nginx haproxy dovecot rsyslogd python3
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP HAProxy and Dovecot change users: root is needed" && exit 0; }

seconds=${SOAK_SECONDS:-600}
warm_up_s=$((seconds / 5)) mixed_s=$((seconds * 2 / 5)) reload_every_s=12
memory_percent=5 memory_slack_kb=512
declare -A pids ports
certificates
start_rsyslogd
in_memory
mkdir -p "$tmp/mail" "$tmp/chroot" "$tmp/www"
head -c 6000 /dev/urandom | base64 >"$tmp/www/page"
head -c 80 /dev/urandom >"$tmp/ticket.key"
chown nobody "$tmp/mail"
chmod -R a+rX "$tmp"

# begin NAME RULE COMMAND...: starts service NAME under the shim, on $port, with RULE for resumption.
begin() {
	under with RENEGUARD_NAME="$1" RENEGUARD_LOG=syslog RENEGUARD_SYSLOG_SOCKET="$syslog_socket" RENEGUARD_LOG_RATE=1000/1s \
		RENEGUARD_RESUMPTION="$2" RENEGUARD_STATE="$memory/$1"
	start_on_port "$1" "${under[@]}" "${@:3}"
	pids[$1]=$pid ports[$1]=$port
}

serve_nginx() {
	port=$(pick_port)
	nginx_conf "$tmp" >"$tmp/nginx.conf" <<-CONF
		$(nginx_tls "$tmp")
		root $tmp/www; index page; ssl_session_ticket_key $tmp/ticket.key;
		server { listen 127.0.0.1:$port ssl reuseport; }
	CONF
	begin nginx decline:30/60s nginx -c "$tmp/nginx.conf"
}

serve_haproxy() {
	port=$(pick_port)
	cat >"$tmp/haproxy.cfg" <<-CONF
		global
			user haproxy
			group haproxy
			chroot $tmp/chroot
			nbthread 2
			tune.ssl.cachesize 1000
			stats socket $tmp/haproxy.socket expose-fd listeners
		defaults
			mode http
			timeout connect 5s
			timeout client 60s
			timeout server 60s
		frontend tls
			bind 127.0.0.1:$port ssl crt $tmp/server.pem ssl-min-ver TLSv1.2
			http-request return status 200 content-type text/plain file $tmp/www/page
	CONF
	begin haproxy close:30/60s haproxy -W -f "$tmp/haproxy.cfg"
}

serve_dovecot() {
	port=$(pick_port)
	cat >"$tmp/dovecot.conf" <<-CONF
		base_dir = $tmp/dovecot
		state_dir = $tmp/dovecot-state
		log_path = $tmp/dovecot-error.log
		protocols = imap
		listen = 127.0.0.1
		ssl = required
		ssl_cert = <$tmp/cert.pem
		ssl_key = <$tmp/key.pem
		ssl_min_protocol = TLSv1.2
		ssl_dh =
		import_environment = TZ LD_PRELOAD RENEGUARD_NAME RENEGUARD_LOG RENEGUARD_SYSLOG_SOCKET RENEGUARD_LOG_RATE RENEGUARD_RESUMPTION RENEGUARD_STATE
		mail_location = maildir:$tmp/mail/%u
		passdb {
		  driver = static
		  args = nopassword=y
		}
		userdb {
		  driver = static
		  args = uid=65534 gid=65534 home=$tmp/mail
		}
		service imap-login {
		  service_count = 0
		  process_min_avail = 2
		  process_limit = 2
		  inet_listener imap {
		    port = 0
		  }
		  inet_listener imaps {
		    port = $port
		    ssl = yes
		  }
		}
	CONF
	begin dovecot close:30/60s dovecot -F -c "$tmp/dovecot.conf"
}

declare -A reload_signal=([nginx]=HUP [haproxy]=USR2 [dovecot]=HUP) worker=([nginx]=nginx [haproxy]=haproxy [dovecot]=imap-login)
declare -A serious=([nginx]='\[(alert|emerg)\]|exited on signal' [haproxy]='\[ALERT\]|exited with code [1-9]' [dovecot]=' (Error|Fatal|Panic): ')
services=(nginx haproxy dovecot)

# family PID: prints PID and all its descendants.
family() {
	local pid
	echo "$1"
	for pid in $(pgrep -P "$1"); do family "$pid"; done
}

workers() { pgrep -P "${pids[$1]}" -x "${worker[$1]}" | sort -n | tr '\n' ' '; }

# kilobytes SERVICE: the memory of its processes, each page once: anonymous memory, the ledger and other shared memory. Pages of files are
# left out, because other processes of the machine share them.
kilobytes() {
	local pid
	for pid in $(family "${pids[$1]}"); do cat "/proc/$pid/smaps_rollup" 2>/dev/null; done | awk '/^Pss_(Anon|Shmem):/ { sum += $2 } END { print sum }'
}

# processes SERVICE: prints the names of its TLS processes, old and new, and of Dovecot's sessions.
processes() { for pid in $(family "${pids[$1]}"); do cat "/proc/$pid/comm"; done 2>/dev/null | grep -xE 'nginx|haproxy|imap|imap-login' | sort | tr '\n' ' '; }

# reload SERVICE: sends the service's own reload signal; succeeds when it has other workers.
reloaded() { local now; now=$(workers "$1") && [ -n "$now" ] && [ "$now" != "$2" ]; }
reload() {
	local before
	before=$(workers "$1")
	kill "-${reload_signal[$1]}" "${pids[$1]}"
	within 30 reloaded "$1" "$before"
}

# load SECONDS CALM [COMMAND]...: one phase of load, during which COMMAND runs. CALM is 1 if nothing reloads in this phase. Only then are there
# IMAP logins, because Dovecot itself drops logins in progress when it reloads (88 of 1,680 without the shim).
load() {
	local answer=''
	echo "$1 $2" >&"${LOAD[1]}"
	"${@:3}"
	read -r -t $(($1 + 180)) -u "${LOAD[0]}" answer
	[ "$answer" = idle ]
}

reloads=0 reloads_failed=0
keep_reloading() { # SECONDS: reloads the services in turn, each at least once
	local end=$((SECONDS + $1)) n=0
	while sleep $((reload_every_s / 3)) && [ $((SECONDS < end || n < 3)) = 1 ]; do
		reload "${services[n++ % 3]}" || reloads_failed=$((reloads_failed + 1))
		reloads=$((reloads + 1))
	done
}

# settled SERVICE: the workers that were told to end have ended.
declare -A processes_at_rest=([nginx]="nginx nginx nginx " [haproxy]="haproxy haproxy " [dovecot]="imap-login imap-login ")
settled() { [ "$(processes "$1")" = "${processes_at_rest[$1]}" ]; }

descriptors() { for pid in $(family "${pids[$1]}"); do ls "/proc/$pid/fd"; done 2>/dev/null | wc -l; }

# measure WHEN: waits until every service is at rest, and notes its memory and descriptors.
measure() {
	local service
	for service in "${services[@]}"; do
		within 90 settled "$service" || diag "$service still has other processes after 90 s: $(processes "$service")"
		memory_kb[$service-$1]=$(kilobytes "$service") open[$service-$1]=$(descriptors "$service")
	done
}

# flat SERVICE FROM TO: the memory at TO is at most $memory_percent % and $memory_slack_kb KB more than at FROM.
flat() { [ "${memory_kb[$1-$3]}" -le $((memory_kb[$1-$2] * (100 + memory_percent) / 100 + memory_slack_kb)) ]; }

accounts() { python3 tests/soak/accounts.py "$tmp/$1.json" "${@:2}"; }

declare -A memory_kb open phase=([mixed]="after the reloads" [steady]="at the end") action=([nginx]=decline [haproxy]=close [dovecot]=close)
for service in "${services[@]}"; do "serve_$service"; done
coproc LOAD { exec python3 tests/soak/load.py "$tools" "$tmp/www/page" "$tmp" "nginx=http:${ports[nginx]}" \
	"haproxy=http:${ports[haproxy]}" "dovecot=imap:${ports[dovecot]}" 2>"$tmp/load.log"; }
at_exit "stop $(who "$LOAD_PID")"

began=$SECONDS
ok "the warm-up phase of the load ends in time" load $warm_up_s 1
measure warm
ok "the phase with reloads ends in time" load $mixed_s 0 keep_reloading $mixed_s
measure mixed
ok "the last phase, without reloads, ends in time" load $((seconds - warm_up_s - mixed_s)) 1
measure steady
elapsed_s=$((SECONDS - began))
is "the load generator reports no error of its own" "$(cat "$tmp/load.log")" ""
is "all $reloads reloads succeed" "$reloads_failed" 0
ok "each service was reloaded at least once" test "$reloads" -ge 3

for service in "${services[@]}"; do
	totals=$(accounts "$service" total)
	diag "$service: $totals"
	is "$service: no client reports a lost connection" "$(accounts "$service" lost)" ""
	acted=$([ "${action[$service]}" = decline ] && echo missed || echo refused)
	ok "$service: every kind of result occurred, and no connection was lost" all_fields "$totals" {full,resumed,$acted,renegotiated}='[1-9][0-9]*' lost=0
	"$RG_BUILD/reneguardctl" status --state "$memory/$service" --json >"$tmp/$service-ledger.json"
	is "$service: ledger and log agree with what the clients did" \
		"$(accounts "$service" "$tmp/$service-ledger.json" "$syslog_file" "$service" "${action[$service]}" $elapsed_s)" agreed
	diag "$service: KB of memory: ${memory_kb[$service-warm]} after the warm-up, ${memory_kb[$service-mixed]} after the reloads, ${memory_kb[$service-steady]} at the end"
	for until in mixed steady; do
		[ "$preload" = "$shim" ] || { skip "$service: memory is flat (${phase[$until]})" "a sanitized build keeps freed memory" && continue; }
		ok "$service: memory is flat (${phase[$until]}): at most $memory_percent % and $memory_slack_kb KB more than after the warm-up" flat "$service" warm $until
	done
	ok "$service: no more than four descriptors more are open than after the warm-up" test "${open[$service-steady]}" -le $((open[$service-warm] + 4))
	is "$service: its own log has no serious error" "$(grep -hE "${serious[$service]}" "$tmp/$service".log "$tmp/$service"-error.log 2>/dev/null)" ""
	ok "$service: it is still running" kill -0 "${pids[$service]}"
done
finish
