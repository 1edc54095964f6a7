# A Node.js that uses the system's libssl (bash, after tap.sh and unpack.sh): its words are in ${node[@]}, to be run inside ${inside[@]}.
# Upstream's builds hold an OpenSSL of their own, so Debian's package is unpacked beside the build where the machine has another one.
# shellcheck shell=bash disable=SC2154

uses_system_libssl() { "$@" -e 'process.exit(process.config.variables.node_shared_openssl ? 0 : 1)' 2>/dev/null; }

# find_node: false where there is none and none can be fetched.
find_node() {
	inside=() node=(node)
	uses_system_libssl "${node[@]}" && return
	unpack nodejs "nodejs=18*" libnode108 node-acorn node-cjs-module-lexer node-undici node-busboy libc-ares2 libuv1 libnghttp2-14 \
		libicu72 libbrotli1 || return
	# It reads parts of itself from /usr/share/nodejs: laid there in a mount namespace of its own.
	inside=(unshare "$([ "$(id -u)" = 0 ] && echo -m || echo -rm)" sh -c 'mount --bind "$0" /usr/share && exec "$@"' "$unpacked_root/usr/share"
		env "LD_LIBRARY_PATH=$(echo "$unpacked_root"/usr/lib/*-linux-gnu)")
	node=("$unpacked_root/usr/bin/node")
	uses_system_libssl "${inside[@]}" "${node[@]}"
}
