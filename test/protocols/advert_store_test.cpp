// What a node keeps of others' adverts: which one wins, what is evicted, what is told, and that a restart takes it
// back. Not signatures and strictness (advert_test.cpp).
#include "protocols/samples.hpp"

#include "hanse/protocols/advert_store.hpp"

#include <algorithm>

using namespace hanse;
using namespace hanse::test;

namespace {

constexpr time_ms start = 1'700'000'000'000;
constexpr time_ms hour = 3600 * 1000;

signed_node_advert node_advert_of(std::uint64_t n, std::uint64_t version, std::string address = "tls://h:1") {
  return sign(node_advert{test::id(n), version, {{std::move(address), 1}}, {}, ""}, test::key(n));
}

signed_engine_advert engine_advert_of(std::uint64_t e, const identity& node, std::uint64_t version) {
  return sign(engine_advert{test::id(e), node, version, {}, ""}, test::key(e));
}

identity numbered(std::uint64_t n) {
  std::array<std::byte, 32> octets{};
  for (std::size_t i = 0; i < 8; ++i) octets[i] = static_cast<std::byte>(n >> (8 * i));
  return identity::trusted(identity_kind::individual, octets);
}

/// An advert as the decoder would give it, but unsigned: for floods.
signed_engine_advert flood_engine(std::uint64_t n) {
  return {engine_advert{numbered(n), numbered(1), 1, {}, ""}, to_bytes("e" + std::to_string(n))};
}

signed_node_advert flood_node(std::uint64_t n) {
  return {node_advert{numbered(n), 1, {{"tls://h:1", 1}}, {}, ""}, to_bytes("n" + std::to_string(n))};
}

template <class T>
std::vector<T> of_type(const advert_effects& effects) {
  std::vector<T> found;
  for (const auto& e : effects)
    if (const auto* x = std::get_if<T>(&e)) found.push_back(*x);
  return found;
}

using table = std::map<bytes, bytes>;

void write_to(table& disk, const advert_effects& effects) {
  for (const auto& p : of_type<advert_persist>(effects)) {
    if (p.write.value)
      disk[p.write.key] = *p.write.value;
    else
      disk.erase(p.write.key);
  }
}

} // namespace

TEST_CASE("advert store: the highest version wins, the first of equals stays") {
  advert_store s;
  advert_effects out;
  const auto two = node_advert_of(1, 2, "tls://two:1");
  REQUIRE(s.put(two, advert_origin::learned, out));
  CHECK(of_type<node_changed>(out).size() == 1);
  out.clear();
  CHECK(s.put(node_advert_of(1, 1), advert_origin::learned, out).code() == errc::stale);
  const auto same = s.put(two, advert_origin::learned, out);
  CHECK(same.code() == errc::already_exists);
  CHECK(same.error().detail.empty());
  const auto twin = s.put(node_advert_of(1, 2, "tls://other:1"), advert_origin::learned, out);
  CHECK(twin.code() == errc::already_exists);
  CHECK(twin.error().detail == "differs");
  CHECK(out.empty());
  CHECK(s.addresses_of(test::id(1)).at(0).address == "tls://two:1");
  const auto generation = s.generation();
  REQUIRE(s.put(node_advert_of(1, 3, "tls://two:1"), advert_origin::learned, out));
  CHECK(of_type<node_changed>(out).empty()); // the same addresses
  CHECK(of_type<advert_persist>(out).size() == 1);
  CHECK(s.generation() != generation);
}

TEST_CASE("advert store: an engine's move is told, and lookups follow it") {
  advert_store s;
  advert_effects out;
  REQUIRE(s.put(engine_advert_of(5, test::id(1), 1), advert_origin::learned, out));
  auto moves = of_type<engine_moved>(out);
  REQUIRE(moves.size() == 1);
  CHECK(moves[0].from.is_none());
  out.clear();
  REQUIRE(s.put(engine_advert_of(5, test::id(1), 2), advert_origin::learned, out));
  CHECK(of_type<engine_moved>(out).empty());
  REQUIRE(s.put(engine_advert_of(5, test::id(2), 3), advert_origin::learned, out));
  moves = of_type<engine_moved>(out);
  REQUIRE(moves.size() == 1);
  CHECK(moves[0].engine == test::id(5));
  CHECK(moves[0].from == test::id(1));
  CHECK(moves[0].to == test::id(2));
  CHECK(s.node_of(test::id(5)) == test::id(2));
  CHECK(s.engines_of(test::id(1)).empty());
  CHECK(s.engines_of(test::id(2)) == std::vector{test::id(5)});
  CHECK(s.put(engine_advert_of(5, test::id(1), 2), advert_origin::learned, out).code() == errc::stale);
  CHECK(s.node_of(test::id(5)) == test::id(2));
}

