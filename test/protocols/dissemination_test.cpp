// Dissemination protocols one by one: batching, slow peers, invalid payloads, floods of announcements, HyParView's
// views. Many nodes together are in test/sim/overlay_sim_test.cpp.
#include "hanse/protocols/full_mesh.hpp"
#include "hanse/protocols/plumtree.hpp"
#include "protocols/event_signing.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::test;

namespace {

struct sink final : payload_sink {
  payload_verdict verdict = payload_verdict::fresh;
  int offered = 0;
  payload_verdict offer(const identity&, const shared_bytes&, time_ms) override {
    ++offered;
    return verdict;
  }
};

std::vector<identity> ids(int count) {
  std::vector<identity> all;
  for (int i = 0; i < count; ++i) all.push_back(fake_identity(static_cast<std::uint64_t>(i)));
  std::sort(all.begin(), all.end());
  return all;
}

shared_bytes payload(int n, std::size_t size = 100) {
  bytes octets(size);
  octets[0] = static_cast<std::byte>(n);
  octets[1] = static_cast<std::byte>(n >> 8);
  return shared_bytes{octets};
}

template <class T>
std::vector<T> take(dissemination_effects& out) {
  std::vector<T> found;
  for (const auto& e : out)
    if (const auto* t = std::get_if<T>(&e)) found.push_back(*t);
  out.clear();
  return found;
}

bytes body(std::uint64_t kind) {
  msgpack_writer m;
  m.array(2);
  m.unsigned_integer(kind);
  m.unsigned_integer(1);
  return std::move(m).take();
}

/// A plumtree node with neighbours that joined it.
struct tree {
  explicit tree(int neighbours, const plumtree_config& config = {})
      : all(ids(20)), random(3), node({all[0], to, random}, config) {
    node.members_changed({all.begin() + 1, all.end()}, 0, out);
    for (int i = 1; i <= neighbours; ++i) REQUIRE(node.receive(all[i], body(hyparview_kind_first), 0, out)); // join
    out.clear();
  }
  std::vector<identity> all;
  sink to;
  seeded_random random;
  plumtree node;
  dissemination_effects out;
};

bytes payloads_message(std::uint64_t hop, const shared_bytes& p) {
  msgpack_writer m;
  m.array(3);
  m.unsigned_integer(0);
  m.unsigned_integer(1);
  m.array(2);
  m.unsigned_integer(hop);
  m.blob(p.view());
  return std::move(m).take();
}

bytes announcement(std::uint64_t hop, const digest& id) {
  msgpack_writer m;
  m.array(3);
  m.unsigned_integer(1);
  m.unsigned_integer(1);
  m.array(2);
  m.unsigned_integer(hop);
  m.blob(id.view());
  return std::move(m).take();
}

} // namespace

TEST_CASE("full mesh: a burst to a peer is one message, and a slow peer loses its oldest while others get all") {
  const auto all = ids(4);
  sink to;
  seeded_random random{1};
  full_mesh_config config;
  config.queue_octets_max = 1000;
  full_mesh node{{all[0], to, random}, config};
  dissemination_effects out;
  node.members_changed({all[1], all[2], all[3]}, 0, out);
  node.peer_writable(all[1], false, 0, out);
  for (int i = 0; i < 5; ++i) node.broadcast(payload(i), 0, out);
  node.flush(0, out);
  CHECK(take<peer_message>(out).size() == 2);
  for (int i = 0; i < 20; ++i) {
    node.broadcast(payload(i), 0, out);
    node.flush(0, out);
  }
  CHECK(take<peer_message>(out).size() == 40);
  CHECK(node.stats().dropped == 15);
  node.peer_writable(all[1], true, 0, out);
  CHECK(take<peer_message>(out).size() == 1);
}

TEST_CASE("plumtree: what is new goes on to eager neighbours; a copy prunes its sender") {
  tree t{3};
  CHECK(t.node.receive(t.all[1], payloads_message(1, payload(1)), 0, t.out));
  t.node.flush(0, t.out);
  CHECK(take<peer_message>(t.out).size() == 2);
  CHECK(t.node.receive(t.all[2], payloads_message(1, payload(1)), 0, t.out));
  CHECK(t.to.offered == 1);
  const auto pruned = take<peer_message>(t.out);
  REQUIRE(pruned.size() == 1);
  CHECK(pruned[0].to == t.all[2]);
  CHECK(t.node.eager() == std::vector{t.all[1], t.all[3]});
}

