#!/usr/bin/env bash
# Batches accepted durably by weir beside messages confirmed by RabbitMQ, on the same disk, in one
# command: installs what is missing, builds weir and the programs here, checks these, and measures.
#   --quick            one short round: a smoke test
#   --rounds N         more rounds, steadier medians      --only ROW[,ROW]
#   --start-up N       instead: time to ready and memory with N batches waiting
#   --disk FOLDER      where both write                   --json FILE     all numbers
#   --weir PATH        a built weir instead of building one; and others: durable.py --help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source loadtests/prepare.sh

prepare "rabbitmq-server librabbitmq-dev" "$@"
/usr/bin/python3 loadtests/publisher_test.py
exec /usr/bin/python3 loadtests/durable.py "$@"
