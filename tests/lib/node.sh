# A Node.js that uses the system's libssl (bash, after tap.sh): its words are in ${node[@]}, to be run inside ${inside[@]}. Upstream's
# builds hold an OpenSSL of their own, so Debian's package is unpacked beside the build where the machine has another one.
# shellcheck shell=bash disable=SC2154

uses_system_libssl() { "$@" -e 'process.exit(process.config.variables.node_shared_openssl ? 0 : 1)' 2>/dev/null; }

# find_node: false where there is none and none can be fetched.
find_node() {
	local unpacked=$RG_BUILD/cache/nodejs libraries package
	inside=() node=(node)
	uses_system_libssl "${node[@]}" && return
	[ -d "$unpacked" ] || unpack_node "$unpacked" || rm -rf "$unpacked.new"
	libraries=$(echo "$unpacked"/usr/lib/*-linux-gnu)
	# It reads parts of itself from /usr/share/nodejs: laid there in a mount namespace of its own.
	inside=(unshare "$([ "$(id -u)" = 0 ] && echo -m || echo -rm)" sh -c 'mount --bind "$0" /usr/share && exec "$@"' "$unpacked/usr/share")
	node=(env "LD_LIBRARY_PATH=$libraries" "$unpacked/usr/bin/node")
	uses_system_libssl "${inside[@]}" "${node[@]}"
}

unpack_node() { # DIRECTORY
	local packages="libnode108 node-acorn node-cjs-module-lexer node-undici node-busboy libc-ares2 libuv1 libnghttp2-14 libicu72 libbrotli1"
	command -v apt-get >/dev/null && command -v dpkg >/dev/null || return
	mkdir -p "$1.new" || return
	# shellcheck disable=SC2086 # a list of package names
	(cd "$1.new" && timeout 120 apt-get download -q "nodejs=18*" $packages) >"$tmp/download.log" 2>&1 || return
	for package in "$1.new"/*.deb; do dpkg -x "$package" "$1.new" && rm "$package"; done
	mv "$1.new" "$1"
}
