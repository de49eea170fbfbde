// The judges of domains and topics: each finds what it is for, and keeps quiet about histories that are right.
#include "hanse/sim/domain_invariants.hpp"
#include "hanse/sim/event_invariants.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::sim;

namespace {

std::string verdict(const checker& c) {
  return c.verdict() ? std::string{to_string(c.verdict()->what)} : std::string{};
}

/// Three members that see each other, at the levels that they entered with.
struct trio {
  trio() {
    for (std::uint32_t n = 0; n < 3; ++n) members.entering(n);
    for (std::uint32_t n = 0; n < 3; ++n) sights.push_back({n, true, {{0, 1}, {1, 10}, {2, 10}}, {}, {}});
  }
  std::string end() {
    members.finish(sights);
    return verdict(judge);
  }
  void show(std::uint64_t key, std::uint64_t write) {
    for (auto& s : sights) s.put[key] = write;
  }

  checker judge{4};
  domain_checker members{judge, 4};
  std::vector<domain_sight> sights;
};

/// Two publishers and two subscribers of one topic.
struct topic_trial {
  topic_trial() {
    for (std::uint32_t n = 0; n < 4; ++n) events.subscribed(n, 0), events.joined(n, 0);
  }
  std::uint64_t publish(std::uint32_t node, bool ordered = true) {
    const auto number = events.next();
    events.published(node, 0, ordered, number);
    if (ordered) got(node, number, node);
    return number;
  }
  void got(std::uint32_t node, std::uint64_t event, std::uint32_t from) {
    events.delivered(node, 0, event, from, event);
  }

  checker judge{4};
  event_checker events{judge, 4, 1};
};

} // namespace

TEST_CASE("members that see the same violate nothing, and each difference is found") {
  trio t;
  SUBCASE("nothing") {
    CHECK(t.end() == "");
  }
  SUBCASE("another member") {
    t.sights[2].members.erase(1);
    CHECK(t.end() == "members_agree");
  }
  SUBCASE("another level") {
    t.sights[1].members[2] = 5;
    CHECK(t.end() == "members_agree");
  }
  SUBCASE("another value") {
    const auto a = t.members.put(0, 3, 0), b = t.members.put(1, 3, 0);
    t.show(3, a);
    t.sights[2].put[3] = b;
    CHECK(t.end() == "members_agree");
  }
  SUBCASE("another state, whatever it is") {
    t.sights[2].state.octets[0] = std::byte{1};
    CHECK(t.end() == "members_agree");
  }
  SUBCASE("who wants to be in is not") {
    t.sights[1].is_in = false;
    CHECK(t.end() == "members_agree");
  }
  SUBCASE("all forgot one that wants to be in") {
    for (auto& s : t.sights) s.members.erase(2);
    CHECK(t.end() == "members_agree");
  }
  SUBCASE("all still see one that left") {
    t.members.leaving(2);
    t.sights[2].is_in = false;
    CHECK(t.end() == "members_agree");
  }
  SUBCASE("a member that never asked") {
    for (auto& s : t.sights) s.members[3] = 10;
    CHECK(t.end() == "members_agree");
  }
  SUBCASE("a member that is no node") {
    for (auto& s : t.sights) s.members[UINT32_MAX] = 10;
    CHECK(t.end() == "members_agree");
  }
  SUBCASE("who was expelled may be in or out, and see what it likes") {
    t.members.expelling(2);
    t.sights[2].members.clear();
    t.sights[0].members.erase(2);
    t.sights[1].members.erase(2);
    CHECK(t.end() == "");
  }
}

TEST_CASE("a durable write is replaced only by what saw it, or came beside it") {
  trio t;
  const auto first = t.members.put(0, 1, 0), second = t.members.put(1, 1, first), beside = t.members.put(2, 1, first);
  t.members.durable(first);
  t.members.durable(second);
  SUBCASE("the later one shows") {
    t.show(1, second);
    CHECK(t.end() == "");
  }
  SUBCASE("one beside it shows, though nobody knows that it is durable") {
    t.show(1, beside);
    CHECK(t.end() == "");
  }
  SUBCASE("the earlier one shows") {
    t.show(1, first);
    CHECK(t.end() == "values_kept");
  }
  SUBCASE("nothing shows") {
    CHECK(t.end() == "values_kept");
  }
  SUBCASE("the writer of the later one was expelled: it may be void") {
    t.members.expelling(1);
    t.show(1, first);
    t.sights.pop_back();
    t.sights.erase(t.sights.begin() + 1);
    t.members.leaving(2);
    for (auto& s : t.sights) s.members = {{0, 1}};
    CHECK(t.end() == "");
  }
  SUBCASE("a value of another register shows") {
    t.show(2, second);
    t.show(1, second);
    CHECK(t.end() == "values_kept");
  }
}

