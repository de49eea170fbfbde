// Nodes in one process, over mem://, tls:// and unix://: typed handles, errors, reliable calls, addresses.
#include "two_nodes.hpp"

#include "hanse/actors/errors.hpp"

#include <caf/typed_response_promise.hpp>

#include <unistd.h>

using namespace hanse;

namespace {

std::string temporary_socket() {
  static int count = 0;
  return "unix:///tmp/hanse-test-" + std::to_string(getpid()) + "-" + std::to_string(++count) + ".sock";
}

} // namespace

TEST_CASE("a typed handle reaches an engine on another node over every transport") {
  node_fixture f;
  std::vector<std::pair<std::string, std::string>> pairs{
      {"mem://a", "mem://b"}, {"tls://127.0.0.1:0", "tls://127.0.0.1:0"}, {temporary_socket(), temporary_socket()}};
  for (auto& [first, second] : pairs) {
    CAPTURE(first);
    auto a = f.start(first), b = f.start(second);
    auto hosted = b->spawn_engine<calculator_actor, calculator_engine>({.name = "calculator"});
    REQUIRE(hosted);
    REQUIRE(a->add(b->ticket()));
    auto remote = a->remote<calculator_actor>(hosted->id);
    CHECK(remote != hosted->handle);
    auto sum = f.ask(remote, calc::add_atom_v, 3, 4);
    REQUIRE_MESSAGE(sum, to_string(sum.error()));
    CHECK(*sum == 7);
    CHECK(f.ask(remote, calc::note_atom_v, std::string{"seen"}));
    auto stats = f.ask(remote, calc::stats_atom_v);
    REQUIRE(stats);
    CHECK(stats->additions == 1);
    CHECK(stats->last == "seen");
  }
}

TEST_CASE("an engine of the same node is its own handle") {
  node_fixture f;
  auto a = f.start("mem://a");
  auto hosted = a->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(hosted);
  CHECK(a->remote<calculator_actor>(hosted->id) == hosted->handle);
}

namespace {

/// Calls a calculator elsewhere, in its own name.
struct relay_engine {
  relay_engine(calculator_actor::pointer self, engine_context context, const identity& far)
      : inner(self), far(context.remote<calculator_actor>(far)), self(self) {}

  calculator_actor::behavior_type make_behavior() {
    return {
        [this](calc::add_atom, std::int32_t a, std::int32_t b) -> caf::result<std::int32_t> {
          auto promise = self->make_response_promise<std::int32_t>();
          compat::request(self, far, std::chrono::seconds{5}, calc::add_atom_v, a, b)
              .then([promise](std::int32_t sum) mutable { promise.deliver(sum); },
                    [promise](const caf::error& why) mutable { promise.deliver(why); });
          return promise;
        },
        [this](calc::stats_atom) { return inner.stats; },
        [](calc::note_atom, const std::string&) {},
        [](calc::fail_atom) {},
        [](calc::never_atom) {},
        [](calc::quit_atom) {},
    };
  }

  calculator_engine inner;
  calculator_actor far;
  calculator_actor::pointer self;
};

} // namespace

TEST_CASE("an engine calls another one elsewhere in its own name") {
  node_fixture f;
  auto a = f.start("mem://a"), b = f.start("mem://b");
  auto far = b->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(far);
  REQUIRE(a->add(b->ticket()));
  auto relay = a->spawn_engine<calculator_actor, relay_engine>({.name = "relay"}, far->id);
  REQUIRE(relay);
  auto sum = f.ask(relay->handle, calc::add_atom_v, 20, 22);
  REQUIRE_MESSAGE(sum, to_string(sum.error()));
  CHECK(*sum == 42);
}

TEST_CASE("an error of the engine's handler reaches the remote caller as it was") {
  node_fixture f;
  auto a = f.start("mem://a"), b = f.start("mem://b");
  auto hosted = b->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(hosted);
  REQUIRE(a->add(b->ticket()));
  auto failed = f.ask(a->remote<calculator_actor>(hosted->id), calc::fail_atom_v);
  REQUIRE_FALSE(failed);
  CHECK(failed.error() == caf::sec::invalid_argument);
}

TEST_CASE("a plain send to a remote handle arrives") {
  node_fixture f;
  auto a = f.start("mem://a"), b = f.start("mem://b");
  auto hosted = b->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(hosted);
  REQUIRE(a->add(b->ticket()));
  auto remote = a->remote<calculator_actor>(hosted->id);
  compat::anon_send(remote, calc::note_atom_v, std::string{"told"});
  CHECK(f.eventually([&] { return f.ask(hosted->handle, calc::stats_atom_v)->last == "told"; }));
}

TEST_CASE("reliable calls are answered, in order, each handled once") {
  node_fixture f;
  auto a = f.start("tls://127.0.0.1:0"), b = f.start("tls://127.0.0.1:0");
  auto hosted = b->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(hosted);
  REQUIRE(a->add(b->ticket()));
  auto remote = a->remote<calculator_actor>(hosted->id, {.protocol = {}, .reliable = true});
  for (int i = 0; i < 50; ++i) {
    auto sum = f.ask(remote, calc::add_atom_v, i, 1);
    REQUIRE_MESSAGE(sum, to_string(sum.error()));
    CHECK(*sum == i + 1);
  }
  CHECK(f.ask(remote, calc::stats_atom_v)->additions == 50);
}

