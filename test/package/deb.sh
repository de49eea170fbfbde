#!/usr/bin/env bash
# Makes the .deb packages and looks into them: names, dependencies, and that the program runs from where it was unpacked.
# Usage: deb.sh BUILD WORK
set -euo pipefail
build=$1 work=$2
command -v dpkg-deb >/dev/null || { echo "skipped: there is no dpkg-deb"; exit 77; }
rm -rf "$work" && mkdir -p "$work"
(cd "$build" && cpack -G DEB -B "$work/packages" >"$work/cpack.log" 2>&1) || { tail -20 "$work/cpack.log"; exit 1; }
program=("$work"/packages/hanse_*.deb) development=("$work"/packages/libhanse-dev_*.deb)
depends=$(dpkg-deb -f "${program[0]}" Depends)
echo "hanse depends on: $depends"
for library in libc6 libssl3 libsodium23 libsqlite3-0 libstdc++6; do
  [[ $depends == *$library* ]] || { echo "it does not depend on $library"; exit 1; }
done
[[ $depends != *caf* ]]
dpkg-deb -x "${program[0]}" "$work/root"
unpacked=$work/root/usr/bin/hanse
[ "$("$unpacked" --version)" = "hanse $(dpkg-deb -f "${program[0]}" Version)" ]
# CAF comes from the package, or from a system's library folder, never from the checkout it was built in.
if ldd "$unpacked" | grep caf | grep -v -e "$work/root" -e '=> /lib' -e '=> /usr/lib' -e '=> /usr/local/lib'; then
  echo "it runs with a CAF from elsewhere"; exit 1
fi
readelf -d "$unpacked" | grep -i runpath
for file in usr/share/man/man1/hanse.1 usr/share/bash-completion/completions/hanse; do
  ls "$work/root/$file"* >/dev/null || { echo "$file is missing"; exit 1; }
done
dpkg-deb -f "${development[0]}" Depends
dpkg-deb -c "${development[0]}" >"$work/development"
grep -q include/hanse/actors/node.hpp "$work/development"
! grep internal "$work/development"
