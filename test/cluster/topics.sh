#!/usr/bin/env bash
# Topics by the command line, in three real nodes of one domain: the lines of docs/topics.md, order, history, tags, who
# may publish, an unknown protocol. Usage: topics.sh HANSE
. "$(dirname "${BASH_SOURCE[0]}")/nodes.bash"
new_nodes '' a b c
ticket=$(value "$(cat a/ready)" ticket)
for n in b c; do on "$n" add "$ticket" >/dev/null; done

lab=$(new_domain lab)
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
pigeon=$(new_domain pigeon --protocol dissemination=carrier-pigeon/1)
refused 'carrier-pigeon' on c domain join "$pigeon"
tree=$(new_domain tree --protocol dissemination=plumtree/1 --parameter dissemination.activ=5)
refused 'there is no parameter activ' on c domain join "$tree"
echo "topics: 53 events, their order, history, tags, permissions, a restart: right"
