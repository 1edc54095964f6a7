#!/bin/bash
# PostgreSQL: a process for every connection, forked by the postmaster; its own BIO methods, its TLS behind a request in clear text; client
# certificates. It issues neither tickets nor session ids (SSL_OP_NO_TICKET, SSL_SESS_CACHE_OFF), so offers come from elsewhere.
. tests/lib/daemon.sh
packages="postgresql-15"
clients="psql:postgresql-client"
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
program=postgres
protocol=postgres
run_as=postgres # it refuses root
resumes="" foreign="1.2 1.3"
own_log='SSL error: no renegotiation'

configure() {
	local data=$tmp/pgdata
	rm -rf "$data" && install -d -o postgres -m 700 "$data" && install -o postgres -m 600 "$tmp/key.pem" "$tmp/pgkey.pem"
	as_postgres initdb -D "$data" -A trust -N --no-instructions >/dev/null || return
	cat >>"$data/postgresql.conf" <<-CONF
		listen_addresses = '127.0.0.1'
		port = $port
		unix_socket_directories = ''
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
	install -m 600 "$tmp/key.pem" "$tmp/client.key" # psql takes no key that others may read
}

as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }

launch() { daemon postgres -D "$tmp/pgdata"; }

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

reload() { renew kill -HUP "$pid"; }

own_errors() { grep -E 'ERROR|FATAL|PANIC|SSL error|could not' "$tmp"/postgresql*.log; }

trials
