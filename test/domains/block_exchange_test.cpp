// blocks/1 message by message, for what a simulation does not show: floods, lies, forged receipts, and that nothing is
// acknowledged before it is durable.
#include "hanse/domains/block_exchange.hpp"

#include <doctest/doctest.h>

using namespace hanse;

namespace {

constexpr time_ms start = 1'700'000'000'000;

key_pair key_of(std::uint64_t seed) {
  seeded_random random{seed};
  return key_pair::generate(random);
}

const identity domain = key_of(99).identity();

bytes block_of(std::uint64_t seed, std::size_t size = 1024) {
  bytes b(size);
  seeded_random{seed}.fill(b);
  return b;
}

/// One machine and what it says. Its peers are keys 1, 2, 3.
struct fixture {
  memory_block_table table;
  block_store store;
  seeded_random random{1};
  block_exchange exchange;
  block_effects out;

  explicit fixture(block_exchange_config config = {}, const block_store_config& store_config = {})
      : store(*block_store::open(table, store_config)), exchange(store, key_of(0), random, with_domain(config)) {
    for (std::uint64_t i = 1; i <= 3; ++i) exchange.set_member(key_of(i).identity(), 128);
  }
  static block_exchange_config with_domain(block_exchange_config c) {
    c.domain = domain;
    return c;
  }
  digest keep(std::uint64_t seed, std::size_t size = 1024) {
    const auto b = block_of(seed, size);
    const auto name = blake2b_256(b);
    REQUIRE(store.put(domain, name, b, lease_forever, start));
    return name;
  }
  expected<unit> hear(std::uint64_t from, const block_message& m, time_ms now = start) {
    return exchange.receive(key_of(from).identity(), encode(m), now, out);
  }
  /// Takes the messages of one type out of the effects.
  template <class M>
  std::vector<std::pair<identity, bytes>> said() {
    std::vector<std::pair<identity, bytes>> result;
    for (const auto& e : out)
      if (const auto* p = std::get_if<peer_message>(&e); p && std::holds_alternative<M>(*decode_block_message(p->body)))
        result.emplace_back(p->to, p->body);
    return result;
  }
  template <class E>
  std::vector<E> effects() {
    std::vector<E> result;
    for (const auto& e : out)
      if (const auto* p = std::get_if<E>(&e)) result.push_back(*p);
    return result;
  }
};

} // namespace

TEST_CASE("a get is answered with what is here and the names of what is not") {
  fixture f;
  const auto here = f.keep(1);
  const auto missing = blake2b_256(block_of(2));
  REQUIRE(f.hear(1, blocks_get{{here, missing}}));
  const auto said = f.said<blocks_answer>();
  REQUIRE(said.size() == 1);
  CHECK(said[0].first == key_of(1).identity());
  const auto m = *decode_block_message(said[0].second);
  const auto& answer = std::get<blocks_answer>(m);
  REQUIRE(answer.blocks.size() == 1);
  CHECK(equal(answer.blocks[0].octets, block_of(1)));
  CHECK(answer.missing == std::vector{missing});
}

TEST_CASE("who is no trusted member gets nothing") {
  fixture f;
  const auto here = f.keep(1);
  CHECK(f.hear(4, blocks_get{{here}}).code() == errc::untrusted);
  f.exchange.set_member(key_of(1).identity(), 63);
  CHECK(f.hear(1, blocks_get{{here}}).code() == errc::untrusted);
  CHECK(f.hear(1, blocks_put{1, lease_forever, {block_of(9)}}).code() == errc::untrusted);
  CHECK(f.out.empty());
}

