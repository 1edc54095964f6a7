#!/bin/bash
# PostgreSQL: the postmaster forks a process for every connection. It has BIO methods of its own; TLS begins after a request in clear text; client
# certificates. It issues neither tickets nor session ids (SSL_OP_NO_TICKET, SSL_SESS_CACHE_OFF), so the test offers another server's sessions.
. tests/lib/daemon.sh
packages="postgresql-15"
clients="psql:postgresql-client"
PATH=/usr/lib/postgresql/15/bin:$PATH
program=postgres
protocol=postgres
run_as=postgres # it refuses root
resumes="" foreign="1.2 1.3"
own_log='SSL error: .*no renegotiation'

configure() {
	local data=$tmp/pgdata
	rm -rf "$data" && install_for postgres -d -m 700 "$data" && install_for postgres -m 600 "$tmp/key.pem" "$tmp/pgkey.pem"
	as_postgres initdb -D "$data" -U postgres -A trust -N --no-instructions >/dev/null || return
	cat >>"$data/postgresql.conf" <<-CONF
		listen_addresses = '127.0.0.1'
		port = $port
		unix_socket_directories = '$data'
		ssl = on
		ssl_cert_file = '$tmp/cert.pem'
		ssl_key_file = '$tmp/pgkey.pem'
		ssl_ca_file = '$tmp/cert.pem'
		fsync = off
	CONF
	cat >"$data/pg_hba.conf" <<-CONF
		hostssl all localhost 127.0.0.0/8 cert
		hostssl all postgres 127.0.0.0/8 trust
	CONF
	echo 'CREATE ROLE localhost LOGIN' | as_postgres postgres --single -D "$data" postgres >/dev/null 2>&1
	install -m 600 "$tmp/key.pem" "$tmp/client.key" # psql rejects a key that others may read
}

as_postgres() { if root; then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi; }

launch() { daemon postgres -D "$tmp/pgdata" && ready; }
ready() { within 30 pg_isready -q -h 127.0.0.1 -p "$port" -U postgres -d postgres; } # it listens before it accepts connections

ask() { # QUERY [PARAMETER]...
	PGCONNECT_TIMEOUT=10 psql -XAt -c "$1" "host=127.0.0.1 port=$port dbname=postgres sslmode=verify-full sslrootcert=$tmp/cert.pem ${*:2}" 2>&1
}

exchange() {
	local tls with_certificate="user=localhost sslcert=$tmp/cert.pem sslkey=$tmp/client.key"
	for tls in 1.2 1.3; do
		ask "SELECT version, 6 * 7 FROM pg_stat_ssl WHERE pid = pg_backend_pid()" user=postgres "ssl_max_protocol_version=TLSv$tls"
		ask "SELECT client_dn, current_user FROM pg_stat_ssl WHERE pid = pg_backend_pid()" "$with_certificate" "ssl_max_protocol_version=TLSv$tls"
	done
	ask "SELECT 1" user=localhost | grep -o 'connection requires a valid client certificate'
	ask "SELECT sum(length(repeat(n::text, 1000))) FROM generate_series(1, 5000) n" user=postgres
	ask "SELECT repeat('x', 3000000)" user=postgres | sha256sum
}

# Debian's pg_ctlcluster, which systemd runs, clears the environment and sets what the cluster's own file says.
# make_cluster VARIABLE=VALUE...: makes a cluster whose environment file has these lines
make_cluster() {
	local directory=$tmp/clusters/15/main variable
	rm -rf "$tmp/clusters" && mkdir -p "$directory"
	cp "$tmp"/pgdata/*.conf "$directory"
	echo "data_directory = '$tmp/pgdata'" >>"$directory/postgresql.conf"
	for variable; do echo "${variable%%=*} = '${variable#*=}'"; done >"$directory/environment"
	! root || chown -R postgres "$tmp/clusters"
}
start_cluster() { # HOW: starts the cluster; HOW is part of the point's name
	local around=(env PG_CLUSTER_CONF_ROOT="$tmp/clusters")
	daemon pg_ctlcluster --foreground 15 main start && ready
	tap_point $? "$label: pg_ctlcluster starts the cluster $1"
}
more() {
	end
	make_cluster
	start_cluster "under the wrapper"
	is "$label: a cluster started under the wrapper is not guarded" "$(grep -c libreneguard "/proc/$pid/maps")" 0
	end
	make_cluster LD_PRELOAD="$preload" "${policy[@]}"
	half=without start_cluster "with the library in the cluster's environment file"
	is "$label: by the environment file: a real client gets the same answers" "$(exchange)" "$answers"
	refused 127.0.0.8 127.0.0.9 "by the environment file: "
}

reload() { reload_certificate kill -HUP "$pid"; }

own_errors() { grep -E 'ERROR|FATAL|PANIC|SSL error|could not' "$tmp/postgresql.log" | grep -v 'is starting up'; }

trials
