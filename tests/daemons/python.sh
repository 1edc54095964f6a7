#!/bin/bash
# Python's ssl module: blocking sockets in threads (wrap_socket) and memory BIOs (asyncio). It loads libssl with a plug-in opened RTLD_LOCAL.
. tests/lib/daemon.sh
packages="python3"
program=/usr/bin/python3
systems="here bullseye"
variants="wrap_socket asyncio"
protocol=line

configure() {
	own_log=''
	[ "$variant" = asyncio ] || own_log='connection ended: .*(NO_RENEGOTIATION|RENEGOTIATION_DISABLED|no renegotiation)'
	cp tests/lib/tls_echo.py "$tmp"
}
launch() { daemon "$program" "$tmp/tls_echo.py" "$variant" "$tmp/server.pem" "$port"; }
exchange() { converse 'hello\n' '^hello$'; }
limitations() { [ "$variant" != asyncio ] || half_hellos_are_unknown; }
own_errors() { grep -E 'Error|ended' "$tmp/python.log"; }
trials
