"""The TLS client of the daemon tests: `dialogue.py PROTOCOL PORT COMMAND ARGUMENT...`. It connects to 127.0.0.1; every wait is bounded.

visits SOURCE TLS...      for each TLS version a full handshake and then an offer to resume, with an exchange in each connection
interleave FIRST SECOND TLS ACTION accepted|ignored|FOREIGN-PORT
                          two clients whose handshakes interleave. A connection has five steps: connect, half a ClientHello, the
                          other half, the end of the handshake, an exchange. ORDERS says whose turn it is. Both clients begin with a
                          full handshake. Then the first offers to resume in every order, the second only in the first order. ACTION
                          (warn, decline or close) meets every offer beyond LIMIT. `accepted`: the server accepts offers below the
                          limit; `ignored`: it issues sessions, but accepts no offer; a port: it issues no sessions, and the sessions
                          offered come from the HTTP server on that port
attack SOURCE BYSTANDER TLSSTORM N
                          N attempts to renegotiate on one connection (tests/tools/tlsstorm.c) while a bystander's connection is open
abandon FIRST SECOND N    each client leaves N times in the middle of its ClientHello. FIRST closes; SECOND resets, which also discards
                          what the server has not read yet
crowd N BASE TLS          N clients at once, BASE.61 and on: the first has three full handshakes, each next client one more.
                          In the first three, all clients send the second half of their ClientHello together
hold N SOURCE TLS         opens N connections, has an exchange in each, and keeps them open until standard input ends
fail SOURCE N             N handshakes that the server refuses by itself, because no cipher is shared
refused SOURCE N KIND     N connections that the library refuses, in TLS 1.2: they offer a session after one that may, or shake hands
                          in full after one that may (KIND offer, handshake), or begin a renegotiation each, the first as well (a path of tlsstorm)
certificate SOURCE        prints the server's certificate as PEM
A PROTOCOL that ends in `-serial` means that the server serves one connection at a time. Anything unexpected ends the program with a
message; otherwise it prints the results of each client.
"""
import collections
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

WAIT_S = 30
LIMIT = 2
ORDERS = ("ABABABABAB", "ABBAABBAAB", "AABBBBBAAA", "BBBAAAAABB", "BABBABABAA", "BAABBABABA")
ONE_BY_ONE = ("AAAAABBBBB",)

# A script is a list of (request, regular expression that the end of the answer matches, or None to wait for no answer). `clear` is spoken in
# clear text before TLS, `opening` first inside TLS, `again` any number of times after that. The attacker sends the first request of
# `opening` and `again` between its attempts.
Protocol = collections.namedtuple("Protocol", "again opening clear", defaults=((), ()))

