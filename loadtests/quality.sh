#!/usr/bin/env bash
# How well weir decides, in virtual time: every scenario of scenarios/ under weir and the policies
# of other balancers, on the same arrivals. Builds weir if none is named, and prints the tables.
#   --weir PATH         a built weir to ask instead of building one
#   --seeds N           runs of each row, medians are shown (3)
#   --only NAME[,NAME]  these scenarios only       --batches N   in each run
#   --json FILE         all numbers                --tables      every policy's whole table too
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
given_weir=no
for argument in "$@"; do [[ "$argument" != --weir* ]] || given_weir=yes; done
if [ "$given_weir" = no ]; then
  bash deploy/install-deps.sh
  [ -f build/release/build.ninja ] || cmake --preset release
  cmake --build --preset release --target weir
fi
exec /usr/bin/python3 loadtests/quality.py "$@"
