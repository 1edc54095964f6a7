#!/bin/bash
# MariaDB: a thread for every connection; TLS begins after a greeting in clear text; client certificates. It calls SSL_clear and sets options
# right after SSL_new. After a failed handshake it writes an error packet in clear text.
. tests/lib/daemon.sh
packages="mariadb-server"
clients="mariadb:mariadb-client"
program=mariadbd
protocol=mysql

configure() {
	rm -rf "$tmp/mysql" && install_for mysql -d -m 700 "$tmp/mysql" && install_for mysql -m 600 "$tmp/key.pem" "$tmp/mysql.key"
	cat >"$tmp/my.cnf" <<-CONF
		[mariadbd]
		$(! root || echo user = mysql)
		datadir = $tmp/mysql
		socket = $tmp/mysql/socket
		pid-file = $tmp/mysql/pid
		bind-address = 127.0.0.1
		port = $port
		innodb-log-file-size = 4M
		innodb-flush-method = fsync
		skip-name-resolve
		require-secure-transport = on
		ssl-cert = $tmp/cert.pem
		ssl-key = $tmp/mysql.key
		ssl-ca = $tmp/cert.pem
	CONF
	mariadbd --defaults-file="$tmp/my.cnf" --bootstrap >"$tmp/bootstrap.log" 2>&1 <<-SQL
		CREATE DATABASE mysql;
		USE mysql;
		$(cat /usr/share/mysql/mysql_system_tables.sql)
		FLUSH PRIVILEGES;
		CREATE USER root@'%' REQUIRE SSL;
		CREATE USER guest@'%' REQUIRE SSL;
		CREATE USER known@'%' REQUIRE SUBJECT '/CN=localhost';
		GRANT RELOAD ON *.* TO guest@'%';
	SQL
}

launch() { daemon mariadbd --defaults-file="$tmp/my.cnf"; }

ask() { # USER QUERY [OPTION]...
	mariadb --no-defaults -N -B -h 127.0.0.1 -P "$port" -u "$1" --ssl-ca="$tmp/cert.pem" --ssl-verify-server-cert -e "$2" "${@:3}" 2>&1
}

exchange() {
	local tls
	for tls in 1.2 1.3; do
		ask guest "SHOW STATUS LIKE 'Ssl_version'; SELECT 6 * 7" --tls-version=TLSv$tls
		ask known "SELECT CURRENT_USER()" --tls-version=TLSv$tls --ssl-cert="$tmp/cert.pem" --ssl-key="$tmp/key.pem"
	done
	ask known "SELECT 1" # without a certificate
	ask guest "SELECT REPEAT('x', 3000000)" | sha256sum
}

reload() { reload_certificate flush_ssl; }
flush_ssl() { mariadb --no-defaults -h 127.0.0.1 -P "$port" -u guest --ssl -e "FLUSH SSL"; } # without verifying, because the server still has the old certificate

own_errors() { grep -E '\[ERROR\]|\[Warning\]' "$tmp/mariadb.log"; }

trials