TEST_CASE("want-list floods: what one member waits for is bounded, others are served in turn, and it is reported") {
  fixture f{{.serve_names_max = 100, .serve_octets_step = 64 * 1024, .flood_max = 1000}};
  std::vector<digest> names;
  for (std::uint64_t i = 0; i < 200; ++i) names.push_back(f.keep(i, 4096));
  REQUIRE(f.hear(1, blocks_get{names}));
  CHECK(f.exchange.stats().floods == 100);
  CHECK(f.exchange.stats().served <= 64); // one step, then it is the others' turn
  const auto served = f.exchange.stats().served;
  CHECK(*f.exchange.next_timer() <= start);
  f.out.clear();
  REQUIRE(f.hear(2, blocks_get{{names[150]}}));
  REQUIRE_FALSE(f.said<blocks_answer>().empty());
  CHECK(f.said<blocks_answer>()[0].first == key_of(2).identity());
  CHECK(f.exchange.stats().served <= served + 65);
  for (int i = 0; i < 20 && f.effects<block_misbehaviour>().empty(); ++i) {
    std::vector<digest> more;
    for (int k = 0; k < 256; ++k) more.push_back(blake2b_256(as_byte_view(std::to_string(1000 * i + k))));
    (void)f.hear(1, blocks_get{more});
  }
  REQUIRE(f.effects<block_misbehaviour>().size() == 1);
  CHECK(f.effects<block_misbehaviour>()[0].node == key_of(1).identity());
  CHECK(f.hear(1, blocks_get{names}).code() == errc::untrusted);
  CHECK(f.hear(1, blocks_get{{names[0]}}, start + 600'000)); // after the penalty
}

TEST_CASE("floods of searches are cut off, and a search is passed on once, never back, and not beyond its TTL") {
  fixture f{{.searches_per_s = 10}};
  const auto asker = key_of(2).identity();
  const auto name = blake2b_256(block_of(77));
  REQUIRE(f.hear(1, blocks_search{1, asker, 8, std::nullopt, {name}}));
  auto said = f.said<blocks_search>();
  REQUIRE(said.size() == 1);
  CHECK(said[0].first == key_of(3).identity());
  CHECK(std::get<blocks_search>(*decode_block_message(said[0].second)).ttl == 7);
  CHECK(f.hear(3, blocks_search{1, asker, 8, std::nullopt, {name}}).code() == errc::replayed);
  f.out.clear();
  REQUIRE(f.hear(1, blocks_search{2, asker, 1, std::nullopt, {name}}));
  CHECK(f.out.empty());
  CHECK(f.hear(1, blocks_search{3, key_of(50).identity(), 8, std::nullopt, {name}}).code() == errc::untrusted);
  int refused = 0;
  for (std::uint64_t i = 10; i < 30; ++i) refused += !f.hear(1, blocks_search{i, asker, 8, std::nullopt, {name}});
  CHECK(refused == 13);
  CHECK(f.hear(1, blocks_search{40, asker, 8, std::nullopt, {name}}, start + 1000));
  f.out.clear();
  const auto here = f.keep(5);
  REQUIRE(f.hear(3, blocks_search{50, asker, 8, std::nullopt, {here}}));
  REQUIRE(f.said<blocks_presence>().size() == 1);
  CHECK(f.said<blocks_presence>()[0].first == asker); // directly
  CHECK(f.said<blocks_search>().empty());             // and no further
}

TEST_CASE("wrong-block answers: the block is not kept, the sender is reported and left, and another is asked") {
  fixture f;
  const auto good = block_of(1);
  const auto name = blake2b_256(good);
  const std::vector providers{key_of(1).identity(), key_of(2).identity()};
  REQUIRE(f.exchange.want(std::vector{name}, providers, start, f.out));
  auto asked = f.said<blocks_get>();
  REQUIRE(asked.size() == 1);
  const auto first = asked[0].first;
  const std::uint64_t liar = first == key_of(1).identity() ? 1 : 2, other = 3 - liar;
  auto bad = good;
  bad[100] ^= std::byte{1};
  f.out.clear();
  CHECK(f.hear(liar, blocks_answer{{{name, bad}}, {}}).code() == errc::bad_checksum);
  CHECK_FALSE(*f.store.has(name));
  REQUIRE(f.effects<block_misbehaviour>().size() == 1);
  CHECK(f.effects<block_misbehaviour>()[0].node == first);
  asked = f.said<blocks_get>();
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].first == key_of(other).identity());
  REQUIRE(f.hear(other, blocks_answer{{{name, good}}, {}}));
  CHECK(f.effects<block_arrived>().size() == 1);
  CHECK(*f.store.has(name));
  f.out.clear();
  REQUIRE(f.exchange.want(std::vector{blake2b_256(block_of(2))}, providers, start + 1, f.out));
  for (const auto& [to, body] : f.said<blocks_get>()) CHECK(to != first);
}

