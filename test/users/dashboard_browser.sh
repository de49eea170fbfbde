#!/usr/bin/env bash
# The dashboard in a headless Chromium, with a node behind it: its scripts run without an error and fill the page. How it
# looks has to be looked at: --screenshot FILE.png writes a picture. Usage: dashboard_browser.sh HANSE [--screenshot FILE]
set -euo pipefail
hanse=$1
picture=${3:-}
command -v chromium >/dev/null || { echo "not tried: chromium is not here (Debian: apt install chromium)"; exit 77; }
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
unset HANSE_SOCKET HANSE_PASSPHRASE
fail() { echo "$*" >&2; exit 1; }
until_says() { # until_says FILE TEXT: at most 30 s
  for _ in $(seq 300); do [[ $(cat "$1") == *"$2"* ]] && return; sleep 0.1; done
  fail "$1 does not say $2: $(cat "$1")"
}
"$hanse" node init alice --no-passphrase >/dev/null
"$hanse" node run alice/config.json >log 2>&1 &
until_says log ready
"$hanse" dashboard --socket alice/data/control.sock >said 2>&1 &
until_says said http://
url=$(grep -o 'http://[^ ]*' said)
browse() { # no sandbox: tests may run as root; the page is ours
  timeout 60 chromium --headless=new --no-sandbox --disable-gpu --user-data-dir="$work/profile" --virtual-time-budget=4000 \
    --enable-logging=stderr --v=0 "$@" "$url" 2>console
}
browse --dump-dom | sed "/<script/,\$d" >dom # what the scripts made, not their text
for part in '>alice<' '1 node ·' 'echo' 'the watched nodes know no domain' 'nothing was dropped' 'No traced message so far'; do
  [[ $(cat dom) == *"$part"* ]] || { cat dom; fail "the page does not show: $part"; }
done
if grep 'CONSOLE' console; then fail "the page's scripts complain"; fi
[ -z "$picture" ] || browse --window-size=1400,2400 --screenshot="$picture" >/dev/null
echo "dashboard: the page fills, and its scripts do not complain"
