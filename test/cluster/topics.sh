#!/usr/bin/env bash
# Topics by the command line, in three real nodes of one domain: the lines of docs/topics.md, order, history, tags, who
# may publish, an unknown protocol. Usage: topics.sh HANSE
. "$(dirname "${BASH_SOURCE[0]}")/nodes.bash"
new_nodes '' a b
new_nodes ', "testing": true' c
joined_lab a b c

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
pigeon=$(new_domain pigeon --protocol dissemination=carrier-pigeon/1)
refused 'carrier-pigeon' on c domain join "$pigeon"
tree=$(new_domain tree --protocol dissemination=plumtree/1 --parameter dissemination.activ=5)
refused 'there is no parameter activ' on c domain join "$tree"

# Who may publish, of events that come from others: c lies, along a chain a - b - c, as it has banned a. What it may still
# send comes to a through b; what it may not is dropped and counted by b, and goes no further.
grove=$(new_domain grove --protocol dissemination=plumtree/1)
on a domain publish grove.json >/dev/null
for n in b c; do on $n domain join "$grove" >/dev/null; done
for n in a b c; do until_says '"members": 3' on $n --json domain status grove; done
leaves() { on a topic create --key leaves.key --domain grove --name leaves "$@" >/dev/null; }
"$hanse" id new --no-passphrase --out leaves.key >/dev/null
leaves
for n in a b c; do
  until_says leaves on $n topic list
  on $n sub leaves --json >$n.leaves & nodes+=($!)
done
for n in a b c; do until_says '"joined": true' on $n --json topic show leaves; done
on c trust a 0 >/dev/null
until_says '"links": 1' on c --json node status
refused '"testing": true' on b inject unauthorised_event leaves
says 'sent 1' on c inject unauthorised_event leaves
until_says forged cat a.leaves
until_says forged cat b.leaves
says '"unauthorised": 0' on b --json topic show leaves
leaves --publisher "$(value "$(cat a/ready)" identity)" --publisher "$(value "$(cat b/ready)" identity)"
until_says "\"version\": $(number "$(on a --json topic show leaves)" version)" on b --json topic show leaves
denied() { number "$(on b --json counters)" permission_denied || echo 0; }
before=$(denied)
says 'sent 3' on c inject unauthorised_event leaves --count 3
until_says '"unauthorised": 3' on b --json topic show leaves
for _ in $(seq 600); do [ "$(denied)" -ge $((before + 3)) ] && break; sleep 0.1; done
[ "$(denied)" -ge $((before + 3)) ] || fail "not counted: $(on b --json counters)"
on b pub leaves --body '["last"]'
for n in a b; do until_says last cat $n.leaves; done
says '"unauthorised": 0' on a --json topic show leaves # they would have come before the last one
for n in a b; do [ "$(grep -c forged $n.leaves)" = 1 ] || fail "$n saw what nobody may publish: $(cat $n.leaves)"; done
echo "topics: 55 events, their order, history, tags, permissions here and elsewhere, a restart: right"
