"""The server behind a TLS proxy under test: `backend.py PORT`. It echoes each line and answers an HTTP request with 200."""
import socketserver
import sys


class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline():
            if b" HTTP/1." not in line:
                self.wfile.write(line)
                continue
            while self.rfile.readline().strip():
                pass
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        pass


Server(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
