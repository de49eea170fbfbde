// Relayed messages through one hop and several; who may relay what; loops, quotas, tampering, replays.
#include "hanse/transport/relay.hpp"

#include <doctest/doctest.h>

using namespace hanse;

namespace {

key_pair key_of(std::uint64_t n) {
  seeded_random random{n};
  return key_pair::generate(random);
}

constexpr time_ms start = 1'000'000'000;

/// Nodes 0..6: the first sends, the last receives, those between relay.
struct chain {
  explicit chain(relay_config config = {.forwards = true}) {
    for (std::uint64_t i = 0; i < 7; ++i) {
      keys.push_back(key_of(i + 1));
      nodes.push_back(std::make_unique<relay>(keys.back(), i == 0 || i == 6 ? relay_config{} : config, random));
    }
  }

  identity id(std::size_t i) const { return keys[i].identity(); }
  std::size_t index_of(const identity& who) const {
    for (std::size_t i = 0; i < keys.size(); ++i)
      if (keys[i].identity() == who) return i;
    return keys.size();
  }

  std::vector<relay_effect> at(std::size_t node, std::size_t from, byte_view body) {
    std::vector<relay_effect> out;
    nodes[node]->receive(id(from), body, now, out);
    return out;
  }

  /// Passes a message on until somebody keeps it; the hops it took.
  std::size_t run(peer_message m, std::size_t from = 0) {
    std::size_t hops = 0;
    for (;;) {
      const auto node = index_of(m.to);
      REQUIRE(node < keys.size());
      auto out = at(node, from, m.body);
      REQUIRE(out.size() == 1);
      if (auto* here = std::get_if<relay_deliver>(&out[0])) got.push_back({node, here->content});
      if (auto* no = std::get_if<relay_refused>(&out[0])) refused.push_back(no->why.code);
      auto* next = std::get_if<peer_message>(&out[0]);
      if (!next) return hops;
      ++hops;
      from = node;
      m = *next;
    }
  }

  expected<peer_message> send(std::vector<identity> relays, std::string_view text = "sealed", time_ms life = 60'000) {
    return nodes[0]->send(id(6), relays, as_byte_view(text), now, life);
  }

  seeded_random random{5};
  std::vector<key_pair> keys;
  std::vector<std::unique_ptr<relay>> nodes;
  std::vector<std::pair<std::size_t, bundle>> got;
  std::vector<errc> refused;
  time_ms now = start;
};

errc only_refusal(const std::vector<relay_effect>& out) {
  if (out.size() != 1) return errc::internal;
  const auto* no = std::get_if<relay_refused>(&out[0]);
  return no ? no->why.code : errc::none;
}

} // namespace

TEST_CASE("a message reaches its node through one to four relays, and says who sent it") {
  for (std::size_t hops = 1; hops <= relay_hops_max; ++hops) {
    CAPTURE(hops);
    chain c;
    std::vector<identity> relays;
    for (std::size_t i = 1; i <= hops; ++i) relays.push_back(c.id(i));
    const auto m = c.send(relays);
    REQUIRE(m);
    CHECK(m->to == c.id(1));
    CHECK(c.run(*m) == hops);
    REQUIRE(c.got.size() == 1);
    CHECK(c.got[0].first == 6);
    CHECK(c.got[0].second.sender == c.id(0));
    CHECK(as_text(c.got[0].second.payload) == "sealed");
  }
}

TEST_CASE("no octet of the payload or of the sender's identity is visible to a relay") {
  chain c;
  const auto m = c.send({c.id(1)}, "a payload that nobody on the way can read");
  REQUIRE(m);
  CHECK(as_text(m->body).find("payload") == std::string_view::npos);
  CHECK(as_text(m->body).find(as_text(c.id(0).wire())) == std::string_view::npos);
}

