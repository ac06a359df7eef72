#!/usr/bin/env bash
# Installs what is missing, builds weir and runs its tests. Run as root, or as a user with sudo,
# on Debian 12; from any directory.
#   tests/run.sh              release build, every test                      (build/release)
#   tests/run.sh --quick      the same without the end-to-end and deploy tests
#   tests/run.sh --sanitize   every test under ASan and UBSan (build/dev), then those of threaded
#                             code under TSan (build/tsan)
# The last line is always `N passed, N failed`; the exit code is 0 only when nothing failed.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=$(nproc)
passed=0
failed=0
threaded='^(net|store|telemetry|proxy|probe|scale|admin|app|e2e):'
slow='^(e2e|deploy):'

usage() {
  sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

# Ends the run with the summary as the last line.
finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
  exit
}

# A step without which nothing can be tested counts as one failure.
must() {
  "$@" && return
  echo "tests/run.sh: this failed: $*"
  failed=$((failed + 1))
  finish
}

build() {
  local preset=$1 launcher=()
  command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  must cmake --preset "$preset" "${launcher[@]}"
  must cmake --build --preset "$preset" -j "$jobs"
}

# GCC 12's TSan runtime cannot run where the kernel randomises addresses by more bits than it
# expects; where personality() is allowed, randomisation is switched off for the tests.
prefix=()
without_aslr() {
  setarch -R true 2>/dev/null && prefix=(setarch -R)
}

# run PRESET [ctest arguments]: adds ctest's own count to the totals.
run() {
  local preset=$1 report status=0 summary
  shift
  report=$(mktemp)
  "${prefix[@]}" ctest --test-dir "build/$preset" -j 2 --output-on-failure \
    --no-tests=error "$@" 2>&1 | tee "$report" || status=$?
  summary=$(sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests failed out of \([0-9]*\)$/\1 \2/p' \
    "$report" | tail -n 1)
  rm -f "$report"
  if [ -z "$summary" ]; then
    failed=$((failed + 1))
    return
  fi
  read -r bad all <<<"$summary"
  passed=$((passed + all - bad))
  failed=$((failed + bad))
  # ctest can fail for another reason than a failed test: that must not pass unseen.
  [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || failed=$((failed + 1))
}

mode=${1:-}
[ $# -le 1 ] || usage
case $mode in '' | --quick | --sanitize) ;; *) usage ;; esac

cd "$root" || exit 1
must bash deploy/install-deps.sh
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}
case $mode in
  --sanitize)
    build dev
    run dev
    build tsan
    without_aslr
    run tsan -R "$threaded"
    ;;
  --quick)
    build release
    run release -E "$slow"
    ;;
  *)
    build release
    run release
    ;;
esac
finish
