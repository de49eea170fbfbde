// The causal multicast machine by itself: order, duplicates before signatures, forks, permissions, bounds, late
// joining. Runs under loss are in test/sim/multicast_sim_test.cpp.
#include "hanse/protocols/causal_multicast.hpp"
#include "protocols/event_signing.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace hanse;
using namespace hanse::test;

namespace {

const identity topic = fake_identity(1);
identity node(int n) {
  return fake_identity(100 + static_cast<std::uint64_t>(n));
}
identity publisher(int n) {
  return fake_identity(200 + static_cast<std::uint64_t>(n));
}

/// A node that joined with others that it never hears of unless the test says so.
struct peer {
  explicit peer(int n, multicast_config config = {}) : multicast(topic, node(n), verifier, random, config) {
    std::vector<identity> others;
    for (int i = 0; i < 6; ++i)
      if (i != n) others.push_back(node(i));
    multicast.peers_changed(others, {}, now);
    multicast.resume({}, now, out);
    out.clear();
  }
  void publishes(int p, std::uint64_t epoch = 1) {
    REQUIRE(multicast.add_publisher(std::make_shared<cheap_signer>(publisher(p), epoch), epoch));
  }
  /// Publishes `events` at once and returns the parcel.
  shared_bytes publish(int p, int events = 1, event_mode mode = event_mode::causal) {
    for (int i = 0; i < events; ++i)
      REQUIRE(multicast.publish(publisher(p), shared_bytes{to_bytes("event")}, mode, now));
    multicast.flush(now, out);
    for (const auto& e : std::exchange(out, {}))
      if (const auto* b = std::get_if<multicast_broadcast>(&e)) return b->parcel;
    return {};
  }
  payload_verdict offer(const shared_bytes& parcel, int from = 5) {
    return multicast.offer(node(from), parcel, now, out);
  }
  /// Publisher and seq of what was delivered since the last call.
  std::vector<std::pair<identity, std::uint64_t>> delivered() {
    std::vector<std::pair<identity, std::uint64_t>> events;
    for (const auto& e : out)
      if (const auto* d = std::get_if<multicast_deliver>(&e))
        events.emplace_back(d->event.chain.publisher, d->event.seq);
    std::erase_if(out, [](const auto& e) { return std::holds_alternative<multicast_deliver>(e); });
    return events;
  }
  template <class T>
  std::vector<T> take() {
    std::vector<T> found;
    for (const auto& e : out)
      if (const auto* t = std::get_if<T>(&e)) found.push_back(*t);
    std::erase_if(out, [](const auto& e) { return std::holds_alternative<T>(e); });
    return found;
  }
  void advance(time_ms by) {
    now += by;
    multicast.tick(now, out);
  }

  cheap_verifier verifier;
  seeded_random random{7};
  time_ms now = 1000;
  multicast_effects out;
  causal_multicast multicast;
};

using order = std::vector<std::pair<identity, std::uint64_t>>;

shared_bytes alone(const shared_bytes& parcel, std::size_t index) {
  return shared_bytes{parcel_alone(*read_parcel(parcel), index)};
}

} // namespace

TEST_CASE("causal multicast: a burst is one parcel with one signature, and arrives in order") {
  peer a{0}, b{1};
  a.publishes(0);
  const auto parcel = a.publish(0, 100);
  CHECK(a.multicast.stats().delivered == 100);
  CHECK(b.offer(parcel) == payload_verdict::fresh);
  CHECK(b.verifier.verified == 1);
  CHECK(b.delivered().size() == 100);
}

TEST_CASE("causal multicast: what is known is a duplicate before its signature is looked at") {
  peer a{0}, b{1};
  a.publishes(0);
  const auto parcel = a.publish(0, 3);
  b.offer(parcel);
  CHECK(b.offer(parcel) == payload_verdict::duplicate);
  CHECK(b.offer(alone(parcel, 1)) == payload_verdict::duplicate);
  CHECK(b.verifier.verified == 1);
  CHECK(b.delivered().size() == 3);
}

