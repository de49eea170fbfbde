// Whole domains of several nodes without a network: founding, joining, leaving, merging, restarts.
#include "domains/domain_world.hpp"

#include <doctest/doctest.h>

namespace hanse::test {

namespace {

psk_list keys_of(std::string_view text) {
  psk_list k;
  k.push_back({to_secret(text), {}});
  return k;
}

const auto good = keys_of("correct-horse-battery-staple");
const auto wrong = keys_of("incorrect-horse-battery-stapl");

/// Two instances with an introducer each: nodes 11 and 14.
domain_config two_instances(auth_mechanism auth = auth_mechanism::psk, std::uint64_t version = 1) {
  domain_config c;
  c.domain = id(1);
  c.version = version;
  c.name = "lab";
  c.auth = auth;
  c.instances = {{"east", {}, {introducer_of(14)}}, {"west", {}, {introducer_of(11)}}};
  return c;
}

/// Nodes 11 (west), 12, 13 in one instance, 14 (east), 15 in the other; no link between them.
void start_two(domain_world& w) {
  for (std::uint64_t n = 11; n <= 15; ++n) w.add(n);
  REQUIRE(w.enter(11, two_instances(), good));
  REQUIRE(w.enter(14, two_instances(), good));
  w.link(11, 12);
  w.link(11, 13);
  w.link(12, 13);
  w.link(14, 15);
  REQUIRE(w.enter(12, two_instances(), good, "west"));
  REQUIRE(w.enter(13, two_instances(), good, "west"));
  REQUIRE(w.enter(15, two_instances(), good, "east"));
  w.advance(5000);
}

} // namespace

TEST_CASE("an introducer founds, others join, and all see the same members") {
  domain_world w;
  start_two(w);
  for (const auto n : {11, 12, 13}) {
    CAPTURE(n);
    const auto r = w.report(n);
    CHECK(r.role == domain_role::member);
    CHECK(r.may_write);
    CHECK(r.state == w.report(11).state);
    CHECK(w.members(n).size() == 4); // with 14, which the advert names
    CHECK(w.node(n).views.at(id(1)).members == w.members(11));
  }
  CHECK(w.report(11).level == level_introducer);
  CHECK(w.report(12).level == level_default);
  CHECK(w.node(12).reached.contains(id(11)));
  CHECK_FALSE(w.node(12).reached.contains(id(14))); // another instance is met, not called
}

TEST_CASE("a member's advert travels in the map, so that every member can dial it") {
  domain_world w;
  start_two(w);
  CHECK(w.node(12).reached.contains(id(13)));
  CHECK(w.node(13).reached.contains(id(12)));
}

TEST_CASE("a wrong pre-shared key is refused, and the refusal says why") {
  domain_world w;
  w.add(11);
  w.add(12);
  REQUIRE(w.enter(11, two_instances(), good));
  w.link(11, 12);
  REQUIRE(w.enter(12, two_instances(), wrong));
  w.advance(60'000);
  const auto r = w.report(12);
  CHECK(r.role == domain_role::joining); // 14 was silent, so there is hope
  auto c = two_instances();
  c.instances.erase(c.instances.begin());
  domain_world only;
  only.add(11);
  only.add(12);
  REQUIRE(only.enter(11, c, good));
  only.link(11, 12);
  REQUIRE(only.enter(12, c, wrong));
  only.advance(1000);
  CHECK(only.report(12).role == domain_role::outside);
  CHECK(only.report(12).why.code == errc::bad_proof);
  CHECK(only.members(11).size() == 1);
  CHECK(only.enter(12, c, {}).code() == errc::bad_proof);
  REQUIRE(only.enter(12, c, good)); // and the right key lets it in
  CHECK(only.report(12).role == domain_role::member);
}

TEST_CASE("two instances that started apart merge by one link, with what both did") {
  domain_world w;
  start_two(w);
  REQUIRE(w.with(12, [&](auto& m, auto& out) { return m.put(id(1), "colour", to_bytes("red"), w.now, out); }));
  REQUIRE(w.with(14, [&](auto& m, auto& out) { return m.put(id(1), "colour", to_bytes("blue"), w.now, out); }));
  REQUIRE(w.with(14, [&](auto& m, auto& out) { return m.put(id(1), "shape", to_bytes("round"), w.now, out); }));
  REQUIRE(w.with(11, [&](auto& m, auto& out) { return m.promote(id(1), id(13), 5, w.now, out); }));
  w.advance(3000);
  CHECK(w.report(11).state != w.report(14).state);
  w.link(11, 14);
  w.advance(5000);
  for (const auto n : {12, 15}) // everybody can reach everybody now
    for (const auto m : {14, 15, 12, 13})
      if (n != m) w.link(n, m);
  w.advance(30'000);
  for (const auto n : {11, 12, 13, 14, 15}) {
    CAPTURE(n);
    CHECK(w.report(n).state == w.report(11).state);
    CHECK(w.members(n) == w.members(11));
    CHECK(w.members(n).size() == 5);
    const auto colour = w.machine(n).membership(id(1))->value_of("colour");
    CHECK(colour == w.machine(11).membership(id(1))->value_of("colour"));
    CHECK(w.machine(n).membership(id(1))->value_of("shape") == to_bytes("round"));
    CHECK(w.machine(n).membership(id(1))->level_of(id(13)) == 5);
  }
  CHECK(w.node(12).reached.contains(id(15)));
}

TEST_CASE("a restart brings back role, members and the right to write") {
  domain_world w;
  start_two(w);
  const auto before = w.report(12);
  w.restart(12, good);
  w.advance(15'000);
  const auto after = w.report(12);
  CHECK(after.role == domain_role::member);
  CHECK(after.state == before.state);
  CHECK(after.may_write);
  w.restart(11, good);
  w.advance(15'000);
  CHECK(w.report(11).may_write);
  w.add(16);
  w.link(11, 16);
  REQUIRE(w.enter(16, two_instances(), good, "west"));
  w.advance(3000);
  CHECK(w.report(16).role == domain_role::member);
}

TEST_CASE("a node that was joining goes on after a restart") {
  domain_world w;
  w.add(11);
  w.add(12);
  REQUIRE(w.enter(12, two_instances(), good));
  w.restart(12, good);
  REQUIRE(w.enter(11, two_instances(), good));
  w.link(11, 12);
  w.advance(60'000);
  CHECK(w.report(12).role == domain_role::member);
}

TEST_CASE("a node that asks an introducer before that has begun asks again") {
  domain_world w;
  w.add(11);
  w.add(12);
  w.link(11, 12);
  auto c = two_instances();
  c.instances.erase(c.instances.begin()); // 11 alone
  REQUIRE(w.enter(12, c, good));
  w.advance(1000);
  CHECK(w.report(12).role == domain_role::joining);
  REQUIRE(w.enter(11, c, good));
  w.advance(10'000);
  CHECK(w.report(12).role == domain_role::member);
}

TEST_CASE("who is expelled learns it, is out everywhere, and may not just join again") {
  domain_world w;
  start_two(w);
  CHECK(w.with(12, [&](auto& m, auto& out) { return m.expel(id(1), id(13), w.now, out); }).code() ==
        errc::permission_denied);
  REQUIRE(w.with(11, [&](auto& m, auto& out) { return m.expel(id(1), id(13), w.now, out); }));
  w.advance(15'000);
  CHECK(w.report(13).role == domain_role::expelled);
  CHECK(w.members(12).size() == 3);
  CHECK(w.node(13).views.at(id(1)).members.empty());
  REQUIRE(w.enter(13, two_instances(), good, "west"));
  w.advance(3000);
  CHECK(w.report(13).role != domain_role::member);
  CHECK(w.members(11).size() == 3);
  REQUIRE(w.with(11, [&](auto& m, auto& out) { return m.promote(id(1), id(13), 20, w.now, out); }));
  w.advance(30'000);
  CHECK(w.report(13).role == domain_role::member);
}

TEST_CASE("who leaves is a member nowhere, and may come back") {
  domain_world w;
  start_two(w);
  REQUIRE(w.with(12, [&](auto& m, auto& out) { return m.leave(id(1), w.now, out); }));
  w.advance(15'000);
  CHECK(w.report(12).role == domain_role::outside);
  CHECK(w.members(11).size() == 3);
  CHECK(w.members(13).size() == 3);
  REQUIRE(w.enter(12, two_instances(), good, "west"));
  w.advance(15'000);
  CHECK(w.report(12).role == domain_role::member);
  CHECK(w.report(12).may_write);
  CHECK(w.members(13).size() == 4);
}

TEST_CASE("a newer advert reaches every member; an older one is refused") {
  domain_world w;
  start_two(w);
  auto next = two_instances(auth_mechanism::psk, 2);
  next.name = "laboratory";
  next.instances[1].introducers.push_back(introducer_of(12)); // node 12 introduces from now on
  REQUIRE(w.with(11, [&](auto& m, auto& out) { return m.publish(sign(next, key(1)), w.now, out); }));
  w.advance(5000);
  for (const auto n : {11, 12, 13}) CHECK(w.report(n).version == 2);
  CHECK(w.report(12).introduces);
  CHECK(w.report(12).level == level_introducer);
  CHECK(w.with(13, [&](auto& m, auto& out) { return m.publish(sign(two_instances(), key(1)), w.now, out); }).code() ==
        errc::stale);
  w.add(17);
  w.link(12, 17);
  REQUIRE(w.enter(17, next, good, "west"));
  w.advance(60'000);
  CHECK(w.report(17).role == domain_role::member);
}

TEST_CASE("several domains with different protocols live in one node, and an unknown protocol is named") {
  domain_world w;
  w.add(11);
  w.add(12);
  w.link(11, 12);
  auto c = two_instances(auth_mechanism::none);
  c.stack.dissemination = {{"plumtree", 1, 0}, {{"active", "5"}}};
  c.stack.membership.parameters = {{"idle_ms", "20000"}};
  domain_config other = two_instances(auth_mechanism::none);
  other.domain = id(2);
  const auto enter_other = [&](std::uint64_t n) {
    return w.with(n, [&](auto& m, auto& out) { return m.enter({sign(other, key(2)), {}, "", ""}, w.now, out); });
  };
  REQUIRE(w.enter(11, c));
  REQUIRE(enter_other(11));
  REQUIRE(w.enter(12, c));
  REQUIRE(enter_other(12));
  w.advance(25'000); // node 14 may have been asked first
  CHECK(w.report(12, id(1)).role == domain_role::member);
  CHECK(w.report(12, id(2)).role == domain_role::member);
  CHECK(w.report(12, id(1)).stack != w.report(12, id(2)).stack);
  c.stack.storage = {{"nothing", 1, 0}, {}};
  c.version = 9;
  const auto refused = w.enter(12, c);
  CHECK(refused.code() == errc::unsupported_protocol);
  CHECK(refused.error().detail.find("blocks/1.0") != std::string::npos);
}

TEST_CASE("a domain is found from its identity: by asking neighbours, and by gossip where all agree to it") {
  domain_world w;
  w.config.gossip = true;
  for (const auto n : {11, 12, 13}) w.add(n);
  REQUIRE(w.enter(11, two_instances(auth_mechanism::none)));
  w.link(11, 12); // later than the news of it
  w.link(12, 13);
  CHECK_FALSE(w.machine(13).advert(id(1)));
  w.advance(120'000);
  REQUIRE(w.machine(13).advert(id(1))); // by way of 12, who is in no domain
  CHECK(w.node(13).views.at(id(1)).introducers == std::vector{id(14), id(11)});

  domain_world quiet;
  for (const auto n : {11, 12}) quiet.add(n);
  quiet.link(11, 12);
  REQUIRE(quiet.enter(11, two_instances(auth_mechanism::none)));
  quiet.advance(60'000);
  CHECK_FALSE(quiet.machine(12).advert(id(1)));
  REQUIRE(quiet.with(12, [&](auto& m, auto& out) { return m.find(id(1), quiet.now, out); }));
  CHECK(quiet.machine(12).advert(id(1)));
  CHECK(quiet.node(12).all<domain_found>().size() == 1);
}

TEST_CASE("a new version of a domain goes at once from gossip to gossip, a flood of versions does not") {
  domain_world w;
  w.config.gossip = true;
  for (const auto n : {11, 12, 13}) w.add(n);
  w.link(11, 12);
  w.link(12, 13);
  const auto told = [&](std::uint64_t n) {
    return w.machine(n).advert(id(1)) ? w.machine(n).advert(id(1))->value.version : 0;
  };
  REQUIRE(w.enter(11, two_instances(auth_mechanism::none)));
  const auto first = w.machine(11).advert(id(1))->value.version;
  w.advance(1);
  CHECK(told(13) == first); // by way of 12; no telling was due
  // As many as may be told between two tellings; the rest waits for the next ones, and the last one comes with it.
  const auto versions = w.config.news_max + 5;
  for (std::size_t i = 1; i <= versions; ++i) {
    REQUIRE(w.enter(11, two_instances(auth_mechanism::none, first + i)));
    w.advance(1);
  }
  CHECK(told(13) == first + w.config.news_max - 1);
  w.advance(120'000);
  CHECK(told(13) == first + versions);
}

TEST_CASE("a stranger's lattice bodies are refused and change nothing") {
  domain_world w;
  start_two(w);
  auto& stranger = w.add(66);
  w.link(11, 66);
  const auto before = w.report(11).state;
  lattice_body b{id(1), {std::byte{0x93}}};
  domain_effects out;
  CHECK(w.machine(11).receive(stranger.id(), domain_channel::domain, {}, encode(domain_body{b}), w.now, out).code() ==
        errc::permission_denied);
  membership_refusal lie{id(1)};
  CHECK(w.machine(11).receive(stranger.id(), domain_channel::domain, {}, encode(domain_body{lie}), w.now, out));
  CHECK(w.report(11).role == domain_role::member);
  CHECK(w.report(11).state == before);
}

} // namespace hanse::test
