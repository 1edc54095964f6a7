# The nginx configuration of the tests (any POSIX shell).
# shellcheck shell=sh

# nginx_conf DIRECTORY [DIRECTIVE]... prints a configuration with which nginx stays in the foreground, drops root's privileges, and
# writes into DIRECTORY alone; its log there is nginx-error.log. DIRECTIVEs belong to the main block, standard input to the
# http block. Where nginx_workers (2), nginx_log (info) or nginx_daemon (off) is set, it is the directive's value.
nginx_conf() {
	nginx_directory=$1
	shift
	[ "$(id -u)" != 0 ] || echo "user nobody nogroup;"
	cat <<-CONF
		daemon ${nginx_daemon:-off};
		worker_processes ${nginx_workers:-2};
		pid $nginx_directory/nginx.pid;
		error_log $nginx_directory/nginx-error.log ${nginx_log:-info};
		$*
		events { worker_connections 512; }
		http {
			access_log off;
			client_body_temp_path $nginx_directory/body;
			proxy_temp_path $nginx_directory/proxy;
			fastcgi_temp_path $nginx_directory/fastcgi;
			uwsgi_temp_path $nginx_directory/uwsgi;
			scgi_temp_path $nginx_directory/scgi;
			$(cat)
		}
	CONF
}

# nginx_tls DIRECTORY [VERSION]... prints the directives for TLS with the certificate and key in DIRECTORY, and TLS 1.2 and 1.3 or
# the VERSIONs.
nginx_tls() {
	echo "ssl_certificate $1/cert.pem; ssl_certificate_key $1/key.pem;"
	shift
	echo "ssl_protocols ${*:-TLSv1.2 TLSv1.3};"
}
