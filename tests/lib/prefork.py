"""`prefork.py main|thread PEM PORT...`: libssl is opened, then a worker for each PORT is forked (by the main thread or by another), and
only there is a context made. Each answers every line with it."""
import os
import socket
import sys
import threading
import time

from tls_echo import context, serve_connection


def serve(listener, pem):
    tls = context(pem)
    while True:
        connection, _ = listener.accept()
        serve_connection(connection, tls)


def fork_workers(pem, ports):
    for port in ports:
        listener = socket.create_server(("127.0.0.1", int(port)))
        if os.fork() == 0:
            serve(listener, pem)
        listener.close()
    print("forked", flush=True)


def main():
    where, pem, *ports = sys.argv[1:]
    if where == "main":
        fork_workers(pem, ports)
    else:
        threading.Thread(target=fork_workers, args=(pem, ports)).start()
    time.sleep(600)


main()
