#!/usr/bin/env bash
# Three people chat in three processes: who joins late sees what was said, an answer comes after its question, who leaves
# says so, and every process ends well when its input does. Usage: group_chat.sh PROGRAM
set -euo pipefail
program=$1
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
declare -A in out pid

enter() { # NAME [OPTION…]: a process with a pipe for its input and one for its output
  local name=$1
  shift
  mkfifo "$work/$name.in" "$work/$name.out"
  ( # without the pipes of the others, which would keep them open
    for fd in "${in[@]}" "${out[@]}"; do exec {fd}>&-; done
    exec "$program" --name "$name" "$@" <"$work/$name.in" >"$work/$name.out"
  ) &
  pid[$name]=$!
  exec {in[$name]}>"$work/$name.in" {out[$name]}<"$work/$name.out"
}
say() { echo "$2" >&"${in[$1]}"; }
sees() { # NAME TEXT: reads on until a line has the text
  while read -t 60 -r -u "${out[$1]}" line; do
    [[ $line == *"$2"* ]] && echo "$1 sees: $line" && return
  done
  echo "$1 never saw: $2"
  exit 1
}
leave() { # NAME
  exec {in[$1]}>&-
  wait "${pid[$1]}" || { echo "$1 ended with $?"; exit 1; }
}

enter alice
sees alice "others join with"
ticket=$(sed 's/.*--ticket \([^ ]*\).*/\1/' <<<"$line")
say alice "first"
sees alice "alice/hk1"
sees alice "says: first"
enter bob --ticket "$ticket"
sees bob "opened the room"
sees bob "says: first"
sees alice "bob/hk1"
enter carol --ticket "$ticket"
sees carol "says: first"
sees bob "joined"
sees bob "joined"
say bob "who is there?"
sees carol "who is there?"
say carol "I am"
sees alice "who is there?"
sees alice "I am"
leave bob
sees alice "left"
sees carol "left"
say alice "bye"
sees carol "bye"
leave alice # who opened the room may go: the others stay connected
say carol "still here"
sees carol "still here"
leave carol
