#!/usr/bin/env bash
# Runs the commands of docs/watching.md as they stand there, against two nodes. Usage: watching.sh HANSE
set -euo pipefail
hanse=$1
document=$(cd "$(dirname "$0")/../.." && pwd)/docs/watching.md
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
mkdir "$work/bin" && ln -s "$hanse" "$work/bin/hanse" && export PATH=$work/bin:$PATH
cd "$work"
unset HANSE_PASSPHRASE
export HANSE_SOCKET=alice/data/control.sock
fail() { echo "$*" >&2; exit 1; }
until_says() { # until_says FILE TEXT: at most 30 s
  for _ in $(seq 300); do [[ $(cat "$1") == *"$2"* ]] && return; sleep 0.1; done
  fail "$1 does not say $2: $(cat "$1")"
}
for name in alice bob; do
  hanse node init $name --no-passphrase >/dev/null
  hanse node run $name/config.json >$name.log 2>&1 &
  until_says $name.log ready
done
hanse add "$(grep -o 'hticket1[a-z0-9]*' bob.log)" >/dev/null

mapfile -t lines < <(sed -n '/^```sh$/,/^```$/p' "$document" | grep '^hanse')
[ "${#lines[@]}" = 4 ] || fail "not 4 commands but ${#lines[@]}"
for line in "${lines[@]}"; do
  echo "\$ $line"
  case $line in
    *dashboard*)
      eval "exec $line >said 2>&1 &" # exec: what is to be ended is the program itself
      dashboard=$!
      until_says said http://
      url=$(grep -o 'http://[^ ]*' said) port=$(sed 's#.*:\([0-9]*\)/.*#\1#' said | head -1) ;;
    *) eval "$line" >said </dev/null ;;
  esac
  cat said
  case $line in
    *--json*) grep -q '"interval_ms": [0-9]' said && grep -q '"name": "alice"' said ;;
    *top*) grep -q '^NODE' said && grep -q '^alice' said ;;
  esac
done

get() { # get PATH: the reply, by bash alone
  exec 3<>"/dev/tcp/127.0.0.1/$port"
  printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$1" "$port" >&3
  timeout 20 cat <&3
  exec 3>&-
}
path=/${url#http://*/}
[[ $(get "$path") == "HTTP/1.1 200"*"<title>Hanse dashboard</title>"* ]] || fail "no page at $path"
[[ $(get "${path}api/now") == *'"name":"alice"'*'"name":"bob"'* ]] || fail "not both nodes"
[[ $(get /api/now) == "HTTP/1.1 403"* ]] || fail "let in without the token"

# What a message leaves: a trace at both nodes, and counts on the link between them.
sent=$(hanse --json send bob/echo --protocol echo/1.0 --body '["hi"]' --expect-reply)
trace=$(grep -o '"trace": "[0-9a-f]*"' <<<"$sent" | cut -d'"' -f4)
[[ $(get "${path}api/traces") == *"$trace"* ]] || fail "the trace is not listed"
steps=$(get "${path}api/trace?id=$trace")
[[ $steps == *'"event":"post"'*'"event":"deliver"'*'"event":"reply"'* ]] || fail "not the message's path: $steps"
[[ $steps == *'"node_name":"bob"'* ]] || fail "nothing of bob's in: $steps"
for _ in $(seq 100); do # links measure each second
  link=$(get "${path}api/now" | grep -o '"links":\[[^]]*\]' | head -1)
  [[ $link =~ \"messages_out\":\{\"per_s\":[0-9.e+]+,\"total\":[1-9] ]] && break
  sleep 0.1
done
[[ $link =~ \"messages_out\":\{\"per_s\":[0-9.e+]+,\"total\":[1-9] ]] || fail "the message is not counted: $link"
kill -INT $dashboard
wait $dashboard || fail "Ctrl-C: status $?"
echo "watching: the commands of docs/watching.md do what it says"