TEST_CASE("blocks that nobody asked for are not kept") {
  fixture f;
  const auto b = block_of(1);
  REQUIRE(f.hear(1, blocks_answer{{{blake2b_256(b), b}}, {}}));
  CHECK_FALSE(*f.store.has(blake2b_256(b)));
  CHECK(f.exchange.stats().unasked == 1);
  CHECK(f.effects<block_misbehaviour>().empty()); // it may be late
}

TEST_CASE("garbage is reported, a later version is not") {
  fixture f;
  CHECK_FALSE(f.exchange.receive(key_of(1).identity(), block_of(1), start, f.out));
  CHECK(f.effects<block_misbehaviour>().size() == 1);
  auto later = encode(blocks_get{});
  later[2] = std::byte{2};
  CHECK(f.exchange.receive(key_of(2).identity(), later, start, f.out).code() == errc::bad_version);
  CHECK(f.effects<block_misbehaviour>().size() == 1);
}

TEST_CASE("a put is acknowledged after its commit and not before; a crash in between leaves no receipt") {
  fixture f;
  const auto b = block_of(1);
  REQUIRE(f.hear(1, blocks_put{7, start + 5000, {b}}));
  CHECK(f.said<blocks_stored>().empty());
  f.exchange.tick(start + 4, f.out);
  CHECK(f.said<blocks_stored>().empty());
  f.exchange.tick(start + 5, f.out);
  const auto said = f.said<blocks_stored>();
  REQUIRE(said.size() == 1);
  const auto m = *decode_block_message(said[0].second);
  const auto& stored = std::get<blocks_stored>(m);
  CHECK(stored.id == 7);
  CHECK(stored.code == errc::none);
  const auto receipt = decode_receipt(stored.receipt);
  REQUIRE(receipt);
  CHECK(receipt->blocks == std::vector{blake2b_256(b)});
  CHECK(receipt->until == start + 5000);
  f.table.crash();
  CHECK(*f.store.has(blake2b_256(b)));
  REQUIRE(f.hear(1, blocks_put{8, start + 5000, {block_of(2)}}, start + 10));
  f.table.crash();
  CHECK_FALSE(*f.store.has(blake2b_256(block_of(2))));
  CHECK(f.said<blocks_stored>().size() == 1);
}

TEST_CASE("filling a store by puts: what is over the quota is refused, with the receipt for what was kept") {
  fixture f{{}, {.quota_octets = 2048}};
  REQUIRE(f.hear(1, blocks_put{1, start + 5000, {block_of(1), block_of(2), block_of(3)}}));
  f.exchange.tick(start + 5, f.out);
  auto said = f.said<blocks_stored>();
  REQUIRE(said.size() == 1);
  const auto m = *decode_block_message(said[0].second);
  CHECK(std::get<blocks_stored>(m).code == errc::table_full);
  CHECK(decode_receipt(std::get<blocks_stored>(m).receipt)->blocks.size() == 2);
  f.out.clear();
  REQUIRE_FALSE(f.hear(1, blocks_put{2, start + 5000, {block_of(4)}}));
  said = f.said<blocks_stored>();
  REQUIRE(said.size() == 1);
  CHECK(std::get<blocks_stored>(*decode_block_message(said[0].second)).receipt.empty());
}

