// blocks/1 message by message, for what a simulation does not show: floods, lies, forged receipts, and that nothing is
// acknowledged before it is durable.
#include "block_exchange_fixture.hpp"

using namespace hanse;
using namespace hanse::test;

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
  CHECK(f.hear(4, blocks_put{1, lease_forever, {block_of(9)}}).code() == errc::untrusted); // no member
  f.exchange.set_member(key_of(1).identity(), 63);
  CHECK(f.hear(1, blocks_get{{here}}).code() == errc::untrusted);
  CHECK(f.hear(1, blocks_put{1, lease_forever, {block_of(9)}}).code() == errc::untrusted);
  CHECK(f.out.empty());
}

TEST_CASE("want-list floods: what one member waits for is bounded, others are served in turn, and it is reported") {
  fixture f{{.serve_names_max = 100, .serve_octets_step = 64 * 1024, .flood_max = 1000}};
  std::vector<digest> names;
  for (std::uint64_t i = 0; i < 200; ++i) names.push_back(f.keep(i, 4096));
  CHECK(f.hear(1, blocks_get{names}).code() == errc::queue_full);
  CHECK(f.exchange.stats().floods == 100);
  CHECK(f.exchange.stats().served <= 64); // one step, then it is the others' turn
  const auto served = f.exchange.stats().served;
  CHECK(*f.exchange.next_timer() <= start);
  f.out.clear();
  REQUIRE(f.hear(2, blocks_get{{names[150]}}));
  f.exchange.tick(start, f.out);
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

namespace {

/// Blocks in the answers to one member, and octets in those to others before the last of them.
struct answered {
  std::size_t blocks = 0, octets_before = 0;
};

answered answers_to(std::uint64_t asker, const block_effects& out) {
  answered result;
  std::size_t others = 0;
  for (const auto& e : out) {
    const auto* p = std::get_if<peer_message>(&e);
    if (!p) continue;
    if (p->to != key_of(asker).identity()) {
      others += p->body.size();
      continue;
    }
    const auto m = decode_block_message(p->body);
    result.blocks += std::get<blocks_answer>(*m).blocks.size();
    result.octets_before = others;
  }
  return result;
}

} // namespace

TEST_CASE("a greedy asker does not slow another one down") {
  fixture f{{.serve_octets_step = 512 * 1024, .serve_octets_turn = 64 * 1024}};
  std::vector<digest> names;
  for (std::uint64_t i = 0; i < 1000; ++i) names.push_back(f.keep(i, 8192));
  std::size_t greedy_blocks = 0, modest_blocks = 0;
  const auto ask_all = [&](std::uint64_t who, std::size_t in_one) {
    for (std::size_t i = 0; i < names.size(); i += in_one)
      (void)f.hear(who, blocks_get{{names.begin() + static_cast<std::ptrdiff_t>(i),
                                    names.begin() + static_cast<std::ptrdiff_t>(std::min(i + in_one, names.size()))}});
  };
  for (std::size_t round = 0; round < 20; ++round) {
    f.out.clear();
    ask_all(1, 4); // many small requests, and a few large ones: both for 8 MB in each round
    ask_all(3, 250);
    REQUIRE(f.hear(2, blocks_get{{names[round], names[round + 1], names[round + 2], names[round + 3]}}));
    const auto burst = f.out; // what the greedy ones were given so far is one step at most …
    CHECK(answers_to(2, burst).blocks == 0);
    CHECK(f.exchange.stats().served_octets <= (2 * round + 1) * (512 + 64) * 1024);
    f.out.clear();
    f.exchange.tick(start, f.out);
    const auto modest = answers_to(2, f.out);
    CHECK(modest.blocks == 4);
    CHECK(modest.octets_before <= 2 * 66 * 1024); // … and then each of them has one turn before another's
    modest_blocks += modest.blocks;
    greedy_blocks += answers_to(1, f.out).blocks;
    CHECK(answers_to(1, f.out).blocks + 8 >= answers_to(3, f.out).blocks); // the same for both
    CHECK(answers_to(3, f.out).blocks + 8 >= answers_to(1, f.out).blocks);
  }
  CHECK(modest_blocks == 80);
  CHECK(greedy_blocks > 400); // nothing is left unused
}

TEST_CASE("what all members wait for is bounded, and who is below its share has room when others fill it") {
  fixture f{{.serve_names_max = 100, .serve_names_all_max = 120, .serve_octets_step = 1}};
  std::vector<digest> names;
  for (std::uint64_t i = 0; i < 250; ++i) names.push_back(f.keep(i, 32 * 1024));
  const auto some = [&](std::size_t from, std::size_t count) {
    const auto first = names.begin() + static_cast<std::ptrdiff_t>(from);
    return blocks_get{{first, first + static_cast<std::ptrdiff_t>(count)}};
  };
  CHECK(f.hear(3, some(240, 1))); // the step is over
  CHECK(f.hear(1, some(0, 100)));
  CHECK(f.hear(2, some(100, 20)));
  CHECK(f.hear(1, some(120, 20)).code() == errc::queue_full); // its own bound
  CHECK(f.exchange.stats().floods == 20);
  CHECK(f.hear(2, some(140, 60)).code() == errc::queue_full); // up to half of what there is for both
  CHECK(f.exchange.stats().floods == 40);
  CHECK(f.hear(3, some(200, 50)).code() == errc::queue_full);
  CHECK(f.exchange.stats().floods == 50); // up to a third
  f.exchange.drop_member(key_of(1).identity(), f.out);
  f.exchange.drop_member(key_of(2).identity(), f.out);
  f.exchange.set_member(key_of(1).identity(), 128);
  CHECK(f.hear(1, some(0, 100)).code() == errc::queue_full); // there is room again: 80 beside the 40 of the other
  CHECK(f.exchange.stats().floods == 70);
}

TEST_CASE("asks of one member are looked up so many in a second, and then refused") {
  fixture f{{.asked_names_per_s = 300}};
  const auto here = f.keep(1);
  const std::vector<digest> names(200, here);
  CHECK(f.hear(1, blocks_ask{names}));
  CHECK(f.hear(1, blocks_ask{names}).code() == errc::queue_full);
  CHECK(f.exchange.stats().floods == 200);
  CHECK(f.hear(2, blocks_ask{names}));
  CHECK(f.hear(1, blocks_ask{names}, start + 1000));
  CHECK(f.said<blocks_presence>().size() == 3);
}

TEST_CASE("what a member asks before it is known here to have joined is answered when it is, and not at its next try") {
  fixture f;
  const auto here = f.keep(1);
  CHECK(f.hear(4, blocks_get{{here}}));
  CHECK(f.hear(5, blocks_ask{{here}}));
  f.exchange.tick(start + 30, f.out);
  CHECK(f.out.empty());
  f.exchange.set_member(key_of(4).identity(), 128);
  f.exchange.set_member(key_of(5).identity(), 63);
  REQUIRE(f.exchange.next_timer());
  CHECK(*f.exchange.next_timer() <= start + 30);
  f.exchange.tick(start + 31, f.out);
  REQUIRE(f.said<blocks_answer>().size() == 1);
  CHECK(f.said<blocks_answer>()[0].first == key_of(4).identity());
  CHECK(f.said<blocks_presence>().empty()); // a member, and not trusted
  CHECK(f.exchange.stats().refused == 1);
  f.out.clear();
  f.exchange.tick(start + 32, f.out);
  CHECK(f.out.empty()); // once
}

TEST_CASE("what strangers ask is kept for a moment, and so much of it") {
  fixture f{{.early_max = 6, .early_of_one_max = 4, .early_ms = 2000}};
  const auto here = f.keep(1);
  for (int i = 0; i < 4; ++i) CHECK(f.hear(4, blocks_get{{here}}));
  CHECK(f.hear(4, blocks_get{{here}}).code() == errc::queue_full);
  CHECK(f.hear(5, blocks_get{{here}}));
  CHECK(f.hear(6, blocks_get{{here}}));
  CHECK(f.hear(7, blocks_get{{here}}).code() == errc::queue_full);
  CHECK(f.exchange.stats().refused == 2);
  REQUIRE(f.exchange.next_timer());
  CHECK(*f.exchange.next_timer() <= start + 2000);
  f.exchange.tick(start + 2000, f.out);
  CHECK(f.exchange.stats().refused == 8);
  f.exchange.set_member(key_of(4).identity(), 128);
  f.exchange.tick(start + 2001, f.out);
  CHECK(f.out.empty()); // too late: it has asked again by now
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
