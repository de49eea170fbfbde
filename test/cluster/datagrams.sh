#!/usr/bin/env bash
# Two real processes with nothing but UDP between them: what needs neither order nor reliability goes by DTLS, both ways;
# the rest is refused and says why; a restart of either side. Usage: datagrams.sh HANSE
. "$(dirname "${BASH_SOURCE[0]}")/nodes.bash"
new_node() { # new_node NODE LISTEN TYPE
  "$hanse" node init "$1" --no-passphrase --name "$1" >/dev/null
  printf '{"name": "%s", "key_file": "node.key", "schemes": ["dtls"], "listen": [%s], "allow_private": true,
    "engines": [{"name": "%s-%s", "type": "%s"}]}' "$1" "$2" "$1" "$3" "$3" >"$1/config.json"
  started "$1"
}
new_node a '' echo
new_node b '"dtls://127.0.0.1:0"' calculator
on a add "$(value "$(cat b/ready)" ticket)" >/dev/null
says dtls on a why b
refused 'not ordered' on a send b --protocol hanse.node/1.0 --body '["ping"]' --ordered

# b answers who dialled it, though a listens on nothing; adverts come before messages.
says pong on a send b --protocol hanse.node/1.0 --body '["ping"]' --expect-reply
until_says b-calculator on a --json engines
until_says a-echo on b --json engines
says dtls on b why a-echo
for i in $(seq 20); do
  says "$((i + 4))" on a send b-calculator --protocol calculator/1.0 --body "[\"add\", $i, 4]" --expect-reply
done
says 9 on a send b-calculator --protocol calculator/1.0 --body '["add", 5, 4]' --expect-reply --from a-echo
says hello on b send a-echo --protocol echo/1.0 --body '["hello"]' --expect-reply
says 12 on a send b-calculator --protocol calculator/1.0 --body '["add", 5, 7]' --expect-reply --reliable
long=$(head -c 60000 /dev/zero | tr '\0' x)
says xxxx on b send a-echo --protocol echo/1.0 --body "[\"$long\"]" --expect-reply
refused 'at most 7' on b send a-echo --protocol echo/1.0 --body "[\"$long$long\"]" --expect-reply
[ "$(number "$(on a --json node status)" links)" = 0 ] || fail "there is a link: $(on a --json node status)"
[ "$(number "$(on b --json counters)" delivered)" -ge 22 ] || fail "b: $(on b --json counters)"

# Either side restarts. a comes from another port, b is found at its new one by its new ticket.
on a node stop >/dev/null; started a
says 3 on a send b-calculator --protocol calculator/1.0 --body '["add", 1, 2]' --expect-reply # at once: b has heard which ids a refuses
on b node stop >/dev/null; started b
on a add "$(value "$(cat b/ready)" ticket)" >/dev/null
until_says 3 on a send b-calculator --protocol calculator/1.0 --body '["add", 1, 2]' --expect-reply --timeout 2000

# Two nodes with a link: what wishes for datagrams goes by them, all else by the link; without them, all of it.
new_linked() { # new_linked NODE TYPE
  "$hanse" node init "$1" --no-passphrase --name "$1" >/dev/null
  printf '{"name": "%s", "key_file": "node.key", "schemes": ["tls", "dtls"], "allow_private": true,
    "listen": ["tls://127.0.0.1:0", "dtls://127.0.0.1:0"], "engines": [{"name": "%s-%s", "type": "%s"}]}' \
    "$1" "$1" "$2" "$2" >"$1/config.json"
  started "$1"
}
new_linked c echo
new_linked d calculator
on c add "$(value "$(cat d/ready)" ticket)" >/dev/null
until_says d-calculator on c --json engines
loose='--unordered --unreliable'
sum() { on c --json send d-calculator --protocol calculator/1.0 --body '["add", 3, 4]' --expect-reply "$@"; }
way_of() { on c trace "$(value "$(sum "$@")" trace)"; } # what became of such a message
until_says '"connected": true' on c --json why d-calculator
says '"way": "link"' on c --json why d-calculator
says '"way": "link"' on c --json why d-calculator --unordered
says '"way": "dtls"' on c --json why d-calculator $loose
says 7 sum $loose
says 'by dtls' way_of $loose
if [[ $(way_of) == *dtls* ]]; then fail "an ordinary message went by datagrams"; fi
says acknowledged on c send d-calculator --protocol calculator/1.0 --body '["add", 3, 4]' --reliable --unordered
refused 'no spool' on c spool ls
on d node stop >/dev/null
sed -i 's/, "dtls:[^"]*"//; s/, "dtls"//' d/config.json
started d
on c add "$(value "$(cat d/ready)" ticket)" >/dev/null
until_says '"way": "link"' on c --json why d-calculator $loose
says 7 sum $loose
echo "datagrams: both ways, large ones, refusals, restarts, beside a link: right"
