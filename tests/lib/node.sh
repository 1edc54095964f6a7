# Finds a Node.js that uses the system's libssl (bash, after tap.sh and unpack.sh). Its command is ${node[@]}, to be run after the words in
# ${inside[@]}. Upstream's Node.js contains an OpenSSL of its own; where only that is installed, Debian's package is unpacked beside the build.
# shellcheck shell=bash disable=SC2154

uses_system_libssl() { "$@" -e 'process.exit(process.config.variables.node_shared_openssl ? 0 : 1)' 2>/dev/null; }

# find_node: sets ${node[@]} and ${inside[@]}; fails if there is no such Node.js and none can be fetched.
find_node() {
	inside=() node=(node)
	uses_system_libssl "${node[@]}" && return
	unpack nodejs "nodejs=18*" libnode108 node-acorn node-cjs-module-lexer node-undici node-busboy libc-ares2 libuv1 libnghttp2-14 \
		libicu72 libbrotli1 || return
	# Debian's Node.js reads parts of itself from /usr/share/nodejs, so its files are mounted there in a mount namespace.
	inside=(unshare "$([ "$(id -u)" = 0 ] && echo -m || echo -rm)" sh -c 'mount --bind "$0" /usr/share && exec "$@"' "$unpacked_root/usr/share"
		env "LD_LIBRARY_PATH=$(echo "$unpacked_root"/usr/lib/*-linux-gnu)")
	node=("$unpacked_root/usr/bin/node")
	uses_system_libssl "${inside[@]}" "${node[@]}"
}
