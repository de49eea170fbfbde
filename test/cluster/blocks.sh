#!/usr/bin/env bash
# Content by the command line, in three real nodes of one domain: files, directories and pipes in and out, replicas,
# kill -9 of the receiver in the midst of a get, which then goes on; what a node stores. Usage: blocks.sh HANSE
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
value() { grep -o "\"$2\": *\"[^\"]*\"" <<<"$1" | head -1 | cut -d'"' -f4; }
number() { grep -o "\"$2\": *[0-9]*" <<<"$1" | head -1 | grep -o '[0-9]*$'; }
on() { local n=$1; shift; "$hanse" --socket "$n/data/control.sock" "$@"; }
until_says() { # until_says TEXT COMMAND…: until its output has the text, at most 20 s
  local text=$1 said; shift
  for _ in $(seq 200); do said=$("$@" 2>&1 || true); [[ $said == *"$text"* ]] && return; sleep 0.1; done
  fail "not said: $text; but: $said"
}
refused() { # refused TEXT COMMAND…
  local text=$1 said; shift
  if said=$("$@" 2>&1); then fail "not refused: $*"; fi
  [[ $said == *"$text"* ]] || fail "$*: does not say $text, but: $said"
}
started() {
  "$hanse" --json node run "$1/config.json" >"$1/ready" 2>>"$1/log" &
  nodes+=($!)
  for _ in $(seq 300); do grep -q ready "$1/ready" && return; kill -0 $! || fail "$1 ended"; sleep 0.1; done
}
for n in a b c; do
  "$hanse" node init "$n" --no-passphrase --name "$n" >/dev/null
  printf '{"name": "%s", "key_file": "node.key", "listen": ["tls://127.0.0.1:0"], "allow_private": true}' $n >$n/config.json
  started "$n"
done
ticket=$(value "$(cat a/ready)" ticket)
for n in b c; do on "$n" add "$ticket" >/dev/null; done
refused 'this node is in no domain' on a put c/config.json

domain() { # domain NAME OPTIONS…: makes one with a as introducer; prints its ticket
  "$hanse" id new --no-passphrase --out "$1.key" >/dev/null
  "$hanse" domain create --owner "$1.key" --name "$1" --introducer "$ticket" --out "$1.json" "${@:2}" >/dev/null
  value "$("$hanse" --json domain show "$1.json")" ticket
}
lab=$(domain lab)
on a domain publish lab.json >/dev/null
for n in b c; do on $n domain join "$lab" >/dev/null; done
for n in a b c; do until_says '"members": 3' on $n --json block stat; done

# A file, kept at another node, too, comes out everywhere; equal content is the same content, private content is not.
head -c 5000000 /dev/urandom >film
film=$(on a put film --replicas 1)
[[ $film == urn:eris:* ]] || fail "no capability: $film"
for n in a b c; do on $n get "$film" -o film.$n; cmp film film.$n; done
[ "$(on b put film)" = "$film" ] || fail "equal content has another capability"
[ "$(on b put film --private)" != "$film" ] || fail "private content has the same capability"
[ ! -e film.a.part ] || fail "a part is left"
refused 'is there already' on a get "$film" -o film.a
refused 'of 5 other nodes' on a put film --replicas 5

# Pipes.
seq 1 200000 | on a put - >lines.urn
on c get "$(cat lines.urn)" -o - | cmp - <(seq 1 200000)
printf '' | on a put - --lease 7d >empty.urn
[ -z "$(on b get "$(cat empty.urn)" -o -)" ] || fail "nothing became something"

# A directory, with an empty one, a program and a strange name in it.
mkdir -p tree/below/empty && cp film tree/film && seq 1 1000 >'tree/below/a name' && printf '#!/bin/sh\n' >tree/run && chmod 755 tree/run
ln -s film tree/link
tree=$(on a put tree 2>left)
grep -q 'left out tree/link' left || fail "the link was not mentioned: $(cat left)"
on c get "$tree" -o copy/ 2>/dev/null
rm tree/link && diff -r tree copy && [ -x copy/run ] && [ ! -x copy/film ] || fail "the directory came out otherwise"
refused 'not an empty directory' on c get "$tree" -o copy/
refused 'the content is no directory' on c get "$film" -o other/

# The receiver is killed in the midst of a get, which goes on after a restart with what had come.
head -c 40000000 /dev/urandom >large
large=$(on a --json put large)
large=$(value "$large" content)
before=$(number "$(on c --json block stat)" commits)
mkfifo pipe
on c get "$large" -o - >pipe 2>/dev/null & getter=$!
exec 3<pipe
head -c 1000000 <&3 >/dev/null
for _ in $(seq 200); do # until a part of it is on disk
  now=$(number "$(on c --json block stat)" commits)
  [ "$now" -gt "$before" ] && break
  sleep 0.1
done
[ "$now" -gt "$before" ] || fail "what was fetched is not on disk"
kill -9 "${nodes[2]}"
wait "${nodes[2]}" 2>/dev/null || true
exec 3<&-
if wait $getter; then fail "the get of a dead node succeeded"; fi
started c
until_says '"members": 3' on c --json block stat
until_says '"connected": true' on c --json peers
said=$(on c --json get "$large" -o large.c)
cmp large large.c
[ "$(number "$said" blocks_local)" -gt 0 ] || fail "nothing was left of what had been fetched: $said"
[ "$(number "$said" blocks_fetched)" -gt 0 ] || fail "nothing was fetched: $said"

# A get that is interrupted leaves no file, and the node goes on.
interrupted=$(on a put c/data/blocks.db --private)
"$hanse" --socket c/data/control.sock get "$interrupted" -o interrupted 2>/dev/null & getter=$!
kill -TERM $getter || true
wait $getter || true
[ ! -e interrupted.part ] || fail "an interrupted get left a part"
on c block stat >/dev/null

# What a node stores.
[[ $(on a block stat) == *lab* ]] || fail "stat does not name the domain"
[ "$(on a block ls | wc -l)" = "$(number "$(on a --json block stat)" blocks)" ] || fail "ls and stat differ"
[[ $(on a block gc) == 'leases ended: 0' ]] || fail "gc"
[[ $(on a block verify) == *' 0 damaged' ]] || fail "verify"

# What does not exist is refused in clear words.
refused 'begins with urn:eris:' on a get urn:eris:x -o x
refused 'no domain called laboratory is known here' on a put film --domain laboratory
refused 'such as 7d' on a put film --lease soon
pigeon=$(domain pigeon --protocol storage=carrier-pigeon/1)
refused 'carrier-pigeon' on c domain join "$pigeon"
mistyped=$(domain mistyped --protocol storage=blocks/1 --parameter storage.windw_max=5)
refused 'there is no parameter windw_max' on c domain join "$mistyped"
echo "blocks: a file, a directory, pipes, replicas, a killed receiver: right"
