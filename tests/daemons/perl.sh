#!/bin/bash
# Perl's IO::Socket::SSL: a process for every connection, forked before its handshake; client certificates.
# It reads lines by SSL_peek and takes any error there for the end of file, so its own log has nothing about a refusal.
. tests/lib/daemon.sh
packages="libio-socket-ssl-perl"
program=perl

configure() { :; }
launch() { daemon perl tests/lib/tls_echo.pl "$tmp/server.pem" "$port" "$tmp/cert.pem"; }
exchange() {
	converse 'hello\n' '^hello$'
	converse 'once more\n' '^once more$' -cert "$tmp/cert.pem" -key "$tmp/key.pem"
	grep -c 'certificate of /CN=localhost' "$tmp/perl.log"
}
own_errors() { grep 'connection ended' "$tmp/perl.log"; }
trials
