# Daemons that execute their TLS processes, with an environment of their own making (bash, after daemon.sh). What their configuration has to
# pass on is in $passed_on; the processes share one ledger, a file. $served is a line of what a client gets.
# shellcheck shell=bash disable=SC2034,SC2154

state=yes
passed_on="LD_PRELOAD RENEGUARD_STATE RENEGUARD_LOG RENEGUARD_SYSLOG_SOCKET RENEGUARD_RESUMPTION"

# What is named may have its value there: then nothing has to be in front of the daemon.
more() {
	local library=$preload passed_on
	[ "$system" = here ] || library=$tmp/libreneguard.so
	like "$label: the client got what it came for" "$answers" "$served"
	is "$label: the ledger was made by root, for root alone" "$(stat -c '%u %a' "$tmp/ledger")" "0 600"
	end
	passed_on="LD_PRELOAD=$library RENEGUARD_STATE=$tmp/ledger ${sink[*]}"
	begin without && refused 127.0.0.8 127.0.0.9 "by its configuration alone: "
}
