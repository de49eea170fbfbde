// One message to several receivers: who gets a copy, who replaces whom, and when the whole is answered.
#include "protocols/samples.hpp"

#include "hanse/protocols/group_send.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

constexpr time_ms start = 1'700'000'000'000;
constexpr time_ms ttl = 30'000;

identity numbered(std::uint64_t n) {
  std::array<std::byte, 32> octets{};
  for (std::size_t i = 0; i < 8; ++i) octets[i] = static_cast<std::byte>((n * 0x9e3779b97f4a7c15u) >> (8 * i));
  return identity::trusted(identity_kind::individual, octets);
}

route member(std::uint64_t n, std::uint32_t weight = 1, bool connected = true) {
  route r;
  r.what = route::kind::remote;
  r.destination = numbered(n);
  r.next_hop = numbered(100 + n);
  r.connected = connected;
  r.weight = weight;
  return r;
}

route group_of(std::uint32_t threshold, std::vector<route> members, std::uint32_t weight = 1) {
  route r;
  r.what = route::kind::group;
  r.destination = numbered(1000);
  r.weight = weight;
  r.threshold = threshold;
  r.members = std::move(members);
  std::uint32_t least = UINT32_MAX, all = 0;
  for (auto& m : r.members) {
    least = std::min(least, m.weight);
    all += m.weight;
  }
  r.pattern = r.members.size() == 1 ? delivery::unicast
              : least >= threshold  ? delivery::anycast
              : all == threshold    ? delivery::multicast
                                    : delivery::quorumcast;
  return r;
}

/// Drives one machine and remembers what it did.
struct sending {
  explicit sending(const route& r, time_ms expires = start + ttl) : machine(r, expires) {
    machine.start(now, effects);
    take();
  }
  void answer(std::size_t m, std::string_view text = "yes") {
    machine.answered(m, shared_bytes{to_bytes(text)}, now, effects);
    take();
  }
  void fail(std::size_t m, errc code) {
    machine.failed(m, {code, "", static_cast<std::uint8_t>(code == errc::engine_error), ""}, now, effects);
    take();
  }
  /// Advances to the machine's own next timer.
  void sleep() {
    const auto due = machine.next_timer();
    REQUIRE(due);
    REQUIRE(*due > now);
    now = *due;
    machine.tick(now, effects);
    take();
  }
  void take() {
    for (auto& e : effects)
      if (auto* copy = std::get_if<group_copy>(&e)) {
        sent.push_back(copy->member);
      } else {
        REQUIRE_FALSE(end);
        end = std::get<group_done>(e);
        CHECK(machine.done());
        CHECK_FALSE(machine.next_timer());
      }
    effects.clear();
  }
  std::vector<std::size_t> copies() { return std::exchange(sent, {}); }
  errc fault() const { return end && end->fault ? end->fault->code : errc::none; }
  std::string body() const { return end ? std::string{as_text(end->body.view())} : ""; }

  time_ms now = start;
  group_send machine;
  group_effects effects;
  std::vector<std::size_t> sent;
  std::optional<group_done> end;
};

using list = std::vector<std::size_t>;

} // namespace

TEST_CASE("group send: unicast is one copy and its answer") {
  sending s{group_of(1, {member(1)})};
  CHECK(s.copies() == list{0});
  s.answer(0);
  REQUIRE(s.end);
  CHECK(s.fault() == errc::none);
  CHECK(s.body() == "yes");
  CHECK(s.end->from == numbered(1));
}

TEST_CASE("group send: anycast asks one, and the next when it fails; the first good answer counts") {
  sending s{group_of(1, {member(1), member(2), member(3)})};
  CHECK(s.copies() == list{0});
  s.fail(0, errc::engine_down);
  CHECK(s.copies() == list{1});
  s.fail(1, errc::unsupported_protocol);
  CHECK(s.copies() == list{2});
  CHECK_FALSE(s.end);
  s.answer(2, "third");
  CHECK(s.body() == "third");
  s.answer(1, "too late"); // one end only, checked by take()
  s.fail(2, errc::unreachable);
}

TEST_CASE("group send: anycast passes on what the engine's own handler refused, and asks nobody else") {
  sending s{group_of(1, {member(1), member(2)})};
  s.copies();
  s.fail(0, errc::engine_error);
  CHECK(s.fault() == errc::engine_error);
  CHECK(s.end->from == numbered(1));
  CHECK(s.copies().empty());
}

