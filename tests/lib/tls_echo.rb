# The Ruby server of the tests: `tls_echo.rb PEM PORT CLIENT-CA`. Each line is answered with itself; the SSL is made in the thread that
# accepts, the handshake in the connection's own. Who shows a certificate is greeted in the log.
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
