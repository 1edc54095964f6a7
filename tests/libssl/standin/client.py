#!/usr/bin/env python3
"""client.py PORT [--from ADDRESS] WORD...: opens one connection to the stand-in's server and sends each WORD in turn: hello (a ClientHello),
resume (a ClientHello with a session id) or data. Prints the result of each: full, resumed, echoed, alert:DESCRIPTION or closed. It stops at
the first `closed`."""
import socket
import sys

ALERT, HANDSHAKE, DATA = 21, 22, 23
SERVER_HELLO, CERTIFICATE, FINISHED = 2, 11, 20


def client_hello(session_id):
    body = b"\3\3" + bytes(32) + bytes([len(session_id)]) + session_id + b"\0\2\xc0\x2f\1\0"
    return b"\1" + len(body).to_bytes(3, "big") + body


def receive(stream):
    head = stream.read(3)
    return (head[0], stream.read(int.from_bytes(head[1:3], "big"))) if len(head) == 3 else (0, b"")


def outcome(stream):
    result = "resumed"
    while True:
        kind, body = receive(stream)
        if kind == 0:
            return "closed"
        if kind == ALERT:
            return "alert:%d" % body[1]
        if kind == DATA:
            return "echoed"
        if body[0] == CERTIFICATE:
            result = "full"
        if body[0] == FINISHED:
            return result


def main():
    words = sys.argv[1:]
    port = int(words.pop(0))
    source = words[1] if words and words[0] == "--from" else "127.0.0.1"
    del words[: 2 * (bool(words) and words[0] == "--from")]
    with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0)) as connection:
        stream = connection.makefile("rwb")
        results = []
        for word in words:
            message = b"ping" if word == "data" else client_hello(bytes([7]) * 32 if word == "resume" else b"")
            try:
                stream.write(bytes([DATA if word == "data" else HANDSHAKE]) + len(message).to_bytes(2, "big") + message)
                stream.flush()
                results.append(outcome(stream))
            except OSError:
                results.append("closed")
            if results[-1] == "closed":
                break
        print(" ".join(results))


main()
