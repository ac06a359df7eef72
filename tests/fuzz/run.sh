#!/usr/bin/env bash
# Fuzzes each target of tests/fuzz with libFuzzer: tests/fuzz/run.sh [SECONDS_EACH [TARGET]]
# Installs clang if missing, builds the `fuzz` preset, starts from the corpus, writes findings to
# build/fuzz/findings and new inputs to build/fuzz/corpus. Exit code 0 only when nothing was found.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
seconds=${1:-60}
only=${2:-}

bash deploy/install-deps.sh
if ! command -v clang++ >/dev/null; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends clang libclang-rt-14-dev llvm
fi
cmake --preset fuzz
cmake --build --preset fuzz

found=0
ran=0
mkdir -p build/fuzz/findings
for source in tests/fuzz/*_fuzz.cpp; do
  name=$(basename "$source" _fuzz.cpp)
  [ -z "$only" ] || [ "$only" = "$name" ] || continue
  ran=$((ran + 1))
  seeds=tests/fuzz/corpus/$name
  mkdir -p "build/fuzz/corpus/$name" "$seeds"
  echo "== $name: ${seconds}s"
  "build/fuzz/tests/fuzz/${name}_fuzz" -max_total_time="$seconds" -max_len=65536 -timeout=10 \
    -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/findings/$name-" "build/fuzz/corpus/$name" "$seeds" ||
    found=$((found + 1))
done
echo "$((ran - found)) passed, $found failed"
[ "$found" -eq 0 ] && [ "$ran" -gt 0 ]
