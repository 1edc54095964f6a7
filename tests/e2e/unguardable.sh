#!/bin/bash
# Programs that no preload can guard: `reneguardctl check` and the wrapper say so beforehand, in one line that names the reason. The tests
# show that it is true: the shim is not in the process, or none of its calls reaches the shim. Programs that only look unguardable are accepted.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/copy_library.sh
unset "${!RENEGUARD_@}" LD_PRELOAD

wrapper=$PWD/scripts/reneguard
ctl=$RG_BUILD/reneguardctl
if [ "$RG_BUILD" != "$PWD/build" ]; then
	echo "1..0 # SKIP the wrapper of the tree runs programs under build/, not under this sanitized build"
	exit 0
fi
needs "${CC:-cc}" setpriv
chmod 755 "$tmp"
nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
install -m 755 "$ctl" "$shim" "$tmp" # user nobody can read them there

# A program linked to libssl that prints whether the shim is mapped.
cat >"$tmp/show.c" <<'C'
#include <stdio.h>
#include <string.h>
#ifdef OWN
__attribute__((visibility("default"))) void *SSL_new(void *ctx) { return ctx; }
__attribute__((visibility("default"))) void *SSL_CTX_new(const void *method) { return (void *)method; }
#else
void *SSL_CTX_new(const void *method);
#endif
int main(int argc, char **argv)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	int mapped = 0;
	char line[4096];
	while (maps && fgets(line, sizeof(line), maps))
		mapped |= strstr(line, "libreneguard.so") != NULL;
	printf("mapped=%d\n", mapped);
	return argc > 99 && SSL_CTX_new(argv) != NULL;
}
C
build() { "${CC:-cc}" -O1 -o "$tmp/$1" "$tmp/show.c" "${@:2}" >>"$tmp/build.log" 2>&1; }

# check_says NAME STATUS REGEX CHECK-ARGUMENT...
check_says() {
	local name=$1 wanted=$2 regex=$3 output
	shift 3
	output=$("${as[@]}" "$tmp/reneguardctl" check "$@" 2>&1)
	is "check: $name: exit status $wanted" $? "$wanted"
	like "check: $name: the output matches \"$regex\"" "$output" "$regex"
}

