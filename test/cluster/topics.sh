#!/usr/bin/env bash
# Topics by the command line, in three real nodes of one domain: the lines of docs/topics.md, order, history, tags, who
# may publish, an unknown protocol. Usage: topics.sh HANSE
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

domain() { # domain NAME OPTIONS…: makes one with a as introducer; prints its ticket
  "$hanse" id new --no-passphrase --out "$1.key" >/dev/null
  "$hanse" domain create --owner "$1.key" --name "$1" --introducer "$ticket" --out "$1.json" "${@:2}" >/dev/null
  value "$("$hanse" --json domain show "$1.json")" ticket
}
lab=$(domain lab)
on a domain publish lab.json >/dev/null
for n in b c; do on $n domain join "$lab" >/dev/null; done
for n in a b c; do until_says '"members": 3' on $n --json domain status; done

# Made at one node, known at all.
"$hanse" id new --no-passphrase --out news.key >/dev/null
on a topic create --key news.key --domain lab --name news --tag weather >/dev/null
for n in a b c; do until_says news on $n topic list; done
on b sub news --json >b.events & nodes+=($!)
on c sub --domain lab --tag weather >c.events & nodes+=($!)
for n in b c; do until_says '"joined": true' on $n --json topic show news; done

for n in b c; do
  [[ $(on $n --json topic show news | sed -n '/"eager"/,/]/p') == *hk1* ]] || fail "$n tells of nobody that events go to"
done

# Publishing; an answer never comes before its question, anywhere.
on a pub news --body '["question"]'
until_says question cat b.events
on b pub news --body '["answer"]'
seq 1 50 | sed 's/.*/["line", &]/' | on a pub news --stdin
until_says '["line",50]' cat b.events
until_says '["line",50]' cat c.events
[ "$(wc -l <b.events)" = 52 ] && [ "$(wc -l <c.events)" = 52 ] || fail "not 52 events each"
[ "$(grep -n question c.events | cut -d: -f1)" -lt "$(grep -n answer c.events | cut -d: -f1)" ] || fail "the answer came first"
[ "$(grep -o '"line",[0-9]*' b.events | cut -d, -f2)" = "$(seq 1 50)" ] || fail "b's lines are out of order"
on c sub news --history 3 --count 3 >history
[ "$(cut -d' ' -f3- history)" = '["line",48]
["line",49]
["line",50]' ] || fail "history: $(cat history)"

# Who may publish: refused at its own node, and counted.
on a topic create --key news.key --domain lab --name news --tag weather --publisher "$(value "$(cat a/ready)" identity)" >/dev/null
until_says '"hk1' on c --json topic show news
for _ in $(seq 100); do on c pub news --body '["forbidden"]' >/dev/null 2>&1 || break; sleep 0.1; done
refused permission_denied on c pub news --body '["forbidden"]'
until_says permission_denied on c --json counters
on a pub news --body '["allowed"]'
until_says allowed cat b.events

# After a restart a kept topic has what was published meanwhile.
on b topic keep news >/dev/null
on b node stop >/dev/null
on a pub news --body '["meanwhile"]'
started b
until_says '"joined": true' on b --json topic show news
timeout 20 "$hanse" --socket b/data/control.sock sub news --history 2 --count 2 >history || fail "no history after the restart"
[ "$(cut -d' ' -f3- history)" = '["allowed"]
["meanwhile"]' ] || fail "history after the restart: $(cat history)"

# What does not exist is refused in clear words.
refused 'no topic called weather is known here' on a pub weather --body '["x"]'
refused 'an event is a JSON list' on a pub news --body 'x'
pigeon=$(domain pigeon --protocol dissemination=carrier-pigeon/1)
refused 'carrier-pigeon' on c domain join "$pigeon"
tree=$(domain tree --protocol dissemination=plumtree/1 --parameter dissemination.activ=5)
refused 'there is no parameter activ' on c domain join "$tree"
echo "topics: 53 events, their order, history, tags, permissions, a restart: right"
