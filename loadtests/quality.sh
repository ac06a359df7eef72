#!/usr/bin/env bash
# How well weir decides, in virtual time: every scenario of scenarios/ under weir and the policies
# of other balancers, on the same arrivals. Builds weir if none is named, and prints the tables.
#   --weir PATH         a built weir to ask instead of building one
#   --seeds N           runs of each row, medians are shown (3)
#   --only NAME[,NAME]  these scenarios only       --batches N   in each run
#   --json FILE         all numbers                --tables      every policy's whole table too
#
# With --real: some of them on real sockets, beside HAProxy and nginx, and whether the simulator
# says the same of weir. Installs what is missing and builds the programs of this folder.
#   --programs DIR      built ones instead         --rounds N    medians are shown (5)
#   --weir, --only, --batches and --json as above; and others: quality_real.py --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
case " $* " in *" --help "* | *" -h "*)
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' loadtests/quality.sh
  exit 0 ;;
esac
given_weir=no given_programs=no real=no
for argument in "$@"; do
  case "$argument" in
    --weir*) given_weir=yes ;;
    --programs*) given_programs=yes ;;
    --real) real=yes ;;
  esac
done
if [ "$real" = yes ]; then
  source loadtests/prepare.sh
  if [ "$given_programs$given_weir" = yesyes ]; then
    install_missing haproxy nginx
  else
    prepare "haproxy nginx" "$@"
  fi
  exec /usr/bin/python3 loadtests/quality_real.py "$@"
fi
if [ "$given_weir" = no ]; then
  bash deploy/install-deps.sh
  [ -f build/release/build.ninja ] || cmake --preset release
  cmake --build --preset release --target weir
fi
exec /usr/bin/python3 loadtests/quality.py "$@"
