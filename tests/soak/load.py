"""The clients of the soak, which record what they did: `load.py TOOLS PAGE OUT SERVICE=PROTOCOL:PORT...` (PROTOCOL is http or imap).

Each line `SECONDS CALM` on standard input is a phase. The load runs for SECONDS; then all clients finish, OUT/SERVICE.json gets what every
client did since the beginning, and `idle` is printed. If CALM is 1, there are IMAP logins. Each role has its own addresses (ROLES), so that
every client in the ledger has one role:
  visitor  makes a full handshake, then offers to resume it, never more than LIMIT times in PERIOD_S: must never be acted upon
  lingerer pauses some seconds in the middle of its request, during which the daemon may be told to reload
  storm    makes far more offers than LIMIT, as fast as possible: some must be declined or refused
  attack   renegotiates by tlspeer or tlsstorm, once in each connection
Each connection has exactly one result, and it is one that the server is sure to have seen. Either an exchange was complete (`full`,
`resumed`, or `missed`: an offer answered by a full handshake), or an alert arrived (`refused`, `renegotiated`). Instead of an alert
Dovecot, which writes through a BIO pair, just closes. Anything else is `lost`.
"""
import collections
import json
import socket
import ssl
import subprocess
import sys
import threading
import time

LIMIT, PERIOD_S = 30, 60
STORM = 3 * LIMIT
OFFERS = 6  # of a visitor, after each full handshake
WAIT_S = 60
LINGER_S = 4
GOODBYE = ("warning:0", "warning:close_notify")
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def context(version):
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.minimum_version = client.maximum_version = version
    return client


class Client:
    """A client is one address. Only one thread uses it at a time."""

    def __init__(self, service, address):
        self.service, self.address, self.version = service, address, 0
        self.did, self.errors = collections.Counter(), []
        self.finished = collections.deque(maxlen=LIMIT)  # when the last LIMIT offers were over
        self.contexts = [context(version) for version in VERSIONS]

    def lost(self, error):
        self.did["lost"] += 1
        self.errors.append(f"{time.strftime('%H:%M:%S')} {error}")

    def visit(self, offered=None, linger_s=0):
        """Makes one connection with one exchange; returns its session, or None."""
        try:
            stream = socket.create_connection(("127.0.0.1", self.service.port), WAIT_S, source_address=(self.address, 0))
            with self.contexts[self.version].wrap_socket(stream, session=offered, do_handshake_on_connect=False) as tls:
                try:
                    tls.do_handshake()
                except ssl.SSLError as error:
                    if "ALERT" not in (error.reason or "") and not (offered and self.service.silent):
                        raise
                    self.did["refused"] += 1
                    return None
                self.service.exchange(tls, linger_s)
                session, reused = tls.session, tls.session_reused
        except (OSError, AssertionError) as error:
            self.lost(f"{offered and 'offer'} {error!r}")
            return None
        self.did["resumed" if reused else "missed" if offered else "full"] += 1
        return session

    def wait_until_allowed(self, end):
        """Waits until another offer is within the limit; returns False if the phase ends first. The server sees an offer between its begin
        and its end, so counting PERIOD_S from the end is always enough."""
        while len(self.finished) == LIMIT and time.monotonic() - self.finished[0] <= PERIOD_S:
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    def attack(self, tool, options, *command):
        self.did["full"] += 1
        command = [f"{self.service.tools}/{tool}", "--from", self.address, *options, "127.0.0.1", str(self.service.port), *command]
        text = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False).stdout
        fields = dict(pair.split("=", 1) for line in text.splitlines() for pair in line.split() if "=" in pair)
        alert = fields.get("warnings") == "1" or fields.get("end") == "warning:no_renegotiation"
        if alert or (self.service.silent and fields.get("end") == "closed"):
            self.did["renegotiated"] += 1
        elif fields.get("end") in GOODBYE:
            pass  # the worker was told to end and had not read the attempt, so the ledger has no event either
        else:
            self.lost(text)


