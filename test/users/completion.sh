#!/usr/bin/env bash
# Completion in real shells: bash always, zsh and fish where they are. Usage: completion.sh HANSE
set -euo pipefail
hanse=$1
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
for shell in bash zsh fish; do "$hanse" completion $shell >"$work/$shell"; done
! "$hanse" completion tcsh 2>/dev/null

cat >"$work/ask" <<'BASH'
source "$1/bash"
ask() { # ask WORDS…: what completes the last one
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
  _hanse
  echo "${COMPREPLY[*]}"
}
ask hanse no
ask hanse node ''
ask hanse --socket node engine ''
ask hanse node init --no
ask hanse node run ''
ask hanse --socket ''
BASH
bash "$work/ask" "$work" >"$work/bash_said"
diff "$work/bash_said" - <<'SAID'
node
init run status stop
spawn stop export import
--no-passphrase


SAID
echo "bash completes"
if command -v fish >/dev/null; then
  said=$(fish --no-config -c "source $work/fish; complete -C 'hanse node i'; complete -C 'hanse --socket x engine s'" | cut -f1 | tr '\n' ' ')
  [ "$said" = "init spawn stop " ] || { echo "fish said: $said"; exit 1; }
  echo "fish completes"
else
  echo "not tried: fish is not here"
fi
if command -v zsh >/dev/null; then
  said=$(zsh -f -c "compdef() { :; }; _files() { echo files; }; _describe() { print -l \${(P)2} | cut -d: -f1; }
    source $work/zsh; words=(hanse --socket x node ''); CURRENT=5; _hanse; words=(hanse node run ''); CURRENT=4; _hanse" | tr '\n' ' ')
  [ "$said" = "init run status stop files " ] || { echo "zsh said: $said"; exit 1; }
  echo "zsh completes"
else
  echo "not tried: zsh is not here"
fi
