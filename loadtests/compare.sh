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

install_missing() {
  local missing=() as_root=() policy=/usr/sbin/policy-rc.d
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
      missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  echo "installing: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  # Debian starts a server as it installs it, unless a policy says no; ours goes again.
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
    trap '"${as_root[@]}" rm -f "$policy"' RETURN
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

given_weir=no
for argument in "$@"; do [[ "$argument" != --weir* ]] || given_weir=yes; done

install_missing g++ cmake ninja-build libssl-dev openssl python3 haproxy nginx wrk nghttp2-client
if [ "$given_weir" = no ]; then
  bash deploy/install-deps.sh
  [ -f build/release/build.ninja ] || cmake --preset release
  cmake --build --preset release --target weir
fi
[ -f build/loadtests/build.ninja ] || cmake -S loadtests -B build/loadtests -G Ninja
cmake --build build/loadtests
/usr/bin/python3 loadtests/tools_test.py
exec /usr/bin/python3 loadtests/compare.py "$@"
