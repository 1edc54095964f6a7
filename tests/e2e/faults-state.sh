#!/bin/bash
# Calls of the shim that fail, in a server with a state file (tests/lib/faults.sh).
. tests/lib/tap.sh
. tests/lib/server.sh
. tests/lib/hooks.sh
. tests/lib/faults.sh

in_memory
RENEGUARD_STATE=$memory/ledger
scenario "a new state file" main
attempt flock main
like "a state file that cannot be locked: the log says so" "$(cat "$tmp/tlsserver.log")" "code=ERR_RENEGUARD_POLICY variable=RENEGUARD_STATE .*cannot be locked"
existing=$memory/existing
RENEGUARD_STATE=$existing serve with main # a file without clients
stop_server
scenario "an existing state file" main
finish