TEST_CASE("a receipt by another, for other blocks, or with a broken signature is no receipt") {
  const auto answer_with = [](const std::function<bytes(const digest&)>& receipt) {
    fixture f;
    const auto name = f.keep(1);
    const auto to = key_of(1).identity();
    REQUIRE(f.exchange.push(to, 55, {name}, start + 9000, start, f.out));
    const auto put = *decode_block_message(f.said<blocks_put>().at(0).second);
    (void)f.hear(1, blocks_stored{std::get<blocks_put>(put).id, errc::none, receipt(name)});
    const auto pushed = f.effects<block_pushed>();
    REQUIRE(pushed.size() == 1);
    CHECK(pushed[0].token == 55);
    return std::pair{pushed[0].why.code, f.effects<block_misbehaviour>().size()};
  };
  using outcome = std::pair<errc, std::size_t>;
  const auto good = [](const digest& name) { return encode(sign_receipt(key_of(1), domain, start + 9000, {name})); };
  CHECK(answer_with(good) == outcome{errc::none, 0});
  CHECK(answer_with([](const digest& n) { return encode(sign_receipt(key_of(2), domain, start + 9000, {n})); }) ==
        outcome{errc::bad_signature, 1});
  CHECK(answer_with([](const digest&) {
          return encode(sign_receipt(key_of(1), domain, start + 9000, {blake2b_256(block_of(5))}));
        }) == outcome{errc::bad_signature, 1});
  CHECK(answer_with([](const digest& n) {
          return encode(sign_receipt(key_of(1), key_of(8).identity(), start + 9000, {n}));
        }) == outcome{errc::bad_signature, 1});
  CHECK(answer_with([](const digest& n) { return encode(sign_receipt(key_of(1), domain, start, {n})); }) ==
        outcome{errc::bad_signature, 1});
  CHECK(answer_with([&](const digest& n) {
          auto wire = good(n);
          wire.back() ^= std::byte{1};
          return wire;
        }) == outcome{errc::bad_signature, 1});
  CHECK(answer_with([](const digest&) { return bytes{}; }).first == errc::bad_value);
}