TEST_CASE("the relays of a message are few, different, and neither end") {
  chain c;
  CHECK(c.send({}).code() == errc::hop_limit);
  CHECK(c.send({c.id(1), c.id(2), c.id(3), c.id(4), c.id(5)}).code() == errc::hop_limit);
  CHECK(c.send({c.id(1), c.id(1)}).code() == errc::bad_value);
  CHECK(c.send({c.id(6)}).code() == errc::bad_value);
  CHECK(c.send({c.id(0)}).code() == errc::bad_value);
  CHECK(c.send({c.id(1)}, "x", relay_life_max_ms + 1).code() == errc::bad_value);
  CHECK(c.nodes[0]->send(c.id(6), {c.id(1)}, bytes(relay_payload_max + 1), start, 1'000).code() == errc::too_long);
  const auto largest = c.nodes[0]->send(c.id(6), {c.id(1)}, bytes(relay_payload_max), start, 1'000);
  REQUIRE(largest);
  CHECK(largest->body.size() <= body_size_max);
}

TEST_CASE("a node relays only if it was told to") {
  chain c{relay_config{}};
  c.run(*c.send({c.id(1)}));
  CHECK(c.refused == std::vector{errc::permission_denied});
}

TEST_CASE("a message that comes again is neither forwarded nor delivered, until it has expired") {
  chain c;
  const auto m = *c.send({c.id(1), c.id(2)});
  c.run(m);
  c.run(m);
  CHECK(c.got.size() == 1);
  CHECK(c.refused == std::vector{errc::replayed});
  c.now = start + 60'000 + clock_skew_max_ms;
  c.run(m);
  CHECK(c.refused.back() == errc::replayed);
  REQUIRE(c.nodes[1]->next_timer());
  c.now = *c.nodes[1]->next_timer();
  c.run(m);
  CHECK(c.refused.back() == errc::expired);
  c.nodes[1]->tick(c.now);
  CHECK(c.nodes[1]->seen() == 0);
}

TEST_CASE("a loop ends at the first relay that sees it again") {
  chain c;
  // Node 1 -> 2 -> 3 -> 1, as a relay could rewrite the path: the hop limit allows it, the seen set does not.
  auto m = *c.send({c.id(1), c.id(2), c.id(3)});
  auto first = std::get<peer_message>(c.at(1, 0, m.body)[0]);
  auto second = std::get<peer_message>(c.at(2, 1, first.body)[0]);
  CHECK(only_refusal(c.at(1, 2, second.body)) == errc::replayed);
  // And straight back to where it came from is refused at once.
  auto other = *c.send({c.id(1), c.id(2)}, "other");
  CHECK(only_refusal(c.at(1, 2, other.body)) == errc::bad_value);
}

TEST_CASE("each neighbour has a quota of octets a minute, and all of them together") {
  chain c{relay_config{.forwards = true, .octets_per_minute = 20'000, .octets_per_minute_in_all = 30'000}};
  const std::string text(4'000, 'x');
  std::size_t forwarded = 0;
  for (int i = 0; i < 20; ++i) {
    const auto out = c.at(1, 0, c.send({c.id(1)}, text)->body);
    if (std::holds_alternative<peer_message>(out[0]))
      ++forwarded;
    else
      CHECK(only_refusal(out) == errc::queue_full);
  }
  CHECK(forwarded == 4);
  for (int i = 0; i < 20; ++i)
    if (std::holds_alternative<peer_message>(c.at(1, 2, c.send({c.id(1)}, text)->body)[0])) ++forwarded;
  CHECK(forwarded == 7); // 4.3 KB each, 30'000 octets in all
  c.now += relay_quota_ms;
  CHECK(std::holds_alternative<peer_message>(c.at(1, 0, c.send({c.id(1)}, text)->body)[0]));
}

TEST_CASE("what a relay alters is refused; what it drops is only lost") {
  chain c;
  const auto m = *c.send({c.id(1)});
  const auto last = std::get<peer_message>(c.at(1, 0, m.body)[0]);
  std::size_t delivered = 0;
  for (std::size_t i = 0; i < last.body.size(); ++i) {
    bytes bad = last.body;
    bad[i] ^= std::byte{1};
    for (const auto& effect : c.at(6, 1, bad))
      if (auto* d = std::get_if<relay_deliver>(&effect)) {
        ++delivered; // hops and outer expiry are a relay's to say; the contents stay as they were
        CHECK(as_text(d->content.payload) == "sealed");
        CHECK(d->content.sender == c.id(0));
      }
    CHECK(only_refusal(c.at(6, 1, byte_view{last.body}.first(i))) != errc::none);
  }
  CHECK(delivered <= 1); // the box is remembered: the first of them counts
}

TEST_CASE("a relay cannot make a message live longer") {
  chain c;
  const auto m = *c.send({c.id(1)}, "old", 1'000);
  const auto last = std::get<peer_message>(c.at(1, 0, m.body)[0]);
  c.now = start + 1'000 + clock_skew_max_ms + 1;
  CHECK(only_refusal(c.at(6, 1, last.body)) == errc::expired);
  // The same box under a later outer expiry: sealed times decide.
  chain d;
  d.now = c.now;
  auto later = *d.nodes[0]->send(d.id(6), {d.id(1)}, as_byte_view("old"), d.now, 1'000);
  auto fresh = std::get<peer_message>(d.at(1, 0, later.body)[0]).body;
  const auto box_of = [](const bytes& body) { // the longest field
    msgpack_reader in{body};
    byte_view box;
    for (auto left = in.array(16); left > 0; --left)
      if (const auto field = in.raw(); field.size() > box.size()) box = field;
    return box;
  };
  const auto old_box = box_of(last.body), new_box = box_of(fresh);
  REQUIRE(old_box.size() > 100);
  REQUIRE(old_box.size() == new_box.size());
  bytes forged = fresh; // the old box under the new times
  std::copy(old_box.begin(), old_box.end(), forged.begin() + (new_box.data() - fresh.data()));
  const auto out = d.at(6, 1, forged);
  CHECK(only_refusal(out) != errc::none);
}

TEST_CASE("malformed bodies and impossible paths are refused without a trace") {
  chain c;
  seeded_random random{12};
  for (int i = 0; i < 5'000; ++i) {
    bytes body(random.below(200));
    random.fill(body);
    if (!body.empty()) body[0] = std::byte{0x97};
    CHECK(only_refusal(c.at(1, 0, body)) != errc::none);
  }
  CHECK(c.nodes[1]->seen() == 0);
}

TEST_CASE("relay addresses name nodes") {
  const auto id = key_of(1).identity();
  CHECK(*parse_relay_address("relay://" + to_string(id)) == id);
  CHECK_FALSE(parse_relay_address("relay://"));
  CHECK_FALSE(parse_relay_address("tls://" + to_string(id)));
  CHECK_FALSE(parse_relay_address("relay://" + to_string(id) + "/x"));
}
