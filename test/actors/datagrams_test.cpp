// Two nodes with nothing but UDP between them: typed calls both ways on one session, what does not go that way, bounds.
// Not loss and reordering (test/transport/datagram_link_test.cpp).
#include "watch_drops.hpp"

#include "hanse/actors/datagrams.hpp"
#include "hanse/actors/errors.hpp"

using namespace hanse;

namespace {

struct udp_node {
  std::unique_ptr<node> n;
  std::unique_ptr<node_datagrams> datagrams;

  udp_node(node_fixture& f, std::vector<std::string> listen, std::vector<std::string> advertise = {},
           std::string links = {}) {
    auto sockets = datagram_sockets::open(listen);
    REQUIRE_MESSAGE(sockets, (sockets ? "" : to_string(sockets.error())));
    node_options o;
    o.schemes.insert("dtls");
    o.advertise_too = advertise.empty() ? (*sockets)->addresses() : std::move(advertise);
    n = f.start(std::move(links), std::move(o));
    auto d = node_datagrams::start(*n, std::move(*sockets));
    REQUIRE_MESSAGE(d, (d ? "" : to_string(d.error())));
    datagrams = std::move(*d);
  }
};

const std::vector<std::string> anywhere{"dtls://127.0.0.1:0"};

post ping_to(const identity& to, std::string_view body = "ping") {
  post p;
  p.message.destination = to;
  p.message.kind = message_kind::ask;
  p.message.protocol = {"hanse.node", 1, 0};
  p.message.body = shared_bytes{*encode_body(std::string{body})};
  return p;
}

expected<answer> asked(node& n, post p) {
  auto answered = n.send(std::move(p));
  if (answered.wait_for(std::chrono::seconds{30}) != std::future_status::ready) return errc::timed_out;
  auto a = answered.get();
  if (a.fault) return error{a.fault->code, a.fault->detail};
  return a;
}

} // namespace

TEST_CASE("typed handles work over datagrams, there and back on the session of who dialled") {
  node_fixture f;
  udp_node a{f, {}}, b{f, anywhere};
  auto sums = b.n->spawn_engine<calculator_actor, calculator_engine>({});
  auto home = a.n->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(sums);
  REQUIRE(home);
  REQUIRE(a.n->add(b.n->ticket()));
  REQUIRE(asked(*a.n, ping_to(b.n->id())));
  for (const auto& source : {identity{}, home->id}) {
    auto sum = f.ask(a.n->remote<calculator_actor>(sums->id, {}, source), calc::add_atom_v, 3, 4);
    REQUIRE_MESSAGE(sum, to_string(sum.error()));
    CHECK(*sum == 7);
  }
  auto back = f.ask(b.n->remote<calculator_actor>(home->id), calc::add_atom_v, 5, 4);
  REQUIRE_MESSAGE(back, to_string(back.error()));
  CHECK(*back == 9);
  remote_options reliable;
  reliable.reliable = true;
  auto kept = f.ask(a.n->remote<calculator_actor>(sums->id, reliable), calc::add_atom_v, 1, 1);
  REQUIRE_MESSAGE(kept, to_string(kept.error()));
  CHECK(a.n->services().counters.drops().empty());
  CHECK(b.n->services().counters.drops().empty());
}

