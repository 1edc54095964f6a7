#!/bin/bash
# Our dlsym changes nothing for other lookups: the same results, error texts and errno as without the shim. Other preloads work before and
# behind the shim, even those that hook libssl. A lookup of a name that is not hooked costs only a few instructions more.
. tests/lib/tap.sh
. tests/lib/server.sh
unset "${!RENEGUARD_@}"

needs "${CC:-cc}"
libssl=$(ldconfig -p | sed -n 's/.*libssl\.so\.[0-9].*=> //p' | head -n 1)
[ -e "$libssl" ] || { echo "1..0 # SKIP this system has no shared libssl"; exit 0; }
compile() { "${CC:-cc}" -std=c11 -O2 -fPIC -shared -o "$@"; }
ok "the plug-in and the other preloads compile" eval 'compile "$tmp/lookups.so" -D_GNU_SOURCE tests/tools/lookups.c -ldl &&
	compile "$tmp/own_dlopen.so" tests/lib/own_dlopen.c -ldl && compile "$tmp/empty.so" -xc /dev/null && compile "$tmp/next.so" tests/lib/interposer.c -ldl &&
	compile "$tmp/handle.so" -DBY_HANDLE -DLIBSSL="\"$libssl\"" tests/lib/interposer.c -ldl'
certificates

# A sanitizer's runtime, if there is one, is preloaded both with and without the shim.
runtime=${preload%"$shim"}
lookups() { LD_PRELOAD=$1 RENEGUARD_LOG=off "$tools/lookups" "${@:2}" 2>&1; }
is "dlsym gives the same results, error texts and errno as without the shim" "$(lookups "$preload" ask "$tmp/lookups.so" "$libssl")" \
	"$(lookups "$runtime" ask "$tmp/lookups.so" "$libssl")"
like "dlsym results were really compared" "$(lookups "$preload" ask "$tmp/lookups.so" "$libssl")" '^plug-in next Stranger: - NULL error=.*undefined symbol: Stranger$'

for other in libfaketime.so.1 libeatmydata.so; do
	path=$(find /usr/lib* -name "$other" 2>/dev/null | head -n 1)
	if [ -z "$path" ] || [ -n "$runtime" ]; then
		skip "beside $other" "it is not installed, or the build is sanitized (libfaketime hangs beside such a runtime even without the shim)"
		continue
	fi
	export FAKETIME="@2001-02-03 04:05:06"
	alone=$(lookups "$runtime$path" effects)
	case $other in
	libfaketime*) like "$other has its effect" "$alone" "^directly: .*year 2001" ;;
	*) like "$other has its effect" "$alone" "^directly: fsync 0" ;;
	esac
	is "$other before the shim: the same effect, called directly and looked up" "$(lookups "$runtime$path:$shim" effects)" "$alone"
	is "$other behind the shim: the same effect, called directly and looked up" "$(lookups "$runtime$shim:$path" effects)" "$alone"
	unset FAKETIME
	is "$other before the shim: dlsym gives the same results" "$(lookups "$runtime$path:$shim" ask "$tmp/lookups.so" "$libssl")" \
		"$(lookups "$runtime$path" ask "$tmp/lookups.so" "$libssl")"
	is "$other behind the shim: dlsym gives the same results" "$(lookups "$runtime$shim:$path" ask "$tmp/lookups.so" "$libssl")" \
		"$(lookups "$runtime$path" ask "$tmp/lookups.so" "$libssl")"
done

# Another preload that hooks libssl, in front of a program that is linked to libssl.
serve_under() { # PRELOAD
	: >"$tmp/tlsserver.log"
	start tlsserver env LD_PRELOAD="$1" RENEGUARD_LOG=stderr "$tools/tlsserver" --cert "$tmp/server.pem" --connections -1 --allow --entry read
	within 10 grep -q ^port= "$tmp/tlsserver.log"
	port=$(sed -n 's/^port=//p' "$tmp/tlsserver.log")
}
interposed() { grep -o '^interposed .*' "$tmp/tlsserver.log" | sort | uniq -c | tr -s ' \n' ' '; }
for kind in next handle; do
	serve_under "$runtime$tmp/$kind.so"
	field "another preload ($kind) alone: renegotiation is honoured" "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1)" honoured 1
	stop "$pid"
	for order in "$tmp/$kind.so:$shim" "$shim:$tmp/$kind.so"; do
		name=${order//[^:]*\//}
		serve_under "$runtime$order"
		field "$name: renegotiation is refused" "$(peer_summary --tls 1.2 127.0.0.1 "$port" renegotiate 1)" honoured 0
		is "$name: ordinary clients are served" "$(peer_summary --tls 1.2 127.0.0.1 "$port" get 3)" "summary full=3 reused=0 refused=0"
		stop "$pid"
		like "$name: the other preload sees SSL_new of each connection" "$(interposed)" '4 interposed SSL_new'
		like "$name: the other preload sees SSL_read" "$(interposed)" '[0-9]+ interposed SSL_read'
	done
done
for half in "" "$shim"; do
	is "a dlopen of the program's own may call dlsym: TLS_method is still libssl's, ${half:+under}${half:-without} the shim" \
		"$(LD_PRELOAD=$runtime$tmp/own_dlopen.so${half:+:$half} RENEGUARD_LOG=off timeout 20 "$tools/lookups" whose "$libssl" TLS_method 2>&1)" \
		"$(basename "$(readlink -f "$libssl")")"
done
for order in "$tmp/next.so" "$tmp/next.so:$shim" "$shim:$tmp/next.so"; do
	is "${order//[^:]*\//}: without libssl, dlsym finds no SSL_new" "$(INTERPOSER_TELLS=1 LD_PRELOAD=$runtime$order /bin/echo)" "SSL_new: nothing"
done

# instructions PRELOAD N: counts the instructions of a process that looks a name up N times.
instructions() {
	LD_PRELOAD=$1 RENEGUARD_LOG=off valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file="$tmp/valgrind.log" "$tools/lookups" speed "$2"
	sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$tmp/valgrind.log"
}
if [ -n "$runtime" ] || ! command -v valgrind >/dev/null; then
	skip "what a lookup of a name that is not hooked costs" "valgrind is not installed, or the build is sanitized"
else
	# Any preload is one more object for dlsym to search, so an empty one is the base.
	cost=$((($(instructions "$shim" 3000) - $(instructions "$shim" 1000) -
		$(instructions "$tmp/empty.so" 3000) + $(instructions "$tmp/empty.so" 1000)) / 2000))
	ok "a lookup of a name that is not hooked costs at most 8 instructions more: $cost" test $cost -ge 1 -a $cost -le 8
fi
finish
