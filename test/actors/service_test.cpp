// Services of a node: protocols between nodes, and destinations that a service has claimed.
#include "two_nodes.hpp"

#include "hanse/actors/errors.hpp"
#include "hanse/actors/service.hpp"

#include <caf/stateful_actor.hpp>

using namespace hanse;

namespace {

const protocol_id echo_protocol{"hanse.test", 1, 0};

/// What a service has seen, for the test's thread.
struct service_log {
  std::mutex mutex;
  std::vector<std::string> events;
  void add(std::string e) {
    std::lock_guard guard{mutex};
    events.push_back(std::move(e));
  }
  bool has(const std::string& e) {
    std::lock_guard guard{mutex};
    return std::ranges::find(events, e) != events.end();
  }
};

/// Answers asks with who sent them and from which node.
struct echo_service {
  echo_service(service_actor::pointer self, identity node, router_actor router, std::shared_ptr<service_log> log)
      : self(self), node(node), router(std::move(router)), log(std::move(log)) {}

  service_actor::behavior_type make_behavior() {
    return {
        [this](std::vector<inbound>& messages) {
          std::vector<post> answers;
          for (auto& in : messages) {
            auto& m = in.message;
            log->add("from " + to_string(in.peer));
            if (m.kind != message_kind::ask) continue;
            auto body = encode_body(to_string(m.source), to_string(in.peer));
            answers.push_back(m.body.size() == 0 ? refusal_of(node, m, errc::bad_value)
                                                 : reply_to(node, m, shared_bytes{*body}));
          }
          if (!answers.empty()) compat::send(self, router, std::move(answers));
        },
        [this](link_up_atom, const identity& peer) { log->add("up " + to_string(peer)); },
        [this](link_down_atom, const identity& peer) { log->add("down " + to_string(peer)); },
        [this](stop_atom) {
          log->add("stop");
          self->quit();
        },
    };
  }

  service_actor::pointer self;
  identity node;
  router_actor router;
  std::shared_ptr<service_log> log;
};

service_actor spawn_echo(node& n, std::shared_ptr<service_log> log) {
  return n.system().spawn<service_actor::stateful_impl<echo_service>>(n.id(), n.core()->router, std::move(log));
}

answer ask_service(node& from, const identity& destination, const protocol_id& protocol = echo_protocol,
                   bytes body = *encode_body(std::string{"hello"})) {
  auto p = note_to(from.id(), destination, protocol, shared_bytes{std::move(body)}, 5000);
  p.message.kind = message_kind::ask;
  return from.send(std::move(p)).get();
}

std::pair<std::string, std::string> read(const answer& a) {
  auto body = decode_body<std::string, std::string>(a.body.view());
  REQUIRE(body);
  return {std::get<0>(*body), std::get<1>(*body)};
}

identity somebody(std::uint64_t seed) {
  seeded_random random{seed};
  return key_pair::generate(random).identity();
}

} // namespace

TEST_CASE("a service answers what other nodes ask of its node, and hears of links") {
  node_fixture f;
  auto log = std::make_shared<service_log>();
  node_options o;
  o.speaks = {echo_protocol};
  auto a = f.start("mem://a"), b = f.start("mem://b", std::move(o));
  CHECK(std::ranges::find(b->advert().protocols, echo_protocol) != b->advert().protocols.end());
  REQUIRE(a->add(b->ticket()));
  auto unknown = ask_service(*a, b->id());
  REQUIRE(unknown.fault);
  CHECK(unknown.fault->code == errc::unsupported_protocol);

  auto service = spawn_echo(*b, log);
  REQUIRE(b->register_service("hanse.test", service));
  CHECK(b->register_service("hanse.node", service).code() == errc::already_exists);
  CHECK(b->register_service("Not a name", service).code() == errc::bad_value);
  CHECK(f.eventually([&] { return log->has("up " + to_string(a->id())); })); // the link was up before
  auto answered = ask_service(*a, b->id());
  REQUIRE_FALSE(answered.fault);
  CHECK(read(answered) == std::pair{to_string(a->id()), to_string(a->id())});
  auto here = ask_service(*b, b->id());
  REQUIRE_FALSE(here.fault);
  CHECK(read(here).second == to_string(b->id()));
  auto refused = ask_service(*a, b->id(), echo_protocol, {});
  REQUIRE(refused.fault);
  CHECK(refused.fault->code == errc::bad_value);

  a->stop();
  CHECK(f.eventually([&] { return log->has("down " + to_string(a->id())); }));
  b->stop();
  CHECK(f.eventually([&] { return log->has("stop"); }));
}

TEST_CASE("a service that has ended serves no more") {
  node_fixture f;
  auto log = std::make_shared<service_log>();
  auto a = f.start("mem://a");
  auto topic = somebody(1);
  auto service = spawn_echo(*a, log);
  REQUIRE(a->register_service("hanse.test", service));
  REQUIRE(a->claim(topic, "", service));
  REQUIRE_FALSE(ask_service(*a, a->id()).fault);
  compat::anon_send(service, stop_atom_v);
  CHECK(f.eventually([&] {
    auto answered = ask_service(*a, a->id());
    return answered.fault && answered.fault->code == errc::unsupported_protocol;
  }));
  auto nobody = ask_service(*a, topic);
  REQUIRE(nobody.fault);
  CHECK(nobody.fault->code == errc::no_route);
}

TEST_CASE("what engines here and nodes elsewhere send to a claimed destination goes to its claimant") {
  node_fixture f;
  auto log = std::make_shared<service_log>(), other_log = std::make_shared<service_log>();
  auto a = f.start("mem://a"), b = f.start("mem://b");
  REQUIRE(a->add(b->ticket()));
  auto topic = somebody(2);
  auto service = spawn_echo(*a, log), other = spawn_echo(*a, other_log);
  CHECK(a->claim(a->id(), "", service).code() == errc::bad_value);
  REQUIRE(a->claim(topic, "", service));
  REQUIRE(a->claim(topic, "hanse.special", other));
  // A typed handle to the topic is all that an engine needs.
  auto engine = a->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(engine);
  auto handle = a->remote<calculator_actor>(topic, {}, engine->id);
  compat::anon_send(handle, calc::note_atom_v, std::string{"published"});
  CHECK(f.eventually([&] { return log->has("from " + to_string(a->id())); }));
  // By name before any.
  auto special = ask_service(*a, topic, {"hanse.special", 1, 0});
  REQUIRE_FALSE(special.fault);
  CHECK(other_log->has("from " + to_string(a->id())));
  // A reliable send is acknowledged by the hand-over.
  auto p = note_to(a->id(), topic, echo_protocol, shared_bytes{*encode_body(std::string{"x"})});
  p.reliable = true;
  auto told = a->send(std::move(p)).get();
  CHECK_FALSE(told.fault);
  CHECK(told.acknowledged);

  REQUIRE(a->unclaim(topic, ""));
  REQUIRE(a->unclaim(topic, "hanse.special"));
  CHECK(ask_service(*a, topic).fault);
}
