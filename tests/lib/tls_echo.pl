# The Perl server of the tests: `tls_echo.pl PEM PORT CLIENT-CA`. It echoes every line. It forks a process for every connection, before the
# handshake. It logs the subject of a client certificate.
use strict;
use warnings;
use IO::Socket::SSL;

my ($pem, $port, $client_ca) = @ARGV;
$| = 1;
$SIG{CHLD} = 'IGNORE';
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 64, ReuseAddr => 1) or die $!;
my $context = IO::Socket::SSL::SSL_Context->new(
	SSL_server => 1, SSL_cert_file => $pem, SSL_key_file => $pem, SSL_ca_file => $client_ca, SSL_verify_mode => SSL_VERIFY_PEER,
	SSL_session_id_context => 'tls_echo',
) or die $SSL_ERROR;
while (1) {
	my $connection = $listener->accept or next;
	next if fork;
	if (IO::Socket::SSL->start_SSL($connection, SSL_server => 1, SSL_reuse_ctx => $context)) {
		print 'certificate of ', $connection->peer_certificate('subject'), "\n" if $connection->peer_certificate;
		while (defined(my $line = <$connection>)) {
			print $connection $line;
		}
	} else {
		print "connection ended: $SSL_ERROR\n";
	}
	exit;
}
