#!/usr/bin/env bash
# Installs what weir needs to be built, tested and tried, from Debian 12's own packages.
# Run as root, or as a user with sudo. Does nothing when everything is there already.
set -euo pipefail

packages=(
  g++ cmake ninja-build git ca-certificates
  libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev
  libssl-dev libyaml-cpp-dev prometheus-cpp-dev zlib1g-dev libsqlite3-dev
  libcli11-dev libspdlog-dev libfmt-dev catch2
  python3 python3-yaml python3-jsonschema python3-psycopg2 curl openssl valgrind
)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
    missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