class Http:
    def __init__(self, page):
        with open(page, "rb") as file:
            self.page = file.read()

    def __call__(self, tls, linger_s):
        request = b"GET /page HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        tls.sendall(request[:20])
        time.sleep(linger_s)
        tls.sendall(request[20:])
        answer = b""
        while data := tls.recv(65536):
            answer += data
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ") and body == self.page, f"answered: {answer[:200]!r}"


class Imap:
    """In a calm phase every fourth exchange logs in. Its TLS stays with the login process, which passes clear text to an imap process."""

    def __init__(self):
        self.turn, self.calm = 0, True

    def __call__(self, tls, linger_s):
        self.turn += 1
        login = [(b"a login user%d password\r\n" % (self.turn % 64), b"a OK"), (b"b select inbox\r\n", b"b OK")]
        commands = login if self.calm and self.turn % 4 == 0 else [(b"a capability\r\n", b"a OK")]
        with tls.makefile("rb") as answers:
            assert answers.readline().startswith(b"* OK"), "no greeting"
            for command, good in [*commands, (b"z logout\r\n", b"z OK")]:
                tls.sendall(command[:4])
                time.sleep(linger_s / 3)
                tls.sendall(command[4:])
                while (line := answers.readline()).startswith((b"* ", b"+ ")):
                    pass
                assert line.startswith(good), f"{command!r} answered: {line!r}"


def visitor(clients, end):
    while time.monotonic() < end:
        for client in clients:
            client.version = not client.version
            session = client.visit()
            for _ in range(OFFERS):
                if session and client.wait_until_allowed(end) and time.monotonic() < end:
                    client.visit(session)
                    client.finished.append(time.monotonic())
                    time.sleep(0.15)


def lingerer(clients, end):
    while time.monotonic() < end:
        for client in clients:
            client.version = not client.version
            client.visit(linger_s=LINGER_S)


def storm(clients, end):
    while time.monotonic() < end:
        for client in clients:
            client.version = not client.version
            session = client.visit()
            for _ in range(STORM if session else 0):
                client.visit(session)
            time.sleep(4)


def attack(clients, end):
    while time.monotonic() < end:
        for client in clients:
            client.attack("tlspeer", ("--tls", "1.2", "--none", "--timeout-ms", f"{WAIT_S * 1000}"), "renegotiate", "1")
            client.attack("tlsstorm", ("--line",) if client.service.silent else (), "20")
            time.sleep(1)


# Each role, its number of threads, and the number of addresses of each thread.
ROLES = ((visitor, 3, 6), (lingerer, 2, 2), (storm, 2, 2), (attack, 1, 3))


class Service:
    def __init__(self, text, tools, page, place):
        self.name, _, rest = text.partition("=")
        protocol, _, port = rest.partition(":")
        self.port, self.tools, self.place, self.silent = int(port), tools, place, protocol == "imap"
        self.exchange = Imap() if self.silent else Http(page)
        self.groups = []
        for role, (work, threads, addresses) in enumerate(ROLES):
            for thread in range(threads):
                names = (f"127.0.{role + 1}.{10 * thread + n + 1}" for n in range(addresses))
                self.groups.append((work, [Client(self, name) for name in names]))

    def write(self):
        clients = [(work.__name__, client) for work, group in self.groups for client in group]
        with open(f"{self.place}/{self.name}.json", "w", encoding="ascii") as file:
            json.dump({c.address: {"role": role, "errors": c.errors, **c.did} for role, c in clients}, file, indent=1)


def main():
    tools, page, place, *rest = sys.argv[1:]
    services = [Service(text, tools, page, place) for text in rest]
    for line in sys.stdin:
        seconds, calm = map(int, line.split())
        end = time.monotonic() + seconds
        for service in services:
            service.exchange.calm = calm
        groups = [group for service in services for group in service.groups]
        threads = [threading.Thread(target=work, args=(clients, end)) for work, clients in groups]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for service in services:
            service.write()
        print("idle", flush=True)


main()
