"""A guarded process that forges a mapping: `long_mapping.py DIRECTORY`. It maps a file whose path, below DIRECTORY, is longer than
5,000 characters. Wherever a reader of /proc/PID/maps splits that line, the rest is likely to look like a line of its own:
the process's ledger, mapped from another file. It prints a line when it is ready, and ends when standard input does."""
import mmap
import os
import re
import ssl
import sys

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
with open("/proc/self/maps") as maps:
    ledger = re.search(r"^(\S+) rw-s .*/memfd:reneguard ", maps.read(), re.MULTILINE)[1]
forged = f"{ledger} rw-s 00000000 00:01 4711 ".rjust(250)
os.chdir(sys.argv[1])
for _ in range(20):
    os.mkdir(forged)
    os.chdir(forged)
with open("file", "w+b") as file:
    file.truncate(mmap.PAGESIZE)
    mapping = mmap.mmap(file.fileno(), 0)
os.chdir("/")
print("ready", flush=True)
sys.stdin.read()
