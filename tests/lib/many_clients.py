"""Connections from many loopback addresses, one after the other, each with one HTTP request: `many_clients.py PORT RECORD`.

Client N comes from 127.1.N/256.N%256. First, client 4 connects 100 times. Then clients 1, 2 and 3 connect more than 240 times each, among
1,800 newcomers that connect once; all this takes a few seconds. Client 1 comes in three bursts of 81, each followed by 600 newcomers.
Clients 2 and 3 connect 250 times without a break, client 2 after 600 newcomers and client 3 after 1,800. Writes `CLIENT MILLISECONDS` for
each connection to RECORD. Prints each client that was refused at least once.
"""
import socket
import sys
import time

NEWCOMERS = 600


def stream():
    newcomers = iter(range(10, 65536))
    yield from [4] * 100
    for attacker in (2, None, 3):
        yield from [1] * 81
        yield from (next(newcomers) for _ in range(NEWCOMERS))
        if attacker:
            yield from [attacker] * 250


def is_served(port, client):
    try:
        with socket.create_connection(("127.0.0.1", port), 5, (f"127.1.{client // 256}.{client % 256}", 0)) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def main():
    port, refused = int(sys.argv[1]), set()
    with open(sys.argv[2], "w", encoding="ascii") as record:
        for client in stream():
            record.write(f"{client} {int(time.monotonic() * 1000)}\n")
            if not is_served(port, client):
                refused.add(client)
    print(*sorted(refused), sep="\n")


main()
