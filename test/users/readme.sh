#!/usr/bin/env bash
# Runs the shell session of the README ("Two processes, from the shell") as it stands there. Usage: readme.sh HANSE
set -euo pipefail
hanse=$1
readme=$(cd "$(dirname "$0")/../.." && pwd)/README.md
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
mkdir "$work/bin" && ln -s "$hanse" "$work/bin/hanse" && export PATH=$work/bin:$PATH
mapfile -t lines < <(sed -n '/^## Two processes/,/^## /p' "$readme" | sed -n '/^```sh$/,/^```$/p' | sed '1d;$d')
[ "${#lines[@]}" -ge 6 ]
cd "$work"
for line in "${lines[@]}"; do
  case $line in
    "export PATH="*) continue ;;
    *"node run"*)
      node=$(sed 's#.*node run \([a-z]*\)/.*#\1#' <<<"$line")
      eval "exec ${line%%&*} >$node.log 2>&1 &" # exec: the job to be killed is the node itself
      for _ in $(seq 300); do grep -q '^ready' "$node.log" && break; sleep 0.1; done
      grep -q '^ready' "$node.log" || { cat "$node.log"; exit 1; }
      continue ;;
    *hticket1…*) line=${line/hticket1…/$(grep -o 'hticket1[a-z0-9]*' bob.log)} ;;
  esac
  echo "\$ ${line%%#*}"
  for attempt in 1 2 3 4 5 6 7 8 9 10; do # the other node's engines are known once the link is up
    eval "$line" >said 2>&1 && break
    [ $attempt -lt 10 ] || { cat said; exit 1; }
    sleep 0.3
  done
  cat said
done
grep -q 'chosen' said
