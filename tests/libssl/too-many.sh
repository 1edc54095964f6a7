#!/bin/bash
# One process with more libssl than can be guarded (hot-reloaded plug-ins that bring copies): each works, the first sixteen are guarded, and
# one line says that the others are not.
. tests/lib/tap.sh
. tests/lib/builds.sh
. tests/lib/copy_library.sh
unset "${!RENEGUARD_@}"

[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build: a sanitizer's runtime is slow to load so many"; exit 0; }
needs "${CC:-cc}" python3
system=$(ldconfig -p | sed -n 's/.*libssl\.so\.3 .*=> //p' | head -n 1)
[ -e "$system" ] || { echo "1..0 # SKIP this system has no libssl.so.3"; exit 0; }

plugins=()
for n in {10..29}; do
	copy_library "$system" "$tmp/libssl.$n.3"
	"${CC:-cc}" -O1 -fPIC -shared -DPLUGIN -o "$tmp/plugin$n.so" tests/libssl/toomany.c "$tmp/libssl.$n.3" -lcrypto "-Wl,-rpath,$tmp" >>"$tmp/compile.log" 2>&1 || break
	plugins+=("$tmp/plugin$n.so")
done
is "twenty plug-ins compile, each with a libssl of its own" "${#plugins[@]}" 20
ok "their host compiles" "${CC:-cc}" -O1 -o "$tmp/toomany" tests/libssl/toomany.c -ldl -lpthread

# unfinished: how many unfinished handshakes the ledger has, all of the client unknown
unfinished() {
	python3 -c 'import json, sys
print(sum(c["events"]["incomplete"]["count"] for l in json.load(open(sys.argv[1]))["ledgers"] for c in l["clients"]))' "$tmp/status"
}
for count in 16 20; do
	wanted="libraries=$count good=$((6 * count)) of $((6 * count))"
	is "$count libssl: without the shim all work" "$("$tmp/toomany" "${plugins[@]:0:$count}" 2>&1)" "$wanted"
	# shellcheck disable=SC2016 # $PPID is the program
	is "$count libssl: with it, too" "$(env RENEGUARD_LOG=stderr LD_PRELOAD="$preload" AFTER="LD_PRELOAD= '$RG_BUILD/reneguardctl' status --pid \$PPID --json >'$tmp/status'" \
		"$tmp/toomany" "${plugins[@]:0:$count}" 2>"$tmp/toomany.log")" "$wanted"
	is "$count libssl: sixteen are guarded" "$(unfinished)" 96
	is "$count libssl: lines about others" "$(grep -c 'code=ERR_RENEGUARD_LIBSSL .*too many libssl' "$tmp/toomany.log")" $((count > 16))
	is "$count libssl: other lines" "$(grep -vc 'code=RENEGUARD_ACTIVE\|too many libssl' "$tmp/toomany.log")" 0
done

# A plug-in that was closed has left its place to one with another libssl, of another version, which must not be taken for the first one's.
if build_of npm-18.4.0-beta.17; then
	older=$builds/npm-18.4.0-beta.17/package/native/lib
	"${CC:-cc}" -O1 -fPIC -shared -DPLUGIN -o "$tmp/older.so" tests/libssl/toomany.c "$older/libssl.so.1.1" "$older/libcrypto.so.1.1" \
		-Wl,--unresolved-symbols=ignore-in-shared-libs "-Wl,-rpath,$older" >>"$tmp/compile.log" 2>&1
	turns=("${plugins[0]}" "$tmp/older.so" "${plugins[1]}" "$tmp/older.so" "${plugins[2]}")
	wanted=$("$tmp/toomany" --reload "${turns[@]}" 2>&1)
	like "one after the other: without the shim all work, and each lies where the one before lay" "$wanted" '^libraries=5 good=15 of 15 again=4$'
	for policy in RENEGUARD=on RENEGUARD=off RENEGUARD_ROLE=both; do
		is "one after the other, $policy: with it, too" "$(env RENEGUARD_LOG=off $policy LD_PRELOAD="$preload" "$tmp/toomany" --reload "${turns[@]}" 2>&1)" "$wanted"
	done
else
	skip "one after the other" "$lacking"
fi
finish
