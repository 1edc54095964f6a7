#!/bin/bash
# A client is recognised by its bytes, in whatever way the program hands them to libssl: read in any pieces, by any call, all clients first
# and worked off afterwards, by other threads, with a backend's socket read in between. Each client is in the ledger once, and no other.
. tests/lib/tap.sh
. tests/lib/server.sh
unset "${!RENEGUARD_@}"
needs python3
certificates

# account BASE CLIENTS HALVES BROKEN: is each of BASE.1 to BASE.CLIENTS in the ledger with one handshake, and BROKEN unfinished ones, and no
# other client but `unknown`, who left HALVES handshakes unfinished?
account() {
	"$RG_BUILD/reneguardctl" status --pid "$server_pid" --json 2>/dev/null | python3 -c 'import json, sys
base, (count, halves, broken) = sys.argv[1], map(int, sys.argv[2:])
found = {c["client"]: (c["events"]["handshake"]["count"], c["events"]["incomplete"]["count"])
         for g in json.loads(sys.stdin.read())["ledgers"] for c in g["clients"]}
wanted = {f"{base}.{i}": (1, broken) for i in range(1, count + 1)} | ({"unknown": (0, halves)} if halves else {})
wrong = sorted(set(found.items()) - set(wanted.items()))
print("each once" if found == wanted else f"{len(set(wanted) - set(found))} missing, {wrong[:9]}")' "$@"
}

# fed NAME CLIENTS [TLSFEED-ARGUMENT]...
fed() {
	local name=$1 count=$2 line='' halves=0 broken=0
	[[ " $* " != *" --halves "* ]] || halves=$(sed 's/.* --halves \([0-9]*\).*/\1/' <<<"$*")
	[[ " $* " != *" --behind "* ]] || broken=1 # what comes behind the hello is no TLS
	shift 2
	exec {server_in}> >(exec env LD_PRELOAD="$preload" RENEGUARD_LOG=stderr "$tools/tlsfeed" --cert "$tmp/server.pem" --clients "$count" --backend "$@" \
		>"$tmp/served" 2>>"$tmp/tlsfeed.log")
	server_pid=$!
	within 60 grep -q . "$tmp/served" && line=$(cat "$tmp/served")
	is "$name" "$line, $(account 127.0.1 $((count - halves)) "$halves" "$broken")" "served $count, each once"
	: >"$tmp/served"
	exec {server_in}>&-
	wait "$server_pid"
}

for by in read recv recvfrom readv recvmsg; do
	fed "$by: a batch" 8 --by $by
	fed "$by: the five bytes of the header first" 8 --by $by --first 5
	fed "$by: byte by byte" 4 --by $by --first 1 --piece 1
done
fed "cut at every byte, all begun before the first goes on" 60 --first i
fed "cut at every byte, and then in threes" 60 --first i --piece 3
for records in 1 2 5 37 38 39 100; do
	fed "records of $records bytes" 8 --records $records
	fed "records of $records bytes, in pieces of 7" 8 --records $records --first 7 --piece 7
	fed "records of $records bytes, header first, one by one" 8 --records $records --first 5 --piece 1
done
fed "a pair of BIOs" 8 --bio pair
fed "a thread that reads, one that works and asks a backend" 8 --threads 1
fed "the same, in small pieces" 8 --threads 1 --first 5 --piece 100
# Half a hello is nobody's yet. It is not the only client's that the thread has read itself, nor a backend's.
fed "a thread that reads one client and works for all, halves first" 8 --threads 1 --own --first 11 --piece 100
fed "the same, and some leave after half a hello" 8 --threads 1 --own --first 11 --piece 100 --halves 3
fed "a batch of two, and one leaves after half a hello" 2 --halves 1
fed "a batch, and some leave after half a hello" 8 --halves 3
fed "a thread that reads, one that works and asks a backend, and some leave after half a hello" 8 --threads 1 --halves 3
fed "a pool of 8 threads, 200 clients" 200 --threads 8 --first 11 --piece 50
fed "a pool, a pair of BIOs" 200 --threads 8 --bio pair

hex() { printf "$1" | od -An -v -tx1 | tr -d ' \n'; }
proxy1=$(hex 'PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n') proxy2=$(hex '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\2\xdd\x01\x01\xbb')
for front in "$proxy1" "$proxy2"; do
	fed "behind a PROXY header, in one buffer" 8 --front "$front"
	fed "behind a PROXY header that was read before" 8 --front "$front" --front-apart
	fed "behind a PROXY header, cut at every byte" 90 --front "$front" --first i
	fed "behind a PROXY header, byte by byte" 4 --front "$front" --first 1 --piece 1
done
fed "behind empty records, which libssl skips" 8 --front 16030100001603030000 --front-given
fed "behind empty records, cut at every byte" 30 --front 16030100001603030000 --front-given --first i
# What a client says in clear text before STARTTLS, and what it sends behind its hello, are no hellos of its own.
fake=16030141410141414103036162636465666768696a6b6c6d6e6f707172737475767778797a4142434445464748
fed "behind clear text that looks like half a hello" 8 --front "${fake:0:40}" --front-apart
fed "behind clear text that looks like half a hello, header first" 8 --front "${fake:0:40}" --front-apart --first 5
fed "behind clear text that looks like a whole hello" 8 --front "$fake" --front-apart
fed "a fake hello behind it, read before libssl had the first" 8 --first 5000 --behind "$fake$fake"
# A descriptor's number is used again.
for stale in 1 2 3 4 5 6 11 12 30 42; do
	fed "a stranger left $stale bytes on the descriptor" 3 --stale $stale
	fed "a stranger left $stale bytes on the descriptor, hello in pieces of 11" 3 --stale $stale --first 11 --piece 11
done
# Half of them have a byte in their random that looks like another beginning.
fed "a stranger left 11 bytes on the descriptor, hello byte by byte" 30 --stale 11 --first 1 --piece 1
for by in recvfrom recvmsg; do
	fed "DTLS, $by: 30 senders on one socket" 30 --dtls --by $by
done
# A rule that blocks asks who the client is before the first datagram has been read, when nobody knows.
export RENEGUARD_HANDSHAKE=block:2/600s
fed "DTLS, one socket that libssl reads, and a rule that blocks" 8 --dgram-bio
fed "DTLS, datagrams through memory, and a rule that blocks" 8 --dtls --by recvfrom
fed "a batch, and a rule that blocks" 8 --threads 4
finish
