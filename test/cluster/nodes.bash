# Sourced by the shell tests of this folder with the program as $1: a directory that goes with the test, nodes in it,
# and what is expected of commands. Not a test.
set -euo pipefail
hanse=$1
work=$(mktemp -d) nodes=()
clean() {
  for n in "${nodes[@]}"; do kill "$n" 2>/dev/null || true; done
  wait
  rm -rf "$work"
}
trap clean EXIT
cd "$work"
unset HANSE_SOCKET HANSE_PASSPHRASE
fail() { echo "$*" >&2; tail -n 5 ./*/log >&2; exit 1; }
value() { grep -o "\"$2\": *\"[^\"]*\"" <<<"$1" | head -1 | cut -d'"' -f4; } # value JSON KEY
number() { grep -o "\"$2\": *[0-9]*" <<<"$1" | head -1 | grep -o '[0-9]*$'; }
on() { local n=$1; shift; "$hanse" --socket "$n/data/control.sock" "$@"; } # on NODE COMMAND…
until_says() { # until_says TEXT COMMAND…: until its output has the text, at most 60 s
  local text=$1 said; shift
  for _ in $(seq 600); do said=$("$@" 2>&1 || true); [[ $said == *"$text"* ]] && return; sleep 0.1; done
  fail "not said: $text; but: $said"
}
says() { # says TEXT COMMAND…: at once
  local text=$1 said; shift
  said=$("$@" 2>&1) || fail "$*: $said"
  [[ $said == *"$text"* ]] || fail "$*: does not say $text, but: $said"
}
refused() { # refused TEXT COMMAND…
  local text=$1 said; shift
  if said=$("$@" 2>&1); then fail "not refused: $*"; fi
  [[ $said == *"$text"* ]] || fail "$*: does not say $text, but: $said"
}
started() { # started NODE: until it is ready
  : >"$1/ready" # of an earlier life
  "$hanse" --json node run "$1/config.json" >"$1/ready" 2>>"$1/log" &
  nodes+=($!)
  for _ in $(seq 300); do grep -q ready "$1/ready" && return; kill -0 $! || fail "$1 ended"; sleep 0.1; done
}
new_nodes() { # new_nodes SETTINGS NODE…: SETTINGS are further members of the configuration's JSON, or empty
  local settings=$1 n; shift
  for n in "$@"; do
    "$hanse" node init "$n" --no-passphrase --name "$n" >/dev/null
    printf '{"name": "%s", "key_file": "node.key", "listen": ["tls://127.0.0.1:0"], "allow_private": true%s}' \
      "$n" "$settings" >"$n/config.json"
    started "$n"
  done
}
new_domain() { # new_domain NAME OPTIONS…: with the node behind $ticket as introducer; prints its ticket
  "$hanse" id new --no-passphrase --out "$1.key" >/dev/null
  "$hanse" domain create --owner "$1.key" --name "$1" --introducer "$ticket" --out "$1.json" "${@:2}" >/dev/null
  value "$("$hanse" --json domain show "$1.json")" ticket
}
joined_lab() { # joined_lab NODE…: members of a new domain lab, whose introducer is the first; sets ticket and lab
  local n first=$1
  ticket=$(value "$(cat "$first/ready")" ticket)
  for n in "${@:2}"; do on "$n" add "$ticket" >/dev/null; done
  lab=$(new_domain lab)
  on "$first" domain publish lab.json >/dev/null
  for n in "${@:2}"; do on "$n" domain join "$lab" >/dev/null; done
  for n in "$@"; do until_says "\"members\": $#" on "$n" --json domain status; done
}
