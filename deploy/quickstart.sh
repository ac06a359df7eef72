#!/usr/bin/env bash
# weir on a fresh Debian 12, in one command: installs what is missing, builds, and shows weir at
# work in front of real workers that load a real data set. See deploy/README.md.
#   --once      stop everything at the end; exit 0 only if every row arrived exactly once
#   --rows N    a larger (or smaller) run than the real 55,425 rows, from the documented seed
#   --dir DIR   where the run keeps its files (default: state/quickstart, in the project's folder)
#   --stop      stop what an earlier run left running
#   --help      this text
# Leaves files in state/quickstart (a temporary folder with --once) and listens on 127.0.0.1 only:
# 8080 (batches), 9900 (admin) and 9901 (registration), or free ports where these are taken and
# with --once; the workers and the scaler take free ports. The first build takes about five minutes
# on two cores, the run itself one or two.
set -euo pipefail
rows_min=20000   # of quickstart.py: fewer make no backlog worth a scale-out

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }
refuse() { echo "quickstart: $1; --help lists what there is" >&2; exit 2; }

# Before anything is installed or built.
stop_only=no
check_value() {
  [ -n "$2" ] || refuse "$1 needs a value"
  [ "$1" = --rows ] || return 0
  [[ "$2" =~ ^[0-9]{1,9}$ ]] || refuse "--rows $2 is not a whole number"
  [ "$((10#$2))" -ge "$rows_min" ] || refuse "--rows $2 is too few, expected $rows_min at least"
}
check_arguments() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --help|-h) usage; exit 0 ;;
      --once) ;;
      --stop) stop_only=yes ;;
      --rows=*|--dir=*) check_value "${1%%=*}" "${1#*=}" ;;
      --rows|--dir) check_value "$1" "${2:-}"; shift ;;
      *) refuse "unknown argument $1" ;;
    esac
    shift
  done
}
check_arguments "$@"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ "$stop_only" = no ]; then
  bash deploy/install-deps.sh
  [ -f build/release/build.ninja ] || cmake --preset release
  cmake --build --preset release --target weir
fi
exec /usr/bin/python3 deploy/quickstart.py --weir build/release/weir "$@"