TEST_CASE("group send: anycast with everybody failing ends with the last one's fault") {
  sending s{group_of(1, {member(1), member(2)})};
  s.fail(0, errc::permission_denied);
  s.fail(1, errc::unsupported_protocol);
  CHECK(s.fault() == errc::unsupported_protocol);
}

TEST_CASE("group send: a member without a link gets two seconds, then the next is asked beside it; its answer counts") {
  sending s{group_of(1, {member(1, 1, false), member(2)})};
  CHECK(s.copies() == list{0});
  s.sleep();
  CHECK(s.now == start + group_patience_unlinked_ms);
  CHECK(s.copies() == list{1});
  s.answer(0, "slow");
  CHECK(s.body() == "slow");
}

TEST_CASE("group send: a linked member gets half of the time that is left") {
  sending s{group_of(1, {member(1), member(2)})};
  s.copies();
  s.sleep();
  CHECK(s.now == start + ttl / 2);
  CHECK(s.copies() == list{1});
  s.sleep();
  CHECK(s.now == start + ttl / 2 + ttl / 4);
  CHECK(s.copies().empty());
  s.sleep();
  CHECK(s.now == start + ttl);
  CHECK(s.fault() == errc::timed_out);
}

TEST_CASE("group send: a member whose link went before its copy got two seconds like one that never had a link") {
  sending s{group_of(1, {member(1), member(2)})};
  CHECK(s.copies() == std::vector<std::size_t>{0});
  s.machine.unlinked(0, s.now);
  s.machine.unlinked(1, s.now); // was sent nothing
  s.machine.unlinked(2, s.now); // is none
  s.sleep();
  CHECK(s.now == start + group_patience_unlinked_ms);
  CHECK(s.copies() == std::vector<std::size_t>{1});
  s.answer(0);
  CHECK(s.body() == "yes");
}

TEST_CASE("group send: multicast asks all and waits for all") {
  sending s{group_of(3, {member(1), member(2), member(3)})};
  CHECK(s.copies() == list{0, 1, 2});
  s.answer(1, "b");
  s.answer(1, "b again"); // counted once
  s.answer(0, "a");
  CHECK_FALSE(s.end);
  s.answer(2, "c");
  CHECK(s.fault() == errc::none);
  CHECK(s.body() == "b"); // the first of all
}

TEST_CASE("group send: multicast with a member that refuses ends with threshold_not_met and says who") {
  sending s{group_of(2, {member(1), member(2)})};
  s.answer(0);
  s.fail(1, errc::engine_error);
  CHECK(s.fault() == errc::threshold_not_met);
  CHECK(s.end->fault->detail.find("1 of 2") != std::string::npos);
  CHECK(s.end->fault->detail.find("engine_error") != std::string::npos);
}

TEST_CASE("group send: quorumcast asks as many as are needed and replaces those that fail or refuse") {
  sending s{group_of(2, {member(1), member(2), member(3), member(4)})};
  CHECK(s.copies() == list{0, 1});
  s.fail(0, errc::engine_error);
  CHECK(s.copies() == list{2});
  s.answer(1);
  CHECK_FALSE(s.end);
  s.fail(2, errc::unreachable);
  CHECK(s.copies() == list{3});
  s.answer(3);
  CHECK(s.fault() == errc::none);
}

TEST_CASE("group send: weights count, and a heavy member answers for several") {
  sending s{group_of(3, {member(1, 2), member(2, 1), member(3, 1)})};
  CHECK(s.copies() == list{0, 1});
  s.fail(1, errc::engine_down);
  CHECK(s.copies() == list{2});
  s.answer(2);
  CHECK_FALSE(s.end);
  s.answer(0);
  CHECK(s.fault() == errc::none);
  sending lost{group_of(3, {member(1, 2), member(2, 1), member(3, 1)})};
  lost.fail(0, errc::engine_down); // the others weigh 2 of 3
  CHECK(lost.fault() == errc::threshold_not_met);
}

TEST_CASE("group send: a member that was not reached is tried again when nobody can replace it, three times at most") {
  sending s{group_of(1, {member(1)})};
  for (std::size_t i = 1; i < group_tries_max; ++i) {
    CHECK(s.copies() == list{0});
    s.fail(0, errc::wrong_recipient);
    CHECK_FALSE(s.end);
    const auto before = s.now;
    s.sleep();
    CHECK(s.now - before == group_retry_ms * i);
  }
  CHECK(s.copies() == list{0});
  s.fail(0, errc::wrong_recipient);
  CHECK(s.fault() == errc::engine_down);
  sending refused{group_of(1, {member(1)})};
  refused.fail(0, errc::unsupported_protocol); // another try would not help
  CHECK(refused.fault() == errc::unsupported_protocol);
}

