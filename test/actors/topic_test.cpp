// Topics between real nodes in one process: publishing by a plain send, typed subscribers, who may publish, restarts.
#include "two_nodes.hpp"

#include "hanse/actors/member_node.hpp"
#include "hanse/actors/service.hpp"

#include <caf/stateful_actor.hpp>

#include <filesystem>

using namespace hanse;

namespace {

struct topic_fixture : node_fixture {
  std::unique_ptr<member_node> host(std::uint64_t seed, const std::filesystem::path& data_dir = {}) {
    node_options o;
    o.key = key_of(seed);
    o.data_dir = data_dir;
    auto m = member_node::start(system, options_at("mem://topics-" + std::to_string(seed), std::move(o)));
    REQUIRE(m);
    return std::make_unique<member_node>(std::move(*m));
  }

  /// All are members of a new domain, and see each other.
  identity domain_of(std::uint64_t owner, std::initializer_list<member_node*> hosts) {
    domain_config c;
    c.domain = key_of(owner).identity();
    c.version = 1;
    c.name = "lab";
    c.introducers = {make_introducer(*parse_ticket((*hosts.begin())->node->ticket()))};
    for (auto* h : hosts) REQUIRE(h->domains->enter({sign(c, key_of(owner)), {}, "", ""}));
    for (auto* h : hosts) {
      const auto seen = h->domains->await_members(c.domain, hosts.size(), 60'000);
      for (auto* other : hosts)
        for (const auto& [reason, count] : other->node->services().counters.drops())
          if (!seen) MESSAGE(to_string(other->node->id()) << " dropped " << count << " as " << reason);
      REQUIRE_MESSAGE(seen, to_string(h->node->id()) << ": " << to_string(seen.error()));
    }
    return c.domain;
  }

  static signed_topic_advert topic_of(std::uint64_t seed, const identity& domain,
                                      std::vector<identity> publishers = {}) {
    std::ranges::sort(publishers);
    return sign(topic_advert{key_of(seed).identity(), 1, domain, "news", {"demo"}, std::move(publishers)},
                key_of(seed));
  }

  static bool joins(member_node& h, const identity& topic) { return h.topics->await_joined(topic).has_value(); }
};

/// What a subscriber got, for the test's thread: "publisher seq text".
struct event_log {
  std::mutex mutex;
  std::vector<std::string> texts;
  std::size_t size() {
    std::lock_guard guard{mutex};
    return texts.size();
  }
  std::ptrdiff_t index_of(const std::string& text) {
    std::lock_guard guard{mutex};
    return std::ranges::find(texts, text) - texts.begin();
  }
};

struct listener_engine {
  listener_engine(topic_listener_actor::pointer, std::shared_ptr<event_log> log) : log(std::move(log)) {}
  topic_listener_actor::behavior_type make_behavior() {
    return {[this](const std::vector<topic_delivery>& events) {
      std::lock_guard guard{log->mutex};
      for (auto& e : events)
        if (auto body = decode_body<std::string>(e.body.view())) log->texts.push_back(std::get<0>(*body));
    }};
  }
  std::shared_ptr<event_log> log;
};

topic_listener_actor listener(caf::actor_system& system, std::shared_ptr<event_log> log) {
  return caf::actor_cast<topic_listener_actor>(
      system.spawn<topic_listener_actor::stateful_impl<listener_engine>>(std::move(log)));
}

shared_bytes text(const std::string& t) {
  return shared_bytes{*encode_body(t)};
}

} // namespace

TEST_CASE_FIXTURE(topic_fixture, "three nodes publish, and every subscriber gets all events, answers after questions") {
  auto a = host(101), b = host(102), c = host(103);
  const auto domain = domain_of(150, {a.get(), b.get(), c.get()});
  const auto advert = topic_of(160, domain);
  const auto topic = advert.value.topic;
  REQUIRE(a->topics->add(advert));
  const std::vector<member_node*> all{a.get(), b.get(), c.get()};
  std::vector<std::shared_ptr<event_log>> logs;
  for (auto* h : all) {
    logs.push_back(std::make_shared<event_log>());
    REQUIRE(h->topics->listen(topic, listener(system, logs.back())));
  }
  for (auto* h : all) REQUIRE(joins(*h, topic));
  constexpr int rounds = 20;
  for (int i = 0; i < rounds; ++i) {
    const auto n = std::to_string(i);
    REQUIRE(a->topics->publish(topic, text("question " + n)));
    REQUIRE(eventually([&] { return logs[1]->index_of("question " + n) < std::ptrdiff_t(logs[1]->size()); }));
    REQUIRE(b->topics->publish(topic, text("answer " + n))); // b has seen the question: the answer depends on it
    REQUIRE(c->topics->publish(topic, text("other " + n)));
  }
  for (auto& log : logs) {
    CHECK(eventually([&] { return log->size() == 3 * rounds; }));
    for (int i = 0; i < rounds; ++i)
      CHECK(log->index_of("question " + std::to_string(i)) < log->index_of("answer " + std::to_string(i)));
  }
}

TEST_CASE_FIXTURE(topic_fixture, "a plain typed send to a topic is published, and events become typed messages") {
  auto a = host(104), b = host(105);
  const auto domain = domain_of(151, {a.get(), b.get()});
  auto publisher = a->node->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(publisher);
  const auto advert = topic_of(161, domain, {publisher->id});
  const auto topic = advert.value.topic;
  REQUIRE(a->topics->add(advert));
  auto here = system.spawn<calculator_actor::stateful_impl<calculator_engine>>();
  auto there = system.spawn<calculator_actor::stateful_impl<calculator_engine>>();
  REQUIRE(a->topics->subscribe<calculator_actor>(topic, caf::actor_cast<calculator_actor>(here)));
  REQUIRE(b->topics->subscribe<calculator_actor>(topic, caf::actor_cast<calculator_actor>(there)));
  REQUIRE(joins(*a, topic));
  REQUIRE(joins(*b, topic));
  auto handle = a->node->remote<calculator_actor>(topic, {}, publisher->id);
  REQUIRE(ask(handle, calc::note_atom_v, std::string{"hello"})); // an ask is answered when it is published
  for (auto& subscriber : {caf::actor_cast<calculator_actor>(here), caf::actor_cast<calculator_actor>(there)})
    CHECK(eventually([&] {
      auto stats = ask(subscriber, calc::stats_atom_v);
      return stats && stats->last == "hello";
    }));
  // The node is not listed; nor may it publish what another node's engine sends.
  CHECK(a->topics->publish(topic, text("x")).code() == errc::permission_denied);
  CHECK(b->topics->publish(topic, text("x")).code() == errc::permission_denied);
}

TEST_CASE_FIXTURE(topic_fixture, "an event of a node that may not publish is dropped and counted") {
  auto b = host(106), c = host(107);
  const auto domain = domain_of(152, {b.get(), c.get()});
  const auto lax = topic_of(162, domain), strict = topic_of(162, domain, {b->node->id()});
  const auto topic = lax.value.topic;
  REQUIRE(b->topics->add(strict));
  auto log = std::make_shared<event_log>();
  REQUIRE(b->topics->listen(topic, listener(system, log)));
  REQUIRE(joins(*b, topic));
  // What c sends comes from a machine that believes that everyone may publish.
  system_random random;
  key_event_verifier verifier;
  topics forger{c->node->id(), verifier, random};
  topics_effects out;
  const auto now = c->node->services().now_ms();
  REQUIRE(forger.add_advert(lax.wire, now, out));
  topic_domain view;
  view.members = {b->node->id(), c->node->id()};
  REQUIRE(forger.domain_changed(domain, std::move(view), now, out));
  msgpack_writer roster; // of b, which takes part
  roster.array(7);
  roster.unsigned_integer(0);
  roster.unsigned_integer(1);
  roster.blob(domain.wire());
  roster.unsigned_integer(1);
  roster.blob(digest{}.view());
  roster.unsigned_integer(0);
  roster.array(1);
  roster.blob(topic.wire());
  REQUIRE(forger.receive(b->node->id(), std::move(roster).take(), now, out));
  REQUIRE(forger.add_publisher(topic, std::make_shared<key_event_signer>(key_of(107), random), 1, now, out));
  REQUIRE(forger.publish(topic, c->node->id(), text("forbidden"), event_mode::causal, now));
  out.clear();
  forger.tick(now, out); // tells b that c takes part
  forger.flush(now, out);
  const auto before = drops(*b->node, errc::permission_denied);
  std::size_t sent = 0;
  for (auto& effect : out)
    if (auto* m = std::get_if<peer_message>(&effect)) {
      auto p = note_to(c->node->id(), m->to, topic_node_protocols().front(), shared_bytes{std::move(m->body)});
      p.message.routing.scope = scope_kind::domain;
      p.message.routing.domain = domain;
      (void)c->node->send(std::move(p));
      ++sent;
    }
  REQUIRE(sent > 0);
  CHECK(eventually([&] { return drops(*b->node, errc::permission_denied) > before; }));
  CHECK(b->topics->report(topic)->info.multicast.unauthorised == 1);
  CHECK(log->size() == 0);
}

TEST_CASE_FIXTURE(topic_fixture, "who waits for a topic in vain is told what is missing") {
  auto a = host(110);
  const auto domain = domain_of(154, {a.get()});
  const auto advert = topic_of(164, domain), elsewhere = topic_of(165, key_of(155).identity());
  const auto topic = advert.value.topic;
  CHECK(a->topics->await_joined(topic, 0).code() == errc::not_found);
  REQUIRE(a->topics->add(advert));
  REQUIRE(a->topics->await(topic, [](const topic_report& r) { return r.in_domain; }));
  const auto alone = a->topics->await_joined(topic, 50);
  CHECK(alone.code() == errc::timed_out);
  CHECK(alone.error().detail.find("nobody here subscribes") != std::string::npos);
  REQUIRE(a->topics->add(elsewhere));
  CHECK(a->topics->await_joined(elsewhere.value.topic, 0).error().detail.find("no member") != std::string::npos);
  REQUIRE(a->topics->keep(topic, true));
  CHECK(a->topics->await_joined(topic));
}

TEST_CASE_FIXTURE(topic_fixture, "what a node publishes last, before it stops, gets to the others") {
  auto b = host(112);
  for (std::uint64_t i = 0; i < 3; ++i) {
    auto a = host(113 + i);
    const auto domain = domain_of(156 + i, {b.get(), a.get()});
    const auto advert = topic_of(166 + i, domain);
    const auto topic = advert.value.topic;
    REQUIRE(b->topics->add(advert));
    REQUIRE(a->topics->add(advert));
    auto log = std::make_shared<event_log>();
    REQUIRE(b->topics->listen(topic, listener(system, log)));
    REQUIRE(a->topics->keep(topic, true));
    REQUIRE(joins(*b, topic));
    REQUIRE(joins(*a, topic));
    for (int n = 0; n < 3; ++n) REQUIRE(a->topics->publish(topic, text("last words")));
    a.reset();
    CHECK(eventually([&] { return log->size() == 3; }));
  }
}

TEST_CASE_FIXTURE(topic_fixture, "a node that restarts knows its topics, and gets what was published meanwhile") {
  temporary_directory dir;
  auto a = host(108);
  identity topic;
  {
    auto b = host(109, dir.path);
    const auto domain = domain_of(153, {a.get(), b.get()});
    const auto advert = topic_of(163, domain);
    topic = advert.value.topic;
    REQUIRE(a->topics->add(advert));
    REQUIRE(eventually([&] { return b->topics->report(topic).has_value(); }));
    REQUIRE(a->topics->keep(topic, true));
    REQUIRE(b->topics->keep(topic, true));
    REQUIRE(joins(*b, topic));
    REQUIRE(b->topics->publish(topic, text("before")));
    REQUIRE(eventually([&] { return a->topics->report(topic)->info.multicast.delivered == 1; }));
  }
  REQUIRE(a->topics->publish(topic, text("meanwhile")));
  auto b = host(109, dir.path);
  REQUIRE(b->node->add(a->node->ticket()));
  REQUIRE(b->topics->report(topic)->kept);
  REQUIRE(joins(*b, topic));
  auto subscription = b->topics->open(topic, 100);
  REQUIRE(subscription);
  std::vector<std::string> got;
  CHECK(eventually([&] {
    auto fetched = b->topics->fetch(*subscription, 100, 50);
    REQUIRE(fetched);
    for (auto& e : fetched->events) got.push_back(std::get<0>(*decode_body<std::string>(e.body.view())));
    return got.size() == 2;
  }));
  CHECK(got == std::vector<std::string>{"before", "meanwhile"});
  REQUIRE(b->topics->publish(topic, text("after"))); // its epoch is above the earlier one
  CHECK(eventually([&] { return a->topics->report(topic)->info.multicast.delivered == 3; }));
}

TEST_CASE_FIXTURE(topic_fixture, "an event that is larger than one may be goes as content, and keeps its place") {
  auto a = host(110), b = host(111);
  const auto domain = domain_of(154, {a.get(), b.get()});
  const auto advert = topic_of(164, domain);
  const auto topic = advert.value.topic;
  REQUIRE(a->topics->add(advert));
  std::vector<std::shared_ptr<event_log>> logs{std::make_shared<event_log>(), std::make_shared<event_log>()};
  REQUIRE(a->topics->listen(topic, listener(system, logs[0])));
  REQUIRE(b->topics->listen(topic, listener(system, logs[1])));
  REQUIRE(joins(*a, topic));
  REQUIRE(joins(*b, topic));
  const std::string large(600 * 1024, 'x'), larger(900 * 1024, 'y');
  const std::vector<std::string> all{"before", large, "between", larger, "after"};
  for (const auto& t : all) REQUIRE(a->topics->publish(topic, text(t)));
  for (auto& log : logs) {
    CHECK(eventually([&] { return log->size() == all.size(); }));
    std::lock_guard guard{log->mutex};
    CHECK(log->texts == all);
  }
  CHECK(a->blocks->report()->domains.at(0).usage.blocks > 0); // few: every block of these bodies is the same
  // Somebody who comes later gets them from the blocks, too.
  auto late = std::make_shared<event_log>();
  REQUIRE(b->topics->listen(topic, listener(system, late), 100));
  CHECK(eventually([&] { return late->size() == all.size(); }));
  // Searches for blocks go along the topic's tree.
  const auto trees = [](member_node& h) { return h.blocks->report()->domains.at(0).trees; };
  CHECK(eventually([&] { return trees(*a) == 1 && trees(*b) == 1; }));
  // A body that claims to be a capability is no event.
  CHECK(a->topics->publish(topic, shared_bytes{bytes{std::byte{0xc1}, std::byte{1}}}).code() == errc::bad_value);
}

TEST_CASE_FIXTURE(topic_fixture,
                  "events that no node has at hand any more are read from the archive of one that keeps the topic") {
  temporary_directory dir;
  auto b = host(113);
  identity topic;
  std::vector<std::string> all;
  for (int i = 0; i < 2500; ++i) all.push_back("event " + std::to_string(i));
  all.push_back(std::string(300 * 1024, 'x')); // goes as content of its own
  all.push_back("last");
  {
    auto a = host(112, dir.path);
    const auto domain = domain_of(155, {a.get(), b.get()});
    const auto advert = topic_of(165, domain);
    topic = advert.value.topic;
    REQUIRE(a->topics->add(advert));
    REQUIRE(eventually([&] { return b->topics->report(topic).has_value(); }));
    REQUIRE(a->topics->keep(topic, true));
    REQUIRE(joins(*a, topic));
    for (const auto& t : all) REQUIRE(a->topics->publish(topic, text(t)));
    const auto archive = a->topics->report(topic)->archive;
    REQUIRE(archive);
    CHECK(archive->events + archive->unsealed >= 2500);
    CHECK(archive->segments >= 1);
  }
  auto a = host(112, dir.path); // what it had at hand is gone: nobody else took part
  REQUIRE(b->node->add(a->node->ticket()));
  REQUIRE(joins(*a, topic));
  CHECK(a->topics->report(topic)->info.multicast.stored == 0);
  CHECK(a->topics->report(topic)->archive->events == all.size());
  CHECK(a->topics->report(topic)->archive->lost == 0);

  // An actor at another node, all of it; then what is published from now on.
  auto log = std::make_shared<event_log>();
  REQUIRE(b->topics->listen(topic, listener(system, log), 100'000));
  REQUIRE(joins(*b, topic));
  REQUIRE(a->topics->publish(topic, text("live")));
  CHECK(eventually([&] { return log->size() == all.size() + 1; }));
  const auto is_all = [&](const std::vector<std::string>& got) {
    return got.size() == all.size() + 1 && std::ranges::equal(all, std::span{got}.first(all.size())) &&
           got.back() == "live";
  };
  {
    std::lock_guard guard{log->mutex};
    CHECK(is_all(log->texts));
  }
  // Who fetches, at both: the latest few, of which one is at hand.
  for (auto* h : {a.get(), b.get()}) {
    auto subscription = h->topics->open(topic, 3);
    REQUIRE(subscription);
    std::vector<std::string> got;
    CHECK(eventually([&] {
      auto fetched = h->topics->fetch(*subscription, 100, 50);
      REQUIRE(fetched);
      for (auto& e : fetched->events) got.push_back(std::get<0>(*decode_body<std::string>(e.body.view())));
      return got.size() >= 3;
    }));
    CHECK(got == std::vector<std::string>{all[2500], "last", "live"});
  }
  REQUIRE(a->topics->keep(topic, false));
  CHECK_FALSE(a->topics->report(topic)->archive);
}
