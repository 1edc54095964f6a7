#!/bin/bash
# scripts/floors.sh, by which `make lint` keeps the source tree in order: it passes the tree as it is, and fails on a header that is
# included from above and on objects that use each other in a circle.
. tests/lib/tap.sh
needs nm tsort "${CC:-cc}"

ok "the tree: every folder includes only from itself and from below" scripts/floors.sh includes
# objects FOLDER...: those of the sources in these folders; an object of a source that has gone may still lie in the build.
objects() { find "$@" -name '*.[cS]' | sed "s|\(.*\)\.[cS]$|$RG_BUILD/\1.o|"; }
mapfile -t shim_objects < <(objects shim/core shim/os shim/libssl shim/guard shim/hooks)
mapfile -t inspector_objects < <(objects shim/core shim/ctl)
ok "the objects of the shim: no circle" scripts/floors.sh circles "${shim_objects[@]}"
ok "the objects of the inspector: no circle" scripts/floors.sh circles "${inspector_objects[@]}"

violation() { # FILE INCLUDED-HEADER: what floors.sh says of the tree with that one line more
	rm -rf "$tmp/tree"
	mkdir "$tmp/tree"
	cp -r include shim "$tmp/tree/"
	echo "#include \"$2\"" >>"$tmp/tree/$1"
	scripts/floors.sh includes "$tmp/tree" 2>&1
	echo "status $?"
}
is "a core that includes from os fails" "$(violation shim/core/limit.c os/clock.h)" $'shim/core/limit.c: includes "os/clock.h" from above\nstatus 1'
is "a contract that includes from the core fails" "$(violation include/rg_limit.h core/grammar.h)" \
	$'include/rg_limit.h: includes "core/grammar.h" from above\nstatus 1'
is "os that includes from guard fails" "$(violation shim/os/dl.c guard/gate.h)" $'shim/os/dl.c: includes "guard/gate.h" from above\nstatus 1'
is "a folder that is on no floor fails" "$(violation shim/guard/peer.c sockets/peer.h)" \
	$'shim/guard/peer.c: includes "sockets/peer.h", which is on no floor\nstatus 1'

object() { # NAME SOURCE
	echo "$2" >"$tmp/$1.c"
	${CC:-cc} -c -o "$tmp/$1.o" "$tmp/$1.c"
}
object below 'int below(void) { return 1; }'
object above 'int below(void); int above(void) { return below(); }'
ok "objects that use each other one way pass" scripts/floors.sh circles "$tmp/above.o" "$tmp/below.o"
object below 'int above(void); int below(void) { return above(); }'
circle=$(scripts/floors.sh circles "$tmp/above.o" "$tmp/below.o" 2>&1)
is "a circle fails" $? 1
like "and names its members" "$circle" "$tmp/(above|below).o"
mv "$tmp/below.o" "$tmp/above_stubs.o"
ok "a C file and its assembler stubs may use each other" scripts/floors.sh circles "$tmp/above.o" "$tmp/above_stubs.o"
finish
