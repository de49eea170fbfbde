// Blocks between simulated members: loss, crashes of holders, liars, full stores, searches. Every case runs on several
// seeds; a failure names its seed.
#include "block_world.hpp"

using namespace hanse;
using namespace hanse::sim;
using namespace hanse::test;

namespace {

constexpr std::size_t size = 2'000'000; // 63 blocks

block_node& at(test_network& net, std::uint32_t node) {
  auto* n = net.machine<block_node>(node);
  REQUIRE(n != nullptr);
  return *n;
}

/// Puts content at node 0 and at `copies` others.
eris_capability put_and_replicate(test_network& net, std::size_t copies, byte_view content) {
  REQUIRE_FALSE(net.run(net.now() + 10));
  auto& n = at(net, 0);
  const auto c = n.put(content, net.now());
  n.begin_replication(c, copies);
  REQUIRE(net.run(net.now() + 120'000, [&] { return n.replication->done(); }));
  CHECK(n.replication->complete() == copies);
  for (const auto& r : n.replication->replicas()) {
    if (!r.complete) continue;
    REQUIRE(r.root);
    CHECK(r.root->storer == r.node);
    CHECK(r.root->blocks == std::vector{c.root.reference});
  }
  return c;
}

bool fetched(test_network& net, std::uint32_t node) {
  auto* n = net.machine<block_node>(node);
  return n && n->get && (n->get->done() || n->get_failed);
}

sim_path lossy() {
  sim_path path{1, 40};
  path.loss_permille = 100;
  path.duplicate_permille = 50;
  return path;
}

} // namespace

TEST_CASE("content put with three copies is fetched while two of the holders and its origin crash, over lossy paths") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    block_world world{6};
    const auto net = make_network(world, seed, lossy());
    const auto content = sample(size, seed);
    const auto c = put_and_replicate(*net, 3, content);
    std::vector<std::uint32_t> holders;
    for (const auto& r : at(*net, 0).replication->replicas())
      if (r.complete) holders.push_back(world.number(r.node));
    std::uint32_t reader = 1;
    while (std::find(holders.begin(), holders.end(), reader) != holders.end()) ++reader;
    net->crash(0, net->now(), 3'600'000);
    at(*net, reader).begin_get(c);
    net->crash(holders[0], net->now() + 60, 3'600'000);
    net->crash(holders[1], net->now() + 120, 3'600'000);
    REQUIRE(net->run(net->now() + 300'000, [&] { return fetched(*net, reader); }));
    auto& n = at(*net, reader);
    CHECK_FALSE(n.get_failed);
    CHECK((n.content == content));
  }
}

TEST_CASE("several members give at once") {
  block_world world{4};
  sim_path path{5, 10};
  const auto net = make_network(world, 1, path);
  const auto content = sample(8'000'000);
  const auto c = put_and_replicate(*net, 2, content);
  std::uint32_t reader = 1;
  while (at(*net, 0).replication->replicas()[0].node == world.ids[reader] ||
         at(*net, 0).replication->replicas()[1].node == world.ids[reader])
    ++reader;
  at(*net, reader).begin_get(c);
  REQUIRE(net->run(net->now() + 60'000, [&] { return fetched(*net, reader); }));
  CHECK((at(*net, reader).content == content));
  const auto& sources = at(*net, reader).get->progress().sources;
  CHECK(sources.size() == 3);
  for (const auto& [node, blocks] : sources) CHECK(blocks > 10);
}

TEST_CASE("a liar's blocks are refused, it is reported, and the content comes from others") {
  std::size_t reports = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    block_world world{4};
    const auto net = make_network(world, seed);
    const auto content = sample(size, seed);
    const auto c = put_and_replicate(*net, 2, content);
    const auto liar = world.number(at(*net, 0).replication->replicas()[0].node);
    std::uint32_t reader = 1;
    while (reader == liar || at(*net, 0).replication->replicas()[1].node == world.ids[reader]) ++reader;
    world.nodes[liar].lies = true;
    at(*net, reader).begin_get(c);
    REQUIRE(net->run(net->now() + 120'000, [&] { return fetched(*net, reader); }));
    CHECK((at(*net, reader).content == content));
    for (const auto& [who, why] : world.nodes[reader].reported) { // none, if the others were faster
      CHECK(who == world.ids[liar]);
      CHECK(why == errc::bad_checksum);
    }
    reports += world.nodes[reader].reported.size();
  }
  CHECK(reports >= 3);
}

TEST_CASE("a reader that crashes goes on where its store is, and fetches nothing twice that was committed") {
  block_world world{2};
  sim_path slow{100, 120};
  world.exchange_config.window_initial = world.exchange_config.window_max = 16; // so that it takes a while
  world.store_config.commit_octets_max = 64 * 1024;
  const auto net = make_network(world, 3, slow);
  const auto content = sample(8'000'000);
  net->run(10);
  const auto c = at(*net, 0).put(content, net->now());
  at(*net, 1).begin_get(c);
  net->crash(1, net->now() + 2500, 1000);
  net->run(net->now() + 2499);
  const auto before = at(*net, 1).exchange->stats().fetched;
  CHECK(before > 50);
  CHECK(before < 200);
  net->run(net->now() + 1100);
  at(*net, 1).begin_get(c);
  REQUIRE(net->run(net->now() + 60'000, [&] { return fetched(*net, 1); }));
  CHECK((at(*net, 1).content == content));
  CHECK(at(*net, 1).exchange->stats().fetched <= 246 - before + 4);
  CHECK(at(*net, 1).get->progress().blocks_local + 4 >= before);
}

TEST_CASE("one holder among forty is found by searching") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    CAPTURE(seed);
    block_world world{40};
    const auto net = make_network(world, seed);
    net->run(10);
    const auto content = sample(100'000, seed);
    const auto c = at(*net, 39).put(content, net->now());
    at(*net, 0).begin_get(c);
    REQUIRE(net->run(net->now() + 120'000, [&] { return fetched(*net, 0); }));
    CHECK((at(*net, 0).content == content));
  }
}

TEST_CASE("a search goes along a topic's tree, TTL 8 far, and the holder answers directly") {
  // A line of ten: asking around is switched off, so only the tree leads there.
  for (const std::uint32_t holder : {8u, 9u}) {
    CAPTURE(holder);
    block_world world{10};
    world.exchange_config.ask_width = 0;
    world.exchange_config.walks = 0;
    const auto topic = key_of(500).identity();
    world.configure = [&](block_exchange& e, std::uint32_t self) {
      std::vector<identity> neighbours;
      if (self > 0) neighbours.push_back(world.ids[self - 1]);
      if (self < 9) neighbours.push_back(world.ids[self + 1]);
      e.set_tree(topic, neighbours);
    };
    const auto net = make_network(world, 1);
    net->run(10);
    const auto content = sample(1000);
    const auto c = at(*net, holder).put(content, net->now());
    at(*net, 0).begin_get(c);
    REQUIRE(net->run(net->now() + 200'000, [&] { return fetched(*net, 0); }));
    if (holder == 8) {
      CHECK((at(*net, 0).content == content));
      CHECK(at(*net, 0).get->progress().sources.contains(world.ids[8]));
    } else {
      REQUIRE(at(*net, 0).get_failed);
      CHECK(*at(*net, 0).get_failed == errc::not_found);
    }
  }
}

TEST_CASE("what nobody has is given up in bounded time, in words") {
  block_world world{5};
  const auto net = make_network(world, 1);
  net->run(10);
  block_world elsewhere{1};
  const auto other = make_network(elsewhere, 1);
  other->run(10);
  const auto c = at(*other, 0).put(sample(1000), 0);
  at(*net, 0).begin_get(c);
  REQUIRE(net->run(net->now() + 100'000, [&] { return fetched(*net, 0); }));
  REQUIRE(at(*net, 0).get_failed);
  CHECK(*at(*net, 0).get_failed == errc::not_found);
  CHECK(at(*net, 0).exchange->wanted() == 0);
}

TEST_CASE("filling a store: a member whose quota is full refuses, and another takes the copy") {
  block_world world{4};
  world.nodes[1].quota = 100'000;
  world.nodes[2].quota = 100'000;
  const auto net = make_network(world, 1);
  const auto content = sample(size);
  net->run(10);
  auto& n = at(*net, 0);
  const auto c = n.put(content, net->now());
  n.begin_replication(c, 2);
  REQUIRE(net->run(net->now() + 60'000, [&] { return n.replication->done(); }));
  CHECK(n.replication->complete() == 1);
  REQUIRE(n.replication->last_refusal());
  CHECK(*n.replication->last_refusal() == errc::table_full);
  CHECK(at(*net, 3).store->stats().usage.at(test_domain()).blocks == 63);
  CHECK(at(*net, 1).store->stats().usage.at(test_domain()).octets <= 100'000);
}

TEST_CASE("a replica that crashes is replaced") {
  block_world world{5};
  const auto net = make_network(world, 2, lossy());
  const auto content = sample(size);
  net->run(10);
  auto& n = at(*net, 0);
  const auto c = n.put(content, net->now());
  n.begin_replication(c, 2);
  REQUIRE(net->run(net->now() + 10'000, [&] { return !n.replication->replicas().empty(); }));
  const auto victim = world.number(n.replication->replicas()[0].node);
  net->crash(victim, net->now() + 1, 3'600'000);
  REQUIRE(net->run(net->now() + 300'000, [&] { return n.replication->done(); }));
  CHECK(n.replication->complete() == 2);
}

TEST_CASE("members that are not trusted are neither served nor heard") {
  block_world world{2};
  world.nodes[1].trusted = false;
  const auto net = make_network(world, 1);
  net->run(10);
  const auto c = at(*net, 0).put(sample(1000), net->now());
  at(*net, 1).begin_get(c);
  REQUIRE(net->run(net->now() + 200'000, [&] { return fetched(*net, 1); }));
  CHECK(at(*net, 1).get_failed);
  CHECK(at(*net, 0).exchange->stats().refused > 0);
  CHECK(at(*net, 0).exchange->stats().served == 0);
}

TEST_CASE("a damaged block is fetched again from others, without anybody asking for it") {
  block_world world{3};
  world.store_config.scrub_every_ms = world.store_config.scrub_pass_ms = 100;
  const auto net = make_network(world, 1);
  const auto content = sample(size);
  const auto c = put_and_replicate(*net, 2, content);
  world.nodes[0].disk.damage(c.root.reference, 77);
  REQUIRE(net->run(net->now() + 60'000, [&] { return at(*net, 0).exchange->stats().fetched == 1; }));
  CHECK(**at(*net, 0).store->get(c.root.reference) == **at(*net, 1).store->get(c.root.reference));
}

namespace {

constexpr std::uint64_t two_mbit = 250'000; // octets per second

/// Octets on the wire over octets of content, in permille.
std::uint64_t sent_permille(const block_world& world, std::uint32_t node, const bytes& content) {
  return world.nodes[node].sent_octets * 1000 / content.size();
}

} // namespace

TEST_CASE("over a link of 2 Mbit/s a put at other members is sent once, and a small message waits less than 2 s") {
  for (const std::size_t copies : {1u, 3u}) {
    CAPTURE(copies);
    block_world world{4};
    world.nodes[0].uplink_octets_per_s = two_mbit;
    const auto net = make_network(world, 1);
    const auto content = sample(4 * 1024 * 1024);
    net->run(10);
    auto& n = at(*net, 0);
    const auto c = n.put(content, net->now());
    n.begin_replication(c, copies);
    REQUIRE(net->run(net->now() + 200'000, [&] { return n.replication->done(); }));
    CHECK(n.replication->complete() == copies);
    CHECK(sent_permille(world, 0, content) < 1100 * copies);
    CHECK(world.nodes[0].longest_wait_ms < 2000);
    CHECK(n.exchange->stats().pushes_again == 0);
    CHECK(net->now() < copies * 25'000); // 17 s each is what the link takes
  }
}

TEST_CASE("over a link of 2 Mbit/s what others get is sent once, and a small message waits less than 2 s") {
  for (const std::uint32_t readers : {1u, 3u}) {
    CAPTURE(readers);
    block_world world{4};
    world.nodes[0].uplink_octets_per_s = two_mbit;
    const auto net = make_network(world, 1);
    const auto content = sample(4 * 1024 * 1024);
    net->run(10);
    const auto c = at(*net, 0).put(content, net->now());
    for (std::uint32_t i = 1; i <= readers; ++i) at(*net, i).begin_get(c);
    const auto all = [&] {
      for (std::uint32_t i = 1; i <= readers; ++i)
        if (!fetched(*net, i)) return false;
      return true;
    };
    REQUIRE(net->run(net->now() + 200'000, all));
    for (std::uint32_t i = 1; i <= readers; ++i) CHECK((at(*net, i).content == content));
    CHECK(sent_permille(world, 0, content) < 1100 * readers);
    CHECK(world.nodes[0].longest_wait_ms < 2000);
    CHECK(net->now() < readers * 25'000);
  }
}

TEST_CASE("a link of 64 kbit/s, slower than is assumed, is found out: little is sent twice") {
  block_world world{2};
  world.nodes[0].uplink_octets_per_s = 8'000;
  const auto net = make_network(world, 1);
  const auto content = sample(1'000'000);
  net->run(10);
  auto& n = at(*net, 0);
  const auto c = n.put(content, net->now());
  n.begin_replication(c, 1);
  REQUIRE(net->run(net->now() + 400'000, [&] { return n.replication->done(); }));
  CHECK(n.replication->complete() == 1);
  CHECK(sent_permille(world, 0, content) < 1300);
}

TEST_CASE("over a fast link with a long way the window grows until the link is busy") {
  block_world world{2};
  world.nodes[0].uplink_octets_per_s = 10'000'000;
  const auto net = make_network(world, 1, {150, 150}); // 3 MB under way
  const auto content = sample(32'000'000);
  net->run(10);
  auto& n = at(*net, 0);
  const auto c = n.put(content, net->now());
  n.begin_replication(c, 1);
  REQUIRE(net->run(net->now() + 60'000, [&] { return n.replication->done(); }));
  CHECK(net->now() < 9'000); // 3.3 s is what the link takes
  const auto begun = net->now();
  at(*net, 1).begin_get(c); // all is there
  REQUIRE(net->run(net->now() + 60'000, [&] { return fetched(*net, 1); }));
  CHECK(net->now() - begun < 2'000);
}
