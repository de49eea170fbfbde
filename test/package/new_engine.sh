#!/usr/bin/env bash
# `hanse new engine` writes a project that builds and passes its test at once, and whose node answers.
# Usage: new_engine.sh PREFIX WORK CAF CXX
set -euo pipefail
prefix=$1 work=$2 caf=$3 cxx=$4
hanse=$prefix/bin/hanse
rm -rf "$work" && mkdir -p "$work" && cd "$work"
node= && trap '[ -z "$node" ] || kill $node' EXIT
"$hanse" new engine greeter
! "$hanse" new engine greeter 2>err && grep -q "Nothing is overwritten" err
! "$hanse" new engine Greeter 2>err && grep -q "a-z" err
cd greeter
! grep -rn '@[A-Z]*@' . || { echo "a place was left open"; exit 1; }
# As its README says, but without optimisation, which takes longer to compile than to run.
cmake -B build -G Ninja -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_CXX_FLAGS="-O0 -Wall -Wextra -Werror" \
  -DCMAKE_PREFIX_PATH="$prefix;$caf" >/dev/null
cmake --build build
ctest --test-dir build --output-on-failure
"$hanse" id new --no-passphrase --out node.key >/dev/null
"$hanse" --json node run config.json >ready 2>log &
node=$!
for _ in $(seq 300); do grep -q ready ready && break; kill -0 $node || { cat log; exit 1; }; sleep 0.1; done
export HANSE_SOCKET=data/control.sock
"$hanse" send greeter --protocol greeter/1.0 --body '["greet", "world"]' --expect-reply 2>/dev/null | tee answer
grep -qx '\["hello, world"\]' answer
"$hanse" node stop >/dev/null
wait $node
node=
