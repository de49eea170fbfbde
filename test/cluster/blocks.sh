#!/usr/bin/env bash
# Content by the command line, in three real nodes of one domain: files, directories and pipes in and out, replicas,
# kill -9 of the receiver in the midst of a get, which then goes on; what a node stores. Usage: blocks.sh HANSE
. "$(dirname "${BASH_SOURCE[0]}")/nodes.bash"
new_nodes '' a b c
ticket=$(value "$(cat a/ready)" ticket)
for n in b c; do on "$n" add "$ticket" >/dev/null; done
refused 'this node is in no domain' on a put c/config.json

lab=$(new_domain lab)
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
for _ in $(seq 300); do [ -e interrupted.part ] || [ -e interrupted ] && break; sleep 0.02; done # it runs
kill -TERM $getter || true
wait $getter || true
[ ! -e interrupted.part ] || fail "an interrupted get left a part"
on c block stat >/dev/null

# What a node stores.
[[ $(on a block stat) == *lab* ]] || fail "stat does not name the domain"
[ "$(on a block ls | wc -l)" = "$(number "$(on a --json block stat)" blocks)" ] || fail "ls and stat differ"
[[ $(on a block gc) == 'leases ended: 0' ]] || fail "gc"
[[ $(on a block verify) == *' 0 damaged' ]] || fail "verify"

# A node with a quota keeps no more, and says so.
new_nodes ', "blocks": {"quota_bytes": 1000000}' d
on d add "$ticket" >/dev/null
on d domain join "$lab" >/dev/null
until_says '"members": 4' on d --json block stat
on d put lines.urn >/dev/null
refused "the domain's quota" on d put film
says '976.6 KiB' on d block stat
[ "$(number "$(on d --json block stat)" quota_octets)" = 1000000 ] || fail "another quota"

# What does not exist is refused in clear words.
refused 'begins with urn:eris:' on a get urn:eris:x -o x
refused 'no domain called laboratory is known here' on a put film --domain laboratory
refused 'such as 7d' on a put film --lease soon
pigeon=$(new_domain pigeon --protocol storage=carrier-pigeon/1)
refused 'carrier-pigeon' on c domain join "$pigeon"
mistyped=$(new_domain mistyped --protocol storage=blocks/1 --parameter storage.windw_max=5)
refused 'there is no parameter windw_max' on c domain join "$mistyped"
echo "blocks: a file, a directory, pipes, replicas, a killed receiver: right"
