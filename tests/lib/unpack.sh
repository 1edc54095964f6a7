# Unpacks Debian packages beside the build instead of installing them (bash). Needed for packages that conflict with others.
# shellcheck shell=bash disable=SC2034,SC2154

# unpack NAME PACKAGE...: unpacks the PACKAGEs into $unpacked_root unless that was done before; fails if they cannot be fetched.
unpack() {
	unpacked_root=$RG_BUILD/cache/$1
	[ ! -d "$unpacked_root" ] || return 0
	local package new=$unpacked_root.new
	shift
	command -v apt-get >/dev/null && command -v dpkg >/dev/null && mkdir -p "$new" || return
	(cd "$new" && timeout 120 apt-get download -q "$@") >"$tmp/download.log" 2>&1 || { rm -rf "$new"; return 1; }
	for package in "$new"/*.deb; do
		dpkg-deb -f "$package" Version >>"$new/versions"
		dpkg-deb -x "$package" "$new" && rm "$package"
	done
	mv "$new" "$unpacked_root"
}