# refused NAME REGEX PROGRAM [ARG]...: `check` calls PROGRAM unguardable, the wrapper warns in one line and runs it, and refuses it with --require.
refused() {
	local name=$1 regex=$2 status
	shift 2
	check_says "$name" 1 "cannot be guarded: .*$regex" "$@"
	[ ${#as[@]} = 0 ] || return 0 # user nobody cannot read the tree
	timeout 20 "$wrapper" --log=stderr -- "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	is "wrapper: $name: the program runs" "$?" 0
	like "wrapper: $name: one warning line, which names the reason" "$(grep -c . "$tmp/err") $(cat "$tmp/err")" "^1 reneguard: warning: .*$regex"
	timeout 20 "$wrapper" --require -- "$@" >"$tmp/out" 2>&1 </dev/null
	status=$?
	is "wrapper: $name: with --require it does not run" "$status" 125
}

# The program itself prints whether the shim is mapped.
unmapped() { is "$1: the shim is not in the process" "$("${as[@]}" env LD_PRELOAD="$tmp/libreneguard.so" "$2" 2>/dev/null)" mapped=0; }
mapped() { is "$1: the shim is in the process" "$("${as[@]}" env LD_PRELOAD="$tmp/libreneguard.so" "$2" 2>/dev/null)" mapped=1; }

as=()
ok "the test program compiles" build show -Wl,--no-as-needed -lssl
check_says "linked to libssl" 0 'will be guarded: it is linked to .*libssl' "$tmp/show"
mapped "linked to libssl" "$tmp/show"
hooks=$("$RG_BUILD/reneguardctl" check "$tmp/show" | sed -n 's/^  hooks: //p')
is "check: linked to libssl: it lists the hooks that this libssl has" "$(tr ' ' '\n' <<<"$hooks" | sort)" \
	"$(comm -12 <(nm -D --defined-only "$shim" | sed 's/.* //' | grep -E '^(SSL|DTLSv1)_' | sort) <(nm -D --defined-only "$(ldd "$tmp/show" | sed -n 's/.*libssl.* => \([^ ]*\).*/\1/p')" | sed 's/.* //; s/@.*//' | sort))"
echo 'void *SSL_CTX_new(void *method) { return method; } int SSL_new, SSL_read;' | "${CC:-cc}" -xc -fPIC -shared -Wl,-soname,libssl.so.9 -o "$tmp/libssl.so.9" -
build lacking -Wl,--no-as-needed,-rpath,"$tmp" "$tmp/libssl.so.9"
check_says "linked to a libssl that lacks SSL_write" 1 'its libssl has no SSL_write' "$tmp/lacking"

for how in -static -static-pie; do
	if build "show$how" -DOWN $how; then
		refused "$how" "statically linked" "$tmp/show$how"
		unmapped "$how" "$tmp/show$how"
	else
		skip "$how" "no static libc to link to"
	fi
done
if command -v gosu >/dev/null; then refused "static Go" "static Go program" "$(command -v gosu)" --version; else skip "static Go" "gosu is not installed"; fi
if command -v fzf >/dev/null; then refused "Go with a loader" "is a Go program" "$(command -v fzf)" --version; else skip "Go with a loader" "fzf is not installed"; fi

# The executable contains an OpenSSL and exports it, so its symbols come before those of any preload. It also links a libssl.so that nobody
# calls.
build exporting -DOWN -rdynamic -Wl,--no-as-needed -lssl
refused "exports a libssl of its own" "contains its own libssl" "$tmp/exporting"
build inside -DOWN
refused "has a libssl inside" "contains its own libssl" "$tmp/inside"
upstream=
for node in $(type -ap node); do
	[ "$("$node" -p process.config.variables.node_shared_openssl 2>/dev/null)" = true ] || upstream=$node
done
if [ -n "$upstream" ]; then
	refused "upstream's Node.js" "contains its own libssl" "$upstream" -e 0
	certificates
	port=$(pick_port)
	under with
	start_on_port node "${under[@]}" "$upstream" -e '
		const fs = require("fs"), options = {cert: fs.readFileSync(process.argv[1]), key: fs.readFileSync(process.argv[2])};
		require("tls").createServer(options, (socket) => socket.end("ok\n")).listen(Number(process.argv[3]), "127.0.0.1");' \
		"$tmp/cert.pem" "$tmp/key.pem" "$port"
	peer_summary 127.0.0.1 "$port" get 3 >"$tmp/peer"
	check_says "a running one" 1 'is not guarded: .*contains its own libssl' --pid "$pid"
	is "upstream's Node.js, running: it serves three handshakes, and the shim logs nothing" "$(cat "$tmp/peer"; grep -c reneguard "$tmp/node.log")" \
		"$(printf 'summary full=3 reused=0 refused=0\n0')"
	stop "$pid"
else
	skip "upstream's Node.js" "it is not installed"
fi

# Scripts: the interpreter counts.
script() { # NAME FIRST-LINE
	printf '%s\n' "$2" >"$tmp/$1"
	chmod 755 "$tmp/$1"
}
script plain "#!$tmp/show"
check_says "a script" 0 'will be guarded: it is linked to .*libssl' "$tmp/plain"
mapped "a script" "$tmp/plain"
for line in "#!/usr/bin/env show" "#!/usr/bin/env -S A=1 show -x" "#! /usr/bin/env -S -i PATH=/bin show"; do
	script by-env "$line"
	PATH=$tmp:$PATH check_says "$line" 0 'will be guarded: it is linked to .*libssl' "$tmp/by-env"
done
if [ -e "$tmp/show-static" ]; then
	script by-static "#!$tmp/show-static"
	refused "a script of a static interpreter" "statically linked" "$tmp/by-static"
fi
script twice "#!$tmp/by-env"
PATH=$tmp:$PATH check_says "a script whose interpreter is a script" 0 'linked to .*libssl' "$tmp/twice"

# Secure-execution mode (ld.so(8)).
if [ "$(id -u)" != 0 ]; then
	skip "set-user-ID, capabilities, another real user" "needs root"
	finish
fi
for kind in user:4755:65534:0 group:2755:0:65534; do
	IFS=: read -r what mode owner group <<<"$kind"
	install -m 755 "$tmp/show" "$tmp/set-$what"
	chown "$owner:$group" "$tmp/set-$what"
	chmod "$mode" "$tmp/set-$what"
	refused "set-$what-ID" "set-$what-ID" "$tmp/set-$what"
	unmapped "set-$what-ID" "$tmp/set-$what"
done
as=("${nobody[@]}")
check_says "set-user-ID, executed by its owner" 0 'linked to' "$tmp/set-user"
mapped "set-user-ID, executed by its owner" "$tmp/set-user"
as=("${nobody[@]}" setpriv --no-new-privs)
check_says "set-group-ID, with no_new_privs" 0 'linked to' "$tmp/set-group"
mapped "set-group-ID, with no_new_privs" "$tmp/set-group"
as=()
# File capabilities count for every user but root.
if setcap cap_net_bind_service+ep "$tmp/show" 2>"$tmp/setcap.log"; then
	as=("${nobody[@]}")
	refused "file capabilities" "file capabilities" "$tmp/show"
	unmapped "file capabilities" "$tmp/show"
	as=()
	check_says "file capabilities, for root" 0 'linked to' "$tmp/show"
	mapped "file capabilities, for root" "$tmp/show"
	setcap -r "$tmp/show"
else
	skip "file capabilities" "setcap: $(head -n 1 "$tmp/setcap.log")"
fi
nosuid="mount -t tmpfs -o nosuid,mode=755 none $tmp/mnt && cp -p $tmp/set-user $tmp/mnt"
mkdir "$tmp/mnt"
if unshare -m sh -c "$nosuid" 2>/dev/null; then
	as=(unshare -m sh -c "$nosuid && exec \"\$@\"" sh)
	check_says "set-user-ID on a nosuid file system" 0 'linked to' "$tmp/mnt/set-user"
	mapped "set-user-ID on a nosuid file system" "$tmp/mnt/set-user"
	as=()
else
	skip "set-user-ID on a nosuid file system" "nothing can be mounted here"
fi

# squid's master changes its real user and takes back the effective user to execute its kid (setresuid), so AT_SECURE is set there.
cp "$tmp/show" "$tmp/squid"
for args in "" "-d1" "--foreground"; do
	# shellcheck disable=SC2086 # no word, or one
	refused "squid $args" "secure-execution mode.*run it with -N" "$tmp/squid" $args
done
check_says "squid -N" 0 'linked to' "$tmp/squid" -d1 -NY
as=("${nobody[@]}")
check_says "squid, not started by root" 0 'linked to' "$tmp/squid"
as=()
start reexecuting env LD_PRELOAD="$tmp/libreneguard.so" python3 -c '
import os, sys
os.setresuid(65534, 65534, 0)
os.setresuid(-1, 0, -1)
os.execv(sys.argv[1], sys.argv[1:])' "$(command -v openssl)" s_server -nocert -accept 0
within 5 grep -q openssl "/proc/$pid/comm"
within 5 grep -q libssl "/proc/$pid/maps"
check_says "executed with another real than effective user" 1 'is not guarded: the shim is not loaded: .*AT_SECURE' --pid "$pid"
stop "$pid"
start ordinary env LD_PRELOAD="$tmp/libreneguard.so" openssl s_server -nocert -accept 0
within 5 grep -q openssl "/proc/$pid/comm"
within 5 grep -q libssl "/proc/$pid/maps"
check_says "an ordinary process" 0 'is guarded: .*in front of .*libssl' --pid "$pid"
stop "$pid"
start unguarded openssl s_server -nocert -accept 0
within 5 grep -q openssl "/proc/$pid/comm"
check_says "one without the shim" 1 'is not guarded: the shim is not loaded$' --pid "$pid"
stop "$pid"

# $ORIGIN in a RUNPATH is where the file itself lies, whatever the link to it (every Debian JVM).
mkdir "$tmp/home" "$tmp/home/lib"
system=$(ldd "$tmp/show" | sed -n 's/.*libssl.* => \([^ ]*\).*/\1/p')
own=$tmp/home/lib/$(basename "${system%?}")9
copy_library "$system" "$own"
# shellcheck disable=SC2016 # the loader expands it
ok "a program with \$ORIGIN compiles" build home/origin -Wl,--no-as-needed,-rpath,'$ORIGIN/lib' "$own" -lcrypto
ln -s home/origin "$tmp/link"
check_says "a link to a program with \$ORIGIN in its RUNPATH" 0 "linked to $own" "$tmp/link"

# A program whose libssl is not there does not start, with the shim or without.
"${CC:-cc}" -DOWN -shared -fPIC -Wl,-soname,libssl.so.77 -o "$tmp/libssl.so.77" "$tmp/show.c" >>"$tmp/build.log" 2>&1
build lost -Wl,--no-as-needed "$tmp/libssl.so.77"
rm "$tmp/libssl.so.77"
check_says "its libssl is missing" 1 'cannot be guarded: it needs libssl.so.77, which its loader does not find$' "$tmp/lost"

# gcc's AddressSanitizer ends a program in which its runtime is not the first library.
export ASAN_OPTIONS=detect_leaks=0
if build asan -fsanitize=address -lssl -lcrypto && ldd "$tmp/asan" | grep -q libasan; then
	asan=$(ldd "$tmp/asan" | awk '/libasan/ { print $3 }')
	like "built with AddressSanitizer: it does not start with the shim alone" "$(LD_PRELOAD=$shim "$tmp/asan" 2>&1)" 'does not come first'
	check_says "built with AddressSanitizer" 3 "LD_PRELOAD=$asan" "$tmp/asan"
	is "wrapper: built with AddressSanitizer: it runs" "$("$wrapper" --log=stderr -- "$tmp/asan" 2>"$tmp/err")" mapped=0
	like "wrapper: and a warning says how it is guarded" "$(cat "$tmp/err")" "^reneguard: warning: .*LD_PRELOAD=$asan\$"
	export LD_PRELOAD=$asan
	check_says "with its runtime preloaded" 0 "linked to" "$tmp/asan"
	is "wrapper: with its runtime preloaded, which stays the first" "$("$wrapper" --require --log=stderr -- "$tmp/asan" 2>"$tmp/err") $(cat "$tmp/err")" "mapped=1 "
	is "wrapper: and so with further libraries" "$(LD_PRELOAD="$asan:libm.so.6" "$wrapper" --log=stderr -- "$tmp/asan" 2>"$tmp/err") $(cat "$tmp/err")" "mapped=1 "
	unset LD_PRELOAD
else
	skip "built with AddressSanitizer" "the compiler has no shared runtime of it"
fi
finish
