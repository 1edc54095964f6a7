#!/bin/bash
# Test suites written by others, as Debian packages them: CPython's tests of ssl and of what uses it, and those of Tornado. Each test has the
# same verdict without the shim and with it, under the default policy and under limits.
. tests/lib/tap.sh
. tests/lib/unpack.sh
unset "${!RENEGUARD_@}"

python=$(command -v /usr/bin/python3 || command -v python3) # the system's, which the packages are for
needs "$python" openssl
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

# suite NAME PATH LEAST MODULE...: the modules lie in PATH, or where Python finds them by itself. At least LEAST of their tests pass without the
# shim, and no verdict changes under it.
suite() {
	local name=$1 path=$2 least=$3 half policy passed changed
	shift 3
	for half in without default limits; do
		policy=()
		[ $half = without ] || policy=(LD_PRELOAD="$preload" RENEGUARD_LOG=off RENEGUARD_ROLE=server)
		[ $half != limits ] || policy+=(RENEGUARD_ROLE=both RENEGUARD_RENEGOTIATION=close:1000/60s RENEGUARD_RESUMPTION=decline:10000/60s
			RENEGUARD_HANDSHAKE=block:100000/60s RENEGUARD_INCOMPLETE=block:100000/60s RENEGUARD_KEYUPDATE=close:10000/60s)
		mkdir "$tmp/$name-$half"
		(cd "$tmp/$name-$half" && env PYTHONPATH="$path" "${policy[@]}" timeout 250 "$python" "$OLDPWD/tests/lib/verdicts.py" "$@" >"$tmp/$name.$half" 2>"$tmp/$name-$half.log") &
	done
	wait
	passed=$(grep -c ' ok$' "$tmp/$name.without")
	ok "$name: tests pass without the shim ($passed)" test "$passed" -ge "$least"
	for half in default limits; do
		changed=$(diff "$tmp/$name.without" "$tmp/$name.$half")
		is "$name: no verdict changes, $half" "$(head -n 20 <<<"$changed")" ""
	done
}

if unpack "python-$version" "libpython$version-testsuite"; then
	# The suite lies beside the part of it that is installed.
	mkdir "$tmp/lib" && cp -r "/usr/lib/python$version/test" "$unpacked_root/usr/lib/python$version/test" "$tmp/lib"
	suite "CPython" "$tmp/lib" 200 test.test_ssl test.test_asyncio.test_ssl test.test_asyncio.test_sslproto test.test_ftplib test.test_imaplib test.test_httplib test.test_poplib
else
	skip "CPython" "libpython$version-testsuite cannot be fetched: $(tail -n 1 "$tmp/download.log")"
fi
if "$python" -c "import tornado" 2>/dev/null; then
	suite "Tornado" "" 50 tornado.test.httpserver_test tornado.test.iostream_test tornado.test.simple_httpclient_test
else
	skip "Tornado" "python3-tornado is not installed"
fi
finish
