# A second copy of a library in one process (bash).
# shellcheck shell=bash

# copy_library FROM TO: copies the shared library FROM to TO. Its file name, which is as long in both, is its own name (SONAME) as well: else
# the loader would take the copy for the first one.
copy_library() {
	python3 -c 'import os, sys
with open(sys.argv[1], "rb") as file: data = file.read()
with open(sys.argv[2], "wb") as file: file.write(data.replace(*(os.path.basename(path).encode() + b"\0" for path in sys.argv[1:])))' "$1" "$2"
}