TEST_CASE("group send: others come before a second try") {
  sending s{group_of(1, {member(1), member(2)})};
  s.copies();
  s.fail(0, errc::link_closed);
  CHECK(s.copies() == list{1});
  s.fail(1, errc::engine_down);
  CHECK_FALSE(s.end);
  s.sleep();
  CHECK(s.copies() == list{0});
}

TEST_CASE("group send: a nested group answers with its own threshold and weight") {
  // 2 of {1 of (a, b), c, d}
  sending s{group_of(2, {group_of(1, {member(1), member(2)}), member(3), member(4)})};
  CHECK(s.copies() == list{0, 2});
  s.fail(0, errc::engine_down);
  CHECK(s.copies() == list{1}); // within the nested group
  s.fail(1, errc::engine_down);
  CHECK(s.copies() == list{3}); // beside it
  s.answer(2);
  s.answer(3);
  CHECK(s.fault() == errc::none);
}

TEST_CASE("group send: a nested group that is late gets a neighbour beside it") {
  sending s{group_of(1, {group_of(2, {member(1), member(2)}), member(3)})};
  CHECK(s.copies() == list{0, 1});
  s.answer(0);
  s.sleep();
  CHECK(s.copies() == list{2});
  s.answer(1, "late");
  CHECK(s.body() == "yes"); // the nested group was complete first; its first answer
  CHECK(s.fault() == errc::none);
}

TEST_CASE(
    "group send: whatever happens in whatever order, there is one end, bounded copies, and no timer in the past") {
  const auto seed = fresh_seed();
  CAPTURE(seed);
  seeded_random random{seed};
  for (int round = 0; round < 2000; ++round) {
    std::vector<route> members;
    std::uint32_t sum = 0;
    const auto count = 1 + random.below(6);
    for (std::uint64_t i = 0; i < count; ++i) {
      auto m = random.below(4) == 0
                   ? group_of(1 + static_cast<std::uint32_t>(random.below(2)), {member(10 + i), member(20 + i)})
                   : member(i, 1 + static_cast<std::uint32_t>(random.below(3)), random.below(2) == 0);
      sum += m.weight;
      members.push_back(std::move(m));
    }
    sending s{group_of(1 + static_cast<std::uint32_t>(random.below(sum)), std::move(members))};
    for (int step = 0; step < 400 && !s.end; ++step) {
      const auto m = random.below(s.machine.members() + 1);
      switch (random.below(4)) {
      case 0:
        s.answer(m);
        break;
      case 1:
        s.fail(m, random.below(2) ? errc::unreachable : errc::engine_error);
        break;
      default:
        if (const auto due = s.machine.next_timer()) {
          s.now = std::max(s.now, *due);
          s.machine.tick(s.now, s.effects);
          s.take();
          CHECK((!s.machine.next_timer() || *s.machine.next_timer() > s.now));
        }
      }
    }
    CHECK(s.end);
    std::map<std::size_t, std::size_t> tries;
    for (const auto m : s.sent) CHECK(++tries[m] <= group_tries_max);
  }
}

TEST_CASE("group send: a word about a member that was sent nothing counts for nothing, nor a fault after an answer") {
  sending s{group_of(2, {member(1), member(2), member(3)})};
  s.answer(2);
  s.answer(99);
  s.answer(0);
  CHECK_FALSE(s.end);
  s.fail(0, errc::engine_down);
  s.answer(1);
  CHECK(s.fault() == errc::none);
}

TEST_CASE("group send: while a nested group waits for another try, a neighbour is asked beside it") {
  sending s{group_of(1, {group_of(2, {member(1), member(2)}), member(3)})};
  CHECK(s.copies() == list{0, 1});
  s.fail(0, errc::unreachable);
  CHECK(s.copies() == list{2});
}

TEST_CASE("group send: what a member said itself is told before silence") {
  sending s{group_of(1, {member(1), member(2)})};
  s.fail(0, errc::unsupported_protocol);
  s.fail(1, errc::expired);
  CHECK(s.fault() == errc::unsupported_protocol);
}
