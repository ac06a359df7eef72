# Sourced by the scripts beside it, in the repository's root: installs what is missing, builds weir
# and the programs of this folder, and checks these.

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
    trap '"${as_root[@]}" rm -f "$policy"; trap - RETURN' RETURN
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# prepare "PACKAGE..." ARGUMENT...: --weir among the arguments names a weir that is built already.
prepare() {
  local packages=$1 given_weir=no argument
  shift
  for argument in "$@"; do [[ "$argument" != --weir* ]] || given_weir=yes; done
  # shellcheck disable=SC2086
  install_missing g++ cmake ninja-build libssl-dev openssl python3 $packages
  if [ "$given_weir" = no ]; then
    bash deploy/install-deps.sh
    [ -f build/release/build.ninja ] || cmake --preset release
    cmake --build --preset release --target weir
  fi
  cmake -S loadtests -B build/loadtests -G Ninja >/dev/null  # again: a package may be new
  cmake --build build/loadtests
  /usr/bin/python3 loadtests/tools_test.py
}
