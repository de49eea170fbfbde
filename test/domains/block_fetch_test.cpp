// How blocks/1 fetches, message by message: windows, requests, searches, repairs, and lies. The rest of it is
// block_exchange_test.cpp.
#include "block_exchange_fixture.hpp"

using namespace hanse;
using namespace hanse::test;

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

TEST_CASE("a member that is known only now is asked at once for what is wanted, and not when the round is over") {
  fixture f;
  for (std::uint64_t i = 1; i <= 3; ++i) f.exchange.drop_member(key_of(i).identity(), f.out);
  const std::vector names{blake2b_256(block_of(1)), blake2b_256(block_of(2))};
  REQUIRE(f.exchange.want(names, {}, start, f.out)); // right after joining: nobody to ask
  f.exchange.tick(start, f.out);
  CHECK(f.out.empty());
  f.exchange.set_member(key_of(1).identity(), 128);
  REQUIRE(f.exchange.next_timer());
  CHECK(*f.exchange.next_timer() <= start);
  f.exchange.tick(start + 40, f.out);
  REQUIRE(f.said<blocks_ask>().size() == 1);
  CHECK(std::get<blocks_ask>(*decode_block_message(f.said<blocks_ask>()[0].second)).names == names);
  REQUIRE(f.hear(1, blocks_presence{names, {}}, start + 50));
  CHECK(f.said<blocks_get>().size() == 1);
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