TEST_CASE("causal multicast: events wait for their chain, and for what they depend on") {
  peer a{0}, b{1}, c{2};
  a.publishes(0);
  b.publishes(1);
  const auto first = a.publish(0, 3);
  b.offer(first);
  const auto answer = b.publish(1); // depends on all three
  CHECK(c.offer(answer) == payload_verdict::fresh);
  CHECK(c.offer(alone(first, 2)) == payload_verdict::fresh);
  CHECK(c.offer(alone(first, 1)) == payload_verdict::fresh);
  CHECK(c.delivered().empty());
  CHECK(c.offer(alone(first, 0)) == payload_verdict::fresh);
  CHECK(c.delivered() == order{{publisher(0), 1}, {publisher(0), 2}, {publisher(0), 3}, {publisher(1), 1}});
}

TEST_CASE("causal multicast: a missing dependency is wanted from who sent what depends on it") {
  peer a{0}, b{1}, c{2};
  a.publishes(0);
  b.publishes(1);
  b.offer(a.publish(0, 2));
  b.delivered();
  c.offer(b.publish(1), 1);
  c.advance(50);
  const auto messages = c.take<peer_message>();
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].to == node(1));
  b.out.clear();
  CHECK(b.multicast.receive(node(2), messages[0].body, b.now, b.out));
  const auto answers = b.take<peer_message>();
  REQUIRE(answers.size() == 1);
  CHECK(c.multicast.receive(node(1), answers[0].body, c.now, c.out));
  CHECK(c.delivered() == order{{publisher(0), 1}, {publisher(0), 2}, {publisher(1), 1}});
  CHECK(c.multicast.stats().repaired == 2);
}

TEST_CASE("causal multicast: more heads than an event holds are folded by joins, and nothing is lost of the order") {
  peer a{0}, b{1};
  a.publishes(50);
  std::vector<shared_bytes> parcels;
  for (int i = 0; i < 40; ++i) {
    peer p{2};
    p.publishes(i);
    parcels.push_back(p.publish(i));
    a.offer(parcels.back());
  }
  a.out.clear();
  REQUIRE(a.multicast.publish(publisher(50), shared_bytes{to_bytes("x")}, event_mode::causal, a.now));
  a.multicast.flush(a.now, a.out);
  const auto sent = a.take<multicast_broadcast>();
  CHECK(sent.size() == 3); // two joins take in 15 each, the event the rest
  for (const auto& s : sent) b.offer(s.parcel);
  CHECK(b.delivered().empty());
  for (const auto& p : parcels) b.offer(p);
  const auto events = b.delivered();
  REQUIRE(events.size() == 41);
  CHECK(events.back().first == publisher(50));
}

TEST_CASE("causal multicast: altered and unauthorised parcels are told apart, and delivered neither") {
  peer a{0}, b{1};
  a.publishes(0);
  const auto parcel = a.publish(0, 2);
  auto octets = to_bytes(parcel.view());
  octets[60] ^= std::byte{1}; // in the signature
  CHECK(b.offer(shared_bytes{octets}) == payload_verdict::invalid);
  b.multicast.authorise([](const identity& p) { return p != publisher(0); });
  CHECK(b.offer(parcel) == payload_verdict::unwanted);
  CHECK(b.multicast.stats().unauthorised == 1);
  CHECK(b.verifier.verified == 1); // of the altered one
  CHECK(b.delivered().empty());
  a.multicast.authorise([](const identity&) { return false; });
  CHECK(a.multicast.publish(publisher(0), {}, event_mode::causal, 0).code() == errc::permission_denied);
}

TEST_CASE("causal multicast: what depends on a publisher that is not known to be allowed yet waits for word of it") {
  peer a{0}, b{1}, c{2};
  a.publishes(0);
  b.publishes(1);
  const auto first = a.publish(0);
  b.offer(first);
  const auto answer = b.publish(1);
  bool is_known = false;
  c.multicast.authorise([&](const identity& p) { return is_known || p != publisher(0); });
  CHECK(c.offer(first) == payload_verdict::unwanted);
  CHECK(c.offer(answer) == payload_verdict::fresh);
  c.advance(1000);
  CHECK(c.delivered().empty());
  is_known = true;
  REQUIRE(c.multicast.next_timer());
  c.advance(1000); // looks again, and asks for what is missing
  CHECK(c.offer(first) == payload_verdict::fresh);
  CHECK(c.delivered() == order{{publisher(0), 1}, {publisher(1), 1}});
  CHECK(c.take<multicast_gap>().empty());
}

