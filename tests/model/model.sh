#!/bin/bash
# The model test: thousands of random conversations with libssl, of which it is known by construction what each client did; the
# ledger must say exactly that. First without the shim (the conversations themselves are right), then under each policy.
# MODEL_SEED=N repeats a run. MODEL_CONVERSATIONS=N is how many there are in each (default 800). MODEL_ONLY=POLICY/GROUP/CROWD, with
# the seed, replays one crowd, as a failure names it. MODEL_POLICIES: only these of "without count decline close block".
# MODEL_PROGRAM: another build of the program, such as those of tests/libssl/model.sh.
# shellcheck disable=SC2154
. tests/lib/tap.sh
. tests/lib/server.sh

needs openssl python3
: "${RG_BUILD:?}"
program=${MODEL_PROGRAM:-$RG_BUILD/tests/model/model}
seed=${MODEL_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
conversations=${MODEL_CONVERSATIONS:-800}
only=${MODEL_ONLY:-}
policies=${MODEL_POLICIES:-without count decline close block}
[ -z "$only" ] || policies=${only%%/*}

certificates
unset "${!RENEGUARD_@}"
diag "MODEL_SEED=$seed MODEL_CONVERSATIONS=$conversations"

# run POLICY WITH: the conversations; what must be goes to $tmp/expected, the ledger to $tmp/ledger.
run() {
	local variables=()
	[ "$2" = without ] || mapfile -t variables < <("$program" env "$1" && echo "LD_PRELOAD=$preload" && echo RENEGUARD_LOG=off)
	rm -f "$tmp/ledger"
	# shellcheck disable=SC2016 # $PPID is the program
	env MODEL_CERTIFICATE="$tmp/server.pem" MODEL_AFTER="$([ "$2" = without ] ||
		echo "'$RG_BUILD/reneguardctl' status --pid \$PPID --json >'$tmp/ledger'")" \
		"${variables[@]}" "$program" run "$1" "$conversations" "$seed" "$tmp/expected" "${only#*/}"
}

# compare NAME: its points become ours.
compare() {
	local line
	python3 tests/model/compare.py "$@" >"$tmp/points" 2>&1 || true
	while IFS= read -r line; do
		case $line in
		"ok "*) tap_point 0 "${line#ok * - }" ;;
		"not ok "*) tap_point 1 "${line#not ok * - }" ;;
		"# points "*) ;;
		*) echo "# ${line#\# }" ;;
		esac
	done <"$tmp/points"
	grep -q '^# points' "$tmp/points"
	tap_point $? "$1: all of it was compared"
}

for policy in $policies; do
	half=with name=$policy
	[ "$policy" != without ] || half=without name=count
	ok "$policy: the conversations took place" run "$name" $half
	if [ $half = without ]; then
		compare without "$tmp/expected"
	elif [ -s "$tmp/ledger" ]; then
		compare "$policy" "$tmp/expected" "$tmp/ledger"
	else
		tap_point 1 "$policy: there is a ledger"
	fi
done
finish