SMTP = Protocol([(b"NOOP\r\n", rb"^250 ")], [(b"EHLO localhost\r\n", rb"^250 .*\r\n")])
SMTP_GREETING = (b"", rb"^220 .*\r\n")
IMAP = Protocol([(b"a NOOP\r\n", rb"^a OK ")])
IMAP_GREETING = (b"", rb"^\* OK .*\r\n")
POP3_GREETING = (b"", rb"^\+OK.*\r\n")
XMPP_STREAM = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
    b" to='localhost' version='1.0'>",
    rb"</stream:features>",
)
MYSQL_HELLO = bytes.fromhex("008a0800 00000001 21") + bytes(23)
PROTOCOLS = {
    "http": Protocol([(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", rb"HTTP/1\.[01] \d+ [\s\S]*?\r\n\r\n")]),
    "proxy": Protocol([(b"HEAD http://localhost/squid-internal-static/icons/SN.png HTTP/1.1\r\nHost: localhost\r\n\r\n", rb"^HTTP/1\.1 200 [\s\S]*?\r\n\r\n")]),
    "http-alice": Protocol([(b"GET /v1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YWxpY2U6c2VjcmV0\r\n\r\n", rb"HTTP/1\.[01] \d+ [\s\S]*?\r\n\r\n")]),
    "line": Protocol([(b"ping\n", rb"\n")]),
    "banner": Protocol([], [(b"", rb"\n")]),
    "smtp": SMTP._replace(opening=[SMTP_GREETING, *SMTP.opening]),
    "smtp-starttls": SMTP._replace(clear=[SMTP_GREETING, *SMTP.opening, (b"STARTTLS\r\n", rb"^220 .*\r\n")]),
    "imap": IMAP._replace(opening=[IMAP_GREETING]),
    "imap-starttls": IMAP._replace(clear=[IMAP_GREETING, (b"a STARTTLS\r\n", rb"^a OK .*\r\n")]),
    "pop3": Protocol([(b"CAPA\r\n", rb"^\.\r\n")], [POP3_GREETING]),
    "pop3-starttls": Protocol([(b"CAPA\r\n", rb"^\.\r\n")], [], [POP3_GREETING, (b"STLS\r\n", rb"^\+OK.*\r\n")]),
    "ftp-starttls": Protocol([(b"NOOP\r\n", rb"^\d{3} ")], [], [(b"", rb"^220 .*\r\n"), (b"AUTH TLS\r\n", rb"^234 .*\r\n")]),
    "sip": Protocol(
        [
            (
                b"OPTIONS sip:localhost SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@localhost>;tag=1\r\n"
                b"To: <sip:a@localhost>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
                rb"^SIP/2\.0 200 [\s\S]*?\r\n\r\n",
            )
        ]
    ),
    "redis": Protocol([(b"PING\r\n", rb"^\+PONG\r\n")]),
    "memcached": Protocol([(b"version\r\n", rb"^VERSION .*\r\n")]),
    "mqtt": Protocol([(bytes.fromhex("c000"), rb"^\xd0\x00")], [(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", rb"^\x20\x02..")]),
    "dns": Protocol([(bytes.fromhex("001b 1234 0100 0001000000000000") + b"\x09localhost\0\0\1\0\1", rb"^..\x12\x34")]),
    "stun": Protocol([(bytes.fromhex("00010000 2112a442") + b"reneguard-rg", rb"^\x01\x01")]),
    "postgres": Protocol(
        [(b"Q\0\0\0\x0dSELECT 1\0", rb"Z\0\0\0\x05.")],
        [(b"\0\0\0\x29\0\3\0\0user\0postgres\0database\0postgres\0\0", rb"Z\0\0\0\x05.")],
        [(bytes.fromhex("00000008 04d2162f"), rb"^S")],
    ),
    "mysql": Protocol(
        [(bytes.fromhex("01000000 0e"), rb"^...\x01\x00")],
        [(b"\x3c\0\0\2" + MYSQL_HELLO + b"root\0\0mysql_native_password\0", rb"^...\x03\x00")],
        [(b"", rb"mysql_native_password\0"), (b"\x20\0\0\1" + MYSQL_HELLO, None)],
    ),
    "xmpp": Protocol(
        [(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='NONE'/>", rb"<failure[\s\S]*</failure>")],
        [XMPP_STREAM],
        [XMPP_STREAM, (b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", rb"<proceed[^>]*>")],
    ),
}


def context(tls):
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.minimum_version = client.maximum_version = ssl.TLSVersion["TLSv1_" + tls[2:]]
    return client


def say(script, write, read):
    for request, end in script:
        if request:
            write(request)
        answer = b""
        while end is not None and not re.search(end, answer, re.M | re.S if answer[:1] < b" " else re.M):
            answer += read()


def connect(protocol, source, port):
    """Returns a connected socket after the clear text part of the protocol."""

    def read():
        data = stream.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection before TLS")
        return data

    stream = socket.create_connection(("127.0.0.1", port), WAIT_S, source_address=(source, 0))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    say(protocol.clear, stream.sendall, read)
    return stream


class Connection:
    def __init__(self, client, protocol, port, source, session=None):
        self.protocol, self.opening, self.where = protocol, protocol.opening, (source, port)
        self.bytes_in, self.bytes_out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = client.wrap_bio(self.bytes_in, self.bytes_out, session=session)
        self.steps = iter((self.connect, self.half, self.rest, self.finish, self.exchange))
        self.refused = False

    def step(self):
        step = next(self.steps)
        try:
            if not self.refused:
                step()
        except (ssl.SSLError, ConnectionError):
            self.refused = True

    def connect(self):
        self.stream = connect(self.protocol, *self.where)

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
                    raise ConnectionError("the server closed the connection") from None
                self.bytes_in.write(data)

    def finish(self):
        self.until_done(self.tls.do_handshake)

    def read(self):
        data = self.until_done(lambda: self.tls.read(65536))
        if not data:
            raise ConnectionError("the server ended the TLS connection")
        return data

    def exchange(self):
        say([*self.opening, *self.protocol.again], self.tls.write, self.read)
        self.opening = []

    def whole(self):
        """Takes all steps at once; errors are left to the caller."""
        for step in self.steps:
            step()
        return self

    def end(self):
        """Closes the connection and returns (full, resumed or refused; its session)."""
        result = "refused" if self.refused else "resumed" if self.tls.session_reused else "full"
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass
        try:
            self.stream.sendall(self.bytes_out.read())
        except OSError:
            pass
        self.stream.close()
        return result, self.tls.session


def visits(protocol, port, serial, source, *versions):
    for tls in versions:
        client = context(tls)
        first, session = Connection(client, protocol, port, source).whole().end()
        offered = bool(session and (session.has_ticket or session.id))
        second, _ = Connection(client, protocol, port, source, session if offered else None).whole().end()
        print(f"{tls}: {first}, {second if second != 'full' else 'offer ignored' if offered else 'no session'}")


def interleave(protocol, port, serial, first, second, tls, action, how):
    client = context(tls)
    sources = dict(zip("AB", (first, second)))
    sessions, offers = {}, {"A": 0, "B": 0}
    foreign = how.isdigit() and Connection(client, PROTOCOLS["http"], int(how), first).whole().end()[1]
    results_of = {who: collections.Counter() for who in "AB"}
    for n, order in enumerate(ONE_BY_ONE + (ONE_BY_ONE * len(ORDERS) if serial else ORDERS)):
        offering = [who for who in "AB" if n > 0 and (who == "A" or n == 1)]
        pair = {w: Connection(client, protocol, port, sources[w], sessions[w] if w in offering else None) for w in "AB"}
        # A serial server turns to the next connection only after this one has ended.
        results = {}
        for i, who in enumerate(order):
            pair[who].step()
            if serial and i % 5 == 4:
                results[who] = pair[who].end()
        for who in "AB":
            result, session = results.get(who) or pair[who].end()
            offers[who] += who in offering
            over = who in offering and offers[who] > LIMIT
            wanted = "resumed" if who in offering and how == "accepted" else "full"
            wanted = {"decline": "full", "close": "refused"}.get(action, wanted) if over else wanted
            if result != wanted:
                sys.exit(f"round {n} ({order}): {who} is {result}, wanted {wanted}")
            results_of[who][result] += 1
            if not over and (foreign or session):
                sessions[who] = foreign or session
    for who in "AB":
        print(sources[who], *(f"{result}={results_of[who][result]}" for result in ("full", "resumed", "refused")))


def renegotiate(storm, protocol, stream, count, *options):
    """Has the program STORM try to renegotiate on STREAM, closes it, and returns what STORM saw."""
    stream.setblocking(True)  # tlsstorm bounds its own waits
    request = next((sent for sent, _ in [*protocol.opening, *protocol.again] if sent), b"\r\n")
    seen = subprocess.run(
        [storm, *options, "--hex", request.hex(), f"fd:{stream.fileno()}", "0", count],
        pass_fds=[stream.fileno()], timeout=60, stdout=subprocess.PIPE, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    stream.close()
    return seen


def attack(protocol, port, serial, source, bystander, storm, count):
    other = Connection(context("1.2"), protocol, port, bystander)
    served = 0 if serial else other.whole() and 1
    stream = connect(protocol, source, port)
    own_port = stream.getsockname()[1]
    seen = renegotiate(storm, protocol, stream, count, *["--eager"] * serial)
    try:
        served = 1 if (other.whole() if serial else other.exchange() or True) else 0
    except (OSError, ssl.SSLError) as error:
        sys.exit(f"{seen} port={own_port} bystander=0 ({error})")
    print(f"{seen} port={own_port} bystander={served}")
    other.end()


def abandon(protocol, port, serial, first, second, count):
    for _ in range(int(count)):
        pair = [Connection(context("1.2"), protocol, port, source) for source in (first, second)]
        for steps in [[c] for c in pair] if serial else [pair]:
            for connection in steps:
                connection.connect()
            for connection in steps:
                connection.half()
            time.sleep(0.1)
            for connection in steps:
                if connection is pair[1]:
                    connection.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.stream.close()


def crowd(protocol, port, serial, count, base, tls):
    def visit_again_and_again(number):
        for visit in range(3 + number):
            try:
                connection = Connection(context(tls), protocol, port, f"{base}.{61 + number}")
                connection.connect()
                connection.half()
                if visit < 3:
                    together.wait(WAIT_S)
                connection.rest()
                connection.finish()
                connection.exchange()
                result, _ = connection.end()
            except (OSError, ssl.SSLError, threading.BrokenBarrierError) as error:
                result = str(error)
            if result != "full":
                failed.append(f"{base}.{61 + number}: {result}")

    failed, together = [], threading.Barrier(int(count))
    clients = [threading.Thread(target=visit_again_and_again, args=(number,)) for number in range(int(count))]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    print(*failed, sep="\n")


def hold(protocol, port, serial, count, source, tls):
    held = [Connection(context(tls), protocol, port, source).whole() for _ in range(1 if serial else int(count))]
    print(f"open {len(held)}", flush=True)
    sys.stdin.read()
    for connection in held:
        connection.end()


def fails(client, protocol, port, source, session=None):
    """Does the handshake fail? With TLS 1.2 the client knows when it ends."""
    try:
        Connection(client, protocol, port, source, session).whole().end()
        return False
    except (ssl.SSLError, ConnectionError):
        return True


def fail(protocol, port, serial, source, count):
    client = context("1.2")
    client.set_ciphers("NULL-SHA256:@SECLEVEL=0")
    print("refused", sum(fails(client, protocol, port, source) for _ in range(int(count))))


def refused(protocol, port, serial, source, count, kind):
    client = context("1.2")
    if kind not in ("offer", "handshake"):
        seen = (renegotiate(kind, protocol, connect(protocol, source, port), "1") for _ in range(int(count)))
        print("refused", sum(" hellos=0 " in words for words in seen))
        return
    session = Connection(client, protocol, port, source).whole().end()[1]
    if kind == "handshake":
        session = None
    elif fails(client, protocol, port, source, session):
        sys.exit("the first offer is refused")
    print("refused", sum(fails(client, protocol, port, source, session) for _ in range(int(count))))


def certificate(protocol, port, serial, source):
    connection = Connection(context("1.2"), protocol, port, source).whole()
    print(ssl.DER_cert_to_PEM_cert(connection.tls.getpeercert(True)), end="")
    connection.end()


def main():
    sys.tracebacklimit = 1
    kind, port, command = sys.argv[1:4]
    serial = kind.endswith("-serial")
    commands = {"visits": visits, "interleave": interleave, "attack": attack, "abandon": abandon, "crowd": crowd, "hold": hold, "fail": fail, "refused": refused, "certificate": certificate}
    commands[command](PROTOCOLS[kind.removesuffix("-serial")], int(port), serial, *sys.argv[4:])


main()
