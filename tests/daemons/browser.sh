#!/bin/bash
# A browser: headless Chromium loads a page with dozens of resources from nginx. Each resource takes a new connection, in which the browser
# resumes its session. The same arrives as without the shim, the ledger has the events, and the default policy warns of nothing.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/nginx.sh
unset "${!RENEGUARD_@}"
export PATH=$PATH:/usr/sbin
packages="chromium nginx-light rsyslog" # read by scripts/deps.sh
needs chromium nginx rsyslogd python3

images=30 scripts=12 sheets=10 frames=8
certificates
start_rsyslogd
mkdir "$tmp/www"

# Each resource leaves a mark in the page. A script counts the marks after everything is loaded.
write_page() {
	local n
	for ((n = 1; n <= images; n++)); do
		echo "<svg xmlns='http://www.w3.org/2000/svg' width='$n' height='1'/>" >"$tmp/www/$n.svg"
		echo "<img src='$n.svg'>"
	done
	for ((n = 1; n <= scripts; n++)); do
		echo "document.documentElement.dataset.script$n = $n" >"$tmp/www/$n.js"
		echo "<script src='$n.js'></script>"
	done
	for ((n = 1; n <= sheets; n++)); do
		echo ":root { --sheet$n: $n }" >"$tmp/www/$n.css"
		echo "<link rel='stylesheet' href='$n.css'>"
	done
	for ((n = 1; n <= frames; n++)); do
		echo "<p>$n</p>" >"$tmp/www/$n.html"
		echo "<iframe src='$n.html'></iframe>"
	done
	cat <<-'HTML'
		<script>
			addEventListener("load", () => {
				const style = getComputedStyle(document.documentElement), seen = (list) => list.filter(Boolean).length;
				const count = [seen([...document.images].map((i) => i.naturalWidth)), Object.keys(document.documentElement.dataset).length,
					seen([...document.styleSheets].map((_, n) => style.getPropertyValue(`--sheet${n + 1}`))),
					seen([...document.querySelectorAll("iframe")].map((f) => f.contentDocument.querySelector("p")))];
				document.title = `arrived: ${count}`;
			});
		</script>
	HTML
}
write_page >"$tmp/www/index.html"
: >"$tmp/www/favicon.ico"
chmod -R a+rX "$tmp/www"

serve() { # with|without
	port=$(pick_port)
	nginx_conf "$tmp" >"$tmp/nginx.conf" <<-CONF
		include /etc/nginx/mime.types; root $tmp/www; keepalive_timeout 0;
		log_format reuse '\$uri \$status \$body_bytes_sent \$ssl_session_reused';
		$(nginx_tls "$tmp")
		ssl_session_cache shared:s:1m;
		server { listen 127.0.0.1:$port ssl reuseport; access_log $tmp/access-$1.txt reuse; }
	CONF
	under "$1" RENEGUARD_LOG=syslog RENEGUARD_SYSLOG_SOCKET="$syslog_socket"
	start_on_port nginx "${under[@]}" nginx -c "$tmp/nginx.conf"
}

# is_gone PROFILE: have all processes of the browser ended? Its helpers end a little later than itself.
is_gone() { ! pgrep -f -- "--user-data-dir=$1"; }

# browse PROFILE: prints the page as it is when everything is loaded.
browse() {
	timeout -k 5 90 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
		--disable-component-update --disable-sync --disable-dev-shm-usage --ignore-certificate-errors --user-data-dir="$tmp/$1" \
		--dump-dom "https://127.0.0.1:$port/" </dev/null 2>"$tmp/chromium-$1.log"
	within 10 is_gone "$tmp/$1"
}

# arrived HALF: prints what nginx sent, without the icon, which a browser may or may not request.
arrived() { awk '$1 != "/favicon.ico" { print $1, $2, $3 }' "$tmp/access-$1.txt" | sort; }
# resumed HALF: prints the number of requests over resumed connections.
resumed() { awk '$4 == "r"' "$tmp/access-$1.txt" | wc -l; }

for half in without with; do
	serve $half
	page=$(browse $half)
	like "$half the shim: all $((images + scripts + sheets + frames)) resources arrive" "$page" "arrived: $images,$scripts,$sheets,$frames<"
	[ $half = with ] || stop "$pid"
done
is "nginx sends the same responses with and without the shim" "$(arrived with)" "$(arrived without)"
diag "connections resumed: $(resumed without) without the shim, $(resumed with) with it"
ok "the browser resumes at least ten sessions" test "$(resumed with)" -ge 10
# The browser may open connections in advance and not use them. These are in the ledger, but not in nginx's log.
account=$("$RG_BUILD/reneguardctl" status --pid "$pid" --json | python3 -c 'import json, sys
(client,) = json.load(sys.stdin)["ledgers"][0]["clients"]
events, seen = client["events"], int(sys.argv[1])
print("client=%s" % client["client"], "resumed=%s" % (client["outcomes"]["accepted"] >= seen and events["resumption"]["count"] >= seen),
      "acted=%d" % sum(event["acted"] for event in events.values()), "renegotiations=%d" % events["renegotiation"]["count"])' "$(resumed with)")
is "the ledger has these resumptions, no renegotiation, and nothing acted upon" "$account" "client=127.0.0.1 resumed=True acted=0 renegotiations=0"
is "the default policy logs nothing but RENEGUARD_ACTIVE" "$(grep -c . "$syslog_file") $(grep -c RENEGUARD_ACTIVE "$syslog_file")" "1 1"
unlike "nginx's own log has no warning or error" "$(cat "$tmp/nginx-error.log")" '\[(warn|error|crit|alert|emerg)\]'
stop "$pid"
finish