TEST_CASE("who is honest is not proven to lie") {
  trio t;
  t.members.exempt(3);
  t.members.accused(0, 3);
  CHECK(verdict(t.judge) == "");
  t.members.accused(0, 1);
  CHECK(verdict(t.judge) == "no_false_proof");

  topic_trial u;
  u.events.exempt(3);
  u.events.forked(0, 3);
  CHECK(verdict(u.judge) == "");
  u.events.forked(0, 1);
  CHECK(verdict(u.judge) == "no_false_proof");
}

TEST_CASE("events in causal order, and concurrent ones in any, violate nothing") {
  topic_trial t;
  const auto a = t.publish(0), b = t.publish(1);
  t.got(2, a, 0);
  t.got(2, b, 1);
  t.got(3, b, 1);
  t.got(3, a, 0);
  const auto c = t.publish(2);
  t.got(3, c, 2);
  CHECK(verdict(t.judge) == "");
}

TEST_CASE("an event before one of the same publisher, or before one that it depends on, breaks the order") {
  topic_trial own;
  const auto a = own.publish(0), b = own.publish(0);
  own.got(1, b, 0);
  CHECK(verdict(own.judge) == "event_order");
  own.got(1, a, 0);

  topic_trial triangle;
  const auto first = triangle.publish(0);
  triangle.got(1, first, 0);
  const auto answer = triangle.publish(1);
  triangle.got(2, answer, 1);
  CHECK(verdict(triangle.judge) == "event_order");
}

TEST_CASE("who subscribes later may begin anywhere, but not with an event that comes after what depends on it") {
  topic_trial t;
  const auto a = t.publish(0), b = t.publish(0);
  t.got(1, a, 0);
  t.got(1, b, 0);
  const auto answer = t.publish(1);
  t.events.ended(2);
  t.events.subscribed(2, 0);
  t.events.joined(2, 0);
  SUBCASE("in the middle") {
    t.got(2, b, 0);
    t.got(2, answer, 1);
    CHECK(verdict(t.judge) == "");
  }
  SUBCASE("too late") {
    t.got(2, answer, 1);
    CHECK(verdict(t.judge) == "");
    t.got(2, b, 0);
    CHECK(verdict(t.judge) == "event_order");
  }
  SUBCASE("not with the first one since") {
    (void)t.publish(0);
    const auto d = t.publish(0);
    t.got(2, d, 0);
    CHECK(verdict(t.judge) == "event_order");
  }
}

TEST_CASE("an event twice, or one that nobody published so, is found") {
  topic_trial twice;
  const auto a = twice.publish(0);
  twice.got(1, a, 0);
  twice.got(1, a, 0);
  CHECK(verdict(twice.judge) == "event_once");

  topic_trial loose;
  const auto b = loose.publish(0, false);
  loose.got(1, b, 0);
  loose.got(1, b, 0);
  CHECK(verdict(loose.judge) == "event_once");

  topic_trial again; // in another life it is another subscription
  const auto c = again.publish(0);
  again.got(1, c, 0);
  again.events.ended(1);
  again.events.subscribed(1, 0);
  again.got(1, c, 0);
  CHECK(verdict(again.judge) == "");

  topic_trial forged;
  const auto d = forged.publish(0);
  forged.events.delivered(1, 0, d, 0, d + 1);
  CHECK(verdict(forged.judge) == "authentic");
}

TEST_CASE("what a subscriber lacks at the end is told, unless nobody can have it or it was told to be lost") {
  topic_trial t;
  const auto a = t.publish(0);
  SUBCASE("the publisher lives") {
    CHECK(t.events.missing(1) != "");
    t.got(1, a, 0);
    CHECK(t.events.missing(1) == "");
  }
  SUBCASE("the publisher died, but another one has it") {
    t.got(1, a, 0);
    t.events.ended(0);
    CHECK(t.events.missing(1) == "");
    CHECK(t.events.missing(2) != "");
  }
  SUBCASE("the publisher died, and nobody has it") {
    t.events.ended(0);
    CHECK(t.events.missing(2) == "");
  }
  SUBCASE("it was told to be lost") {
    t.events.gap(2, 0, 0, 1);
    CHECK(t.events.missing(2) == "");
  }
  SUBCASE("its publisher is no member any more") {
    t.events.removed(0);
    CHECK(t.events.missing(2) == "");
  }
  SUBCASE("who never joined is told") {
    t.events.subscribed(2, 0);
    CHECK(t.events.missing(2) != "");
  }
  CHECK(verdict(t.judge) == "");
}
