#!/usr/bin/env bash
# The archive of a topic, in three real nodes: one keeps the topic, all are stopped, and one that comes later reads what
# was published before from the keeper's blocks. Usage: topic_archive.sh HANSE
. "$(dirname "${BASH_SOURCE[0]}")/nodes.bash"
new_nodes '' a b c
joined_lab a b c
"$hanse" id new --no-passphrase --out news.key >/dev/null
on a topic create --key news.key --domain lab --name news >/dev/null
for n in b c; do until_says news on $n topic list; done

on a topic keep news >/dev/null
until_says '"joined": true' on a --json topic show news
seq 1 1500 | sed 's/.*/["line", &]/' | on b pub news --stdin
until_says '"delivered": 1500' on a --json topic show news
segments=$(number "$(on a --json topic show news)" segments)
[ "$segments" -ge 1 ] || fail "nothing is archived: $(on a --json topic show news)"
for n in a b c; do on $n node stop >/dev/null; done
for n in a b c; do started $n; done
for n in b c; do on $n add "$(value "$(cat a/ready)" ticket)" >/dev/null; done # its port is another one
until_says '"joined": true' on a --json topic show news
says '"events": 1500' on a --json topic show news

# All of it, at a node that never took part; then what comes now.
timeout 60 "$hanse" --socket c/data/control.sock --json sub news --history 100000 --count 1501 >c.events & sub=$!
nodes+=($sub)
until_says '["line",1500]' cat c.events
on b pub news --body '["now"]'
wait $sub || fail "not all came: $(wc -l <c.events) events"
[ "$(grep -o '"line",[0-9]*' c.events | cut -d, -f2)" = "$(seq 1 1500)" ] || fail "c's lines are not in order"
[[ $(tail -1 c.events) == *'["now"]'* ]] || fail "the last one is $(tail -1 c.events)"
# The latest few, at every node; the node that joined last has one of them at hand.
for n in a b c; do
  timeout 60 "$hanse" --socket $n/data/control.sock sub news --history 3 --count 3 >history || fail "no history at $n"
  [ "$(cut -d' ' -f3- history)" = '["line",1499]
["line",1500]
["now"]' ] || fail "history at $n: $(cat history)"
done
# Its blocks are the domain's: verified, and gone from the list when it is no longer kept.
says '0 damaged' on a block verify
on a topic keep news --end >/dev/null
says '"archive": null' on a --json topic show news
echo "topic archive: 1500 events in $segments segments and more, read after all nodes were stopped: right"
