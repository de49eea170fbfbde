#!/usr/bin/env bash
# Relays in real processes: nodes that listen on nothing call each other through one relay and through two; a relay that
# was not told to forward refuses and says so, and so does one whose quota is used up. Usage: relay.sh HANSE
. "$(dirname "${BASH_SOURCE[0]}")/nodes.bash"
new_node() { # new_node NODE SETTINGS: as new_nodes, but listens on nothing that SETTINGS do not name
  "$hanse" node init "$1" --no-passphrase --name "$1" >/dev/null
  printf '{"name": "%s", "key_file": "node.key", "allow_private": true%s}' "$1" "$2" >"$1/config.json"
  started "$1"
}
meets() { on "$1" add "$(value "$(cat "$2/ready")" ticket)" >/dev/null; } # meets NODE OTHER: dials it, for good
id_of() { value "$(cat "$1/ready")" identity; }
engine() { printf ', "engines": [{"name": "%s", "type": "%s"}]' "$1" "$2"; }
through() { printf ', "relay": {"through": ["%s"], "forwards": %s}' "$(id_of "$1")" "${2:-false}"; }
tls='"listen": ["tls://127.0.0.1:0"]'
sums='--protocol calculator/1.0 --expect-reply --any-security --body'

# a and c have no address: they keep links to b, and name it. a may use tls only, so that it cannot dial c's socket.
new_node b ", $tls, \"relay\": {\"forwards\": true}"
new_node a ", \"schemes\": [\"tls\", \"relay\"]$(through b)$(engine home echo)"
new_node c ", \"listen\": [\"unix://$PWD/c.sock\"]$(through b true)$(engine sums calculator)"
meets a b; meets c b
until_says '"sums"' on a --json engines
until_says '"home"' on c --json engines
refused 'no encrypted channel with forward secrecy' on a send sums --protocol calculator/1.0 --body '["add", 3, 4]' --expect-reply
until_says 'relay through' on a why sums --any-security
says 7 on a send sums $sums '["add", 3, 4]'
says 7 on a send sums $sums '["add", 3, 4]' --from home
says acknowledged on a send sums --protocol calculator/1.0 --any-security --reliable --body '["add", 3, 4]'
refused 'schema_mismatch' on a send sums $sums '["nonsense", 3]'
[ "$(number "$(on b --json counters)" relayed)" -ge 6 ] || fail "b relayed: $(on b --json counters)"

# d reaches c only, and is reached through c and b.
new_node d ", \"schemes\": [\"unix\", \"relay\"]$(through c)$(engine far calculator)"
meets d c
until_says '"far"' on a --json engines
until_says "relay through $(id_of b | cut -c1-8)" on a why far --any-security
says 11 on a send far $sums '["add", 5, 6]'
says 11 on a send far $sums '["add", 5, 6]' --from home

# n was not told to forward.
new_node n ", $tls"
new_node e "$(through n)$(engine mute calculator)"
meets e n; meets a n
until_says '"mute"' on a --json engines
refused 'this node relays nothing' on a send mute $sums '["add", 1, 1]'
[ "$(number "$(on n --json counters)" permission_denied)" -ge 1 ] || fail "n counted nothing: $(on n --json counters)"

# q forwards 8 KiB a minute.
new_node q ", $tls, \"relay\": {\"forwards\": true, \"octets_per_minute\": 8192}"
new_node f ", \"relay\": {\"through\": [\"$(id_of q)\"]}$(engine slow echo)"
meets f q; meets a q
until_says '"slow"' on a --json engines
long=$(head -c 5000 /dev/zero | tr '\0' x)
says xxxx on a send slow --protocol echo/1.0 --expect-reply --any-security --body "[\"$long\"]"
refused 'octets a minute from this node' on a send slow --protocol echo/1.0 --expect-reply --any-security --body "[\"$long\"]"
[ "$(number "$(on q --json counters)" queue_full)" -ge 1 ] || fail "q counted nothing: $(on q --json counters)"
echo "relays: one hop, two hops, replies, acknowledgements, a refusal, a quota: right"
