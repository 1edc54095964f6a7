#!/bin/bash
# The README's two commands on an older and a newer Debian, 11 and 13: in a root directory with make and what the commands install. What they
# write lies over that root and is gone at the end, and so are their processes. RG_SYSTEMS chooses systems.
# shellcheck disable=SC2154
. tests/lib/tap.sh
. tests/lib/builds.sh

[ "$preload" = "$shim" ] || { echo "1..0 # SKIP these commands build without sanitizers"; exit 0; }
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP entering a root directory needs root"; exit 0; }
needs unshare ip tar

# Run in a mount and a process namespace of its own. Packages come through the network; the tests have a loopback device of their own.
cat >"$tmp/commands" <<'SH'
set -e
lower=$1 over=$2
mkdir "$over/upper" "$over/work" "$over/root"
mount -t overlay -o "lowerdir=$lower,upperdir=$over/upper,workdir=$over/work" none "$over/root"
cd "$over/root"
mount -t proc none proc
mount --rbind /dev dev
mount -t tmpfs none dev/shm
cp /etc/resolv.conf etc/resolv.conf
mkdir reneguard
tar -C "$OLDPWD" -c --exclude=./.git --exclude='./build*' . | tar -C reneguard -x
# Other tests run at the same time, so each gets more time than it needs.
inside="chroot . env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb DEBIAN_FRONTEND=noninteractive TEST_TIMEOUT_S=900 CK_DEFAULT_TIMEOUT=180"
{ $inside apt-get update -q && $inside apt-get install -q -y --no-install-recommends make && $inside make -C /reneguard deps; } >"$over/deps.log" 2>&1 ||
	{ echo "packages cannot be installed: $(tail -n 1 "$over/deps.log")"; exit 3; }
unshare -n sh -c "ip link set lo up
	$inside make -C /reneguard deps demo >'$over/demo.log' 2>&1 && $inside make -C /reneguard deps check >'$over/check.log' 2>&1"
SH

for system in ${RG_SYSTEMS:-bullseye trixie}; do
	if ! build_of "$system"; then
		skip "$system: the README's two commands" "$lacking"
		continue
	fi
	mkdir "$tmp/$system"
	(unset MAKEFLAGS MAKELEVEL RG_BUILD && unshare -m -p -f --kill-child bash "$tmp/commands" "$builds/$system" "$tmp/$system") >"$tmp/$system.log" 2>&1
	status=$?
	if grep -q 'wrong fs type\|permission denied' "$tmp/$system.log"; then
		skip "$system: the README's two commands" "nothing can be laid over a root directory here: $(head -n 1 "$tmp/$system.log")"
		continue
	fi
	is "$system: make deps demo check: exit status" $status 0
	like "$system: make demo shows both attacks" "$(cat "$tmp/$system/demo.log" 2>&1)" 'a client tries to resume its session 150 times: +120 resumed, 30 refused'
	like "$system: make check: all pass" "$(tail -n 5 "$tmp/$system/check.log" 2>&1)" '^[1-9][0-9]* passed, 0 failed, [0-9]+ skipped$'
	grep -E '^ *\| not ok|^[a-z].*, [1-9][0-9]* failed' "$tmp/$system/check.log" | head -n 40 | sed 's/^/# /'
	diag "$system: $(grep -E '^[0-9]+ passed' "$tmp/$system/check.log" | tail -n 1)"
done
finish
