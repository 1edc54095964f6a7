#!/bin/bash
# scripts/lint.sh checks formatting (clang-format), the floors of the source tree (floors.sh), warnings as errors with gcc
# and clang, static analysis (cppcheck), shell scripts (shellcheck) and man pages (mandoc). A step whose tool is not installed says
# so and counts as skipped. The last line is the summary.
set -u

passed=0 failed=0 skipped=0

step() { # NAME TOOL COMMAND...
	local name=$1 tool=$2
	shift 2
	if ! command -v "$tool" >/dev/null; then
		echo "$name: skipped, $tool is not installed"
		skipped=$((skipped + 1))
	elif "$@"; then
		echo "$name: ok"
		passed=$((passed + 1))
	else
		echo "$name: failed"
		failed=$((failed + 1))
	fi
}

mapfile -t sources < <(git ls-files 'shim/*.[ch]' 'include/*.h')
mapfile -t scripts < <(git ls-files '*.sh' scripts/reneguard .ci/run)

step layout clang-format clang-format --dry-run --Werror "${sources[@]}"
# build NAME COMPILER [VARIABLE=VALUE]...: builds everything with warnings as errors.
build() { MAKEFLAGS='' make -s -j"$(getconf _NPROCESSORS_ONLN)" CI=1 BUILD="build-lint-$1" CC="$2" "${@:3}" all; }
# The flags of a Debian package.
build_for_debian() {
	local name flags=()
	for name in CPPFLAGS CFLAGS LDFLAGS; do flags+=("$name=$(dpkg-buildflags --get $name)"); done
	build debian gcc "${flags[@]}"
}
step "gcc warnings" gcc build gcc gcc
step "warnings with Debian's flags" dpkg-buildflags build_for_debian
# Of the objects just made: the library is one program, the inspector another.
no_circle() { find "$@" -exec scripts/floors.sh circles {} +; }
step "floors: includes" awk scripts/floors.sh includes
step "floors: no circle in the library" tsort no_circle build-lint-gcc/shim -name '*.o' ! -path '*/ctl/*'
step "floors: no circle in the inspector" tsort no_circle build-lint-gcc/shim/ctl build-lint-gcc/shim/core -name '*.o'
step "clang warnings" clang build clang clang
step "static analysis" cppcheck cppcheck --quiet --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	--suppress=missingIncludeSystem -Iinclude -Ishim -D_GNU_SOURCE shim
# SC2034 (unused variable) is excluded: a test library sets variables for the script that sources it.
step "shell scripts" shellcheck shellcheck -x -S warning -e SC2034 "${scripts[@]}"
# Sentences begin on lines of their own, however long these get (STYLE).
step "man pages" mandoc mandoc -T lint -W error scripts/*.[1-8]
rm -rf build-lint-gcc build-lint-debian build-lint-clang
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
