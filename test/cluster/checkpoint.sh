#!/usr/bin/env bash
# Checkpoints by the command line, in three real nodes: the owner signs, members drop payloads, a newcomer takes the archive
# instead of blocks, and again what came later; other keys, a group as owner, a restart. Usage: checkpoint.sh HANSE
. "$(dirname "${BASH_SOURCE[0]}")/nodes.bash"
new_nodes '' a b
ticket=$(value "$(cat a/ready)" ticket)
on b add "$ticket" >/dev/null
lab=$(new_domain lab --parameter membership.archive_blocks=20)
on a domain publish lab.json >/dev/null
on b domain join "$lab" >/dev/null
state() { value "$(on "$1" --json domain status lab)" state; }
same_state() { # same_state NODE: as at a, at most 60 s
  for _ in $(seq 600); do [ "$(state a)" = "$(state "$1")" ] && return; sleep 0.1; done
  fail "$1 has another state: $(on "$1" domain status lab); a: $(on a domain status lab)"
}
for i in $(seq 40); do on a domain put lab "key$((i % 4))" "$i" >/dev/null; done
same_state b

# Not by another key. By the owner's: replaced values lose their payload, here and at the other member.
"$hanse" id new --no-passphrase --out other.key >/dev/null
refused wrong_signer on a domain checkpoint lab --key other.key
says 'checkpoint     1, of ' on a domain checkpoint lab --key lab.key --replicas 1
for n in a b; do until_says '"dropped": 36' on $n --json domain status lab; done
same_state b

# Who comes now takes the archive, then what is newer, and writes like any other.
on a domain put lab colour red >/dev/null
new_nodes '' c
on c add "$ticket" >/dev/null
on c domain join "$lab" >/dev/null
until_says '"archives_taken": 1' on c --json domain status lab
same_state c
says '1 taken, 0 failed' on c domain status lab
says '36 without payload' on c domain status lab
on c domain put lab colour blue >/dev/null
same_state c

# The next one, at the newcomer; restarts change nothing.
says 'checkpoint     2, of ' on c domain checkpoint lab --key lab.key
until_says 'checkpoint     2, of ' on a domain status lab
before=$(state c)
on c node stop >/dev/null
started c
until_says 'checkpoint     2, of ' on c domain status lab
[ "$(state c)" = "$before" ] || fail "another state after a restart"
same_state c

# A group as owner.
one=$(value "$("$hanse" --json id new --no-passphrase --out one.key)" identity)
two=$(value "$("$hanse" --json id new --no-passphrase --out two.key)" identity)
"$hanse" id group --threshold 2 "$one" "$two" --out board.json >/dev/null
"$hanse" domain create --owner board.json --name duo --introducer "$ticket" --out duo.json >/dev/null
for k in one two; do "$hanse" domain sign duo.json --key $k.key >/dev/null; done
on a domain publish duo.json >/dev/null
refused threshold_not_met on a domain checkpoint duo --owner board.json --key one.key
says 'checkpoint     1, of ' on a domain checkpoint duo --owner board.json --key one.key --key two.key
echo "checkpoints: signed, dropped, archived, taken by a newcomer, the next, a restart, a group: right"
