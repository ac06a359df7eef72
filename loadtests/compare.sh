#!/usr/bin/env bash
# weir beside HAProxy, nginx and a relay that parses nothing, in one command: installs what is
# missing, builds weir and the programs of this folder, checks these, and measures. README.md says
# how.
#   --quick            one short round of each row: a smoke test
#   --only ROW[,ROW]   these rows only         --rounds N    more rounds, steadier medians
#   --weir PATH        a built weir to measure instead of building one
#   --json FILE        all numbers; and others: compare.py --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source loadtests/prepare.sh

prepare "haproxy nginx wrk nghttp2-client" "$@"
exec /usr/bin/python3 loadtests/compare.py "$@"
