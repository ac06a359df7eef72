#!/usr/bin/env bash
# weir on a fresh Debian 12, in one command: installs what is missing, builds, and shows weir at
# work in front of real workers that load a real data set. See deploy/README.md.
#   --once      stop everything at the end; exit 0 only if every row arrived exactly once
#   --rows N    a larger (or smaller) run than the real 55,425 rows, from the documented seed
#   --dir DIR   where the run keeps its files (default: state/quickstart, in the project's folder)
#   --stop      stop what an earlier run left running
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

stop_only=no
for argument in "$@"; do [ "$argument" != --stop ] || stop_only=yes; done

if [ "$stop_only" = no ]; then
  bash deploy/install-deps.sh
  [ -f build/release/build.ninja ] || cmake --preset release
  cmake --build --preset release --target weir
fi
exec /usr/bin/python3 deploy/quickstart.py --weir build/release/weir "$@"
