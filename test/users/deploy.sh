#!/usr/bin/env bash
# apps/deploy: the start script makes a node that runs, twice; the unit is one that systemd understands.
# Usage: deploy.sh HANSE
set -euo pipefail
hanse=$1
deploy=$(cd "$(dirname "$0")/../../apps/deploy" && pwd)
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" && ln -s "$hanse" "$work/bin/hanse" && export PATH=$work/bin:$PATH
for _ in 1 2; do
  "$deploy/start.sh" "$work/node" 0 7480 >"$work/out" 2>&1 &
  for _ in $(seq 300); do
    grep -q ready "$work/out" && break
    kill -0 $! 2>/dev/null || break
    sleep 0.1
  done
  grep -q ready "$work/out" || { cat "$work/out"; exit 1; }
  hanse --socket "$work/node/data/control.sock" node status | grep "tls://$(hostname):7480"
  kill -TERM $! && wait $!
done
if command -v systemd-analyze >/dev/null; then
  sed "s#/usr/bin/hanse#$hanse#" "$deploy/hanse.service" >"$work/hanse.service"
  systemd-analyze verify "$work/hanse.service" 2>"$work/said" || { cat "$work/said"; exit 1; }
  ! grep hanse.service "$work/said"
fi
