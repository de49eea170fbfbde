// The topics of a node: adverts, rosters, subscribing by identity and tag, several domains, permissions. Three nodes or
// more in one process; messages are passed on, or lost, by the test.
#include "hanse/protocols/topics.hpp"

#include <doctest/doctest.h>

using namespace hanse;

namespace {

key_pair key_of(int n) {
  std::array<std::byte, 32> seed;
  seed.fill(static_cast<std::byte>(n));
  return key_pair::from_seed(seed);
}

const identity domain_a = key_of(100).identity(), domain_b = key_of(101).identity();

topic_advert advert_of(int key, const identity& domain = domain_a) {
  topic_advert a;
  a.topic = key_of(key).identity();
  a.version = 1;
  a.domain = domain;
  a.tags = {"t" + std::to_string(key)};
  return a;
}

/// Nodes 0..n-1, all in the domains, and the network between them.
struct cluster {
  explicit cluster(int n, const std::string& protocol = "full-mesh/1") {
    for (int i = 0; i < n; ++i) {
      nodes.push_back(std::make_unique<topics>(key_of(i + 1).identity(), verifier, random));
      out.emplace_back();
      got.emplace_back();
    }
    for (const auto& domain : {domain_a, domain_b})
      for (int i = 0; i < n; ++i) {
        topic_domain view;
        view.dissemination = protocol;
        for (int j = 0; j < n; ++j) view.members.push_back(key_of(j + 1).identity());
        REQUIRE(nodes[i]->domain_changed(domain, view, now, out[i]));
      }
  }
  void advertise(int node, const topic_advert& a, int key) {
    REQUIRE(nodes[node]->add_advert(sign(a, key_of(key)).wire, now, out[node]));
  }
  void subscribe(int node, int topic, subscriber_token token = 1, std::uint32_t history = 0) {
    REQUIRE(nodes[node]->subscribe(key_of(topic).identity(), token, history, now, out[node]));
  }
  expected<unit> publishes(int node, int topic) {
    return nodes[node]->add_publisher(
        key_of(topic).identity(), std::make_shared<key_event_signer>(key_of(node + 1), random), now, now, out[node]);
  }
  void publish(int node, int topic, const std::string& text) {
    REQUIRE(nodes[node]->publish(key_of(topic).identity(), key_of(node + 1).identity(), shared_bytes{to_bytes(text)},
                                 event_mode::causal, now));
    nodes[node]->flush(now, out[node]);
  }
  /// Node 0 has published "before" to topic 50, and every roster is known.
  void begin_topic() {
    advertise(0, advert_of(50), 50);
    subscribe(0, 50);
    REQUIRE(publishes(0, 50));
    run(3000);
    publish(0, 50, "before");
  }
  void run(time_ms ms) {
    for (const auto until = now + ms; now < until; now += 10) {
      for (std::size_t i = 0; i < nodes.size(); ++i)
        if (const auto due = nodes[i]->next_timer(); due && *due <= now) nodes[i]->tick(now, out[i]);
      pass();
    }
  }
  void pass() {
    for (std::size_t i = 0; i < nodes.size(); ++i)
      for (auto& effect : std::exchange(out[i], {})) {
        if (const auto* d = std::get_if<topic_deliver>(&effect)) {
          for (const auto token : *d->to)
            got[i].push_back(std::to_string(token) + ":" + std::string{as_text(d->event.body.view())});
        } else if (const auto* m = std::get_if<peer_message>(&effect)) {
          ++messages;
          if (loss_permille > 0 && random.below(1000) < loss_permille) continue;
          for (std::size_t j = 0; j < nodes.size(); ++j)
            if (m->to == key_of(static_cast<int>(j) + 1).identity())
              static_cast<void>(nodes[j]->receive(key_of(static_cast<int>(i) + 1).identity(), m->body, now, out[j]));
        }
      }
  }
  using texts = std::vector<std::string>;

  key_event_verifier verifier;
  seeded_random random{5};
  time_ms now = 1'000'000;
  std::uint64_t loss_permille = 0, messages = 0;
  std::vector<std::unique_ptr<topics>> nodes;
  std::vector<topics_effects> out;
  std::vector<texts> got;
};

} // namespace

