#!/bin/sh
# tests/fuzz/run.sh BUILD SECONDS: builds each tests/fuzz/fuzz_NAME.c with clang's libFuzzer and runs it for SECONDS, starting from
# tests/fuzz/corpus/NAME. Prints `N passed, N failed, N skipped` at the end; inputs that fail are kept in BUILD/fuzz.
set -u
build=$1/fuzz seconds=$2
clang=${FUZZ_CC:-clang}
flags="-std=c11 -g -O1 -D_GNU_SOURCE -Iinclude -Ishim -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined"
passed=0 failed=0
mkdir -p "$build" || exit 2

count_targets() { set -- tests/fuzz/fuzz_*.c && echo $#; }

skip_all() {
	echo "fuzz: skipped, $1"
	echo "0 passed, 0 failed, $(count_targets) skipped"
	exit 0
}

command -v "$clang" >/dev/null || skip_all "$clang is not installed"
cat >"$build/probe.c" <<'PROBE'
int LLVMFuzzerTestOneInput(const unsigned char *input, unsigned long bytes);
int LLVMFuzzerTestOneInput(const unsigned char *input, unsigned long bytes) { return input == 0 && bytes != 0; }
PROBE
# shellcheck disable=SC2086 # $flags is a list of words
"$clang" $flags -o "$build/probe" "$build/probe.c" 2>"$build/probe.log" ||
	skip_all "$clang cannot link a fuzzer (its runtime, libclang-rt-dev, is missing; see $build/probe.log)"

for source in tests/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c) && name=${name#fuzz_}
	found=$build/$name-found
	mkdir -p "$found"
	# shellcheck disable=SC2086
	if ! "$clang" $flags -o "$build/$name" "$source" shim/core/*.c shim/core/ledger/*.c; then
		echo "fuzz $name: does not build"
		failed=$((failed + 1))
	elif timeout -k 10 $((seconds + 60)) "$build/$name" -max_total_time="$seconds" -max_len=8192 -timeout=10 \
		-artifact_prefix="$build/$name-" "$found" "tests/fuzz/corpus/$name" >"$build/$name.log" 2>&1; then
		echo "fuzz $name: $(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs, nothing found/p' "$build/$name.log")"
		passed=$((passed + 1))
	else
		echo "fuzz $name: failed, see $build/$name.log"
		tail -n 40 "$build/$name.log"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