TEST_CASE("a reliable message without a reply is confirmed when the engine has handled it, or its error is told") {
  node_fixture f;
  auto a = f.start("mem://a"), b = f.start("mem://b");
  auto hosted = b->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(hosted);
  REQUIRE(a->add(b->ticket()));
  auto tell = [&](bytes body) {
    post p;
    p.reliable = true;
    p.message.destination = hosted->id;
    p.message.protocol = {"calculator", 1, 0};
    p.message.body = shared_bytes{std::move(body)};
    return a->send(std::move(p)).get();
  };
  auto noted = tell(*encode_body(calc::note_atom_v, std::string{"sure"}));
  CHECK_FALSE(noted.fault);
  CHECK(noted.acknowledged);
  CHECK(f.ask(hosted->handle, calc::stats_atom_v)->last == "sure");
  auto failed = tell(*encode_body(calc::fail_atom_v));
  REQUIRE(failed.fault);
  CHECK(failed.fault->code == errc::engine_error);
  auto misfit = tell(*encode_body(std::string{"nonsense"}));
  REQUIRE(misfit.fault);
  CHECK(misfit.fault->code == errc::schema_mismatch);
}

TEST_CASE("a minor version ahead is understood, another major one is refused by name") {
  node_fixture f;
  auto a = f.start("mem://a"), b = f.start("mem://b");
  auto hosted = b->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(hosted);
  REQUIRE(a->add(b->ticket()));
  auto newer = a->remote<calculator_actor>(hosted->id, {.protocol = protocol_id{"calculator", 1, 2}});
  CHECK(static_cast<bool>(f.ask(newer, calc::add_atom_v, 1, 2)));
  auto unknown = f.ask(a->remote<calculator_actor>(hosted->id, {.protocol = protocol_id{"calculator", 2, 0}}),
                       calc::add_atom_v, 1, 2);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error() == errc::unsupported_version);
  auto other =
      f.ask(a->remote<calculator_actor>(hosted->id, {.protocol = protocol_id{"abacus", 1, 0}}), calc::add_atom_v, 1, 2);
  REQUIRE_FALSE(other);
  CHECK(other.error() == errc::unsupported_protocol);
}

TEST_CASE("a destination that nobody advertises is refused after a while with no_route") {
  node_fixture f;
  auto a = f.start("mem://a");
  system_random random;
  auto nobody = key_pair::generate(random).identity();
  auto sum = f.ask(a->remote<calculator_actor>(nobody), calc::add_atom_v, 1, 2);
  REQUIRE_FALSE(sum);
  CHECK(sum.error() == errc::no_route);
}

TEST_CASE("what a program gets wrong is answered, not asserted") {
  node_fixture f;
  auto a = f.start("mem://a"), b = f.start("mem://b");
  auto hosted = b->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(hosted);
  REQUIRE(a->add(b->ticket()));
  auto nameless =
      f.ask(a->remote<calculator_actor>(hosted->id, {.protocol = protocol_id{"", 1, 0}}), calc::add_atom_v, 1, 2);
  REQUIRE_FALSE(nameless);
  CHECK(nameless.error() == errc::unsupported_protocol);
  remote_options forever;
  forever.ttl_ms = 0;
  auto timeless = f.ask(a->remote<calculator_actor>(hosted->id, forever), calc::add_atom_v, 1, 2);
  REQUIRE_FALSE(timeless);
  CHECK(timeless.error() == errc::bad_value);
  CHECK(a->spawn_engine<calculator_actor, calculator_engine>({.name = std::string(65, 'x')}).code() ==
        errc::bad_config);
  node_options o;
  o.name = std::string(65, 'x');
  o.log = log_level::quiet;
  CHECK(node::start(f.system, std::move(o)).code() == errc::bad_config);
}

TEST_CASE("a port in use is refused in words") {
  node_fixture f;
  auto a = f.start("tls://127.0.0.1:0");
  node_options o;
  o.listen = {a->advert().addresses.front().address};
  o.log = log_level::quiet;
  auto b = node::start(f.system, std::move(o));
  REQUIRE_FALSE(b);
  CHECK(b.error() == errc::already_exists);
  CHECK(b.error().detail.find("in use") != std::string::npos);
}

TEST_CASE("why explains the route to a remote engine") {
  node_fixture f;
  auto a = f.start("mem://a"), b = f.start("mem://b");
  auto hosted = b->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(hosted);
  REQUIRE(a->add(b->ticket()));
  REQUIRE(f.ask(a->remote<calculator_actor>(hosted->id), calc::add_atom_v, 1, 2));
  auto why = a->why(hosted->id);
  REQUIRE(why);
  CHECK(why->kind == destination_kind::engine);
  REQUIRE(why->candidates.size() == 1);
  CHECK(why->candidates[0].node == b->id());
  CHECK(why->candidates[0].chosen);
  REQUIRE(a->set_trust(b->id(), 10));
  routing_preferences wanted;
  wanted.trust_min = 100;
  auto distrusted = a->why(hosted->id, wanted);
  REQUIRE(distrusted);
  CHECK(distrusted->outcome.code == errc::untrusted);
}
