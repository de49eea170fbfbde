#!/usr/bin/env bash
# Domains by the command line, in five real nodes: joining by key past an introducer that is down, levels, values, anycast
# from inside and outside, what a stranger may not do and how `why` says so, expelling, leaving, versions, pictures, a
# second domain with another stack. Usage: domains.sh HANSE
. "$(dirname "${BASH_SOURCE[0]}")/nodes.bash"
new_nodes ', "gossip_domains": true' a b c x away # x stays outside, away is not there
ticket=$(value "$(cat a/ready)" ticket) away=$(value "$(cat away/ready)" ticket)
on away node stop >/dev/null
for n in b c x; do on "$n" add "$ticket" >/dev/null; done

# Joining, by key, past an introducer that is down; the third member follows when it has the right key.
"$hanse" domain psk --out lab.psk >/dev/null
"$hanse" domain psk --out wrong.psk >/dev/null
lab=$(new_domain lab --auth psk --introducer "$away")
on a domain publish lab.json --psk-file lab.psk >/dev/null
refused bad_proof on c domain join "$lab" --psk-file wrong.psk --timeout 12000 # it asks the one that is away, too
on c domain leave lab >/dev/null
on b domain join "$lab" --psk-file lab.psk >/dev/null
on c domain join "$lab" --psk-file lab.psk >/dev/null
for n in a b c; do until_says '"members": 4' on $n --json domain status lab; done # with the one that is away
says 'yes' on b domain members lab
on a domain promote lab b --level 5 >/dev/null
on c domain put lab colour red >/dev/null
until_says '"level": 5' on c --json domain members lab

# Anycast: to whoever serves the domain; another answers when one has gone. From outside by the domain's identity alone.
on b engine spawn sums --type calculator --serves lab >/dev/null
on c engine spawn more --type calculator --serves lab >/dev/null
sum() { on "$1" send "$2" --protocol calculator/1.0 --body '["add", 40, 2]' --expect-reply "${@:3}" 2>/dev/null; }
until_says '[42]' sum a lab
on b engine stop sums >/dev/null
for _ in 1 2 3; do [ "$(sum a lab)" = '[42]' ] || fail "no other member answers"; done
domain=$(value "$(on a --json domain status lab)" domain)
until_says lab on x domain find "$domain" # as others gossip of it
on a engine spawn gate --type calculator --serves lab >/dev/null
until_says '[42]' sum x "$domain"
says 'domain' on x why "$domain"

# What a stranger may not do, and why.
until_says gate on x engines
refused permission_denied on x send gate --protocol calculator/1.0 --body '["add", 1, 1]' --expect-reply --within "$domain"
says 'permission_denied' on x why gate --within "$domain"
[ "$(sum c gate --within lab)" = '[42]' ] || fail "a member may not call within the domain"

# The next version reaches all; an older one is refused. Pictures.
"$hanse" domain create --replaces lab.json --owner lab.key --introducer "$ticket" --out lab-2.json >/dev/null
on a domain publish lab-2.json >/dev/null
second=$(value "$("$hanse" --json domain show lab-2.json)" ticket)
version=$("$hanse" --json domain show lab-2.json | grep -o '"version": *[0-9]*' | head -1 | grep -o '[0-9]*$')
for n in b c x; do until_says "$version" on $n --json domain status lab; done
refused stale on a domain publish lab.json
for f in dot svg html; do on b domain graph lab --format $f --out lab.$f >/dev/null; done
grep -q digraph lab.dot && grep -q '<svg' lab.svg && grep -q '<svg' lab.html || fail "no pictures"
[ "$(grep -c 'https\?://' lab.html)" = "$(grep -c 'http://www.w3.org' lab.html)" ] || fail "the page needs others"

# A second domain with another stack in the same nodes.
new_domain farm --protocol dissemination=plumtree/1 --parameter membership.idle_ms=5000 >/dev/null
on a domain publish farm.json >/dev/null
on b domain join farm.json >/dev/null
says plumtree on b domain status farm
says full-mesh on b domain status lab

# Expelled: told so, may not come back by itself, only by hand. Leaving.
on a domain expel lab c >/dev/null
until_says expelled on c domain status lab
refused permission_denied on c send gate --protocol calculator/1.0 --body '["add", 1, 1]' --expect-reply --within lab
refused expelled on c domain join "$second" --psk-file lab.psk
on a domain promote lab c --level 10 >/dev/null
on c domain join "$second" --psk-file lab.psk >/dev/null
on b domain leave lab >/dev/null
until_says 'outside' on b domain status lab
b=$(value "$(cat b/ready)" identity)
for _ in $(seq 600); do said=$(on a --json domain members lab); [[ $said != *"$b"* ]] && break; sleep 0.1; done
[[ $said != *"$b"* ]] || fail "b has left and is a member: $said"
echo "domains: joining, levels, anycast, strangers, versions, pictures, two stacks, expelling, leaving: right"
