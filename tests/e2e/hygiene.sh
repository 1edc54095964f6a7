#!/bin/bash
# What the shim is as an object: it exports the hooks and nothing else, needs no libssl, loads anywhere, and costs a process that
# has no libssl nothing that an empty preload would not.
. tests/lib/tap.sh
. tests/lib/server.sh
unset "${!RENEGUARD_@}"

sanitized=$(readelf -d "$shim" | grep -E 'NEEDED.*(asan|tsan|ubsan)')
listed=$(sed -n '/global:/,/local:/s/^[[:space:]]*\([A-Za-z0-9_]*\);$/\1/p' shim/hooks/exports.map | sort)
exported=$(nm -D --defined-only "$shim" | awk '{ print $3 }' | sort)
is "exports are exactly the list" "$exported" "$listed"
unlike "without a version node (it would match no program's reference)" "$exported" '@'
needed=$(readelf -d "$shim" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p')
unlike "neither libssl nor libcrypto is needed" "$needed" 'libssl|libcrypto'
is "nothing undefined of libssl's" "$(nm -D --undefined-only "$shim" | grep -E ' (SSL|ERR|BIO|OPENSSL|CRYPTO)_')" ""
if [ -n "$sanitized" ]; then
	for name in "runtime dependencies" "glibc floor" "text relocations" "LD_BIND_NOW" "/bin/sh" "system calls" "other preloads"; do
		skip "$name" "a sanitized build"
	done
	finish
fi
is "libc alone is needed" "$(grep -Ev '^(libc|libdl)\.so' <<<"$needed")" ""
# A loader that lacks a version does not start the program (shim/os/glibc_floor.h). 2.17 is what RHEL 7 has.
for object in "$shim" "$RG_BUILD/reneguardctl"; do
	newest=$(nm -D --undefined-only "$object" | sed -n 's/.*@GLIBC_\([0-9.]*\)$/\1/p' | sort -Vu | tail -n 1)
	if [ -n "$newest" ]; then
		is "${object##*/} needs no newer glibc than 2.17" "$(printf '%s\n' "$newest" 2.17 | sort -V | tail -n 1)" 2.17
	else
		skip "which glibc ${object##*/} needs" "no glibc"
	fi
done
[ -z "$newest" ] || like "and dlsym is found where it is a libdl's" "$needed" '^libdl\.so\.2$'
unlike "no text relocations" "$(readelf -d "$shim")" TEXTREL
for program in /bin/true "openssl version" "/usr/bin/env true"; do
	# shellcheck disable=SC2086 # a command with its arguments
	is "LD_BIND_NOW=1 $program" "$(LD_BIND_NOW=1 LD_PRELOAD=$shim RENEGUARD_LOG=stderr $program 2>&1 >/dev/null)" ""
done
maps=$(LD_PRELOAD=$shim RENEGUARD_LOG=stderr sh -c 'cat /proc/$$/maps' 2>&1)
like "/bin/sh under the shim has it mapped" "$maps" libreneguard.so
unlike "and no libssl" "$maps" '/lib(ssl|crypto)\.so'
unlike "no second thread, no memory file" "$maps" 'memfd'

echo 'int reneguard_empty;' >"$tmp/empty.c"
if command -v strace >/dev/null && ${CC:-cc} -shared -fPIC -o "$tmp/empty.so" "$tmp/empty.c" 2>/dev/null; then
	calls() { # PRELOAD COMMAND...: the names of its system calls with their number, mapping left out
		local preload=$1
		shift
		strace -f -qq -e signal=none -o "$tmp/strace" env LD_PRELOAD="$preload" "$@" >/dev/null
		sed -E "1,/execve\\(\"[^\"]*${1##*/}\"/d; s/^[0-9]+ +//; s/\\(.*//" "$tmp/strace" |
			grep -Ev '^(mmap|mprotect|munmap|openat|read|pread64|close|fstat|newfstatat|brk|<.*)$' | sort | uniq -c | tr -s ' \n' ' '
	}
	for command in /bin/true "/bin/ls /" "/usr/bin/find . -maxdepth 1" "/bin/sh -c :"; do
		# shellcheck disable=SC2086 # a command with its arguments
		is "a process without libssl makes the system calls it makes under an empty preload: $command" \
			"$(calls "$shim" $command)" "$(calls "$tmp/empty.so" $command)"
	done
	like "of which there are some" "$(calls "$shim" /bin/true)" 'execve|arch_prctl|exit_group'
	echo 'int main(void) { return 0; }' >"$tmp/static.c"
	if ${CC:-cc} -static -o "$tmp/static" "$tmp/static.c" 2>/dev/null; then
		is "a static one makes those it makes without any" "$(calls "$shim" "$tmp/static")" "$(calls "" "$tmp/static")"
	else
		skip "system calls of a static process" "no static libc to link to"
	fi
	if command -v gosu >/dev/null; then
		strace -qq -f -e trace=file -o "$tmp/opened" env LD_PRELOAD="$shim" "$(command -v gosu)" --version >/dev/null
		unlike "a static Go program never looks at it" "$(sed '1,/execve.*gosu"/d' "$tmp/opened")" reneguard
	else
		skip "a static Go program" "gosu is not installed"
	fi
	strace -qq -f -e trace=execve,openat -o "$tmp/opened" env LD_PRELOAD="$shim" /bin/true
	unlike "and opens no other file" "$(sed '1,/execve.*true"/d' "$tmp/opened" | grep -v ENOENT)" '/(dev|proc|etc/ssl)/|/libssl\.so'
else
	skip "system calls of a process without libssl" "strace or a C compiler is missing"
fi

for other in libfaketime.so.1 libeatmydata.so; do
	path=$(find /usr/lib* -name "$other" 2>/dev/null | head -n 1)
	if [ -z "$path" ]; then
		skip "beside $other" "it is not installed"
		continue
	fi
	for preload in "$path:$shim" "$shim:$path"; do
		is "works in this order: ${preload//[^:]*\//}" "$(LD_PRELOAD=$preload RENEGUARD_LOG=off openssl version 2>&1 | cut -d' ' -f1)" OpenSSL
	done
done
finish
