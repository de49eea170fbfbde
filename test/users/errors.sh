#!/usr/bin/env bash
# Makes the mistakes of docs/errors.md for real, and checks that the program says what stands there.
# Usage: errors.sh HANSE [--show]   --show prints what each mistake is answered with, and checks nothing
set -euo pipefail
hanse=$1 show=${2:-}
table=$(cd "$(dirname "$0")/../.." && pwd)/docs/errors.md
work=$(mktemp -d) nodes=()
export HANSE_SOCKET= HANSE_PASSPHRASE=
unset HANSE_SOCKET HANSE_PASSPHRASE
clean() {
  for n in "${nodes[@]}"; do kill "$n" 2>/dev/null || true; done
  ! mountpoint -q "$work/full" 2>/dev/null || umount "$work/full"
  rm -rf "$work"
}
trap clean EXIT
cd "$work"
tried=0 failed=0 seen=()

# mistake NAME COMMAND…: the command has to fail, and to say each `text` of its row in the table.
mistake() {
  local name=$1 status=0 said text row
  shift
  said=$(timeout 40 "$@" 2>&1 </dev/null) || status=$?
  said=${said//$work\//}
  tried=$((tried + 1)) seen+=("$name")
  if [ "$show" ]; then printf -- '--- %s (status %s)\n%s\n' "$name" "$status" "$said"; return; fi
  row=$(grep -F "| $name |" "$table") || { echo "docs/errors.md has no row for: $name"; failed=$((failed + 1)); return; }
  [ "$status" != 0 ] && [ "$status" != 124 ] || { echo "$name: exit status $status"; failed=$((failed + 1)); }
  while IFS= read -r text; do
    text=${text//\\|/|}
    [[ $said == *"$text"* ]] || { printf '%s: does not say: %s\nbut: %s\n' "$name" "$text" "$said"; failed=$((failed + 1)); }
  done < <(cut -d'|' -f3 <<<"$row" | grep -o '`[^`]*`' | tr -d '`')
}

new_node() { "$hanse" node init "$1" --no-passphrase --name "$1" "${@:2}" >/dev/null; }
config() { cat >"$1/config.json"; }  # config NODE <<JSON
started() { # started NODE: runs it and waits until it is ready
  "$hanse" --json node run "$1/config.json" >"$1/ready" 2>"$1/log" &
  nodes+=($!)
  for _ in $(seq 300); do grep -q ready "$1/ready" && return; kill -0 $! || { cat "$1/log"; exit 1; }; sleep 0.1; done
}
value() { grep -o "\"$2\": *\"[^\"]*\"" <<<"$1" | head -1 | cut -d'"' -f4; }

# Keys and passphrases.
new_node keys
chmod 644 keys/node.key
mistake "the key is readable by others" "$hanse" node run keys/config.json
rm keys/node.key
mistake "the key is missing" "$hanse" node run keys/config.json
printf 'right\n' >right && printf 'wrong\n' >wrong && chmod 600 right wrong
"$hanse" id new --out keys/node.key --passphrase-file right >/dev/null
mistake "wrong passphrase" env HANSE_PASSPHRASE=wrong "$hanse" node run keys/config.json
mistake "no terminal to ask for the passphrase" setsid "$hanse" node run keys/config.json
chmod 644 right
mistake "the passphrase file is readable by others" "$hanse" id new --out other.key --passphrase-file right
printf 'not a key\n' >bad.key && chmod 600 bad.key
mistake "the key file is something else" "$hanse" id show bad.key
mistake "the file is there already" "$hanse" id new --no-passphrase --out bad.key
mistake "the node is there already" "$hanse" node init keys --no-passphrase

# Configuration.
new_node c
mistake "no configuration" "$hanse" node run nowhere/config.json
config c <<<'{"name": "c", "key_file": "node.key", "listn": []}'
mistake "a key that does not exist" "$hanse" node run c/config.json
config c <<<'{"name": "c", "key_file": "node.key",}'
mistake "broken JSON" "$hanse" node run c/config.json
config c <<<'{"name": "c", "key_file": "node.key", "allow_private": "yes"}'
mistake "a value of the wrong type" "$hanse" node run c/config.json
config c <<<'{"name": "c", "key_file": "node.key", "listen": ["127.0.0.1:7480"]}'
mistake "an address without a scheme" "$hanse" node run c/config.json
config c <<<'{"name": "c", "key_file": "node.key", "listen": ["tls://0.0.0.0:0"]}'
mistake "listening on all addresses" "$hanse" node run c/config.json
config c <<<'{"name": "c", "key_file": "node.key", "listen": ["tls://9.9.9.9:0"]}'
mistake "an address of another machine" "$hanse" node run c/config.json
config c <<<'{"name": "c", "key_file": "node.key", "engines": [{"name": "e", "type": "calculater"}]}'
mistake "an unknown engine type" "$hanse" node run c/config.json
config c <<<'{"name": "c", "key_file": "node.key", "engines": [{"name": "e", "type": "echo"}, {"name": "e", "type": "echo"}]}'
mistake "two engines of one name" "$hanse" node run c/config.json
config c <<<'{"name": "c", "key_file": "node.key", "peers": ["hticket1qqqq"]}'
mistake "a peer that is no ticket" "$hanse" node run c/config.json
config c <<<'{"name": "c", "key_file": "node.key", "plugins": ["mine.so"]}'
mistake "a missing plug-in" "$hanse" node run c/config.json
cp /bin/true c/mine.so
mistake "a plug-in that is none" "$hanse" node run c/config.json

# State on disk.
config c <<<'{"name": "c", "key_file": "node.key"}'
mkdir -p c/data && chmod 755 c/data
mistake "the data directory is open to others" "$hanse" node run c/config.json
chmod 700 c/data && printf 'garbage, not a database, and more of it\n' >c/data/node.db && chmod 600 c/data/node.db
mistake "a damaged database" "$hanse" node run c/config.json
rm -rf c/data
mkdir full
if mount -t tmpfs -o size=64k tmpfs full 2>/dev/null; then
  dd if=/dev/zero of=full/ballast bs=1k count=64 2>/dev/null || true
  config c <<<"{\"name\": \"c\", \"key_file\": \"node.key\", \"data_dir\": \"$work/full/data\"}"
  mistake "the disk is full" "$hanse" node run c/config.json
  umount full
else
  echo "not tried, as it takes root: the disk is full"
fi

# A running node.
new_node a && new_node b
started a
a=$(cat a/ready)
port=$(grep -o 'tls://127.0.0.1:[0-9]*' a/ready | head -1)
mistake "no node is running" "$hanse" --socket b/data/control.sock node status
mistake "the node runs already" "$hanse" node run a/config.json
new_node d --listen "$port"
mistake "the port is in use" "$hanse" node run d/config.json
export HANSE_SOCKET=a/data/control.sock
ticket=$(value "$a" ticket)
mistake "the node's own ticket" "$hanse" add "$ticket"
mistake "a mistyped ticket" "$hanse" add "${ticket:0:40}q${ticket:41}q"
mistake "something else than a ticket" "$hanse" add "$(value "$a" identity)"
mistake "an unknown name" "$hanse" send nobody --protocol echo/1.0 --body '["hi"]' --expect-reply
mistake "an identity that nobody knows" "$hanse" send "$("$hanse" --json id new --no-passphrase --out x.key | grep -o 'hk1[a-z0-9]*' | head -1)" --protocol echo/1.0 --body '["hi"]' --expect-reply
mistake "a mistyped identity" "$hanse" ping "$(value "$a" identity | sed 's/^\(.\{20\}\)\(.*\)\(.\)$/\1\3\2/')"
mistake "a protocol that the engine does not speak" "$hanse" send echo --protocol calculator/1.0 --body '["hi"]' --expect-reply
mistake "a newer protocol version" "$hanse" send echo --protocol echo/2.0 --body '["hi"]' --expect-reply
mistake "a body that fits no handler" "$hanse" send echo --protocol echo/1.0 --body '[1, 2, 3]' --expect-reply
mistake "a body that is no list" "$hanse" send echo --protocol echo/1.0 --body 'hi' --expect-reply
mistake "an unknown topic" "$hanse" pub weather --body '["x"]'
mistake "an event that is no list" "$hanse" pub weather --body x
mistake "a subscription to nothing" "$hanse" sub
mistake "a topic in a domain that nobody knows" "$hanse" topic create --key a/node.key --domain lab
mistake "content without a domain" "$hanse" put right
mistake "content in a domain that nobody knows" "$hanse" put right --domain lab
mistake "a capability that is none" "$hanse" get urn:eris:abc -o x.out
mistake "a lease that is no time" "$hanse" put right --lease soon
mistake "a file to put that is not there" "$hanse" put nothing.txt
mistake "an unknown type at run time" "$hanse" engine spawn e --type calculater
mistake "an unknown command" "$hanse" engin
mistake "a missing argument" "$hanse" send echo
started b
"$hanse" add "$(value "$(cat b/ready)" ticket)" >/dev/null
"$hanse" ping b >/dev/null || true
kill -9 "${nodes[-1]}" && wait "${nodes[-1]}" 2>/dev/null || true
mistake "the other node is down" "$hanse" ping b --timeout 3000
cat >cluster.json <<<'{"name": "x", "nodes": [{"name": "a"}], "steps": [{"do": "cal"}]}'
mistake "watching a node that does not run" "$hanse" top --interval 0.2 --socket nowhere/control.sock
mistake "watching a directory without nodes" "$hanse" top --cluster keys
mistake "the dashboard's port is in use" "$hanse" dashboard --port "${port##*:}"
mistake "a wrong scenario" "$hanse" cluster run cluster.json

[ -z "$show" ] || exit 0
all_seen=$(printf '%s\n' "${seen[@]}") # no pipe into grep -q: it ends early, and pipefail would take that for a miss
while IFS= read -r name; do # every row that has a text is tried
  case " $name " in *" the disk is full "*) continue ;; esac
  grep -qxF "$name" <<<"$all_seen" || { echo "docs/errors.md has a row that nothing tries: $name"; failed=$((failed + 1)); }
done < <(grep '^| ' "$table" | sed '1d' | grep '`' | cut -d'|' -f2 | sed 's/^ *//; s/ *$//' | grep -v '^mistake$')
echo "$tried mistakes tried, $failed wrong"
[ "$failed" = 0 ]