TEST_CASE("topics: an advert told to one node is known to all, and events reach the subscribers, local ones included") {
  cluster c{3};
  c.run(100);
  c.advertise(0, advert_of(50), 50);
  c.run(100);
  for (const auto& n : c.nodes) CHECK(n->find(key_of(50).identity()));
  c.subscribe(0, 50, 7);
  c.subscribe(1, 50, 8);
  REQUIRE(c.publishes(0, 50));
  c.run(3000);
  c.publish(0, 50, "hello");
  c.run(100);
  CHECK(c.got[0] == cluster::texts{"7:hello"});
  CHECK(c.got[1] == cluster::texts{"8:hello"});
  CHECK(c.got[2].empty());
}

TEST_CASE("topics: events travel among participants only") {
  cluster c{5};
  c.advertise(0, advert_of(50), 50);
  c.run(100);
  c.subscribe(1, 50);
  REQUIRE(c.publishes(0, 50));
  c.run(3000);
  const auto info = c.nodes[0]->info(key_of(50).identity());
  CHECK(info->nodes == std::vector{key_of(2).identity()});
  c.out[0].clear();
  c.publish(0, 50, "x");
  std::size_t sent = 0;
  for (const auto& e : c.out[0])
    if (std::holds_alternative<peer_message>(e)) ++sent;
  CHECK(sent == 1);
  c.nodes[1]->unsubscribe(key_of(50).identity(), 1, c.now, c.out[1]);
  c.run(1000);
  CHECK(c.nodes[0]->info(key_of(50).identity())->nodes.empty());
}

