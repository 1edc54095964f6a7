# The recipes of scripts/reneguard-daemons.7, as its reader sees them (bash).
# shellcheck shell=bash

# recipe_lines BEGINNING: the configuration lines (between .EX and .EE) that begin so, a basic regular expression.
recipe_lines() {
	sed -n '/^\.EX/,/^\.EE/p' scripts/reneguard-daemons.7 |
		sed -e '/^\./d' -e 's/\\-/-/g' -e "s/\\\\(aq/'/g" | grep "^$1"
}
