#!/bin/sh
# scripts/deps.sh base|all: install, with the distribution's package manager, what `make`, `make demo` and `make check`
# need (base), or also the daemons and tools of `make check-all`, bench, fuzz and lint (all).
# Services that come with a package are not started. An unknown distribution gets the list and status 1.
set -eu

# What the daemons under test need: packages="…" and, as PROGRAM or PROGRAM:PACKAGE, clients="…" of their files.
daemon_packages() {
	cat "$(dirname "$0")"/../tests/daemons/*.sh |
		sed -n -e 's/^packages="\([^"]*\)".*/\1/p' -e 's/^clients="\([^"]*\)".*/\1/p' | sed 's/[^ ]*://g'
}

base="gcc libc6-dev make pkg-config libssl-dev openssl check perl python3 procps"
all="rsyslog curl valgrind strace python3-seccomp python3-tornado clang libclang-rt-14-dev clang-format cppcheck dpkg-dev shellcheck mandoc wrk file libfaketime libeatmydata1 libcap2-bin debootstrap iproute2 gosu gunicorn fzf fp-compiler fp-units-net gcc-i686-linux-gnu libc6-dev-i386-cross gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static musl-tools $(daemon_packages)"
command -v npm >/dev/null || all="$all npm"

case ${1:-} in
base) wanted=$base ;;
all) wanted="$base $all" ;;
*) echo "usage: $0 base|all" >&2; exit 2 ;;
esac

if ! command -v apt-get >/dev/null; then
	echo "reneguard: this is not a distribution with apt; install the equivalent of these packages: $wanted" >&2
	exit 1
fi
missing=
for package in $wanted; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { echo "reneguard: not root and no sudo; as root: apt-get install$missing" >&2; exit 1; }
	as_root=sudo
fi

# Debian's own way to install a daemon without starting it: policy-rc.d answers 101, "forbidden".
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap '$as_root rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
	$as_root chmod 755 $policy
fi
$as_root apt-get update -q
# shellcheck disable=SC2086 # a list of package names
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