TEST_CASE("what demands order or reliability, or is too large, does not go by datagrams and is told so") {
  node_fixture f;
  udp_node a{f, {}}, b{f, anywhere};
  REQUIRE(a.n->add(b.n->ticket()));
  auto ordered = ping_to(b.n->id());
  ordered.message.transport.ordered = true;
  CHECK(asked(*a.n, std::move(ordered)).code() == errc::constraint);
  CHECK(asked(*a.n, ping_to(b.n->id(), std::string(80'000, 'x'))).code() == errc::too_long);
  CHECK(a.n->why(b.n->id())->candidates.at(0).by == "dtls");
}

TEST_CASE("who would rather have datagrams gets them beside a link, and the link for what is too large") {
  node_fixture f;
  udp_node a{f, {}, {}, "mem://a"}, b{f, anywhere, {}, "mem://b"};
  auto sums = b.n->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(sums);
  REQUIRE(a.n->add(b.n->ticket()));
  REQUIRE(f.ask(a.n->remote<calculator_actor>(sums->id), calc::add_atom_v, 1, 2));
  remote_options rather;
  rather.transport.datagrams = true;
  const auto way = [&](udp_node& from, udp_node& to, const transport_preferences& wanted) {
    return from.n->why(to.n->id(), {}, wanted)->candidates.at(0).by;
  };
  CHECK(way(a, b, {}) == "link");
  CHECK(way(a, b, rather.transport) == "dtls");
  CHECK(way(b, a, rather.transport) == "link"); // a has no address, and has not dialled yet
  auto sum = f.ask(a.n->remote<calculator_actor>(sums->id, rather), calc::add_atom_v, 3, 4);
  REQUIRE_MESSAGE(sum, to_string(sum.error()));
  CHECK(*sum == 7);
  CHECK(f.eventually([&] { return way(b, a, rather.transport) == "dtls"; }));
  auto large = ping_to(b.n->id(), std::string(80'000, 'x'));
  large.message.transport.datagrams = true;
  CHECK(asked(*a.n, std::move(large)).code() == errc::schema_mismatch); // it came: a ping has no such body
  CHECK(way(a, b, {}) == "link");
}

TEST_CASE("who would rather have datagrams gets the link when no session can be made, and at once from then on") {
  node_fixture f;
  udp_node a{f, {}, {}, "mem://a"}, b{f, anywhere};
  udp_node c{f, {}, {b.n->advert().addresses.front().address}, "mem://c"}; // somebody else is there
  REQUIRE(a.n->add(b.n->ticket()));
  REQUIRE(asked(*a.n, ping_to(b.n->id())));
  REQUIRE(a.n->add(c.n->ticket()));
  auto ping = ping_to(c.n->id());
  ping.message.transport.datagrams = true;
  const auto wanted = ping.message.transport;
  CHECK(a.n->why(c.n->id(), {}, wanted)->candidates.at(0).by == "dtls");
  const auto answered = asked(*a.n, std::move(ping));
  CHECK_MESSAGE(answered, to_string(answered.error()));
  CHECK(a.n->why(c.n->id(), {}, wanted)->candidates.at(0).by == "link");
}

TEST_CASE("messages wait for a session in a bounded number, and fail when nobody answers") {
  node_fixture f;
  udp_node a{f, {}};
  udp_node silent{f, {}, {"dtls://127.0.0.1:9"}}; // the discard port: nobody is there
  REQUIRE(a.n->add(silent.n->ticket()));
  std::vector<std::future<answer>> all;
  for (int i = 0; i < 300; ++i) all.push_back(a.n->send(ping_to(silent.n->id())));
  CHECK(f.eventually([&] { return f.drops(*a.n, errc::queue_full) == 300 - 256; }));
}

TEST_CASE("who is banned does not get in by datagrams") {
  node_fixture f;
  udp_node a{f, {}}, b{f, anywhere};
  auto sums = b.n->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(sums);
  REQUIRE(a.n->add(b.n->ticket()));
  REQUIRE(asked(*a.n, ping_to(b.n->id())));
  auto handle = a.n->remote<calculator_actor>(sums->id);
  REQUIRE(f.ask(handle, calc::add_atom_v, 3, 4));
  const auto delivered = b.n->services().counters.delivered.value.load();
  REQUIRE(b.n->set_trust(a.n->id(), 0));
  compat::anon_send(handle, calc::note_atom_v, std::string{"from a stranger"});
  CHECK(f.eventually([&] { return f.drops(*b.n, errc::untrusted) == 1; }));
  CHECK(b.n->services().counters.delivered.value == delivered);
}

TEST_CASE("addresses of sockets: one of each family, ports that are taken, names that lead nowhere") {
  auto first = datagram_sockets::open(anywhere);
  REQUIRE(first);
  REQUIRE((*first)->addresses().size() == 1);
  CHECK(datagram_sockets::open((*first)->addresses()).code() == errc::already_exists);
  CHECK(datagram_sockets::open({"dtls://127.0.0.1:0", "dtls://127.0.0.1:0"}).code() == errc::bad_config);
  CHECK(datagram_sockets::open({"tls://127.0.0.1:0"}).code() == errc::bad_config);
  CHECK(resolve_datagram_host("127.0.0.1", 1, false).code() == errc::permission_denied);
  CHECK(resolve_datagram_host("127.0.0.1", 1, true)->size() == 1);
}
