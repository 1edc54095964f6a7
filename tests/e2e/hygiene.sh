#!/bin/bash
# The shim as an ELF object: it exports the hooks and nothing else, does not need libssl, and loads into any program. A process without
# libssl makes no more system calls under it than under an empty preload.
. tests/lib/tap.sh
. tests/lib/server.sh
unset "${!RENEGUARD_@}"

sanitized=$(readelf -d "$shim" | grep -E 'NEEDED.*(asan|tsan|ubsan)')
listed=$(sed -n '/global:/,/local:/s/^[[:space:]]*\([A-Za-z0-9_]*\);$/\1/p' shim/hooks/exports.map | sort)
exported=$(nm -D --defined-only "$shim" | awk '{ print $3 }' | sort)
is "the exported symbols are those of hooks/exports.map" "$exported" "$listed"
tables=$(printf '#include "libssl/functions.h"\n#define X(returns, name, arguments) @name\nRG_LIBSSL_HOOKS(X)\n' | "${CC:-cc}" -E -P -Ishim - | grep -o '@[A-Za-z0-9_]*')
is "all hooks of shim/libssl/functions.h are exported" "$(comm -23 <(tr -d @ <<<"$tables" | sort) <(echo "$exported"))" ""
like "they are many" "$(wc -l <<<"$tables")" '^[3-9][0-9]$'
unlike "no exported symbol has a version (programs would not bind to it)" "$exported" '@'
needed=$(readelf -d "$shim" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p')
unlike "the shim needs neither libssl nor libcrypto" "$needed" 'libssl|libcrypto'
is "the shim has no undefined symbol of libssl or libcrypto" "$(nm -D --undefined-only "$shim" | grep -E ' (SSL|ERR|BIO|OPENSSL|CRYPTO)_')" ""
if [ -n "$sanitized" ]; then
	for name in "runtime dependencies" "glibc floor" "hardening" "text relocations" "LD_BIND_NOW" "/bin/sh" "system calls" "other preloads"; do
		skip "$name" "a sanitized build"
	done
	finish
fi
is "the shim needs only libc (and libdl)" "$(grep -Ev '^(libc|libdl)\.so' <<<"$needed")" ""
# If the loader lacks a needed version, the program does not start (shim/os/glibc_floor.h). RHEL 7 has glibc 2.17.
for object in "$shim" "$RG_BUILD/reneguardctl"; do
	newest=$(nm -D --undefined-only "$object" | sed -n 's/.*@GLIBC_\([0-9.]*\)$/\1/p' | sort -Vu | tail -n 1)
	if [ -n "$newest" ]; then
		is "${object##*/} needs no glibc newer than 2.17" "$(printf '%s\n' "$newest" 2.17 | sort -V | tail -n 1)" 2.17
	else
		skip "which glibc ${object##*/} needs" "this libc is not glibc"
	fi
done
[ -z "$newest" ] || like "the shim needs libdl, which has dlsym in glibc before 2.34" "$needed" '^libdl\.so\.2$'
# The hardening of the Makefile, in both objects as they were linked.
optimised=$(grep -E -- ' -O[1-9sgz]' "$RG_BUILD/flags")
for object in "$shim" "$RG_BUILD/reneguardctl"; do
	name=${object##*/} dynamic=$(readelf -dW "$object") segments=$(readelf -lW "$object") undefined=$(nm -D --undefined-only "$object")
	like "$name: its relocated data is read-only once it is loaded (RELRO)" "$segments" '^ *GNU_RELRO '
	like "$name: all its symbols are bound when it is loaded (BIND_NOW)" "$dynamic" '\(FLAGS\).*BIND_NOW'
	like "$name: its stack is not executable" "$segments" '^ *GNU_STACK .* RW  '
	like "$name: it is position-independent" "$(readelf -hW "$object")" 'Type: *DYN '
	like "$name: its functions check stack canaries" "$undefined" ' __stack_chk_fail(@|$)'
	if [ -n "$optimised" ]; then
		like "$name: it calls the checked functions of libc (FORTIFY)" "$undefined" ' __[a-z]*_chk@'
	else
		skip "$name: it calls the checked functions of libc (FORTIFY)" "built without optimisation"
	fi
done
like "reneguardctl is a position-independent executable" "$dynamic" '\(FLAGS_1\).*PIE'
if [ "$(uname -m)" = x86_64 ]; then
	cet='x86 feature: IBT, SHSTK'
	like "the shim supports a shadow stack and indirect branch tracking (CET)" "$(readelf -n "$shim")" "$cet"
	if command -v objdump >/dev/null; then
		is "every exported function begins with endbr64" \
			"$(objdump -d --no-show-raw-insn "$shim" | awk '/^[0-9a-f]+ <.*>:$/ { name = $2; getline; if ($2 != "endbr64") print name }' |
				tr -d '<>:' | grep -Fx "$exported")" ""
	else
		skip "every exported function begins with endbr64" "objdump is not installed"
	fi
	start=$(${CC:-cc} -print-file-name=Scrt1.o 2>/dev/null)
	if readelf -n "$start" 2>/dev/null | grep -q "$cet"; then
		like "reneguardctl supports CET" "$(readelf -n "$RG_BUILD/reneguardctl")" "$cet"
	else
		skip "reneguardctl supports CET" "the C library's ${start##*/} does not support it"
	fi
else
	skip "CET" "this machine is not x86-64"
fi
unlike "the shim has no text relocations" "$(readelf -d "$shim")" TEXTREL
for program in /bin/true "openssl version" "/usr/bin/env true"; do
	# shellcheck disable=SC2086 # a command with its arguments
	is "LD_BIND_NOW=1: the loader binds every symbol silently, $program" "$(LD_BIND_NOW=1 LD_PRELOAD=$shim RENEGUARD_LOG=stderr $program 2>&1 >/dev/null)" ""
done
maps=$(LD_PRELOAD=$shim RENEGUARD_LOG=stderr sh -c 'cat /proc/$$/maps' 2>&1)
like "/bin/sh under the shim has it mapped" "$maps" libreneguard.so
unlike "/bin/sh under the shim has no libssl mapped" "$maps" '/lib(ssl|crypto)\.so'
unlike "/bin/sh under the shim has no ledger mapped" "$maps" 'memfd'

echo 'int reneguard_empty;' >"$tmp/empty.c"
if command -v strace >/dev/null && ${CC:-cc} -shared -fPIC -o "$tmp/empty.so" "$tmp/empty.c" 2>/dev/null; then
	calls() { # PRELOAD COMMAND...: prints the names of its system calls and how often each is made, without those for loading and mapping
		local preload=$1
		shift
		strace -f -qq -e signal=none -o "$tmp/strace" env LD_PRELOAD="$preload" "$@" >/dev/null
		sed -E "1,/execve\\(\"[^\"]*${1##*/}\"/d; s/^[0-9]+ +//; s/\\(.*//" "$tmp/strace" |
			grep -Ev '^(mmap|mprotect|munmap|openat|read|pread64|close|fstat|newfstatat|brk|<.*)$' | sort | uniq -c | tr -s ' \n' ' '
	}
	echo '(:); (:); :' >"$tmp/forks.sh" # each in a child of its own
	for command in /bin/true "/bin/ls /" "/usr/bin/find . -maxdepth 1" "/bin/sh -c :" "/bin/sh $tmp/forks.sh"; do
		# shellcheck disable=SC2086 # a command with its arguments
		is "a process without libssl makes the same system calls as under an empty preload: $command" \
			"$(calls "$shim" $command)" "$(calls "$tmp/empty.so" $command)"
	done
	like "these system calls were really counted" "$(calls "$shim" /bin/true)" 'execve|arch_prctl|exit_group'
	echo 'int main(void) { return 0; }' >"$tmp/static.c"
	if ${CC:-cc} -static -o "$tmp/static" "$tmp/static.c" 2>/dev/null; then
		is "a static process makes the same system calls as without any preload" "$(calls "$shim" "$tmp/static")" "$(calls "" "$tmp/static")"
	else
		skip "system calls of a static process" "no static libc to link to"
	fi
	if command -v gosu >/dev/null; then
		strace -qq -f -e trace=file -o "$tmp/opened" env LD_PRELOAD="$shim" "$(command -v gosu)" --version >/dev/null
		unlike "a static Go program never opens the shim" "$(sed '1,/execve.*gosu"/d' "$tmp/opened")" reneguard
	else
		skip "a static Go program" "gosu is not installed"
	fi
	strace -qq -f -e trace=execve,openat -o "$tmp/opened" env LD_PRELOAD="$shim" /bin/true
	unlike "under the shim, /bin/true opens no device, no file of /proc or /etc/ssl and no libssl" "$(sed '1,/execve.*true"/d' "$tmp/opened" | grep -v ENOENT)" '/(dev|proc|etc/ssl)/|/libssl\.so'
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
		is "openssl runs under both preloads, in this order: ${preload//[^:]*\//}" "$(LD_PRELOAD=$preload RENEGUARD_LOG=off openssl version 2>&1 | cut -d' ' -f1)" OpenSSL
	done
done
finish