TEST_CASE("a push that is not answered is repeated, and then given up") {
  fixture f;
  const auto name = f.keep(1);
  REQUIRE(f.exchange.push(key_of(1).identity(), 5, {name}, lease_forever, start, f.out));
  for (time_ms now = start; now < start + 60'000 && f.effects<block_pushed>().empty(); now += 100)
    f.exchange.tick(now, f.out);
  REQUIRE(f.effects<block_pushed>().size() == 1);
  CHECK(f.effects<block_pushed>()[0].why == errc::timed_out);
  CHECK(f.said<blocks_put>().size() == 5);
  CHECK(f.exchange.push(key_of(9).identity(), 5, {name}, lease_forever, start, f.out).code() == errc::not_found);
  CHECK(f.exchange.push(key_of(1).identity(), 5, {blake2b_256(block_of(8))}, lease_forever, start, f.out).code() ==
        errc::not_found);
}

TEST_CASE("a member's window grows with what it gives, and a silent one is left for another") {
  fixture f{{.window_initial = 4}};
  std::vector<digest> names;
  std::vector<bytes> blocks;
  for (std::uint64_t i = 0; i < 100; ++i) {
    blocks.push_back(block_of(i));
    names.push_back(blake2b_256(blocks.back()));
  }
  REQUIRE(f.exchange.want(names, std::vector{key_of(1).identity()}, start, f.out));
  const auto asked = [&] {
    std::size_t count = 0;
    for (const auto& [to, body] : f.said<blocks_get>())
      count += std::get<blocks_get>(*decode_block_message(body)).names.size();
    f.out.clear();
    return count;
  };
  CHECK(asked() == 4);
  blocks_answer answer;
  for (std::size_t i = 0; i < 4; ++i) answer.blocks.push_back({names[i], blocks[i]});
  REQUIRE(f.hear(1, answer, start + 10));
  CHECK(asked() == 8);
  REQUIRE(f.hear(2, blocks_presence{names, {}}, start + 20)); // the decoder bounds names to 256
  CHECK(asked() == 4);
  f.exchange.tick(start + 6000, f.out); // neither answered, the second not in the time of a slow link
  CHECK(f.exchange.stats().timeouts == 12);
}

TEST_CASE("few blocks are gathered for a moment while others are under way, and asked at once when none are") {
  fixture f{{.window_initial = 64}};
  std::vector<digest> names;
  for (std::uint64_t i = 0; i < 38; ++i) names.push_back(blake2b_256(block_of(i)));
  const auto want = [&](std::size_t first, std::size_t count, time_ms now) {
    REQUIRE(f.exchange.want(std::span{names}.subspan(first, count), std::vector{key_of(1).identity()}, now, f.out));
  };
  want(0, 20, start);
  CHECK(f.said<blocks_get>().size() == 1);
  f.exchange.tick(start, f.out);
  f.out.clear();
  want(20, 1, start + 1);
  want(21, 2, start + 2);
  CHECK(f.said<blocks_get>().empty());
  CHECK(*f.exchange.next_timer() <= start + 20);
  f.exchange.tick(start + 20, f.out);
  const auto said = f.said<blocks_get>();
  REQUIRE(said.size() == 1);
  CHECK(std::get<blocks_get>(*decode_block_message(said[0].second)).names.size() == 3);
  f.out.clear();
  want(23, 15, start + 21); // many
  CHECK(f.said<blocks_get>().size() == 1);
}

TEST_CASE("wanted blocks are bounded, and unwanted ones are forgotten") {
  fixture f{{.wants_max = 10}};
  std::vector<digest> names;
  for (std::uint64_t i = 0; i < 11; ++i) names.push_back(blake2b_256(block_of(i)));
  CHECK(f.exchange.want(names, {}, start, f.out).code() == errc::queue_full);
  CHECK(f.exchange.wanted() == 0);
  names.pop_back();
  REQUIRE(f.exchange.want(names, std::vector{key_of(1).identity()}, start, f.out));
  CHECK(f.exchange.wanted() == 10);
  for (const auto& n : names) f.exchange.unwant(n);
  CHECK(f.exchange.wanted() == 0);
  f.out.clear();
  f.exchange.drop_member(key_of(1).identity(), f.out);
  f.exchange.tick(start + 10'000, f.out);
  CHECK(f.said<blocks_get>().empty());
}

TEST_CASE("a block that two want is fetched until both give it up") {
  fixture f;
  const std::vector names{blake2b_256(block_of(1))};
  REQUIRE(f.exchange.want(names, {}, start, f.out));
  REQUIRE(f.exchange.want(names, {}, start, f.out));
  f.exchange.unwant(names[0]);
  CHECK(f.exchange.wanted() == 1);
  f.exchange.unwant(names[0]);
  CHECK(f.exchange.wanted() == 0);
}

TEST_CASE("what was asked of a member whose link is down is asked of another one at once, and puts at it end") {
  fixture f;
  const auto own = f.keep(5);
  const std::vector names{blake2b_256(block_of(1))};
  const std::vector providers{key_of(1).identity()};
  REQUIRE(f.exchange.want(names, providers, start, f.out));
  auto gets = f.said<blocks_get>();
  REQUIRE(gets.size() == 1);
  CHECK(gets[0].first == key_of(1).identity());
  REQUIRE(f.exchange.push(key_of(1).identity(), 7, {own}, lease_forever, start, f.out));
  REQUIRE(f.hear(2, blocks_presence{names, {}}));
  f.out.clear();
  f.exchange.peer_down(key_of(1).identity(), start + 10, f.out);
  gets = f.said<blocks_get>();
  REQUIRE(gets.size() == 1);
  CHECK(gets[0].first == key_of(2).identity());
  const auto pushed = f.effects<block_pushed>();
  REQUIRE(pushed.size() == 1);
  CHECK(pushed[0].token == 7);
  CHECK(pushed[0].why.code == errc::unreachable);
}

TEST_CASE("who has what another one gave faster is asked for the next blocks, too") {
  fixture f{{.window_initial = 1, .window_max = 1}};
  const std::vector first{blake2b_256(block_of(1))}, next{blake2b_256(block_of(2)), blake2b_256(block_of(3))};
  REQUIRE(f.exchange.want(first, {}, start, f.out));
  REQUIRE(f.hear(1, blocks_presence{first, {}}));
  const auto octets = block_of(1);
  REQUIRE(f.hear(1, blocks_answer{{{first[0], octets}}, {}}));
  REQUIRE(f.effects<block_arrived>().size() == 1);
  REQUIRE(f.hear(2, blocks_presence{first, {}})); // late
  f.out.clear();
  REQUIRE(f.exchange.want(next, {}, start, f.out));
  const auto gets = f.said<blocks_get>();
  REQUIRE(gets.size() == 2);
  CHECK(gets[0].first != gets[1].first);
}

TEST_CASE("the registry makes blocks/1 by its parameters, and refuses others in words") {
  const auto registry = storage_registry::builtin();
  CHECK(registry.check(blocks_protocol(), {}));
  CHECK(registry.check(blocks_protocol(), {{"serve_trust_min", "1"}, {"window_max", "4"}}));
  const auto unknown = registry.check(blocks_protocol(), {{"windw_max", "4"}});
  CHECK(unknown.code() == errc::bad_config);
  CHECK(unknown.error().detail.find("windw_max") != std::string::npos);
  CHECK(registry.check(blocks_protocol(), {{"window_max", "0"}}).code() == errc::bad_config);
  CHECK(registry.check({"carrier-pigeon", 1, 0}, {}).code() == errc::unsupported_protocol);
  CHECK(registry.check({"blocks", 2, 0}, {}).code() == errc::unsupported_version);
  domain_protocols protocols = domain_protocols::builtin();
  storage_registry own;
  REQUIRE(own.add({"mine", 1, 0}, [](const storage_context& c, const protocol_parameters&) {
    return expected<std::unique_ptr<storage_protocol>>{
        std::make_unique<block_exchange>(c.store, c.key, c.random, block_exchange_config{})};
  }));
  own.teach(protocols);
  CHECK(protocols.storage.find({"mine", 1, 0}));
  CHECK_FALSE(protocols.storage.find(blocks_protocol()));
}

TEST_CASE("each exchange over one store repairs what its own domain holds") {
  fixture f;
  const auto other = key_of(98).identity();
  block_exchange second{f.store, key_of(0), f.random, {.domain = other}};
  const auto name = f.keep(1);
  f.table.damage(name, 3);
  CHECK_FALSE(f.store.get(name)->has_value());
  block_effects none;
  second.tick(start, none); // first
  CHECK(second.wanted() == 0);
  f.exchange.tick(start, f.out);
  CHECK(f.exchange.wanted() == 1);
}

TEST_CASE("a search goes along few of many trees, and to few of many neighbours") {
  fixture f{{.ask_width = 0, .walks = 0, .search_trees = 2, .tree_width = 1, .search_wait_ms = 10}};
  for (std::uint64_t i = 0; i < 10; ++i)
    f.exchange.set_tree(key_of(200 + i).identity(), {key_of(1).identity(), key_of(2).identity(), key_of(9).identity()});
  const auto name = blake2b_256(block_of(77));
  REQUIRE(f.exchange.want({&name, 1}, {}, start, f.out));
  f.exchange.tick(start + 20, f.out);
  CHECK(f.said<blocks_search>().size() == 2);
  f.out.clear();
  REQUIRE(f.hear(1, blocks_search{5, key_of(3).identity(), 8, key_of(200).identity(), {name}}));
  const auto said = f.said<blocks_search>();
  REQUIRE(said.size() == 1);
  CHECK(said[0].first == key_of(2).identity());
}
