#!/bin/bash
# RENEGUARD_STATE: one ledger for processes that were started separately. It outlives them. Also tests which files are refused.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh
unset "${!RENEGUARD_@}"

how=(--tls 1.3)
resume() { peer_summary "${how[@]}" 127.0.0.1 "$1" resume "$2"; }

# begin RULE [TLSSERVER-ARGUMENT]...: starts one more server, in a process group of its own, like another service. Sets $port and
# $server_pid.
begin() {
	export RENEGUARD_STATE=$tmp/state RENEGUARD_RESUMPTION=$1
	shift
	serve with main --connections -1 --quiet "$@"
	at_exit "stop $(who "$server_pid")"
}

end() { # PID [SIGNAL]
	kill "-${2:-TERM}" "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

# is_bound PORT: does a server listen? It asks /proc, because connecting would use up the server's only connection.
is_bound() { grep -qi ":$(printf %04x "$1") 00000000:0000 0A" /proc/net/tcp; }

all_map() { # FILE PID...: do all these processes map FILE?
	local file=$1 pid
	shift
	for pid; do grep -q " $file$" "/proc/$pid/maps" || return 1; done
}

certificates
begin close:5/600s
first=$port first_pid=$server_pid
is "a server makes the state file, readable by its owner only" "$(stat -c '%a %h %F' "$tmp/state")" "600 1 regular file"
ok "every block of the state file is allocated on disk" test $(($(stat -c '%b * %B' "$tmp/state"))) -ge "$(stat -c %s "$tmp/state")"
begin close:5/600s
is "two servers, one state file: the first accepts three offers of a client" "$(resume "$first" 3)" "summary full=1 reused=3 refused=0"
like "two servers, one state file: the second refuses the client's sixth offer" "$(resume "$port" 3)" "^summary full=1 reused=2 refused=1"
is "two servers, one state file: another client is served" "$(peer_summary "${how[@]}" --from 127.0.0.9 127.0.0.1 "$first" resume 1)" "summary full=1 reused=1 refused=0"
is "a server with a state file has no memory file" "$(grep -c memfd:reneguard "/proc/$first_pid/maps")" 0
is "a server keeps no descriptor of its state file" "$(find "/proc/$first_pid/fd" -lname "$tmp/state")" ""
is "both servers log RENEGUARD_ACTIVE" "$(count_lines "$tmp/tlsserver.log" RENEGUARD_ACTIVE)" 2
end "$first_pid" KILL
end "$server_pid" KILL
begin close:5/600s
like "the ledger outlives servers that are killed" "$(resume "$port" 1)" "^summary full=1 reused=0 refused=1"
is "the new server logs RENEGUARD_ACTIVE too" "$(count_lines "$tmp/tlsserver.log" RENEGUARD_ACTIVE)" 3
end "$server_pid"

# As in Postfix, a program is executed for every connection: it serves one client and ends.
rm -f "$tmp/state"
port=$(pick_port)
for ((i = 0; i < 7; i++)); do
	RENEGUARD_STATE=$tmp/state RENEGUARD_HANDSHAKE=close:5/600s RENEGUARD_LOG=stderr LD_PRELOAD=$preload \
		"$tools/tlsserver" --cert "$tmp/server.pem" --port "$port" --quiet >/dev/null 2>>"$tmp/executed.log" &
	within 5 is_bound "$port"
	peer_summary "${how[@]}" 127.0.0.1 "$port" get 1
	wait $!
done >"$tmp/executed"
is "seven programs, one after the other: close:5 allows five handshakes and refuses two" "$(grep -c 'full=1' "$tmp/executed") $(grep -c 'refused=1' "$tmp/executed")" "5 2"
# They are in one process group. A second line may come if an hour ends during the test.
like "seven programs, one after the other: RENEGUARD_ACTIVE is logged once" "$(count_lines "$tmp/executed.log" RENEGUARD_ACTIVE)" '^[12]$'

# Processes that start at once, without a state file: all get the same, complete file, and no temporary file is left.
agreed=0
mkdir "$tmp/race"
for ((round = 0; round < 10; round++)); do
	rm -f "$tmp/race/state"
	pids=()
	for ((i = 0; i < 6; i++)); do
		RENEGUARD_STATE=$tmp/race/state RENEGUARD_LOG=stderr LD_PRELOAD=$preload \
			openssl s_server -accept 127.0.0.1:0 -cert "$tmp/server.pem" </dev/zero >>"$tmp/race.log" 2>&1 &
		pids+=($!)
	done
	within 10 all_map "$tmp/race/state" "${pids[@]}" && agreed=$((agreed + 1))
	inodes=$(for p in "${pids[@]}"; do awk '/race\/state/ { print $5 }' "/proc/$p/maps"; done | sort -u | wc -l)
	[ "$inodes" = 1 ] || agreed=-100
	for p in "${pids[@]}"; do end "$p" KILL; done
done 2>/dev/null
is "six processes that start at once use one state file, ten times" $agreed 10
is "six processes that start at once leave no other file in its directory" "$(ls "$tmp/race")" state
is "six processes that start at once log no error" "$(count_lines "$tmp/race.log" ERR_RENEGUARD)" 0

# --- state files that are refused: one log line, and the program goes on with a private ledger ---

as_nobody=()
# refused NAME FILE REGEX [VARIABLE=VALUE]...
refused() {
	local name=$1 file=$2 regex=$3 out status
	shift 3
	out=$("${as_nobody[@]}" env RENEGUARD_LOG=stderr RENEGUARD_STATE="$file" "$@" LD_PRELOAD="$preload" openssl version 2>&1)
	status=$?
	like "a bad state file ($name): the log says why" "$out" "code=ERR_RENEGUARD_POLICY variable=RENEGUARD_STATE value=$file accepted=\".*$regex.*\""
	is "a bad state file ($name): one log line, and the program runs" "$(grep -c ERR_ <<<"$out") $(grep -c ^OpenSSL <<<"$out") $status" "1 1 0"
}

good=$tmp/good
env RENEGUARD_STATE="$good" RENEGUARD_LOG=stderr LD_PRELOAD="$preload" openssl version >"$tmp/good.log" 2>&1
is "a good state file: no error is logged" "$(grep -c ERR_ "$tmp/good.log")" 0
size=$(stat -c %s "$good")
altered() { # NAME: makes $tmp/NAME, a copy of the good file to be altered
	cp --sparse=always "$good" "$tmp/$1"
	chmod 600 "$tmp/$1"
}
altered short && truncate -s $((size - 1)) "$tmp/short"
refused "truncated" "$tmp/short" "length is not what its header says"
altered long && truncate -s $((size + 1)) "$tmp/long"
refused "longer" "$tmp/long" "length is not what its header says"
: >"$tmp/empty" && chmod 600 "$tmp/empty"
refused "empty" "$tmp/empty" "too short"
altered version && printf '\x63' | dd of="$tmp/version" bs=1 seek=8 conv=notrunc 2>/dev/null
refused "another version" "$tmp/version" "another version"
altered seed && printf 'xyz' | dd of="$tmp/seed" bs=1 seek=26 conv=notrunc 2>/dev/null
refused "damaged" "$tmp/seed" "damaged"
head -c 100000 /dev/urandom >"$tmp/noise" && chmod 600 "$tmp/noise"
refused "no ledger" "$tmp/noise" "not a ledger"
refused "another size than asked for" "$good" "ledger for 65536 clients, not for the 1024 of RENEGUARD_CLIENTS" RENEGUARD_CLIENTS=1024
ln -s "$good" "$tmp/link"
refused "a symbolic link" "$tmp/link" "symbolic link"
altered twice && ln "$tmp/twice" "$tmp/second-name"
refused "a file with two names" "$tmp/twice" "more than one name"
mkdir "$tmp/directory"
refused "a directory" "$tmp/directory" "directory"
mkfifo -m 600 "$tmp/fifo"
refused "a pipe" "$tmp/fifo" "no regular file"
altered open && chmod 620 "$tmp/open"
refused "writable by others" "$tmp/open" "other than its owner"
refused "in a directory that is not there" "$tmp/missing/state" "cannot be made: No such file"
if [ "$(id -u)" = 0 ]; then
	altered foreign && chown 65534 "$tmp/foreign"
	refused "owned by another user" "$tmp/foreign" "owned by another user"
fi
altered readonly && chmod 400 "$tmp/readonly"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chown 65534 "$tmp/readonly" && chmod 711 "$tmp"
	as_nobody=(setpriv --reuid 65534 --clear-groups)
fi
if [ "$(id -u)" != 0 ] || "${as_nobody[@]}" test -r "$shim" 2>/dev/null; then
	refused "not writable" "$tmp/readonly" "cannot be opened: Permission denied"
else
	skip "not writable" "root may write to everything, and nobody else may read the shim here"
fi
as_nobody=()
locked=$tmp/locked && altered locked
flock "$locked" sleep 4 &
sleep 0.2
refused "kept locked" "$locked" "keeps it locked"
wait $!
out=$(ulimit -f 100 && env RENEGUARD_LOG=stderr RENEGUARD_STATE="$tmp/limited" LD_PRELOAD="$preload" openssl version 2>&1)
like "a state file beyond RLIMIT_FSIZE: a log line, not a signal" "$out" 'variable=RENEGUARD_STATE .*cannot be made: File too large'
is "a state file beyond RLIMIT_FSIZE: the program runs and leaves no file" "$(grep -c ^OpenSSL <<<"$out") $(ls "$tmp"/limited* 2>/dev/null)" "1 "
if [ "$(id -u)" = 0 ] && mkdir "$tmp/small" && mount -t tmpfs -o size=1m tmpfs "$tmp/small" 2>/dev/null; then
	at_exit "umount $tmp/small"
	refused "on a full disk" "$tmp/small/state" "cannot be made: No space left"
	is "a bad state file (on a full disk): no file is left" "$(ls "$tmp/small")" ""
else
	skip "on a full disk" "mounting is not allowed here"
fi

# A file that is damaged beyond its header only has other counters: the server serves.
altered state
dd if=/dev/urandom of="$tmp/state" bs=4096 seek=1 count=3000 conv=notrunc 2>/dev/null
begin warn:5/600s
is "random bytes in the slots of a state file: clients are served" "$(resume "$port" 3)" "summary full=1 reused=3 refused=0"
end "$server_pid"
finish
