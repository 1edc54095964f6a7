# The versions of libssl that are tested, a column each (bash, after tap.sh and builds.sh).
# shellcheck shell=bash disable=SC2034,SC2154

columns="1.0.1f 1.1.1 1.1.1m 1.1.1w 3.0 3.5 3.6 4.0"
multiarch=$(${CC:-cc} -print-multiarch 2>/dev/null || ${CC:-cc} -dumpmachine)

# libssl_of COLUMN: sets $libssl_directory and $libssl_suffix (of libssl.so.SUFFIX). $loader is the dynamic loader of the system that the
# libssl comes from if it needs that system's libc, else "". On failure $lacking holds the reason.
libssl_of() {
	loader=''
	case $1 in
	1.0.1f | 1.1.1m) build_of npm-10.20.0-beta.6 && libssl_directory=$builds/npm-10.20.0-beta.6/package/native/lib || return ;;
	1.1.1) build_of npm-18.4.0-beta.17 && libssl_directory=$builds/npm-18.4.0-beta.17/package/native/lib || return ;;
	1.1.1w) # takes only libssl and libcrypto from that system, so the libc is this system's
		build_of bullseye && libssl_directory=$tmp/1.1.1w && mkdir -p "$libssl_directory" &&
			cp "$builds/bullseye/usr/lib/$multiarch/"lib{ssl,crypto}.so.1.1 "$libssl_directory" || return
		;;
	3.0)
		libssl_directory=$(dirname "$(ldconfig -p | sed -n 's/.*libssl\.so\.3 .*=> //p' | head -n 1)")
		[ -e "$libssl_directory/libssl.so.3" ] || { lacking="this system has no libssl.so.3"; return 1; }
		;;
	3.5) build_of trixie && newer_system trixie || return ;;
	3.6 | 4.0) build_of sid && newer_system sid || return ;;
	esac
	case $1 in
	1.0.1f) libssl_suffix=1.0.0 ;;
	1.1.1*) libssl_suffix=1.1 ;;
	3.*) libssl_suffix=3 ;;
	4.*) libssl_suffix=4 ;;
	esac
}

newer_system() { # BUILD
	libssl_directory=$builds/$1/usr/lib/$multiarch
	loader=$(find "$libssl_directory" -maxdepth 1 -name 'ld-linux*.so.?' | head -n 1)
	[ -n "$loader" ] || { lacking="$1 has no dynamic loader"; return 1; }
}

# link_to COLUMN PROGRAM CC-ARGUMENT...: makes PROGRAM from what the arguments name, linked to that libssl, with which it will run. On failure
# $lacking holds the reason.
link_to() {
	local column=$1 program=$2 how=()
	shift 2
	libssl_of "$column" || return
	[ -z "$loader" ] || how=("-Wl,--disable-new-dtags,--dynamic-linker=$loader")
	"${CC:-cc}" -D_GNU_SOURCE -std=c11 -O2 -o "$program" "$@" "$libssl_directory/libssl.so.$libssl_suffix" \
		"$libssl_directory/libcrypto.so.$libssl_suffix" -Wl,--unresolved-symbols=ignore-in-shared-libs "-Wl,-rpath,$libssl_directory" \
		"${how[@]}" -lpthread >"$tmp/compile.log" 2>&1 && return
	lacking="$(basename "$program") cannot be linked to it: $(tail -n 1 "$tmp/compile.log")"
	return 1
}
