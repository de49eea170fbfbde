#!/usr/bin/env bash
# The manual pages: every command is in them, and roff has nothing to complain about. Usage: manual.sh HANSE
set -euo pipefail
hanse=$1
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
"$hanse" man --out "$work"
commands() { # commands WORDS…: prints this command and all below it
  echo "$*"
  "$hanse" "$@" --help | sed -n '/^Subcommands:/,/^[A-Z]/p' | (grep -E '^  [a-z]' || true) | awk '{print $1}' |
    while read -r sub; do commands "$@" "$sub"; done
}
count=0
while read -r command; do
  [ -n "$command" ] || continue
  grep -qxF ".SS hanse ${command//-/\\-}" "$work/hanse.1" || { echo "hanse.1 lacks: $command"; exit 1; }
  grep -q '^.SH NAME' <<<"$("$hanse" man $command)" || { echo "no page: $command"; exit 1; }
  count=$((count + 1))
done < <(commands)
[ "$count" -ge 20 ]
for page in "$work"/*.1; do
  if command -v groff >/dev/null; then
    groff -man -K utf8 -Tutf8 -ww -z "$page" 2>"$work/said" && [ ! -s "$work/said" ] || { cat "$work/said"; exit 1; }
  fi
  if command -v mandoc >/dev/null; then
    mandoc -T lint -W warning "$page" >"$work/said" || { cat "$work/said"; exit 1; }
  fi
done
! "$hanse" man nonsense 2>"$work/said" && grep -q "no command" "$work/said"
echo "$count commands in the manual"
command -v groff >/dev/null || command -v mandoc >/dev/null || { echo "neither groff nor mandoc is here"; exit 77; }