TEST_CASE("topics: subscriptions survive 30% loss of everything, over Plumtree as well") {
  for (const auto* protocol : {"full-mesh/1", "plumtree/1"}) {
    CAPTURE(protocol);
    cluster c{6, protocol};
    c.loss_permille = 300;
    c.advertise(0, advert_of(50), 50);
    c.run(10'000);
    for (int i = 0; i < 6; ++i) c.subscribe(i, 50, 1);
    const auto added = c.publishes(2, 50);
    REQUIRE_MESSAGE(added, to_string(added ? error{} : added.error()));
    c.run(20'000);
    for (int i = 0; i < 20; ++i) {
      c.publish(2, 50, std::to_string(i));
      c.run(50);
    }
    c.run(15'000);
    for (const auto& got : c.got) CHECK(got.size() == 20);
  }
}

TEST_CASE("topics: by tag, topics advertised later are subscribed, too; two domains do not mix") {
  cluster c{2};
  REQUIRE(c.nodes[1]->subscribe_tag(domain_a, "t60", 3, 0, c.now, c.out[1]));
  c.run(100);
  c.advertise(0, advert_of(60), 60);
  auto other = advert_of(61, domain_b);
  other.tags = {"t60"};
  c.advertise(0, other, 61);
  c.run(3000);
  REQUIRE(c.publishes(0, 60));
  REQUIRE(c.publishes(0, 61));
  c.run(3000);
  c.publish(0, 60, "mine");
  c.publish(0, 61, "other domain");
  c.run(100);
  CHECK(c.got[1] == cluster::texts{"3:mine"});
  CHECK(c.nodes[0]->tagged(domain_a, "t60").size() == 1);
  c.nodes[1]->unsubscribe(3, c.now, c.out[1]);
  CHECK_FALSE(c.nodes[1]->info(key_of(60).identity())->here);
}

TEST_CASE("topics: a subscription before the advert holds until it is known") {
  cluster c{2};
  c.subscribe(1, 50, 4);
  c.run(3000);
  c.advertise(0, advert_of(50), 50);
  c.run(3000);
  CHECK(c.nodes[1]->info(key_of(50).identity())->here);
}

TEST_CASE("topics: only the publishers of the advert publish") {
  cluster c{2};
  auto a = advert_of(50);
  a.publishers = {key_of(1).identity()};
  c.advertise(0, a, 50);
  c.run(100);
  c.subscribe(0, 50);
  CHECK(c.publishes(0, 50));
  CHECK(c.publishes(1, 50).code() == errc::permission_denied);
  CHECK(c.nodes[0]->publish(key_of(50).identity(), key_of(2).identity(), {}, event_mode::causal, c.now).code() ==
        errc::not_found);
}

TEST_CASE("topics: adverts go up in version only, and forged ones blame their sender") {
  cluster c{2};
  auto a = advert_of(50);
  a.version = 2;
  c.advertise(0, a, 50);
  a.version = 1;
  CHECK(c.nodes[0]->add_advert(sign(a, key_of(50)).wire, c.now, c.out[0]).code() == errc::stale);
  auto wire = sign(advert_of(51), key_of(51)).wire;
  wire.back() ^= std::byte{1};
  msgpack_writer m;
  m.array(3);
  m.unsigned_integer(2);
  m.unsigned_integer(1);
  m.array(1);
  m.blob(wire);
  CHECK(c.nodes[1]->receive(key_of(1).identity(), m.view(), c.now, c.out[1]).code() == errc::bad_signature);
  CHECK_FALSE(c.nodes[1]->find(key_of(51).identity()));
}

TEST_CASE("topics: a domain with an unknown protocol or parameter is refused and changes nothing") {
  cluster c{2};
  topic_domain view;
  view.dissemination = "carrier-pigeon/1";
  CHECK(c.nodes[0]->domain_changed(domain_a, view, c.now, c.out[0]).code() == errc::unsupported_protocol);
  view.dissemination = "plumtree/1";
  view.params = {{"active", "1"}};
  CHECK(c.nodes[0]->domain_changed(domain_a, view, c.now, c.out[0]).code() == errc::bad_config);
  view.params = {{"wings", "2"}};
  CHECK(c.nodes[0]->domain_changed(domain_a, view, c.now, c.out[0]).code() == errc::bad_config);
}

TEST_CASE("topics: a later subscriber at the same node gets the history it asks for") {
  cluster c{2};
  c.advertise(0, advert_of(50), 50);
  c.subscribe(0, 50, 1);
  REQUIRE(c.publishes(0, 50));
  c.run(3000);
  for (int i = 0; i < 5; ++i) c.publish(0, 50, std::to_string(i));
  c.pass();
  c.got[0].clear();
  c.subscribe(0, 50, 2, 2);
  c.pass();
  CHECK(c.got[0] == cluster::texts{"2:3", "2:4"});
}

TEST_CASE("topics: noise from peers and strangers is refused") {
  cluster c{2};
  seeded_random noise{9};
  for (int i = 0; i < 2000; ++i) {
    bytes octets(noise.below(80));
    noise.fill(octets);
    if (octets.size() > 3)
      octets[0] = std::byte{0x93}, octets[1] = static_cast<std::byte>(i % 5), octets[2] = std::byte{1};
    CHECK_FALSE(c.nodes[0]->receive(key_of(2).identity(), octets, c.now, c.out[0]));
  }
  topics_effects out;
  topics stranger{key_of(77).identity(), c.verifier, c.random};
  topic_domain view;
  view.members = {key_of(1).identity()};
  REQUIRE(stranger.domain_changed(domain_a, view, c.now, out));
  stranger.tick(c.now, out);
  for (const auto& e : out)
    if (const auto* m = std::get_if<peer_message>(&e))
      CHECK(c.nodes[0]->receive(key_of(77).identity(), m->body, c.now, c.out[0]).code() == errc::permission_denied);
}

TEST_CASE("topics: a member that restarted is told who takes part, though it acknowledged that in its earlier life") {
  cluster c{2};
  c.begin_topic();
  c.nodes[1] = std::make_unique<topics>(key_of(2).identity(), c.verifier, c.random);
  topic_domain view;
  view.members = {key_of(1).identity()};
  REQUIRE(c.nodes[1]->domain_changed(domain_a, view, c.now, c.out[1]));
  c.advertise(1, advert_of(50), 50);
  c.subscribe(1, 50, 1, 10);
  c.run(1000); // less than the time after which it would join alone
  CHECK(c.got[1] == cluster::texts{"1:before"});
  c.publish(0, 50, "after");
  c.run(100);
  CHECK(c.got[1] == cluster::texts{"1:before", "1:after"});
}

TEST_CASE("topics: the first subscriber gets its history also where everyone's roster is known already") {
  cluster c{2};
  c.begin_topic();
  c.run(100);
  c.subscribe(1, 50, 1, 10);
  c.run(500);
  CHECK(c.got[1] == cluster::texts{"1:before"});
}
