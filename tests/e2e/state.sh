#!/bin/bash
# RENEGUARD_STATE: one account for processes that were started separately, one that outlives them, and files that are refused.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh
unset "${!RENEGUARD_@}"

how=(--tls 1.3)
resume() { peer_summary "${how[@]}" 127.0.0.1 "$1" resume "$2"; }

# begin POLICY [TLSSERVER-ARGUMENT]...: one more server beside those that run, in a process group of its own, as another service is;
# $port and $server_pid are its own.
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

# Without connecting to it, which would be a connection.
is_bound() { grep -qi ":$(printf %04x "$1") 00000000:0000 0A" /proc/net/tcp; }

all_map() { # FILE PID...
	local file=$1 pid
	shift
	for pid; do grep -q " $file$" "/proc/$pid/maps" || return 1; done
}

certificates
begin close:5/600s
first=$port first_pid=$server_pid
is "a server makes the file, for its owner alone" "$(stat -c '%a %h %F' "$tmp/state")" "600 1 regular file"
ok "all of it is on the disk" test $(($(stat -c '%b * %B' "$tmp/state"))) -ge "$(stat -c %s "$tmp/state")"
begin close:5/600s
is "three offers to the first server" "$(resume "$first" 3)" "summary full=1 reused=3 refused=0"
like "the limit of five is passed at the second" "$(resume "$port" 3)" "^summary full=1 reused=2 refused=1"
is "and so it is at the first" "$(peer_summary "${how[@]}" --from 127.0.0.9 127.0.0.1 "$first" resume 1)" "summary full=1 reused=1 refused=0"
is "no private memory file beside it" "$(grep -c memfd:reneguard "/proc/$first_pid/maps")" 0
is "no descriptor is kept" "$(find "/proc/$first_pid/fd" -lname "$tmp/state")" ""
is "both say that they guard" "$(count_lines "$tmp/tlsserver.log" RENEGUARD_ACTIVE)" 2
end "$first_pid" KILL
end "$server_pid" KILL
begin close:5/600s
like "the account outlives a server that is killed" "$(resume "$port" 1)" "^summary full=1 reused=0 refused=1"
is "and the new one says that it guards" "$(count_lines "$tmp/tlsserver.log" RENEGUARD_ACTIVE)" 3
end "$server_pid"

# Every connection another program, as Postfix does: executed, one client, ended.
rm -f "$tmp/state"
port=$(pick_port)
for ((i = 0; i < 7; i++)); do
	RENEGUARD_STATE=$tmp/state RENEGUARD_HANDSHAKE=close:5/600s RENEGUARD_LOG=stderr LD_PRELOAD=$preload \
		"$tools/tlsserver" --cert "$tmp/server.pem" --port "$port" --quiet >/dev/null 2>>"$tmp/executed.log" &
	within 5 is_bound "$port"
	peer_summary "${how[@]}" 127.0.0.1 "$port" get 1
	wait $!
done >"$tmp/executed"
is "seven programs, one after the other: five handshakes" "$(grep -c 'full=1' "$tmp/executed") $(grep -c 'refused=1' "$tmp/executed")" "5 2"
# All in one process group. (Once more where the test's time crosses an hour's end.)
like "that they guard is said once" "$(count_lines "$tmp/executed.log" RENEGUARD_ACTIVE)" '^[12]$'

# Started at once, without a file: all have the same, whole, and nothing else lies about.
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
is "six that start at once agree on one file, ten times" $agreed 10
is "and nothing else is left in its directory" "$(ls "$tmp/race")" state
is "and nothing is said about it" "$(count_lines "$tmp/race.log" ERR_RENEGUARD)" 0

# --- files that are refused: one line, and the program goes on with a private ledger ---

as_nobody=()
# refused NAME FILE REGEX [VARIABLE=VALUE]...
refused() {
	local name=$1 file=$2 regex=$3 out status
	shift 3
	out=$("${as_nobody[@]}" env RENEGUARD_LOG=stderr RENEGUARD_STATE="$file" "$@" LD_PRELOAD="$preload" openssl version 2>&1)
	status=$?
	like "$name" "$out" "code=ERR_RENEGUARD_POLICY variable=RENEGUARD_STATE value=$file accepted=\".*$regex.*\""
	is "$name: one line, and the program runs" "$(grep -c ERR_ <<<"$out") $(grep -c ^OpenSSL <<<"$out") $status" "1 1 0"
}

good=$tmp/good
env RENEGUARD_STATE="$good" RENEGUARD_LOG=stderr LD_PRELOAD="$preload" openssl version >"$tmp/good.log" 2>&1
is "a good one: not a word" "$(grep -c ERR_ "$tmp/good.log")" 0
size=$(stat -c %s "$good")
altered() { # NAME: a copy of the good one to be spoiled
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
like "beyond RLIMIT_FSIZE: a line, not a signal" "$out" 'variable=RENEGUARD_STATE .*cannot be made: File too large'
is "and the program runs" "$(grep -c ^OpenSSL <<<"$out") $(ls "$tmp"/limited* 2>/dev/null)" "1 "
if [ "$(id -u)" = 0 ] && mkdir "$tmp/small" && mount -t tmpfs -o size=1m tmpfs "$tmp/small" 2>/dev/null; then
	at_exit "umount $tmp/small"
	refused "on a full disk" "$tmp/small/state" "cannot be made: No space left"
	is "on a full disk: nothing is left there" "$(ls "$tmp/small")" ""
else
	skip "on a full disk" "mounting is not allowed here"
fi

# What is damaged behind its head is only another account: the server serves.
altered state
dd if=/dev/urandom of="$tmp/state" bs=4096 seek=1 count=3000 conv=notrunc 2>/dev/null
begin warn:5/600s
is "noise in the places: served all the same" "$(resume "$port" 3)" "summary full=1 reused=3 refused=0"
end "$server_pid"
finish
