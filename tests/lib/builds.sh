# Real libssl builds for the tests (bash, after tap.sh): fetched once, by scripts/libssl-builds.sh, into $builds.
# shellcheck shell=bash disable=SC2154

builds=${RG_LIBSSL_BUILDS:-$RG_BUILD/libssl}

# build_of NAME: true where DIRECTORY $builds/NAME is there, or could be made; else the reason is in $lacking.
build_of() {
	lacking=$(scripts/libssl-builds.sh "$builds" "$1" 2>&1) && return
	[ -n "$lacking" ] || lacking="$1 can not be had"
	return 1
}

# enter NAME: a directory in the Debian root NAME for this script's files, outside in $jail and inside in $inside, with the shim.
enter() {
	jail=$(mktemp -d "$builds/$1/tmp/reneguard-test.XXXXXX") || return
	inside=${jail#"$builds/$1"} root=$builds/$1
	at_exit "rm -rf '$jail'"
	chmod 755 "$jail"
	install -m 755 "$RG_BUILD/libreneguard.so" "$jail"
}

# jailed with|without [VARIABLE=VALUE]...: as `under`, for a command inside that root.
jailed() {
	local half=$1
	shift
	under=(chroot "$root" env)
	[ "$half" = without ] || under+=(RENEGUARD_LOG=stderr LD_PRELOAD="$inside/libreneguard.so")
	under+=("$@")
}
