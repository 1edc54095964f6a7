"""The Python servers of the tests: `tls_echo.py wrap_socket|asyncio PEM PORT`. Each echoes every line."""
import asyncio
import gc
import socket
import ssl
import sys
import threading


def context(pem):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server


def serve_connection(connection, tls):
    try:
        with tls.wrap_socket(connection, server_side=True) as stream:
            while line := stream.recv(4096):
                stream.sendall(line)
    except OSError as error:
        print(f"connection ended: {error!r}", flush=True)


def wrap_socket(tls, port):
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve_connection, args=(connection, tls), daemon=True).start()


async def echo(reader, writer):
    try:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
        writer.close()
    except OSError as error:
        print(f"connection ended: {error!r}", flush=True)


async def collect_garbage():
    """A connection that ended during its handshake is part of a reference cycle, so only the garbage collector frees it."""
    while True:
        await asyncio.sleep(0.5)
        gc.collect()


async def with_asyncio(tls, port):
    server = await asyncio.start_server(echo, "127.0.0.1", port, ssl=tls)
    async with server:
        await asyncio.gather(server.serve_forever(), collect_garbage())


if __name__ == "__main__":
    if sys.argv[1] == "wrap_socket":
        wrap_socket(context(sys.argv[2]), int(sys.argv[3]))
    else:
        asyncio.run(with_asyncio(context(sys.argv[2]), int(sys.argv[3])))
