#!/bin/bash
# Ruby's OpenSSL::SSL::SSLServer: one thread calls SSL_new, another does the handshake; client certificates.
. tests/lib/daemon.sh
packages="ruby"
program=ruby
own_log='connection ended: .*no renegotiation'

configure() { :; }
launch() { daemon ruby tests/lib/tls_echo.rb "$tmp/server.pem" "$port" "$tmp/cert.pem"; }
exchange() {
	converse 'hello\n' '^hello$'
	converse 'once more\n' '^once more$' -cert "$tmp/cert.pem" -key "$tmp/key.pem"
	grep -c 'certificate of /CN=localhost' "$tmp/ruby.log"
}
own_errors() { grep 'connection ended' "$tmp/ruby.log"; }
trials
