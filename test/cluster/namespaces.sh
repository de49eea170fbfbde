#!/usr/bin/env bash
# Clusters in network namespaces: apps/scenarios/partition.json as it stands; what is left of a runner that ends, fails, is
# interrupted or killed; the machine's own network; what happens without root. Usage: namespaces.sh HANSE
# Skipped (77) where namespaces cannot be made.
set -euo pipefail
hanse=$1
scenarios=$(cd "$(dirname "$0")/../../apps/scenarios" && pwd)
PATH=$PATH:/usr/sbin:/sbin
skip() { echo "skipped: $*" >&2; exit 77; }
fail() { echo "$*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || skip "not root"
for tool in ip tc; do command -v $tool >/dev/null || skip "no $tool (install iproute2)"; done
probe=hanse-probe-$$
said=$(ip netns add $probe 2>&1) || skip "no network namespaces here: $said"
ip netns del $probe
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

host() { ip -o route; ip -o -6 route; ip -o address | sed 's/ *valid_lft.*//'; ip -br link | cut -d' ' -f1; }
# Namespaces of runner $1: those of others that run at once are no business of ours.
networks() { ip netns list | { grep -c "^hanse-cluster-$1\(-\| \|$\)" || true; }; }
gone() { # gone PID: its namespaces, at most 10 s
  for _ in $(seq 100); do [ "$(networks "$1")" = 0 ] && return; sleep 0.1; done
  fail "namespaces of $1 are left: $(ip netns list)"
}
detail() { grep -A1 "\"detail\": " report.json | grep -B1 "\"do\": \"$1\"" | grep -o '"detail": ".*"'; }
p50_ms() { grep -o 'p50 [0-9.]* [a-zµ]*' <<<"$1" | awk '{print int($3 == "s" ? $2 * 1000 : $3 == "ms" ? $2 : 0)}'; }
before=$(host)

# The scenario. Calls there and back take 40 ms, over the slow link 100 ms, unless links cannot be shaped here.
"$hanse" cluster run "$scenarios/partition.json" --report report.json --logs logs >said 2>&1 &
runner=$!
wait $runner || { cat said >&2; fail "the partition scenario failed"; }
cat said
grep -q '"kind": "namespaces"' report.json || fail "not in namespaces"
gone $runner
mapfile -t loads < <(detail load)
[ ${#loads[@]} = 3 ] || fail "not three loads: ${loads[*]}"
[ "$(p50_ms "${loads[0]}")" -ge 40 ] || fail "no latency: ${loads[0]}"
[ "$(p50_ms "${loads[2]}")" -ge 100 ] || fail "the slow link is not slow: ${loads[2]}"
[ "$(host)" = "$before" ] || fail "the machine's network is another one: $(host)"

# The scenario that docs/cluster.md shows.
document=$(dirname "$scenarios")/../docs/cluster.md
sed -n '/^## A network/,/^## Steps/p' "$document" | sed -n '/^```json$/,/^```$/p' | grep -v '^```' >shown.json
"$hanse" cluster run shown.json >said 2>&1 || fail "the scenario of docs/cluster.md: $(cat said)"
grep -q 'all 8 steps done' said || fail "the scenario of docs/cluster.md: $(cat said)"

# A node that waits for one that is cut off stops at once all the same.
cat >stops.json <<'END'
{"name": "s", "network": "namespaces", "defaults": {"config": {"limits": {"heartbeat_ms": 300}}},
 "nodes": [{"name": "a", "engines": [{"name": "echo", "type": "echo"}]}, {"name": "b"}],
 "steps": [{"do": "add"}, {"do": "partition", "node": "a"},
  {"do": "wait_until", "node": "a", "of": "status", "value": "/links", "at_most": 0},
  {"do": "load", "name": "both dial meanwhile", "from": ["a"], "to": "a/echo", "protocol": "echo/1.0", "body": ["hi"],
   "per_second": 5, "seconds": 2},
  {"do": "stop", "nodes": ["a", "b"], "timeout_s": 5}]}
END
"$hanse" cluster run stops.json >said 2>&1 || fail "a node that dials does not stop: $(cat said)"

# Nothing is left of a runner that fails, is interrupted, or is killed: of the last one by the next run.
scenario() { # scenario NETWORK STEP…
  printf '{"name": "s", "network": "%s", "nodes": [{"name": "a"}, {"name": "b"}], "steps": [' "$1"
  printf '%s%s' "$2" "${3:+, $3}"
  echo ']}'
}
add='{"do": "add"}' never='{"do": "wait_until", "node": "a", "value": "/peers", "at_least": 99}'
scenario namespaces '{"do": "assert", "node": "a", "value": "/peers", "equals": 99}' >fails.json
scenario namespaces "$add" "$never" >waits.json
scenario namespaces "$add" >works.json
"$hanse" cluster run fails.json >said 2>&1 & runner=$!
if wait $runner; then fail "it did not fail"; fi
gone $runner
started() { # runs waits.json until its nodes are linked
  "$hanse" cluster run waits.json >said 2>&1 & runner=$!
  for _ in $(seq 300); do [[ $(cat said) == *"all links up"* ]] && break; sleep 0.1; done
  [ "$(networks $runner)" = 3 ] || fail "not three namespaces: $(ip netns list; cat said)"
}
for signal in INT TERM; do
  started
  kill -$signal $runner
  if wait $runner; then fail "interrupted, but it says that it went well"; fi
  gone $runner
done
started
killed=$runner
kill -KILL $killed
wait $killed || true
[ "$(networks $killed)" = 3 ] || fail "a killed runner cannot have removed its namespaces"
started # beside which another one runs, and takes away the killed one's only
second=$runner
gone $killed
"$hanse" cluster run works.json >said2 2>&1 || fail "a second runner at once: $(cat said2)"
[ "$(networks $second)" = 3 ] || fail "another runner's namespaces were taken away"
kill -TERM $second
wait $second || true
gone $second

# Kept nodes keep their network; when they have ended, the next run removes it.
"$hanse" cluster run works.json --keep >said 2>&1 & runner=$!
wait $runner || fail "with --keep: $(cat said)"
"$hanse" cluster run works.json >said2 2>&1 || fail "beside kept nodes: $(cat said2)"
[ "$(networks $runner)" = 3 ] || fail "the network of kept nodes was taken away: $(ip netns list)"
grep -q "ip netns del hanse-cluster-$runner" said || fail "it is not said how to remove the network"
mapfile -t sockets < <(grep -o '/[^ ]*control.sock' said)
for s in "${sockets[@]}"; do
  "$hanse" --socket "$s" peers >peers
  "$hanse" --socket "$s" node stop >/dev/null
done
for _ in $(seq 100); do
  "$hanse" cluster run works.json >said2 2>&1 || fail "after kept nodes: $(cat said2)"
  [ "$(networks $runner)" = 0 ] && break
done
gone $runner
rm -rf "$(sed -n 's/^Their files are in //p' said)"

# Without root (as who owns the files, but in a user namespace): an error that says what to do, or loopback, and it says so.
if unshare --user true 2>/dev/null; then
  if unshare --user "$hanse" cluster run works.json >said 2>&1; then fail "without root: it went well"; fi
  for text in root '"network": "auto"'; do grep -q "$text" said || fail "without root it does not say $text: $(cat said)"; done
  scenario auto "$add" '{"do": "partition", "node": "a"}, {"do": "ping", "from": "b", "to": "a"}, {"do": "heal"}' >auto.json
  unshare --user "$hanse" cluster run auto.json --report report.json --junit report.xml >said 2>&1 || fail "$(cat said)"
  grep -q '"kind": "loopback"' report.json || fail "not on loopback: $(cat report.json)"
  [ "$(grep -c '"result": "skipped"' report.json)" = 2 ] || fail "not two steps skipped: $(cat report.json)"
  grep -q '<skipped message="loopback' report.xml || fail "not skipped in JUnit: $(cat report.xml)"
  grep -q 'network: loopback; loopback, as no network namespaces can be made' said || fail "it does not say so: $(cat said)"
else
  echo "not tried: without root, as there are no user namespaces" >&2
fi
[ "$(host)" = "$before" ] || fail "the machine's network is another one: $(host)"
echo "namespaces: partition and heal, shaped links, nothing left, nothing of the machine's touched: right"
