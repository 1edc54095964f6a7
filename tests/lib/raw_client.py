"""A client that breaks the rules: `raw_client.py KIND HOST PORT [FROM [N]]`. It makes N connections and prints one line of pairs for each.

What each KIND does:
  bare     sends nothing and closes
  silent   sends nothing and waits
  byte, header, part
           sends one byte, the record header or half of a ClientHello, and closes
  tear     sends half a ClientHello and resets
  pause    sends half a ClientHello and waits
  slam     sends a ClientHello and resets before any answer
  leave    sends a ClientHello, reads the first answer and closes
  reset    like leave, but resets
  stay     sends a ClientHello and waits
  garbage  sends a ClientHello, then bytes that are not TLS
  abort    sends a ClientHello, then an alert
  noise    sends bytes that are not TLS
  bent     sends a valid record header, then bytes that are not TLS
  binder   offers to resume (TLS 1.3) with a wrong binder
  ticket+FLAW, id+FLAW
           offers to resume (TLS 1.2) in a malformed ClientHello. FLAW is long or short (the length of the extensions is one too big or
           too small), byte (a byte follows the extensions) or versions (supported_versions, placed before the offer, ends in half a version)
The pairs printed: answer is the first answer (handshake, alert, ccs, other or none; for a malformed offer also resumed or full), end is how the
connection ended (eof, reset, timeout, left: by the client), ms how long it took.
"""
import socket
import ssl
import struct
import sys
import time

WAIT_S = 6
CONTENT = {20: "ccs", 21: "alert", 22: "handshake"}
NOISE = b"\x00no TLS at all\r\n\r\n" * 20
HEADER_BYTES = 5


def context():
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    return client


def connect(host, port, source):
    return socket.create_connection((host, port), WAIT_S, source_address=(source, 0) if source else None)


def session(client, version, host, port, source):
    client.minimum_version = client.maximum_version = version
    with client.wrap_socket(connect(host, port, source)) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
        stream.recv(4096)
        return stream.session


def client_hello(client, offered=None):
    out = ssl.MemoryBIO()
    half = client.wrap_bio(ssl.MemoryBIO(), out, session=offered)
    try:
        half.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


SESSION_ID_AT = 5 + 4 + 34  # record header, handshake header, version and random


def malformed(hello, how):
    """Returns the ClientHello, which is one record, with its extensions made malformed."""
    at = SESSION_ID_AT + 1 + hello[SESSION_ID_AT]
    at += 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 1 + hello[at]
    head, length, rest = hello[:at], int.from_bytes(hello[at : at + 2], "big"), hello[at + 2 :]
    if how == "versions":  # supported_versions with 0x0304 and half of another version
        rest = b"\x00\x2b\x00\x04\x03\x03\x04\x03" + rest
        length += 8
    if how == "byte":
        rest += b"\x00"
    length += {"long": 1, "short": -1}.get(how, 0)
    body = head[9:] + length.to_bytes(2, "big") + rest
    return head[:3] + (len(body) + 4).to_bytes(2, "big") + b"\x01" + len(body).to_bytes(3, "big") + body


def kind_of_answer(stream):
    """Tells a full handshake from a resumed one: in TLS 1.2 only the full one has a Certificate message (RFC 5246 7.3)."""
    data, end = b"", ""
    while not end:
        try:
            piece = stream.recv(65536)
        except OSError:
            piece = b""
        data, end = data + piece, "" if piece else "eof"
        types = []
        at = 0
        while at + 5 < len(data):
            types.append((data[at], data[at + 5]))
            if data[at] == 20:
                break  # what follows is encrypted
            if data[at] == 22 and data[at + 5] == 2:  # another message may follow the ServerHello in its record
                inside = at + 5 + 4 + int.from_bytes(data[at + 6 : at + 9], "big")
                if inside < at + 5 + int.from_bytes(data[at + 3 : at + 5], "big"):
                    types.append((22, data[inside]))
            at += 5 + int.from_bytes(data[at + 3 : at + 5], "big")
        if (21, 2) in types:
            return "alert", "left"
        if (22, 11) in types:
            return "full", "left"
        if any(content == 20 for content, _ in types):
            return "resumed", "left"
    return "", end


def send(stream, data):
    try:
        stream.sendall(data)
    except OSError:
        pass


def receive(stream):
    try:
        data = stream.recv(65536)
    except ConnectionResetError:
        return "", "reset"
    except OSError:
        return "", "timeout"
    return (CONTENT.get(data[0], "other"), "") if data else ("", "eof")


def drain(stream):
    end = ""
    while not end:
        _, end = receive(stream)
    return end


def talk(kind, stream, hello):
    """Returns the first answer and how the connection ended."""
    if kind == "silent":
        return receive(stream)
    if kind == "bare":
        return "", "left"
    if kind in ("noise", "bent"):
        length = int.from_bytes(hello[HEADER_BYTES - 2 : HEADER_BYTES], "big")
        send(stream, NOISE if kind == "noise" else hello[:HEADER_BYTES] + (NOISE * length)[:length])
        return receive(stream)
    if kind in ("byte", "header", "part", "tear", "slam", "pause"):
        send(stream, hello[: {"byte": 1, "header": HEADER_BYTES, "slam": len(hello)}.get(kind, len(hello) // 2)])
        return receive(stream) if kind == "pause" else ("", "left")
    send(stream, hello)
    if "+" in kind:
        return kind_of_answer(stream)
    answer, end = receive(stream)
    if end or kind in ("leave", "reset"):
        return answer, end or "left"
    if kind == "garbage":
        send(stream, NOISE)
    if kind == "abort":
        send(stream, b"\x15\x03\x03\x00\x02\x02\x50")
    return answer, drain(stream)


def main():
    kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    source = sys.argv[4] if len(sys.argv) > 4 else ""
    client = context()
    offered = None
    if kind == "binder":
        offered = session(client, ssl.TLSVersion.TLSv1_3, host, port, source)
    if "+" in kind:
        client.set_ciphers("ALL:@SECLEVEL=0")  # OpenSSL 1.0.1 may have no key exchange but RSA
        client.options |= ssl.OP_NO_TICKET if kind.startswith("id") else 0
        offered = session(client, ssl.TLSVersion.TLSv1_2, host, port, source)
    for n in range(1, 1 + int(sys.argv[5] if len(sys.argv) > 5 else 1)):
        hello = client_hello(client, offered)
        if kind == "binder":
            hello = hello[:-1] + bytes([hello[-1] ^ 1])
        if "+" in kind:
            hello = malformed(hello, kind.split("+")[1])
        stream = connect(host, port, source)
        begin = time.monotonic()
        answer, end = talk(kind, stream, hello)
        if kind in ("reset", "tear", "slam"):
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.close()
        print(f"n={n} answer={answer or 'none'} end={end} ms={int((time.monotonic() - begin) * 1000)}")


main()
