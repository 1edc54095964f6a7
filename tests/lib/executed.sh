# Daemons that execute their TLS processes with an environment of their own making (bash, after daemon.sh). Their configuration passes on
# $passed_on, and the processes share one ledger, a state file. $recipe_begins is how the daemon's line in reneguard-daemons(7) begins.
# While $recipe is set, that line alone, with the paths of this build, configures the daemon. $served matches a line that a client gets.
# shellcheck shell=bash disable=SC2034,SC2154
. tests/lib/recipe.sh

state=yes root_only=yes recipe=''
passed_on="LD_PRELOAD RENEGUARD_STATE RENEGUARD_LOG RENEGUARD_SYSLOG_SOCKET RENEGUARD_RESUMPTION RENEGUARD_HANDSHAKE"

more() {
	local library=$preload
	[ "$system" = here ] || library=$tmp/libreneguard.so
	like "$label: the client got what it came for" "$answers" "$served"
	is "$label: the ledger was made by root, for root alone" "$(stat -c '%u %a' "$ledger")" "0 600"
	end
	recipe=$(recipe_lines "$recipe_begins" |
		sed -e "s|/usr/local/lib/reneguard/libreneguard.so|$library|" -e "s|/run/reneguard/mail|$ledger|")
	is "$label: reneguard-daemons(7) has one recipe" "$(grep -c . <<<"$recipe")" 1
	begin without && refused 127.0.0.8 127.0.0.9 "by the recipe alone: "
	is "$label: into the ledger that the recipe names" "$(clients_listed | tr ' ' '\n' | grep -x 127.0.0.8)" 127.0.0.8
	recipe=''
}
