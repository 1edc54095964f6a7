#!/bin/bash
# `make simulate` compares the ledger with models of HAProxy and nginx (tests/simulate/rivals.h). This test compares the models with the real
# programs: both get the same connections, of 1,800 newcomers and three clients over the limit, and far too small tables. Model and program must
# act upon the same clients.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/nginx.sh
export PATH=$PATH:/usr/sbin:/usr/bin
needs python3 "${CC:-cc}"
ENTRIES=200 # about what nginx's smallest zone holds

"${CC:-cc}" -std=c11 -O2 -o "$tmp/replay" tests/simulate/replay.c tests/simulate/rivals.c || exit 1

# modelled NAME MODEL CLIENTS: the server on $port and MODEL both act upon exactly CLIENTS.
modelled() {
	local real
	real=$(timeout 120 python3 tests/lib/many_clients.py "$port" "$tmp/record" | tr '\n' ' ')
	is "$1: the real program acts upon the expected clients" "$real" "$3"
	is "$1: the model acts upon the same clients" "$("$tmp/replay" "$2" $ENTRIES <"$tmp/record" | sort -n | tr '\n' ' ')" "$real"
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
		# A client that comes in bursts is forgotten between them.
		modelled "HAProxy's stick table" haproxy "2 3 "
	else
		# A client that comes when the table is full is never recorded.
		modelled "HAProxy's stick table, nopurge" haproxy-nopurge "1 "
	fi
	stop "$pid"
done

if command -v nginx >/dev/null; then
	port=$(pick_port)
	mkdir "$tmp/www" && echo ok >"$tmp/www/index.html"
	chmod -R a+rX "$tmp"
	nginx_workers=1 nginx_conf "$tmp" >"$tmp/nginx.conf" <<-CONF
		limit_req_zone \$binary_remote_addr zone=clients:32k rate=120r/m;
		server { listen 127.0.0.1:$port; limit_req zone=clients burst=120 nodelay; root $tmp/www; }
	CONF
	start_on_port nginx nginx -e "$tmp/nginx-error.log" -c "$tmp/nginx.conf"
	modelled "nginx's limit_req" nginx "2 3 "
	stop "$pid"
else
	skip "nginx" "nginx is not installed"
fi
finish
