#!/bin/bash
# The models beside which `make simulate` sets the ledger (tests/simulate/rivals.h) against the real HAProxy and nginx: the same
# connections, of 1,800 newcomers and three who are over the limit, through tables far too small for them. Who is acted upon?
. tests/lib/tap.sh
. tests/lib/server.sh
export PATH=$PATH:/usr/sbin:/usr/bin
needs python3 "${CC:-cc}"
ENTRIES=200 # about what nginx's smallest zone holds

"${CC:-cc}" -std=c11 -O2 -o "$tmp/replay" tests/simulate/replay.c tests/simulate/rivals.c || exit 1

# modelled NAME MODEL WHO: the server on $port does to those connections what MODEL does: it acts upon the clients WHO.
modelled() {
	local real
	real=$(timeout 120 python3 tests/lib/many_clients.py "$port" "$tmp/record" | tr '\n' ' ')
	is "$1: it acts upon client" "$real" "$3"
	is "$1: its model acts upon the same" "$("$tmp/replay" "$2" $ENTRIES <"$tmp/record" | sort -n | tr '\n' ' ')" "$real"
}

for purge in "" nopurge; do
	command -v haproxy >/dev/null || { skip "HAProxy $purge" "haproxy is not installed"; continue; }
	port=$(pick_port)
	cat >"$tmp/haproxy.cfg" <<-CONF
		global
			nbthread 1
		defaults
			mode http
			timeout client 10s
			timeout connect 5s
			timeout server 10s
		frontend plain
			bind 127.0.0.1:$port
			stick-table type ip size $ENTRIES expire 60s $purge store conn_rate(60s)
			tcp-request connection track-sc0 src
			tcp-request connection reject if { sc0_conn_rate gt 120 }
			http-request return status 200
	CONF
	start_on_port haproxy haproxy -db -f "$tmp/haproxy.cfg"
	if [ -z "$purge" ]; then
		# Whoever comes in bursts is forgotten in between.
		modelled "HAProxy's stick table" haproxy "2 3 "
	else
		# Whoever comes when it is full is never seen.
		modelled "HAProxy's stick table, nopurge" haproxy-nopurge "1 "
	fi
	stop "$pid"
done

if command -v nginx >/dev/null; then
	port=$(pick_port)
	mkdir "$tmp/www" && echo ok >"$tmp/www/index.html"
	chmod -R a+rX "$tmp"
	cat >"$tmp/nginx.conf" <<-CONF
		daemon off;
		pid $tmp/pid;
		error_log $tmp/nginx-error.log;
		$([ "$(id -u)" != 0 ] || echo "user root;")
		events { }
		http {
			access_log off;
			client_body_temp_path $tmp/a; proxy_temp_path $tmp/b; fastcgi_temp_path $tmp/c; uwsgi_temp_path $tmp/d; scgi_temp_path $tmp/e;
			limit_req_zone \$binary_remote_addr zone=clients:32k rate=120r/m;
			server {
				listen 127.0.0.1:$port;
				limit_req zone=clients burst=120 nodelay;
				root $tmp/www;
			}
		}
	CONF
	start_on_port nginx nginx -e "$tmp/nginx-error.log" -c "$tmp/nginx.conf"
	modelled "nginx's limit_req" nginx "2 3 "
	stop "$pid"
else
	skip "nginx" "nginx is not installed"
fi
finish