TEST_CASE("advert store: addresses come heaviest first, and else as advertised") {
  advert_store s;
  advert_effects out;
  const node_advert a{test::id(1), 1, {{"tls://a:1", 1}, {"tls://b:1", 9}, {"tls://c:1", 1}}, {}, ""};
  REQUIRE(s.put(sign(a, test::key(1)), advert_origin::learned, out));
  const auto list = s.addresses_of(test::id(1));
  REQUIRE(list.size() == 3);
  CHECK(list[0].address == "tls://b:1");
  CHECK(list[1].address == "tls://a:1");
  CHECK(list[2].address == "tls://c:1");
  CHECK(s.addresses_of(test::id(2)).empty());
}

TEST_CASE("advert store: a flood of engines evicts the flood, not what is used, pinned or own") {
  advert_store s;
  advert_effects out;
  REQUIRE(s.put(flood_engine(1), advert_origin::own, out));
  REQUIRE(s.put(flood_engine(2), advert_origin::pinned, out));
  REQUIRE(s.put(flood_engine(3), advert_origin::learned, out));
  s.note_use(numbered(3));
  for (std::uint64_t n = 4; s.engine_count() < advert_engines_max; ++n)
    REQUIRE(s.put(flood_engine(n), advert_origin::learned, out));
  out.clear();
  for (std::uint64_t n = 0; n < 100; ++n) REQUIRE(s.put(flood_engine(1'000'000 + n), advert_origin::learned, out));
  CHECK(s.engine_count() == advert_engines_max);
  const auto gone = of_type<advert_evicted>(out);
  REQUIRE(gone.size() == 100);
  CHECK(gone.front().subject == numbered(4)); // the oldest that was never used
  for (std::uint64_t n = 1; n <= 3; ++n) CHECK(s.engine(numbered(n)));
  CHECK_FALSE(s.engine(numbered(4)));
  CHECK(s.engines_of(numbered(1)).size() == advert_engines_max);
}

TEST_CASE("advert store: where nothing may be evicted the new one is refused") {
  advert_store s;
  advert_effects out;
  for (std::uint64_t n = 0; n < advert_nodes_max; ++n) REQUIRE(s.put(flood_node(n), advert_origin::pinned, out));
  CHECK(s.put(flood_node(1'000'000), advert_origin::own, out).code() == errc::table_full);
  s.measure(numbered(1'000'001), {100, {}, {}}, start, out);
  CHECK(s.node_count() == advert_nodes_max);
  CHECK_FALSE(s.measured(numbered(1'000'001)).rtt_us);
}

TEST_CASE("advert store: pinning sticks, even when the advert is not news") {
  advert_store s;
  advert_effects out;
  REQUIRE(s.put(flood_node(7), advert_origin::learned, out));
  out.clear();
  CHECK(s.put(flood_node(7), advert_origin::pinned, out).code() == errc::already_exists);
  CHECK(of_type<advert_persist>(out).size() == 1); // the origin is durable too
  auto newer = flood_node(7);
  newer.value.version = 2;
  REQUIRE(s.put(newer, advert_origin::learned, out));
  CHECK(s.nodes(start).at(0).origin == advert_origin::pinned);
}

TEST_CASE("advert store: trust is 128 unless set, and outlives its subject's advert") {
  advert_store s;
  advert_effects out;
  REQUIRE(s.put(flood_node(7), advert_origin::learned, out));
  CHECK(s.trust(numbered(7)) == trust_default);
  const auto generation = s.generation();
  REQUIRE(s.set_trust(numbered(7), trust_banned, out));
  CHECK(s.generation() != generation);
  CHECK(s.trust(numbered(7)) == trust_banned);
  CHECK(s.remove(numbered(7), out));
  CHECK_FALSE(s.remove(numbered(7), out));
  CHECK_FALSE(s.node(numbered(7)));
  CHECK(s.trust(numbered(7)) == trust_banned);
  for (std::uint64_t n = 100; n < 100 + trust_entries_max - 1; ++n) REQUIRE(s.set_trust(numbered(n), 1, out));
  CHECK(s.set_trust(numbered(1), 1, out).code() == errc::table_full);
  REQUIRE(s.set_trust(numbered(7), trust_default, out)); // forgets
  CHECK(s.set_trust(numbered(1), 1, out));
}

