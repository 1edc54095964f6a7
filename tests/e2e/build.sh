#!/bin/bash
# The build: the same bytes from whatever directory, outside of the source tree as well, which is only read; and what it prints.
. tests/lib/tap.sh
[ "$preload" = "$shim" ] || { echo "1..0 # SKIP a sanitized build: the ordinary one is built here"; exit 0; }
needs make "${CC:-cc}"
unset MAKEFLAGS MAKELEVEL BUILD SANITIZE V

objects="libreneguard.so reneguardctl"
one=$tmp/one two=$tmp/another/directory/two
for tree in "$one" "$two"; do
	mkdir -p "$tree"
	tar -cf - --exclude=__pycache__ Makefile include shim scripts tests/*.mk tests/*/*.mk | tar -xf - -C "$tree"
	chmod -R a-w "$tree"
done
tree_now() { find "$1" -printf '%P %s %T@\n' | sort; }
before=$(tree_now "$one") before_two=$(tree_now "$two")

# Into a directory that is named, and into ./build of another directory.
mkdir "$tmp/out"
said=$(make -C "$one" --no-print-directory -j2 BUILD="$tmp/named" 2>&1)
tap_point $? "builds into BUILD"
is "prints one short line for each file" "$(grep -Ev '^  (CC|AS)      [a-z_/]+\.[cS]$|^  LD      [^ ]+$' <<<"$said")" ""
for file in shim/core/limit.c shim/hooks/dlsym_stubs.S "$tmp/named/reneguardctl"; do like "among them $file" "$said" " $file\$"; done
(cd "$tmp/out" && make -f "$two/Makefile" -s -j2) >"$tmp/out.log" 2>&1
tap_point $? "builds into ./build of another directory"
is "and make -s prints nothing" "$(cat "$tmp/out.log")" ""
for object in $objects; do
	ok "$object is the same from both trees" cmp "$tmp/named/$object" "$tmp/out/build/$object"
	is "and names neither" "$(grep -cF "$tmp" "$tmp/named/$object")" 0
done
like "V=1 shows the commands" "$(make -C "$one" BUILD="$tmp/named" V=1 -n -W shim/ctl/main.c)" "^${CC:-cc} .* -c shim/ctl/main\.c -o $tmp/named/"
is "what is built is up to date" "$(make -C "$one" --no-print-directory BUILD="$tmp/named")" ""
like "but not under other flags" "$(make -C "$one" BUILD="$tmp/named" CFLAGS=-O1 -n)" ' shim/core/limit\.c'

(cd "$tmp/out" && make -f "$two/Makefile" install DESTDIR=root PREFIX=/usr) >"$tmp/install.log" 2>&1
tap_point $? "installs from there"
for object in $objects; do
	ok "$object is installed as it was built" cmp "$tmp/named/$object" "$(find "$tmp/out/root" -name "$object")"
done
(cd "$tmp/out" && make -f "$two/Makefile" clean) >"$tmp/clean.log" 2>&1
is "clean removes what is built there, and nothing else" "$(ls "$tmp/out")" root
is "nothing was written into the source tree" "$(tree_now "$one")$(tree_now "$two")" "$before$before_two"
finish
