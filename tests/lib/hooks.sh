# tlsserver under test (bash, after tap.sh and server.sh). A "place" is where in the program libssl is called from: the main
# thread, another thread, a forked child, a plug-in, a constructor.
# shellcheck shell=bash disable=SC2154

places=${RG_PLACES:-main thread fork plugin constructor}

# serve with|without PLACE TLSSERVER-ARGUMENT...: starts tlsserver in its own process group, as a service manager would, and sets $port and
# $server_pid. The server prints one report line for each connection.
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

# next_report: reads the server's next report line into $report.
next_report() { report='' && read -r -t 15 -u "$server_out" report; }

# stop_server: closes the server's output, ends the server and waits for it.
stop_server() {
	exec {server_out}<&-
	kill "$server_pid" 2>/dev/null
	wait "$server_pid" 2>/dev/null
	return 0
}
