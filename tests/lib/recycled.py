"""A TLS server on a descriptor number that another client's connection had before: `recycled.py PEM`.

It accepts a connection from 127.0.0.77 and closes it. Then it connects to a peer itself, as an FTP server in active mode does, and gets the
same descriptor number. The peer sends three bytes of a ClientHello and resets. The server prints "done" and waits for the end of its input.
"""
import socket
import ssl
import struct
import sys


def main():
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(sys.argv[1])
    listener, peers_listener = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname(), 5, source_address=("127.0.0.77", 0))
    accepted, _ = listener.accept()
    number = accepted.fileno()
    accepted.close()
    connected = socket.create_connection(peers_listener.getsockname(), 5)
    assert connected.fileno() == number, (connected.fileno(), number)
    peer, _ = peers_listener.accept()
    peer.sendall(b"\x16\x03\x01")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    bytes_in = ssl.MemoryBIO()
    connection = server.wrap_bio(bytes_in, ssl.MemoryBIO(), server_side=True)
    bytes_in.write(connected.recv(4096))
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        pass
    del connection
    client.close()
    print("done", flush=True)
    sys.stdin.read()


main()
