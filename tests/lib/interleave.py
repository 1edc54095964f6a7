"""Two clients whose handshakes interleave: `interleave.py http|line|banner TLS PORT FIRST SECOND`, addresses on loopback.

A connection has five steps: connect, half a ClientHello, the rest, the handshake's end, an exchange. The orders below say whose
turn it is. Both clients begin with a full handshake of their own; then the first offers to resume in every order, the second in the
first one only. Prints for each client what the server should have on its account: `ADDRESS full=N resumed=N`; anything that is not
as it should be ends the program with a message.
"""
import socket
import ssl
import sys

ORDERS = ("ABABABABAB", "ABBAABBAAB", "AABBBBBAAA", "BBBAAAAABB", "BABBABABAA", "BAABBABABA")
WAIT_S = 10
REQUESTS = {"http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "line": b"ping\n", "banner": b""}


def context(tls):
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    version = ssl.TLSVersion.TLSv1_3 if tls == "1.3" else ssl.TLSVersion.TLSv1_2
    client.minimum_version = client.maximum_version = version
    return client


class Connection:
    def __init__(self, client, kind, port, source, session):
        self.where, self.request = (("127.0.0.1", port), (source, 0)), REQUESTS[kind]
        self.bytes_in, self.bytes_out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = client.wrap_bio(self.bytes_in, self.bytes_out, session=session)
        self.steps = iter((self.connect, self.half, self.rest, self.finish, self.exchange))

    def step(self):
        next(self.steps)()

    def connect(self):
        self.stream = socket.create_connection(self.where[0], WAIT_S, source_address=self.where[1])
        self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def half(self):
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self.flight = self.bytes_out.read()
        self.stream.sendall(self.flight[: len(self.flight) // 2])

    def rest(self):
        self.stream.sendall(self.flight[len(self.flight) // 2 :])

    def until_done(self, call):
        while True:
            try:
                result = call()
                self.stream.sendall(self.bytes_out.read())
                return result
            except ssl.SSLWantReadError:
                self.stream.sendall(self.bytes_out.read())
                data = self.stream.recv(65536)
                if not data:
                    raise ConnectionError("the server left") from None
                self.bytes_in.write(data)

    def finish(self):
        self.until_done(self.tls.do_handshake)

    def exchange(self):
        if self.request:
            self.tls.write(self.request)
        self.until_done(lambda: self.tls.read(65536))

    def end(self):
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass
        self.stream.sendall(self.bytes_out.read())
        self.stream.close()
        return self.tls.session, self.tls.session_reused


def main():
    kind, tls, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    sources = dict(zip("AB", sys.argv[4:6]))
    client = context(tls)
    sessions, full, resumed = {}, {"A": 0, "B": 0}, {"A": 0, "B": 0}
    for n, order in enumerate(("AAAAABBBBB",) + ORDERS):
        offers = {who: n > 0 and (who == "A" or n == 1) for who in "AB"}
        pair = {w: Connection(client, kind, port, sources[w], sessions[w] if offers[w] else None) for w in "AB"}
        for who in order:
            pair[who].step()
        for who in "AB":
            sessions[who], reused = pair[who].end()
            if reused != offers[who]:
                sys.exit(f"{order}: {who} offered={offers[who]} reused={reused}")
            full[who] += not reused
            resumed[who] += reused
    for who in "AB":
        print(f"{sources[who]} full={full[who]} resumed={resumed[who]}")


main()
