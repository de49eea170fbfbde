#!/usr/bin/env bash
# Two node processes that share no network: bundles lie in a directory of each, and this script is the courier. Requests
# and their replies, one-way messages, what is carried twice, tampered with, expired, or for somebody else; a crash.
# Usage: spool.sh HANSE
. "$(dirname "${BASH_SOURCE[0]}")/nodes.bash"
new_node() { # new_node NODE TYPE: an engine of that type, a spool, and no other way
  "$hanse" node init "$1" --no-passphrase --name "$1" >/dev/null
  printf '{"name": "%s", "key_file": "node.key", "schemes": ["spool"], "listen": ["spool://%s/spool-%s"],
    "spool": {"scan_ms": 100}, "engines": [{"name": "%s-%s", "type": "%s"}]}' "$1" "$PWD" "$1" "$1" "$2" "$2" >"$1/config.json"
  started "$1"
}
carry() { # carry FROM TO: all bundles, as a courier would who copies slowly and cannot rename
  local f
  for f in "spool-$1"/*.bundle; do
    [ -e "$f" ] || return 0
    [[ $f == *$(value "$(cat "$2/ready")" identity)* ]] || continue
    head -c 100 "$f" >"spool-$2/${f##*/}"
    cp "$f" "spool-$2/${f##*/}"
    cp "$f" carried/
  done
}
carrying() { while sleep 0.1; do carry a b; carry b a; done; }
count() { number "$(on "$1" --json counters)" "$2" || echo 0; }
until_counts() { # until_counts NODE COUNTER AT_LEAST
  for _ in $(seq 600); do [ "$(count "$1" "$2")" -ge "$3" ] && return; sleep 0.1; done
  fail "$1 did not count $2: $(on "$1" --json counters)"
}
mkdir carried
new_node a echo
new_node b calculator
on a add "$(value "$(cat b/ready)" ticket)" >/dev/null
any='--any-security --timeout 3600000'

# Bundles are chosen for what can wait and needs no forward secrecy, and `why` says so.
refused 'only a bundle reaches it' on a send b --protocol hanse.node/1.0 --body '["ping"]' --any-security --timeout 5000
refused 'without forward secrecy' on a send b --protocol hanse.node/1.0 --body '["ping"]' --timeout 3600000
says 'spool' on a why b $any
carrying & nodes+=($!)

# b's node answers, and its adverts come along: a knows b's engine then, and b knows a.
says pong on a send b --protocol hanse.node/1.0 --body '["ping"]' --expect-reply $any
until_says b-calculator on a --json engines
says 7 on a send b-calculator --protocol calculator/1.0 --body '["add", 3, 4]' --expect-reply $any
says 7 on a send b-calculator --protocol calculator/1.0 --body '["add", 3, 4]' --expect-reply --from a-echo $any
says hello on b send a-echo --protocol echo/1.0 --body '["hello"]' --expect-reply $any
refused 'does not wait for a courier' on a send b-calculator --protocol calculator/1.0 --body '["add", 3, 4]' --reliable $any
kill "${nodes[-1]}"; wait "${nodes[-1]}" 2>/dev/null || true
[ -z "$(ls spool-a spool-b | grep -F "$(value "$(cat b/ready)" identity)" | sort | uniq -d)" ] || fail "taken bundles stay"

# What comes again is dropped, also after a crash.
delivered=$(count b delivered)
replayed=$(count b replayed)
b=$(value "$(cat b/ready)" identity)
cp carried/"$b"* spool-b/
until_counts b replayed $((replayed + 3))
kill -9 "${nodes[1]}"; wait "${nodes[1]}" 2>/dev/null || true
started b
cp carried/"$b"* spool-b/
until_counts b replayed 3
[ "$(count b delivered)" = 0 ] || fail "delivered again: $(on b --json counters)"

# Tampered with: the file does not fit its name and is left alone, counted once; a name that fits is no help.
rm -f spool-a/* spool-b/*
on a send b-calculator --protocol calculator/1.0 --body '["add", 1, 1]' $any >/dev/null
for _ in $(seq 600); do ls spool-a/*.bundle >/dev/null 2>&1 && break; sleep 0.1; done
f=$(basename spool-a/*.bundle)
[ "$(on a spool ls | tail -n +2 | wc -l)" = 1 ] || fail "not one bundle: $(on a spool ls)"
says "$f" on a spool ls
[ "$(value "$(on a --json spool ls)" recipient)" = "$b" ] || fail "for whom: $(on a --json spool ls)"
[ "$(number "$(on a --json spool ls)" octets)" = "$(wc -c <"spool-a/$f")" ] || fail "its size: $(on a --json spool ls)"
{ head -c 300 "spool-a/$f"; printf 'x'; tail -c +302 "spool-a/$f"; } >bad
cp bad "spool-b/$f"
until_counts b bad_checksum 1
sleep 0.5
[ "$(count b bad_checksum)" = 1 ] || fail "counted at every scan: $(on b --json counters)"
[ -e "spool-b/$f" ] || fail "what is being copied was removed"
cp "spool-a/$f" "spool-b/$f"
until_counts b delivered 1
# Expired, by its name; not for b.
expired=${f%%.*}.0$(cut -d. -f2 <<<"$f" | cut -c3-)0.$(cut -d. -f3- <<<"$f")
cp "spool-a/$f" "spool-b/${f%%.*}.00000000001.$(cut -d. -f3- <<<"$f")"
until_counts b expired 1
a=$(value "$(cat a/ready)" identity)
cp "carried/$(ls carried | grep "^$a" | head -1)" spool-b/
sleep 0.5
[ -e spool-b/"$a"* ] || fail "somebody else's bundle was removed"

# What was sent last is written when the node ends.
rm -f spool-a/*
on a send b-calculator --protocol calculator/1.0 --body '["add", 2, 2]' $any >/dev/null
on a node stop >/dev/null
ls spool-a/*.bundle >/dev/null || fail "what was sent before the end is gone"
carry a b
until_counts b delivered 2
echo "spool: requests and replies by files, replays, a crash, tampering, expiry: right"
