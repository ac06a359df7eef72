#!/usr/bin/env bash
# An hour's worth of mixed traffic in ten minutes through one weir, then its books are checked:
# memory, descriptors, counters, log. Installs what is missing, builds weir and the programs here.
#   --minutes N        another length           --quick    half a minute: a smoke test
#   --weir PATH        a built weir instead of building one
#   --seed N           the draws of an earlier run; and others: soak.py --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source loadtests/prepare.sh

prepare "" "$@"
/usr/bin/python3 loadtests/books_test.py
exec /usr/bin/python3 loadtests/soak.py "$@"
