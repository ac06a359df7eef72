#!/usr/bin/env bash
# Hundreds of kill -9 under a load of durable batches: nothing accepted may be lost, run twice at
# once, or take effect twice. Installs what is missing and builds weir.
#   --rounds N         300 otherwise          --seed N   the draws of an earlier run
#   --weir PATH        a built weir instead of building one; and others: crash.py --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source loadtests/prepare.sh

prepare "" "$@"
exec /usr/bin/python3 loadtests/crash.py "$@"
