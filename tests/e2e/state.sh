#!/bin/bash
# RENEGUARD_STATE: one account for processes that were started separately, one that outlives them, and files that are refused.
# The file has to be on a tmpfs.
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh
unset "${!RENEGUARD_@}"

in_memory
how=(--tls 1.3)
resume() { peer_summary "${how[@]}" 127.0.0.1 "$1" resume "$2"; }

# begin RULE [TLSSERVER-ARGUMENT]...: starts one more server, in a process group of its own, like another service. Sets $port and
# $server_pid.
begin() {
	export RENEGUARD_STATE=$memory/state RENEGUARD_RESUMPTION=$1
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
is "a server makes the file, for its owner alone" "$(stat -c '%a %h %F' "$memory/state")" "600 1 regular file"
ok "all of it is allocated" test $(($(stat -c '%b * %B' "$memory/state"))) -ge "$(stat -c %s "$memory/state")"
begin close:5/600s
is "three offers to the first server" "$(resume "$first" 3)" "summary full=1 reused=3 refused=0"
like "the limit of five is passed at the second" "$(resume "$port" 3)" "^summary full=1 reused=2 refused=1"
is "and so it is at the first" "$(peer_summary "${how[@]}" --from 127.0.0.9 127.0.0.1 "$first" resume 1)" "summary full=1 reused=1 refused=0"
is "no private memory file beside it" "$(grep -c memfd:reneguard "/proc/$first_pid/maps")" 0
is "no descriptor is kept" "$(find "/proc/$first_pid/fd" -lname "$memory/state")" ""
is "both say that they guard" "$(count_lines "$tmp/tlsserver.log" RENEGUARD_ACTIVE)" 2
end "$first_pid" KILL
end "$server_pid" KILL
begin close:5/600s
like "the ledger outlives servers that are killed" "$(resume "$port" 1)" "^summary full=1 reused=0 refused=1"
is "the new server logs RENEGUARD_ACTIVE too" "$(count_lines "$tmp/tlsserver.log" RENEGUARD_ACTIVE)" 3
end "$server_pid"

# Every connection another program, as Postfix does: executed, one client, ended.
rm -f "$memory/state"
port=$(pick_port)
for ((i = 0; i < 7; i++)); do
	RENEGUARD_STATE=$memory/state RENEGUARD_HANDSHAKE=close:5/600s RENEGUARD_LOG=stderr LD_PRELOAD=$preload \
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
mkdir "$memory/race"
for ((round = 0; round < 10; round++)); do
	rm -f "$memory/race/state"
	pids=()
	for ((i = 0; i < 6; i++)); do
		RENEGUARD_STATE=$memory/race/state RENEGUARD_LOG=stderr LD_PRELOAD=$preload \
			openssl s_server -accept 127.0.0.1:0 -cert "$tmp/server.pem" </dev/zero >>"$tmp/race.log" 2>&1 &
		pids+=($!)
	done
	within 10 all_map "$memory/race/state" "${pids[@]}" && agreed=$((agreed + 1))
	inodes=$(for p in "${pids[@]}"; do awk '/race\/state/ { print $5 }' "/proc/$p/maps"; done | sort -u | wc -l)
	[ "$inodes" = 1 ] || agreed=-100
	for p in "${pids[@]}"; do end "$p" KILL; done
done 2>/dev/null
is "six that start at once agree on one file, ten times" $agreed 10
is "and nothing else is left in its directory" "$(ls "$memory/race")" state
is "and nothing is said about it" "$(count_lines "$tmp/race.log" ERR_RENEGUARD)" 0

# Two services with different rules for one event: each is exact (A15), and a changed rule begins anew.
rm -f "$memory/state"
visit() { peer_summary "${how[@]}" 127.0.0.1 "$1" get "$2"; }
begin_handshakes() { RENEGUARD_HANDSHAKE=$1 begin count; }
begin_handshakes close:120/60s
lax=$port lax_pid=$server_pid
begin_handshakes close:5/600s
strict=$port strict_pid=$server_pid
is "one visit to the strict service" "$(visit "$strict" 1)" "summary full=1 reused=0 refused=0"
is "four to the lax one" "$(visit "$lax" 4)" "summary full=4 reused=0 refused=0"
like "and five more to the strict one: its limit is its own" "$(visit "$strict" 5)" "^summary full=4 reused=0 refused=1"
is "the lax one goes on" "$(visit "$lax" 20)" "summary full=20 reused=0 refused=0"
end "$strict_pid"
begin_handshakes close:1000/60s
is "a restart with a laxer rule begins anew" "$(visit "$port" 10)" "summary full=10 reused=0 refused=0"
end "$lax_pid"
end "$server_pid"

# --- processes that start together share it, however long the allocation takes, and even if one of them is killed ---
if command -v python3 >/dev/null; then
	# at_once COUNT CLIENTS: so many programs at once on one new file; what they say, counted
	at_once() {
		rm -f "$memory/many"
		timeout 250 python3 tests/lib/at_once.py "$1" env RENEGUARD_LOG=stderr RENEGUARD_STATE="$memory/many" RENEGUARD_CLIENTS="$2" \
			LD_PRELOAD="$preload" openssl version 2>&1 | cut -d ' ' -f 1 | sort | uniq -c | tr -s ' '
	}
	room=$(df --output=avail -B 1M /dev/shm | tail -n 1)
	huge=4194304
	[ "$room" -ge 4000 ] || huge=65536
	is "ten that start at once on a file of $huge clients share it" "$(at_once 10 $huge)" " 10 OpenSSL"
	is "and so do ${RG_CROWD:=300}" "$(at_once "$RG_CROWD" $huge)" " $RG_CROWD OpenSSL"
	rm -f "$memory/many"
	# Its maker was killed: the file has its head, and holes.
	env RENEGUARD_LOG=stderr RENEGUARD_STATE="$memory/half" LD_PRELOAD="$preload" openssl version >/dev/null 2>&1
	cp --sparse=always "$memory/half" "$memory/killed" && chmod 600 "$memory/killed"
	out=$(RENEGUARD_LOG=stderr RENEGUARD_STATE="$memory/killed" LD_PRELOAD="$preload" openssl version 2>&1)
	is "a file whose maker was killed is allocated by the next" "$(grep -c ERR_ <<<"$out") $(($(stat -c '%b * %B' "$memory/killed") / $(stat -c %s "$memory/killed")))" "0 1"
else
	skip "processes that start together share it" "python3 is not installed"
fi

# --- the file's mode, whatever the umask ---
for mask in 0777 0000 0022; do
	rm -f "$memory/masked"
	(umask $mask && RENEGUARD_STATE=$memory/masked LD_PRELOAD=$preload openssl version >/dev/null 2>&1)
	is "umask $mask: for its owner alone" "$(stat -c '%a %h' "$memory/masked")" "600 1"
done

# --- files that are refused: one line, and the program goes on with a private ledger ---

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

good=$memory/good
env RENEGUARD_STATE="$good" RENEGUARD_LOG=stderr LD_PRELOAD="$preload" openssl version >"$tmp/good.log" 2>&1
is "a good state file: no error is logged" "$(grep -c ERR_ "$tmp/good.log")" 0
size=$(stat -c %s "$good")
altered() { # NAME: a copy of the good one to be spoiled
	cp --sparse=always "$good" "$memory/$1"
	chmod 600 "$memory/$1"
}
altered short && truncate -s $((size - 1)) "$memory/short"
refused "truncated" "$memory/short" "length is not what its header says"
altered long && truncate -s $((size + 1)) "$memory/long"
refused "longer" "$memory/long" "length is not what its header says"
: >"$memory/empty" && chmod 600 "$memory/empty"
refused "empty" "$memory/empty" "too short"
altered version && printf '\x63' | dd of="$memory/version" bs=1 seek=8 conv=notrunc 2>/dev/null
refused "another version" "$memory/version" "another version"
altered seed && printf 'xyz' | dd of="$memory/seed" bs=1 seek=26 conv=notrunc 2>/dev/null
refused "damaged" "$memory/seed" "damaged"
head -c 100000 /dev/urandom >"$memory/noise" && chmod 600 "$memory/noise"
refused "no ledger" "$memory/noise" "not a ledger"
refused "another size than asked for" "$good" "ledger for 65536 clients, not for the 1024 of RENEGUARD_CLIENTS" RENEGUARD_CLIENTS=1024
ln -s "$good" "$memory/link"
refused "a symbolic link" "$memory/link" "symbolic link"
altered twice && ln "$memory/twice" "$memory/second-name"
refused "a file with two names" "$memory/twice" "more than one name"
mkdir "$memory/directory"
refused "a directory" "$memory/directory" "directory"
mkfifo -m 600 "$memory/fifo"
refused "a pipe" "$memory/fifo" "no regular file"
for mode in 620 644 640 700 400 4600; do
	altered "mode$mode" && chmod $mode "$memory/mode$mode"
	[ $mode = 400 ] && [ "$(id -u)" != 0 ] || refused "of mode $mode" "$memory/mode$mode" "mode is not 0600"
done
refused "in a directory that is not there" "$memory/missing/state" "cannot be made: No such file"
if [ "$(id -u)" = 0 ]; then
	altered foreign && chown 65534 "$memory/foreign"
	refused "owned by another user" "$memory/foreign" "owned by another user"
fi
altered readonly && chmod 400 "$memory/readonly"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chown 65534 "$memory/readonly" && chmod 711 "$memory" "$tmp"
	as_nobody=(setpriv --reuid 65534 --clear-groups)
fi
if [ "$(id -u)" != 0 ] || "${as_nobody[@]}" test -r "$shim" 2>/dev/null; then
	refused "not writable" "$memory/readonly" "cannot be opened: Permission denied"
else
	skip "not writable" "root may write to everything, and nobody else may read the shim here"
fi
as_nobody=()
# The lock is for allocating alone: who holds it has no power over a file that is allocated.
locked=$memory/locked && cp --sparse=never "$good" "$locked" && chmod 600 "$locked"
flock "$locked" sleep 30 &
locker=$!
within 5 sh -c '! flock -n "$0" true' "$locked"
out=$(RENEGUARD_LOG=stderr RENEGUARD_STATE="$locked" LD_PRELOAD="$preload" timeout 5 openssl version 2>&1)
is "locked: not a word" "$(grep -c ERR_ <<<"$out") $(grep -c ^OpenSSL <<<"$out")" "0 1"
stop "$(who $locker)"
# What is on a disk, or on anything else.
disk=''
for directory in "$tmp" /var/tmp /proc/self; do [ "$(stat -f -c %T "$directory")" = tmpfs ] || { disk=$directory; break; }; done
if [ -n "$disk" ] && [ "$disk" != /proc/self ]; then
	disk=$(mktemp -d "$disk/reneguard-test.XXXXXX") && at_exit "rm -rf $disk"
	refused "on another file system" "$disk/mail" "on a tmpfs, such as /run/reneguard/mail"
	is "on another file system: nothing is made there" "$(ls "$disk")" ""
	cp "$good" "$disk/copy" && chmod 600 "$disk/copy"
	refused "a copy on another file system" "$disk/copy" "on a tmpfs, such as /run/reneguard/copy"
	ok "a copy on another file system can be read" "$RG_BUILD/reneguardctl" status --state "$disk/copy"
else
	skip "on another file system" "there is none to write to"
fi
if [ "$(id -u)" = 0 ] && mkdir "$memory/ram" && mount -t ramfs ramfs "$memory/ram" 2>/dev/null; then
	at_exit "umount $memory/ram"
	refused "on a ramfs" "$memory/ram/mail" "on a tmpfs, such as /run/reneguard/mail"
else
	skip "on a ramfs" "mounting is not allowed here"
fi
# Times of another time namespace are other times.
if unshare --time --boottime 100000 true 2>/dev/null; then
	out=$(unshare --time --boottime 100000 env RENEGUARD_LOG=stderr RENEGUARD_STATE="$good" LD_PRELOAD="$preload" openssl version 2>&1)
	like "from another time namespace" "$out" "variable=RENEGUARD_STATE value=$good accepted=\".*another time namespace.*\""
else
	skip "from another time namespace" "no time namespace is allowed here"
fi
# As many rules as a file remembers, and one more.
rules=$memory/rules
for ((i = 1; i <= 31; i++)); do
	RENEGUARD_LOG=stderr RENEGUARD_STATE=$rules RENEGUARD_HANDSHAKE=close:$i/60s LD_PRELOAD=$preload openssl version
done >"$tmp/rules.log" 2>&1
is "thirty-one rules for one event: not a word" "$(grep -c ERR_ "$tmp/rules.log")" 0
refused "with one rule more" "$rules" "no room for another rule" RENEGUARD_HANDSHAKE=close:32/60s
out=$(ulimit -f 100 && env RENEGUARD_LOG=stderr RENEGUARD_STATE="$memory/limited" LD_PRELOAD="$preload" openssl version 2>&1)
like "beyond RLIMIT_FSIZE: a line, not a signal" "$out" 'variable=RENEGUARD_STATE .*cannot be made: File too large'
is "and the program runs" "$(grep -c ^OpenSSL <<<"$out") $(ls "$tmp"/limited* 2>/dev/null)" "1 "
if [ "$(id -u)" = 0 ] && mkdir "$memory/small" && mount -t tmpfs -o size=1m tmpfs "$memory/small" 2>/dev/null; then
	at_exit "umount $memory/small"
	refused "on a full tmpfs" "$memory/small/state" "its memory cannot be allocated: No space left"
	is "on a full tmpfs: nothing is left there" "$(ls "$memory/small")" ""
else
	skip "on a full tmpfs" "mounting is not allowed here"
fi

# What is damaged behind its head is only another account: the server serves.
rm -f "$memory/state" && cp "$good" "$memory/state" && chmod 600 "$memory/state"
dd if=/dev/urandom of="$memory/state" bs=4096 seek=1 count=3000 conv=notrunc 2>/dev/null
begin warn:5/600s
is "random bytes in the slots of a state file: clients are served" "$(resume "$port" 3)" "summary full=1 reused=3 refused=0"
end "$server_pid"
finish