TEST_CASE(
    "causal multicast: a publisher that stays unknown is waited for once, and never delivered after what it caused") {
  peer a{0}, b{1}, c{2};
  a.publishes(0);
  b.publishes(1);
  const auto first = a.publish(0);
  b.offer(first);
  const auto answer = b.publish(1);
  bool is_known = false;
  c.multicast.authorise([&](const identity& p) { return is_known || p != publisher(0); });
  c.offer(answer);
  c.advance(9999);
  CHECK(c.delivered().empty());
  c.advance(1);
  CHECK(c.delivered() == order{{publisher(1), 1}});
  const auto second = a.publish(0), third = a.publish(0);
  b.offer(second);
  c.offer(b.publish(1)); // not again
  CHECK(c.delivered() == order{{publisher(1), 2}});
  is_known = true;
  c.offer(first);
  c.offer(second);
  CHECK(c.delivered().empty());
  c.offer(third);
  CHECK(c.delivered() == order{{publisher(0), 3}});
  const auto gaps = c.take<multicast_gap>();
  REQUIRE(gaps.size() == 1);
  CHECK(gaps[0].lost.first == 1);
  CHECK(gaps[0].lost.last == 2);
}

TEST_CASE(
    "causal multicast: who joins begins after the marks of publishers, too, that it does not know to be allowed") {
  peer a{0}, c{2};
  a.publishes(0);
  const auto first = a.publish(0), second = a.publish(0);
  bool is_known = false;
  causal_multicast late{topic, node(3), c.verifier, c.random};
  late.authorise([&](const identity& p) { return is_known || p != publisher(0); });
  late.peers_changed({node(1)}, {}, c.now);
  late.start(0, c.now);
  const multicast_control welcome = multicast_welcome{true, {{{publisher(0), 1}, 1}}, {}};
  CHECK(late.receive(node(1), encode(welcome), c.now, c.out));
  CHECK(c.take<multicast_joined>().size() == 1);
  is_known = true;
  CHECK(late.offer(node(1), first, c.now, c.out) == payload_verdict::duplicate);
  CHECK(late.offer(node(1), second, c.now, c.out) == payload_verdict::fresh);
  CHECK(c.delivered() == order{{publisher(0), 2}});
}

TEST_CASE("causal multicast: a history ends where an event is refused, since order may have passed through it") {
  peer a{0}, b{1}, c{2}, late{3};
  a.publishes(0);
  b.publishes(1);
  c.publishes(2);
  const auto first = a.publish(0);
  b.offer(first);
  const auto second = b.publish(1);
  c.offer(first);
  c.offer(second);
  const auto third = c.publish(2); // depends on the first one through the second one alone
  causal_multicast joiner{topic, node(4), late.verifier, late.random};
  joiner.authorise([](const identity& p) { return p != publisher(1); });
  joiner.peers_changed({node(1)}, {}, late.now);
  joiner.start(10, late.now);
  multicast_welcome welcome{true, {}, {third, second, first}};
  for (int p = 0; p < 3; ++p) welcome.marks.push_back({{publisher(p), 1}, 1});
  std::ranges::sort(welcome.marks);
  CHECK(joiner.receive(node(1), encode(multicast_control{welcome}), late.now, late.out));
  CHECK(late.delivered() == order{{publisher(2), 1}});
}

