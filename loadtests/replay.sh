#!/usr/bin/env bash
# A worker dies at 90 % of a 2 GiB body, and the next one gets the whole of it: how long that takes,
# how much memory weir holds meanwhile, and whether the bytes are equal. Installs what is missing
# and builds weir.
#   --size MIB         another length          --chunked      without Content-Length
#   --weir PATH        a built weir instead of building one; and others: replay.py --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

given_weir=no
for argument in "$@"; do [[ "$argument" != --weir* ]] || given_weir=yes; done
if [ "$given_weir" = no ]; then
  bash deploy/install-deps.sh
  [ -f build/release/build.ninja ] || cmake --preset release
  cmake --build --preset release --target weir
fi
exec /usr/bin/python3 loadtests/replay.py "$@"
