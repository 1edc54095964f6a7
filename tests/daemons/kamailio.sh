#!/bin/bash
# kamailio keeps its SSL objects in shared memory, and hands connections to and fro between its processes: after about five seconds
# of silence, and whenever one has to be closed. Each process has ticket keys of its own, so what it resumes is certain only where one
# process reads. It answers OPTIONS.
. tests/lib/daemon.sh
packages="kamailio kamailio-tls-modules"
program=kamailio
protocol=sip
readers=1

configure() {
	cat >"$tmp/kamailio.cfg" <<-CONF
		#!KAMAILIO
		debug=1
		log_stderror=yes
		children=2
		tcp_children=$readers
		auto_aliases=no
		enable_tls=yes
		listen=tls:127.0.0.1:$port
		loadmodule "tls.so"
		loadmodule "sl.so"
		loadmodule "pv.so"
		modparam("tls", "private_key", "$tmp/key.pem")
		modparam("tls", "certificate", "$tmp/cert.pem")
		modparam("tls", "tls_method", "TLSv1.2+")
		request_route {
		    sl_send_reply("200", "OK");
		}
	CONF
}
launch() { daemon kamailio -DD -E -f "$tmp/kamailio.cfg" -m 64 -M 8 -w "$tmp" -Y "$tmp" -P "$tmp/kamailio.pid"; }
exchange() { peer_summary --sip --tls 1.2 127.0.0.1 "$port" get 2 && peer_summary --sip --tls 1.3 127.0.0.1 "$port" get 2; }
own_errors() { grep -E 'ERROR|CRITICAL' "$tmp/kamailio.log"; }
# It reads through memory and serves many sockets.
limitations() { half_hellos_are_unknown; }

sip_options=$(printf '%s\r\n' 'OPTIONS sip:localhost SIP/2.0' 'Via: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bK1' 'From: <sip:a@localhost>;tag=1' \
	'To: <sip:a@localhost>' 'Call-ID: 1' 'CSeq: 1 OPTIONS' 'Content-Length: 0' '' | od -An -v -tx1 | tr -d ' \n')

# events CLIENT: what the ledger has of it
events() {
	the_ledger | python3 -c 'import json, sys
for client in json.load(sys.stdin)["ledgers"][0]["clients"]:
    if client["client"] == sys.argv[1]:
        print(*("%s=%d" % (name, event["count"]) for name, event in sorted(client["events"].items()) if event["count"]))' "$1"
}
has_events() { [ "$(events "$1")" = "$2" ]; }
events_are() { # NAME CLIENT WANTED
	within 10 has_events "$2" "$3"
	is "$label: $1" "$(events "$2")" "$3"
}

# What the process that goes on with a connection sees is counted as well, for the client that another process met.
more() {
	local n storms=()
	end
	readers=3
	begin with || return
	for n in 1 2 3 4 5 6; do
		storm --idle 8 --hex "$sip_options" --from 127.0.0.61 127.0.0.1 "$port" 1 >"$tmp/storm$n" &
		storms+=($!)
	done
	wait "${storms[@]}"
	is "$label: six attempts after 8 s of silence" "$(cut -d ' ' -f 1,3,4 "$tmp"/storm[1-6] | sort | uniq -c | sed 's/^ *//')" "6 sent=1 hellos=0 served=0"
	events_are "all of them are counted" 127.0.0.61 "handshake=6 renegotiation=6"
	for n in 1 2 3 4; do
		is "$label: key updates, $n" "$(peer_summary --sip --from 127.0.0.7$n 127.0.0.1 "$port" keyupdate 5)" "summary updates=5 served=1 end=-"
		events_are "key updates are counted, $n" 127.0.0.7$n "handshake=1 keyupdate=5"
	done
	for ((n = 0; n < 12; n++)); do timeout 60 python3 tests/lib/raw_client.py part 127.0.0.1 "$port" 127.0.0.81; done >"$tmp/raw.log" 2>&1
	events_are "twelve unfinished handshakes" 127.0.0.81 incomplete=12
	readers=1
}
trials
