#!/bin/bash
# Return values, SSL_get_error, errno, the error queue, options and what the program's callbacks see are what they are without the shim, also
# for calls in odd orders: without a BIO, freed before use, cleared, duplicated, with another BIO or context halfway, in async jobs that pause.
. tests/lib/tap.sh
. tests/lib/odd.sh

unset "${!RENEGUARD_@}"
odd_calls "$tools/oddcalls" "$tools/oddpairs"
finish
