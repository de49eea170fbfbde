#!/usr/bin/env bash
# A real plug-in in a node of the program, and plug-ins that must be refused in clear words. Usage: plugin.sh HANSE PLUGIN.so
set -euo pipefail
hanse=$1 plugin=$2
work=$(mktemp -d) && trap '[ -z "${node:-}" ] || kill $node; rm -rf "$work"' EXIT
cd "$work"
"$hanse" node init n --no-passphrase --name n >/dev/null

config() { # config PLUGINS: a node with these plug-ins and an engine of the type tally
  cat >n/with_plugin.json <<JSON
{"name": "n", "key_file": "node.key", "listen": ["tls://127.0.0.1:0"], "plugins": [$1],
 "engines": [{"name": "tally", "type": "tally"}]}
JSON
}

refused() { # refused FILE WORDS…: the node does not start, and says these words
  local file=$1; shift
  config "\"$file\""
  if timeout 30 "$hanse" node run n/with_plugin.json >out 2>err; then echo "$file was not refused"; exit 1; fi
  cat err
  for words in "$@"; do grep -qF -- "$words" err || { echo "it does not say: $words"; exit 1; }; done
}

altered() { LC_ALL=C sed "s/$1/$2/" "$plugin" >"$work/$3" && ! cmp -s "$plugin" "$work/$3"; }
version=$(LC_ALL=C grep -a -o '^hanse=[0-9.]*' "$plugin" | head -1)
altered "^$version\$" "$(tr 0-9 9 <<<"$version")" version.so
refused "$work/version.so" version.so "it was built for Hanse 9.9.9" "this program for ${version#hanse=}" "build the plug-in again"
altered '^caf=\([0-9]*\)$' 'caf=9999' caf.so
refused "$work/caf.so" "it was built for CAF 9999"
altered '^compiler_abi=1' 'compiler_abi=9' abi.so
refused "$work/abi.so" "a compiler with the C++ ABI 9"
altered '^headers=........' 'headers=00000000' headers.so
refused "$work/headers.so" "headers of Hanse with the hash 00000000"
refused "$work/nowhere.so" nowhere.so "No such file"
refused "$work/n/config.json" "this is no plug-in of Hanse"
cp "$plugin" first.so && cp "$plugin" second.so
config '"../first.so", "../second.so"'
if timeout 30 "$hanse" node run n/with_plugin.json >out 2>err; then echo "taken type ids were not refused"; exit 1; fi
cat err
grep -q "is already that of" err

config "\"$plugin\""
"$hanse" --json node run n/with_plugin.json >ready 2>log &
node=$!
for _ in $(seq 300); do grep -q ready ready && break; kill -0 $node || { cat log; exit 1; }; sleep 0.1; done
export HANSE_SOCKET=$work/n/data/control.sock
ask() { "$hanse" send tally --protocol tally/1.0 --body "$1" --expect-reply 2>/dev/null; }
[ "$(ask '["note", {"what": "apples", "many": 3}]')" = '[3]' ] || [ "$(ask '["note", ["apples", 3]]')" = '[3]' ]
ask '["note", ["pears", 2]]'
ask '["all"]' | tee all
grep -q apples all && grep -q pears all
"$hanse" engines
"$hanse" node stop >/dev/null
wait $node
node=
