"""A TLS server that calls libssl through ctypes: `ctypes_echo.py handle|global PEM PORT`. It echoes every line and serves one connection
at a time. `handle` looks functions up in the handle of libssl, `global` in the program's global scope."""
import ctypes
import ctypes.util
import socket
import sys

PEM = 1

path = ctypes.util.find_library("ssl")
ssl = ctypes.CDLL(path)
if sys.argv[1] == "global":
    ctypes.CDLL(path, ctypes.RTLD_GLOBAL)
    ssl = ctypes.CDLL(None)
for name in ("TLS_server_method", "SSL_CTX_new", "SSL_new"):
    getattr(ssl, name).restype = ctypes.c_void_p
ctx = ctypes.c_void_p(ssl.SSL_CTX_new(ctypes.c_void_p(ssl.TLS_server_method())))
pem = sys.argv[2].encode()
assert ssl.SSL_CTX_use_certificate_chain_file(ctx, pem) == 1
assert ssl.SSL_CTX_use_PrivateKey_file(ctx, pem, PEM) == 1
ssl.SSL_CTX_set_session_id_context(ctx, b"ctypes", 6)

with socket.create_server(("127.0.0.1", int(sys.argv[3]))) as listener:
    while True:
        connection, _ = listener.accept()
        connection.settimeout(None)
        stream = ctypes.c_void_p(ssl.SSL_new(ctx))
        ssl.SSL_set_fd(stream, connection.fileno())
        buffer = ctypes.create_string_buffer(4096)
        count = ssl.SSL_accept(stream)
        while count > 0:
            count = ssl.SSL_read(stream, buffer, 4096)
            if count > 0:
                ssl.SSL_write(stream, buffer, count)
        ssl.SSL_free(stream)
        connection.close()
