// Nodes that listen on nothing, one relay between them: typed calls both ways, adverts that travel along, refusals, a
// direct address that does not work, forged and repeated relay messages.
#include "watch_drops.hpp"

#include "hanse/actors/errors.hpp"
#include "hanse/actors/relay_engine.hpp"
#include "hanse/actors/relays.hpp"
#include "hanse/protocols/message_batch.hpp"

using namespace hanse;

namespace {

constexpr transport_preferences any_security{false, false, security_kind::any};

/// A node with relaying.
struct relayed_node {
  std::unique_ptr<node> n;
  std::unique_ptr<node_relay> relay;
  identity id() const { return n->id(); }
};

relayed_node start(node_fixture& f, std::string address, relay_options r, node_options o = {}) {
  o.speaks = relay_node_protocols();
  o.advertise_too = relay_addresses(r.through);
  relayed_node made{f.start(std::move(address), std::move(o)), nullptr};
  auto relay = node_relay::start(*made.n, std::move(r));
  REQUIRE_MESSAGE(relay, (relay ? "" : to_string(relay.error())));
  made.relay = std::move(*relay);
  return made;
}

bool linked(node& n, const identity& other) {
  auto peers = n.peers();
  return peers && std::ranges::any_of(*peers, [&](auto& p) { return p.id == other && p.connected; });
}

/// a and c have no address, b may relay; a and c keep links to b.
struct three_nodes : node_fixture {
  explicit three_nodes(relay_config config = {.forwards = true}, bool gossip = true)
      : b(::start(*this, "mem://b", {config, {}}, {.share_adverts = gossip})),
        a(::start(*this, "", {{}, {b.id()}}, {.name = "a"})), c(::start(*this, "", {{}, {b.id()}}, {.name = "c"})) {
    REQUIRE(a.n->add(b.n->ticket()));
    REQUIRE(c.n->add(b.n->ticket()));
    REQUIRE(eventually([&] { return linked(*a.n, b.id()) && linked(*c.n, b.id()); }));
  }

  relayed_node b, a, c;
};

remote_options by_relay() {
  remote_options o;
  o.transport = any_security;
  return o;
}

} // namespace

TEST_CASE("a typed handle reaches an engine behind a relay, from a node behind it, in an engine's name too") {
  three_nodes f;
  auto sums = f.c.n->spawn_engine<calculator_actor, calculator_engine>({});
  auto home = f.a.n->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(sums);
  REQUIRE(home);
  for (const auto& source : {identity{}, home->id}) {
    auto handle = f.a.n->remote<calculator_actor>(sums->id, by_relay(), source);
    auto sum = f.ask(handle, calc::add_atom_v, 3, 4);
    REQUIRE_MESSAGE(sum, to_string(sum.error()));
    CHECK(*sum == 7);
    auto failed = f.ask(handle, calc::fail_atom_v);
    CHECK(failed.error() == caf::sec::invalid_argument);
  }
  CHECK_FALSE(linked(*f.a.n, f.c.id()));
  CHECK(f.b.n->services().counters.relayed.value >= 8);
  CHECK(only_watches_dropped(*f.a.n));
  CHECK(only_watches_dropped(*f.c.n));
}

TEST_CASE("the route says through whom, and why not without the sender's leave") {
  three_nodes f;
  auto sums = f.c.n->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(sums);
  REQUIRE(f.eventually([&] { return f.a.n->why(sums->id, {}, any_security)->outcome.code == errc::none; }));
  const auto why = f.a.n->why(sums->id, {}, any_security);
  REQUIRE(why->candidates.size() == 1);
  CHECK(why->candidates[0].by == "relay through " + to_short_string(f.b.id()));
  const auto strict = f.a.n->why(sums->id);
  CHECK(strict->outcome.code == errc::constraint);
  routing_preferences trusting;
  trusting.trust_min = 200; // the relay is one of the nodes that the message goes over
  REQUIRE(f.a.n->set_trust(sums->id, 255));
  REQUIRE(f.a.n->set_trust(f.c.id(), 255));
  CHECK(f.a.n->why(sums->id, trusting, any_security)->outcome.code == errc::no_address);
  REQUIRE(f.a.n->set_trust(f.b.id(), 255));
  CHECK(f.a.n->why(sums->id, trusting, any_security)->outcome.code == errc::none);
}

