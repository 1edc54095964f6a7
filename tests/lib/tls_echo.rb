# The Ruby server of the tests: `tls_echo.rb PEM PORT CLIENT-CA`. It echoes every line. The accepting thread makes the SSL; each connection's
# own thread does the handshake. It logs the subject of a client certificate.
require "openssl"
require "socket"

pem, port, client_ca = ARGV
context = OpenSSL::SSL::SSLContext.new
context.cert = OpenSSL::X509::Certificate.new(File.read(pem))
context.key = OpenSSL::PKey.read(File.read(pem))
context.ca_file = client_ca
context.verify_mode = OpenSSL::SSL::VERIFY_PEER
context.session_id_context = "tls_echo"
server = OpenSSL::SSL::SSLServer.new(TCPServer.new("127.0.0.1", port.to_i), context)
server.start_immediately = false
$stdout.sync = true

def serve(connection)
  connection.accept
  puts "certificate of #{connection.peer_cert.subject}" if connection.peer_cert
  while (line = connection.gets)
    connection.write(line)
  end
rescue OpenSSL::SSL::SSLError, SystemCallError => e
  puts "connection ended: #{e.message}"
ensure
  connection.close
end

loop { Thread.new(server.accept) { |connection| serve(connection) } }
