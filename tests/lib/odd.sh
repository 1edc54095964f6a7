# Calls of libssl in odd orders, without the shim and under policies that do not act (bash, after tap.sh).
# shellcheck shell=bash disable=SC2154

# odd_calls ODDCALLS ODDPAIRS [NAME]: what the two programs (tests/tools) print is the same without the shim and with it.
odd_calls() {
	local policy name=${3:+$3: } calls pairs
	calls=$("${emulator[@]}" "$1" 2>&1)
	like "${name}without the shim some odd calls fail" "$calls" 'SSL_read: -1 error=1'
	like "${name}and all are made" "$calls" '^contexts freed: 0'
	pairs=$("${emulator[@]}" "$2" renegotiate 2>&1)
	like "${name}without the shim odd pairs resume" "$pairs" 'resumed: 1 error=0'
	like "${name}and clients renegotiate" "$(sed -n "/^the client's renegotiation/,\$p" <<<"$pairs")" 'renegotiated: infos=[1-9]'
	for policy in RENEGUARD=on RENEGUARD=off RENEGUARD_ROLE=both RENEGUARD_HANDSHAKE=block:1000/60s \
		"RENEGUARD_ROLE=both RENEGUARD_INCOMPLETE=block:1000/60s" "RENEGUARD_RESUMPTION=decline:1000/60s RENEGUARD_KEYUPDATE=block:1000/60s"; do
		same_lines "${name}odd calls under $policy" "$calls" "$policy" "$1"
	done
	# The client's renegotiations are within the limit.
	for policy in RENEGUARD_RENEGOTIATION=off RENEGUARD_RENEGOTIATION=count "RENEGUARD_RENEGOTIATION=close:1000/60s RENEGUARD_ROLE=both" \
		"RENEGUARD_RENEGOTIATION=block:1000/60s RENEGUARD_HANDSHAKE=block:1000/60s RENEGUARD_INCOMPLETE=block:1000/60s" \
		"RENEGUARD_RENEGOTIATION=count RENEGUARD_RESUMPTION=decline:1000/60s RENEGUARD_KEYUPDATE=block:1000/60s"; do
		same_lines "${name}odd pairs under $policy" "$pairs" "$policy" "$2" renegotiate
	done
	pairs=$("${emulator[@]}" "$2" 2>&1)
	same_lines "${name}odd pairs, of which no client renegotiates, under the default policy" "$pairs" RENEGUARD=on "$2"
}

same_lines() { # NAME WANTED POLICY COMMAND...
	local name=$1 wanted=$2 policy=$3
	shift 3
	# shellcheck disable=SC2086 # several variables in one word
	is "$name: every line is the same" \
		"$(diff <(echo "$wanted") <(env $policy RENEGUARD_LOG=off LD_PRELOAD="$preload" "${emulator[@]}" "$@" 2>&1) | head -n 6)" ""
}
