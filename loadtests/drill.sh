#!/usr/bin/env bash
# The recovery plan of deploy/README.md, rehearsed: a loaded weir, a copy, the disk gone, a restore.
#   --batches N        100000 otherwise       --mib N    the size of a few long ones (16)
#   --weir PATH        a built weir instead of building one; and others: drill.py --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source loadtests/prepare.sh

prepare "" "$@"
exec /usr/bin/python3 loadtests/drill.py "$@"