TEST_CASE("plumtree: what is not fresh is not forwarded, and who sends invalid payloads is no neighbour any more") {
  tree t{3};
  t.to.verdict = payload_verdict::unwanted;
  CHECK(t.node.receive(t.all[1], payloads_message(1, payload(1)), 0, t.out));
  t.to.verdict = payload_verdict::invalid;
  for (int i = 2; i < 5; ++i) CHECK(t.node.receive(t.all[1], payloads_message(1, payload(i)), 0, t.out));
  t.node.flush(0, t.out);
  for (const auto& m : t.out)
    if (const auto* p = std::get_if<peer_message>(&m)) CHECK(p->body.size() < 10); // leave, asks; no payload
  CHECK(t.node.neighbours() == std::vector{t.all[2], t.all[3]});
  CHECK(t.node.receive(t.all[1], body(hyparview_kind_first), 1000, t.out).code() == errc::untrusted);
  CHECK(t.node.receive(t.all[1], body(hyparview_kind_first), 601'000, t.out)); // after the ban
}

TEST_CASE("plumtree: what is announced and does not come is asked for, from one announcer after the other") {
  tree t{3};
  const auto p = payload(9);
  for (int i = 1; i <= 2; ++i) CHECK(t.node.receive(t.all[i], announcement(3, blake2b_256(p.view())), 0, t.out));
  t.out.clear();
  std::vector<identity> asked;
  for (time_ms now = 0; now < 4000; now += 10) {
    t.node.tick(now, t.out);
    for (const auto& m : take<peer_message>(t.out))
      if (m.body[1] == std::byte{2}) asked.push_back(m.to);
  }
  CHECK(asked == std::vector{t.all[1], t.all[2]});
}

TEST_CASE("plumtree: slow-peer policy: announcements go first, then payloads become announcements") {
  plumtree_config config;
  config.queue_octets_max = 1000;
  config.queue_announcements_max = 4;
  tree t{2, config};
  t.node.peer_writable(t.all[1], false, 0, t.out);
  for (int i = 0; i < 30; ++i) t.node.broadcast(payload(i), 0, t.out);
  t.node.flush(0, t.out);
  const auto to_other = take<peer_message>(t.out); // the other one got all that its own queue held in this burst
  REQUIRE(to_other.size() == 1);
  CHECK(to_other[0].to == t.all[2]);
  t.node.peer_writable(t.all[1], true, 0, t.out);
  const auto late = take<peer_message>(t.out);
  REQUIRE(late.size() == 2);
  msgpack_reader in{late[1].body};
  in.array_exactly(3);
  CHECK(in.unsigned_integer() == 1); // announcements
  in.unsigned_integer();
  CHECK(in.array(100) == 8); // four, of the twenty payloads that did not fit
}

TEST_CASE("plumtree: one neighbour cannot fill the table of what is missing") {
  plumtree_config config;
  config.missing_max = 80;
  tree t{3, config};
  for (int i = 0; i < 1000; ++i)
    CHECK(t.node.receive(t.all[1], announcement(1, blake2b_256(payload(i).view())), 0, t.out));
  const auto p = payload(5000);
  CHECK(t.node.receive(t.all[2], announcement(1, blake2b_256(p.view())), 0, t.out));
  t.out.clear();
  bool asked = false;
  for (time_ms now = 0; now < 3000; now += 10) {
    t.node.tick(now, t.out);
    for (const auto& m : take<peer_message>(t.out)) asked = asked || (m.to == t.all[2] && m.body[1] == std::byte{2});
  }
  CHECK(asked);
}

TEST_CASE("hyparview: views keep their sizes, and nodes that are no members do not enter them") {
  tree t{12};
  CHECK(t.node.overlay().active().size() == 5);
  msgpack_writer m; // a shuffle full of strangers
  m.array(5);
  m.unsigned_integer(hyparview_kind_first + 9);
  m.unsigned_integer(1);
  m.blob(t.all[1].wire());
  m.unsigned_integer(1);
  m.array(8);
  for (std::uint64_t i = 0; i < 8; ++i) m.blob(fake_identity(5000 + i).wire());
  const auto before = t.node.overlay().passive();
  CHECK(t.node.receive(t.all[1], m.view(), 0, t.out));
  CHECK(t.node.overlay().passive() == before);
  CHECK(t.node.receive(fake_identity(7777), body(hyparview_kind_first), 0, t.out).code() == errc::permission_denied);
}

TEST_CASE("hyparview: a silent neighbour is replaced") {
  tree t{5};
  const auto before = t.node.neighbours();
  for (time_ms now = 0; now < 20'000; now += 100) t.node.tick(now, t.out);
  CHECK(t.node.neighbours().empty());
  std::set<identity> asked;
  for (const auto& m : take<peer_message>(t.out))
    if (m.body[1] != std::byte{hyparview_kind_first + 6}) asked.insert(m.to); // all but pings
  CHECK(asked.size() > 3);
}

TEST_CASE("dissemination: noise is refused") {
  tree t{2};
  seeded_random noise{4};
  for (int i = 0; i < 3000; ++i) {
    bytes octets(noise.below(60));
    noise.fill(octets);
    if (octets.size() > 2) octets[0] = std::byte{0x93}, octets[1] = static_cast<std::byte>(i % 30);
    static_cast<void>(t.node.receive(t.all[1], octets, 0, t.out));
  }
  CHECK(t.to.offered < 30);
  for (const auto& whole : {payloads_message(1, payload(1)), announcement(1, digest{})})
    for (std::size_t n = 0; n < whole.size(); ++n)
      CHECK_FALSE(t.node.receive(t.all[1], byte_view{whole}.first(n), 0, t.out));
}
