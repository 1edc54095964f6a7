#!/bin/sh
# scripts/floors.sh includes [TREE]: does each folder of TREE include only from itself and from folders below it?
# scripts/floors.sh circles OBJECT...: do the objects use each other in a circle? A C file and its assembler stubs
# (X.o and X_stubs.o) count as one. Each violation is one line; the status is 1 then. The floors: shim/README.md.
set -u

# From the ground up.
floors="include shim/core shim/core/ledger shim/os shim/libssl shim/guard shim/hooks shim/ctl"

includes() { # TREE
	cd "$1" || exit 2
	for folder in $floors; do
		for file in "$folder"/*.[chS]; do
			[ ! -e "$file" ] || sed -n "s|^#include \"\(.*\)\".*|$folder $file \1|p" "$file"
		done
	done | awk -v floors="$floors" '
		BEGIN { count = split(floors, names, " "); for (i = 1; i <= count; i++) floor[names[i]] = i }
		{
			from = "shim/" $3; if (!sub("/[^/]*$", "", from) || from == "shim") from = "include"
			if (!(from in floor)) { print $2 ": includes \"" $3 "\", which is on no floor"; bad = 1 }
			else if (floor[from] > floor[$1]) { print $2 ": includes \"" $3 "\" from above"; bad = 1 }
		}
		END { exit bad }'
}

# Every "user used" pair, sorted topologically; tsort(1) names the members of each circle on standard error.
circles() { # OBJECT...
	# shellcheck disable=SC2016 # $1 and so on are awk's
	nm -A -P --extern-only "$@" | awk '
		{ object = $1; sub(":$", "", object); sub("_stubs\\.o$", ".o", object) }
		$3 == "U" || $3 == "w" { used[object, $2] = 1; next }
		{ home[$2] = object }
		END {
			for (pair in used) {
				split(pair, part, SUBSEP)
				if (part[2] in home && home[part[2]] != part[1]) print part[1], home[part[2]]
			}
		}' | sort | tsort 2>&1 >/dev/null | sed 's/^tsort: //' | awk '
		/contains a loop/ { if (bad++) exit; print "objects that use each other in a circle (the first that was found):"; next }
		{ print "  " $0 }
		END { exit bad != 0 }'
}

case ${1:-} in
includes) includes "${2:-.}" ;;
circles) shift; circles "$@" ;;
*) echo "usage: $0 includes [TREE] | circles OBJECT..." >&2; exit 2 ;;
esac
