# tlsserver under test (bash, after tap.sh and server.sh): started in each of the places a program may call libssl from.
# shellcheck shell=bash disable=SC2154

places=${RG_PLACES:-main thread fork plugin constructor}

# serve with|without PLACE TLSSERVER-ARGUMENT...: starts it, in a process group of its own, as a service is; its port is in $port; one report line per connection follows.
serve() {
	local objects='' place=$2 line
	local command=("$tools/tlsserver") variables=()
	[ "$1" = with ] && objects=$preload
	shift 2
	case $place in
	plugin) command=("$tools/plughost" "$tools/tlsserver.so") ;;
	constructor)
		command=("$tools/plughost")
		variables=(TLSSERVER_IN_CONSTRUCTOR=1)
		objects=$objects:$tools/tlsserver.so
		;;
	*) command+=(--where "$place") ;;
	esac
	exec {server_out}< <(exec setsid env RENEGUARD_LOG="${RENEGUARD_LOG:-stderr}" "${variables[@]}" LD_PRELOAD="$objects" \
		"${emulator[@]}" "${command[@]}" --cert "$tmp/server.pem" "$@" 2>>"$tmp/tlsserver.log")
	server_pid=$!
	line='' port=''
	read -r -t 10 -u "$server_out" line && port=${line#port=}
}

# The server's next report, in $report.
next_report() { report='' && read -r -t 15 -u "$server_out" report; }

served_out() {
	exec {server_out}<&-
	kill "$server_pid" 2>/dev/null
	wait "$server_pid" 2>/dev/null
	return 0
}