TEST_CASE("causal multicast: a fork is proven, told on, and ends delivery of its publisher") {
  peer a{0}, a2{0}, b{1}, c{2};
  a.publishes(0);
  a2.publishes(0);
  a2.now += 5; // other content
  const auto one = a.publish(0, 2), other = a2.publish(0, 1);
  b.multicast.peers_changed({node(0), node(2)}, {node(2)}, b.now);
  c.multicast.peers_changed({node(0), node(1)}, {node(1)}, c.now);
  b.offer(one);
  CHECK(b.delivered().size() == 2);
  CHECK(b.offer(other) == payload_verdict::unwanted);
  const auto forks = b.take<multicast_forked>();
  REQUIRE(forks.size() == 1);
  CHECK(decode_fork_proof(encode(forks[0].proof), c.verifier));
  CHECK(b.offer(a.publish(0)) == payload_verdict::unwanted);
  CHECK(b.delivered().empty());
  const auto notices = b.take<peer_message>();
  REQUIRE(notices.size() == 1);
  CHECK(c.multicast.receive(node(1), notices[0].body, c.now, c.out));
  CHECK(c.take<multicast_forked>().size() == 1);
  CHECK(c.offer(one) == payload_verdict::unwanted);
}

TEST_CASE(
    "causal multicast: a proof that got lost is told again to who still lists its publisher, and to nobody else") {
  peer a{0}, a2{0}, b{1}, c{2};
  a.publishes(0);
  a2.publishes(0);
  a2.now += 5; // other content
  const auto one = a.publish(0), other = a2.publish(0);
  for (auto* p : {&b, &c}) p->multicast.peers_changed({node(p == &b ? 2 : 1)}, {}, p->now);
  b.offer(one);
  b.offer(other);
  CHECK(b.take<multicast_forked>().size() == 1);
  CHECK(b.take<peer_message>().empty()); // nobody near
  c.offer(one);
  c.advance(multicast_config{}.digest_ms);
  const auto digests = c.take<peer_message>();
  REQUIRE(digests.size() == 1);
  REQUIRE(b.multicast.receive(node(2), digests[0].body, b.now, b.out));
  const auto notices = b.take<peer_message>();
  REQUIRE(notices.size() == 1);
  REQUIRE(c.multicast.receive(node(1), notices[0].body, c.now, c.out));
  CHECK(c.take<multicast_forked>().size() == 1);
  for (auto* p : {&b, &c}) { // neither counts on that publisher any more
    for (int i = 0; i < 30; ++i) p->advance(1000);
    CHECK(p->take<peer_message>().empty());
  }
}

TEST_CASE("causal multicast: an event that continues another branch makes us ask its sender for that branch") {
  peer a{0}, a2{0}, b{1};
  a.publishes(0);
  a2.publishes(0);
  a2.now += 5; // other content
  const auto one = a.publish(0, 1), other = a2.publish(0, 2);
  b.offer(one);
  b.delivered();
  b.offer(alone(other, 1), 3);
  CHECK(b.delivered().empty());
  const auto wants = b.take<peer_message>();
  REQUIRE(wants.size() == 1);
  CHECK(wants[0].to == node(3));
  multicast_events answer;
  answer.parcels = {alone(other, 0)};
  CHECK(b.multicast.receive(node(3), encode(multicast_control{answer}), b.now, b.out));
  CHECK(b.take<multicast_forked>().size() == 1);
}

TEST_CASE("causal multicast: unreliable events are delivered once, in any order, and never wanted") {
  peer a{0}, b{1};
  a.publishes(0);
  const auto one = a.publish(0, 1, event_mode::unreliable), two = a.publish(0, 1, event_mode::unreliable);
  CHECK(b.offer(two) == payload_verdict::fresh);
  CHECK(b.offer(one) == payload_verdict::fresh);
  CHECK(b.offer(one) == payload_verdict::duplicate);
  CHECK(b.delivered() == order{{publisher(0), 2}, {publisher(0), 1}});
  b.advance(100);
  CHECK(b.take<peer_message>().empty());
}

TEST_CASE("causal multicast: what is held back is bounded") {
  multicast_config config;
  config.pending_max = 10;
  peer a{0}, b{1, config};
  a.publishes(0);
  const auto parcel = a.publish(0, 100);
  for (std::size_t i = 1; i < 100; ++i) b.offer(alone(parcel, i));
  CHECK(b.multicast.stats().pending == 10);
  CHECK(b.multicast.stats().dropped == 89);
  b.offer(alone(parcel, 0));
  CHECK(b.delivered().size() == 11); // the rest is known to exist, and wanted
  b.advance(50);
  CHECK(b.take<peer_message>().size() == 1);
}

