#!/usr/bin/env bash
# Configures, builds and runs the consumer project against an installed tree. Usage: consumer.sh PREFIX WORK CAF CXX
set -euo pipefail
prefix=$1 work=$2 caf=$3 cxx=$4
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$work"
! find "$prefix" -path '*internal*' | grep . || { echo "internal headers are installed"; exit 1; }
cmake -S "$here/consumer" -B "$work" -G Ninja -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_CXX_FLAGS=-O0 \
  -DCMAKE_PREFIX_PATH="$prefix;$caf" >/dev/null
cmake --build "$work"
"$work/consumer" | tee "$work/out"
grep -q "the host got 42" "$work/out"
# A wrong version is refused.
sed 's/hanse 0.1/hanse 0.2/' "$here/consumer/CMakeLists.txt" >"$work/CMakeLists.txt"
cp "$here/consumer/consumer.cpp" "$work/"
! cmake -S "$work" -B "$work/other" -G Ninja -DCMAKE_PREFIX_PATH="$prefix;$caf" >/dev/null 2>&1
# pkg-config knows all layers, their places and what they need.
export PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name hanse-actors.pc)")
for layer in crypto protocols transport domains sim actors; do pkg-config --exists --print-errors "hanse-$layer"; done
flags=$(pkg-config --static --cflags --libs hanse-actors)
for part in -lhanse_actors -lhanse_transport -lhanse_crypto -lcaf_core -lsqlite3 -lssl -lsodium; do
  [[ " $flags " == *" $part "* ]] || { echo "pkg-config does not say $part: $flags"; exit 1; }
done
for folder in $(pkg-config --cflags-only-I hanse-actors | sed 's/-I//g'); do
  [ -f "$folder/hanse/actors/node.hpp" ] && exit 0
done
echo "pkg-config names no folder with the headers: $flags"; exit 1