TEST_CASE("reliable messages are acknowledged through a relay") {
  three_nodes f;
  auto sums = f.c.n->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(sums);
  auto options = by_relay();
  options.reliable = true;
  auto sum = f.ask(f.a.n->remote<calculator_actor>(sums->id, options), calc::add_atom_v, 3, 4);
  REQUIRE_MESSAGE(sum, to_string(sum.error()));
  CHECK(*sum == 7);
  post note; // nothing but the acknowledgement comes back
  note.message.destination = sums->id;
  note.message.protocol = {"calculator", 1, 0};
  note.message.transport = any_security;
  note.message.body = shared_bytes{*encode_body(std::string{"note"}, std::string{"seen"})};
  note.reliable = true;
  auto acknowledged = f.a.n->send(std::move(note));
  REQUIRE(acknowledged.wait_for(std::chrono::seconds{30}) == std::future_status::ready);
  const auto done = acknowledged.get();
  CHECK_MESSAGE(done.acknowledged, (done.fault ? done.fault->detail : ""));
}

TEST_CASE("a relayed message brings the adverts that its recipient needs to answer it") {
  three_nodes f{{.forwards = true}, false}; // b passes no adverts on
  auto sums = f.c.n->spawn_engine<calculator_actor, calculator_engine>({});
  auto home = f.a.n->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(sums);
  REQUIRE(home);
  REQUIRE(f.a.n->add(f.c.n->ticket()));
  post hello; // to the node: a knows no engine of c yet, c knows nothing of a
  hello.message.destination = f.c.id();
  hello.message.kind = message_kind::ask;
  hello.message.protocol = {"hanse.node", 1, 0};
  hello.message.transport = any_security;
  hello.message.body = shared_bytes{*encode_body(std::string{"ping"})};
  auto answered = f.a.n->send(std::move(hello));
  REQUIRE(answered.wait_for(std::chrono::seconds{30}) == std::future_status::ready);
  CHECK_FALSE(answered.get().fault);
  auto sum = f.ask(f.a.n->remote<calculator_actor>(sums->id, by_relay(), home->id), calc::add_atom_v, 3, 4);
  REQUIRE_MESSAGE(sum, to_string(sum.error()));
  CHECK(*sum == 7);
}

TEST_CASE("a node that was not told to forward refuses, counts it, and the caller learns who refused") {
  three_nodes f{relay_config{}};
  auto sums = f.c.n->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(sums);
  auto sum = f.ask(f.a.n->remote<calculator_actor>(sums->id, by_relay()), calc::add_atom_v, 3, 4);
  REQUIRE_FALSE(sum);
  const auto why = to_hanse(sum.error());
  CHECK(why.code == errc::permission_denied);
  CHECK(why.detail.find("relay " + to_short_string(f.b.id())) != std::string::npos);
  CHECK(f.drops(*f.b.n, errc::permission_denied) >= 1);
}