TEST_CASE("advert store: reputation is bounded and halves every hour") {
  advert_store s;
  advert_effects out;
  const auto n = numbered(7);
  CHECK(s.reputation(n, start) == 0);
  for (int i = 0; i < 100; ++i) s.note(n, reputation_event::misbehaved, start, out);
  CHECK(s.reputation(n, start) == -reputation_max);
  CHECK(s.reputation(n, start + hour - 1) == -1000);
  CHECK(s.reputation(n, start + hour) == -500);
  CHECK(s.reputation(n, start + 3 * hour) == -125);
  CHECK(s.reputation(n, start + 100 * hour) == 0);
  CHECK(s.reputation(n, start - hour) == -1000); // a clock that went back
  s.note(n, reputation_event::delivered, start + hour + hour / 2, out);
  CHECK(s.reputation(n, start + 2 * hour) == -249);
  for (int i = 0; i < 3000; ++i) s.note(n, reputation_event::delivered, start + 2 * hour, out);
  CHECK(s.reputation(n, start + 2 * hour) == reputation_max);
}

TEST_CASE("advert store: measurements are smoothed by an eighth") {
  advert_store s;
  advert_effects out;
  const auto n = numbered(7);
  CHECK_FALSE(s.measured(n).rtt_us);
  s.measure(n, {800, {}, {}}, start, out);
  CHECK(s.measured(n).rtt_us == 800u);
  s.measure(n, {1600, 8000, 1'000'000}, start + 5, out);
  CHECK(s.measured(n).rtt_us == 900u);
  CHECK(s.measured(n).loss_ppm == 8000u);
  CHECK(s.measured(n).updated_ms == start + 5);
  s.measure(n, {{}, 0, 200'000}, start + 6, out);
  CHECK(s.measured(n).rtt_us == 900u);
  CHECK(s.measured(n).loss_ppm == 7000u);
  CHECK(s.measured(n).octets_per_second == 900'000u);
  CHECK(s.node_count() == 1); // known by its link alone
  CHECK_FALSE(s.nodes(start).at(0).advert);
}

TEST_CASE("advert store: listings are in order, and a restart takes back what was durable") {
  advert_store s;
  table disk;
  advert_effects out;
  for (std::uint64_t n = 1; n <= 8; ++n) REQUIRE(s.put(node_advert_of(n, n), advert_origin::learned, out));
  REQUIRE(s.put(node_advert_of(9, 1), advert_origin::pinned, out));
  for (std::uint64_t e = 20; e < 25; ++e)
    REQUIRE(s.put(engine_advert_of(e, test::id(e - 19), 1), advert_origin::own, out));
  REQUIRE(s.set_trust(test::id(3), 77, out));
  CHECK(s.remove(test::id(2), out));
  write_to(disk, out);
  advert_store again;
  for (const auto& [key, value] : disk) REQUIRE(again.restore(key, value));
  const auto nodes = again.nodes(start);
  REQUIRE(nodes.size() == 8);
  CHECK(std::is_sorted(nodes.begin(), nodes.end(), [](auto& a, auto& b) { return a.node < b.node; }));
  for (const auto& n : nodes) {
    REQUIRE(n.advert);
    CHECK(equal(n.advert->wire, s.node(n.node)->wire));
    CHECK(n.origin == (n.node == test::id(9) ? advert_origin::pinned : advert_origin::learned));
    CHECK(n.trust == (n.node == test::id(3) ? 77 : trust_default));
  }
  const auto engines = again.engines();
  REQUIRE(engines.size() == 5);
  CHECK(std::is_sorted(engines.begin(), engines.end(),
                       [](auto& a, auto& b) { return a.advert->value.engine < b.advert->value.engine; }));
  CHECK(again.node_of(test::id(20)) == test::id(1));
  CHECK(engines[0].origin == advert_origin::own);
}

TEST_CASE("advert store: a damaged record is refused, whichever bit of it") {
  advert_store s;
  advert_effects out;
  REQUIRE(s.put(node_advert_of(1, 1), advert_origin::learned, out));
  const auto write = of_type<advert_persist>(out).at(0).write;
  for_each_bit_flip(*write.value, [&](byte_view bad) {
    advert_store fresh;
    const bool other_origin = bad[0] != (*write.value)[0] && bad[0] <= std::byte{2};
    CHECK(fresh.restore(write.key, bad).has_value() == other_origin);
  });
  advert_store fresh;
  for_each_bit_flip(write.key, [&](byte_view bad) { CHECK_FALSE(fresh.restore(bad, *write.value)); });
  CHECK_FALSE(fresh.restore({}, {}));
}
