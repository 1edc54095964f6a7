# Real libssl builds for the tests (bash, after tap.sh). scripts/libssl-builds.sh fetches each of them once into $builds.
# shellcheck shell=bash disable=SC2154

builds=${RG_LIBSSL_BUILDS:-$RG_BUILD/libssl}

# build_of NAME: makes sure that the directory $builds/NAME exists, fetching it if necessary. On failure $lacking holds the reason.
build_of() {
	lacking=$(scripts/libssl-builds.sh "$builds" "$1" 2>&1) && return
	[ -n "$lacking" ] || lacking="$1 cannot be fetched"
	return 1
}

# enter NAME: makes a directory for this script's files in the Debian root NAME and copies the shim into it. Its path is $jail seen from
# outside the root and $inside seen from within; the root itself is $root.
enter() {
	jail=$(mktemp -d "$builds/$1/tmp/reneguard-test.XXXXXX") || return
	inside=${jail#"$builds/$1"} root=$builds/$1
	at_exit "rm -rf '$jail'"
	chmod 755 "$jail"
	install -m 755 "$RG_BUILD/libreneguard.so" "$jail"
}

# jailed with|without [VARIABLE=VALUE]...: like `under`, for a command that runs inside that root.
jailed() {
	local half=$1
	shift
	under=(chroot "$root" env)
	[ "$half" = without ] || under+=(RENEGUARD_LOG=stderr LD_PRELOAD="$inside/libreneguard.so")
	under+=("$@")
}