TEST_CASE("over its quota a relay refuses, counts it, and the caller learns why") {
  three_nodes f{{.forwards = true, .octets_per_minute = 6'000}};
  auto sums = f.c.n->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(sums);
  auto handle = f.a.n->remote<calculator_actor>(sums->id, by_relay());
  caf::error last;
  for (int i = 0; i < 20 && !last; ++i)
    if (auto sum = f.ask(handle, calc::add_atom_v, 3, i); !sum) last = sum.error();
  CHECK(to_hanse(last).code == errc::queue_full);
  CHECK(f.drops(*f.b.n, errc::queue_full) >= 1);
}

TEST_CASE("a direct address that does not work is given up for the relay, and the message is not lost") {
  node_fixture f;
  auto b = start(f, "mem://b", {{.forwards = true}, {}});
  auto a = start(f, "", {{}, {b.id()}});
  node_options stale;
  stale.advertise = {"mem://nobody"};
  auto c = start(f, "", {{}, {b.id()}}, stale);
  REQUIRE(a.n->add(b.n->ticket()));
  REQUIRE(c.n->add(b.n->ticket()));
  auto sums = c.n->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(sums);
  auto sum = f.ask(a.n->remote<calculator_actor>(sums->id, by_relay()), calc::add_atom_v, 3, 4);
  REQUIRE_MESSAGE(sum, to_string(sum.error()));
  CHECK(*sum == 7);
}

TEST_CASE("a relay message that is not from the node that it comes from, or comes twice, is dropped and counted") {
  three_nodes f;
  auto sums = f.c.n->spawn_engine<calculator_actor, calculator_engine>({});
  auto home = f.a.n->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(sums);
  REQUIRE(home);
  seeded_random random{7};
  relay machine{*f.a.n->core()->key, {}, random};
  const auto now = f.a.n->services().now_ms();
  envelope e;
  e.source = f.a.id();
  e.destination = f.c.id();
  e.id = now * 1000;
  e.protocol = {"hanse.node", 1, 0};
  e.sent_ms = now;
  const auto wire = encode(e);
  const byte_view one{wire};
  const auto payload = seal(*f.a.n->core()->key, std::span{&one, 1}, random);
  const auto wrapped = machine.send(f.c.id(), {f.b.id()}, payload, now, 10'000);
  REQUIRE(wrapped);
  const auto post_of = [&](const identity& source) {
    post p;
    p.message.source = source;
    p.message.destination = f.b.id();
    p.message.kind = message_kind::ask;
    p.message.protocol = relay_protocol();
    p.message.body = shared_bytes{bytes{wrapped->body}};
    return p;
  };
  const auto hand_in = [&] {
    auto answered = f.a.n->send(post_of(f.a.id()));
    REQUIRE(answered.wait_for(std::chrono::seconds{30}) == std::future_status::ready);
    return answered.get();
  };
  (void)f.a.n->send(post_of(home->id)); // nodes relay, engines do not
  CHECK(f.eventually([&] { return f.drops(*f.b.n, errc::wrong_signer) == 1; }));
  CHECK_FALSE(hand_in().fault);
  const auto again = hand_in();
  REQUIRE(again.fault);
  CHECK(again.fault->code == errc::replayed);
  CHECK(f.drops(*f.b.n, errc::replayed) == 1);
}

TEST_CASE("who is banned does not get in through a relay") {
  three_nodes f;
  auto sums = f.c.n->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(sums);
  auto handle = f.a.n->remote<calculator_actor>(sums->id, by_relay());
  REQUIRE(f.ask(handle, calc::add_atom_v, 3, 4));
  REQUIRE(f.c.n->set_trust(f.a.id(), 0));
  auto sum = f.ask(handle, calc::add_atom_v, 3, 4);
  REQUIRE_FALSE(sum);
  CHECK(to_hanse(sum.error()).code == errc::untrusted);
  CHECK(f.drops(*f.c.n, errc::untrusted) >= 1);
}

TEST_CASE("a message that the relay cannot hand on fails at once, not at its end") {
  three_nodes f;
  auto sums = f.c.n->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(sums);
  auto handle = f.a.n->remote<calculator_actor>(sums->id, by_relay());
  REQUIRE(f.ask(handle, calc::add_atom_v, 3, 4));
  f.c.n->stop();
  REQUIRE(f.eventually([&] { return !linked(*f.b.n, f.c.id()); }));
  auto options = by_relay();
  options.ttl_ms = 600'000;
  auto sum = f.ask(f.a.n->remote<calculator_actor>(sums->id, options), calc::add_atom_v, 3, 4);
  REQUIRE_FALSE(sum);
  CHECK(to_hanse(sum.error()).detail.find("relay") != std::string::npos);
}