TEST_CASE("causal multicast: a peer gets no more answers than its credit allows") {
  multicast_config config;
  config.answer_octets_burst = 100'000;
  config.answer_octets_per_second = 1000;
  peer a{0, config};
  a.publishes(0);
  for (int i = 0; i < 100; ++i) a.publish(0, 1);
  const multicast_control want = multicast_want{{{{publisher(0), 1}, 1, 100}}};
  std::size_t octets = 0;
  for (int i = 0; i < 100; ++i) CHECK(a.multicast.receive(node(1), encode(want), a.now, a.out));
  for (const auto& m : a.take<peer_message>()) octets += m.body.size();
  CHECK(octets > 0);
  CHECK(octets < 100'000);
  CHECK(a.multicast.stats().refused > 90);
  CHECK(a.multicast.receive(fake_identity(9999), encode(want), a.now, a.out).code() == errc::permission_denied);
}

TEST_CASE("causal multicast: a gap that nobody can fill is skipped and reported, silence alone is not believed") {
  peer a{0}, b{1};
  a.publishes(0);
  const auto parcel = a.publish(0, 3);
  b.offer(alone(parcel, 2), 3);
  for (int i = 0; i < 400; ++i) b.advance(100); // nobody answers: a partition
  CHECK(b.take<multicast_gap>().empty());
  const auto deny = [&](int from) {
    multicast_events answer;
    answer.missing = {{{publisher(0), 1}, 1, 2}};
    CHECK(b.multicast.receive(node(from), encode(multicast_control{answer}), b.now, b.out));
  };
  deny(2), deny(3), deny(4);
  for (int i = 0; i < 30; ++i) b.advance(100);
  const auto gaps = b.take<multicast_gap>();
  REQUIRE(gaps.size() == 1);
  CHECK(gaps[0].lost == chain_range{{publisher(0), 1}, 1, 2});
  CHECK(b.delivered() == order{{publisher(0), 3}});
}

TEST_CASE("causal multicast: the store is bounded, and history is its end") {
  multicast_config config;
  config.store_events_max = 20;
  peer a{0, config};
  a.publishes(0);
  a.publish(0, 50);
  CHECK(a.multicast.stats().stored == 20);
  const auto history = a.multicast.history(5);
  REQUIRE(history.size() == 5);
  CHECK(history.front().event.seq == 46);
  CHECK(history.back().event.seq == 50);
}

TEST_CASE("causal multicast: a restarted publisher goes on in a new chain; the oldest lives are forgotten") {
  peer b{1};
  shared_bytes oldest;
  for (std::uint64_t epoch = 1; epoch <= 6; ++epoch) {
    peer a{0};
    a.publishes(0, epoch);
    const auto parcel = a.publish(0, 2);
    if (epoch == 1) oldest = parcel;
    CHECK(b.offer(parcel) == payload_verdict::fresh);
  }
  CHECK(b.delivered().size() == 12);
  CHECK(b.multicast.stats().chains == 4);
  CHECK(b.offer(oldest) == payload_verdict::duplicate); // over, not new
}

TEST_CASE("causal multicast: bodies from peers that are no bodies are refused") {
  peer a{0};
  seeded_random random{3};
  const auto good = encode(multicast_control{multicast_want{{{{publisher(0), 1}, 1, 100}}}});
  for (std::size_t n = 0; n < good.size(); ++n)
    CHECK_FALSE(a.multicast.receive(node(1), byte_view{good}.first(n), a.now, a.out));
  for (int i = 0; i < 2000; ++i) {
    bytes noise(random.below(64));
    random.fill(noise);
    static_cast<void>(a.multicast.receive(node(1), noise, a.now, a.out));
    CHECK(a.offer(shared_bytes{noise}) == payload_verdict::invalid);
  }
  multicast_want many;
  for (std::uint64_t i = 0; i < 17; ++i) many.ranges.push_back({{publisher(0), i}, 1, 1});
  CHECK_FALSE(a.multicast.receive(node(1), encode(multicast_control{many}), a.now, a.out));
  CHECK_FALSE(a.multicast.receive(node(1), encode(multicast_control{multicast_want{{{{publisher(0), 1}, 1, 257}}}}),
                                  a.now, a.out));
}
