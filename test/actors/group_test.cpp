// Messages to several receivers: groups and domains as destinations, through the same typed handle as one engine.
#include "two_nodes.hpp"

#include "hanse/actors/errors.hpp"
#include "hanse/actors/service.hpp"

#include <caf/stateful_actor.hpp>
#include <future>

using namespace hanse;

namespace {

/// Nodes with a calculator each, all linked to the first node, which hosts none.
struct cluster : node_fixture {
  explicit cluster(std::size_t count, composite_table groups = {}) {
    node_options o;
    o.groups = std::move(groups);
    first = start("mem://first", std::move(o));
    for (std::size_t i = 0; i < count; ++i) {
      others.push_back(start("mem://other" + std::to_string(i)));
      REQUIRE(first->add(others.back()->ticket()));
    }
  }

  /// The calculator of node i, spawned with the key of that number.
  void spawn(std::size_t i, engine_options o = {}) {
    o.key = key(i);
    auto hosted = others[i]->spawn_engine<calculator_actor, calculator_engine>(std::move(o));
    REQUIRE(hosted);
    engines[i] = hosted->handle;
  }
  static key_pair key(std::size_t i) {
    seeded_random random{1000 + i};
    return key_pair::generate(random);
  }
  static composite_descriptor group_of(std::uint32_t threshold, std::size_t count) {
    std::vector<composite_member> members;
    for (std::size_t i = 0; i < count; ++i) members.push_back({key(i).identity(), 1});
    auto g = make_composite(threshold, std::move(members));
    REQUIRE(g);
    return *g;
  }
  std::int32_t additions(std::size_t i) { return ask(engines.at(i), calc::stats_atom_v)->additions; }
  std::int32_t all_additions() {
    std::int32_t sum = 0;
    for (auto& [i, e] : engines) sum += additions(i);
    return sum;
  }
  /// Waits until the first node knows so many engines.
  bool known(std::size_t count) {
    return eventually([&] {
      auto all = first->engines();
      return all && all->size() == count;
    });
  }

  std::unique_ptr<node> first;
  std::vector<std::unique_ptr<node>> others;
  std::map<std::size_t, calculator_actor> engines;
};

/// Tells every node who is in `domain`.
void set_domain(cluster& c, const identity& domain, const std::vector<node*>& members,
                const std::vector<identity>& introducers = {}) {
  domain_members d{domain, {}, introducers};
  for (auto* n : members) d.members.push_back(n->id());
  for (auto* n : members) REQUIRE(n->set_domain(d));
  if (std::ranges::find(members, c.first.get()) == members.end())
    REQUIRE(c.first->set_domain({domain, {}, introducers}));
}

identity somebody(std::uint64_t seed) {
  seeded_random random{seed};
  return key_pair::generate(random).identity();
}

} // namespace

TEST_CASE("a k-of-n group answers through one typed handle when k members have, and replaces one that refuses") {
  auto group = cluster::group_of(2, 3);
  cluster c{3, {{identity_of(group), group}}};
  for (std::size_t i = 0; i < 3; ++i) c.spawn(i);
  auto handle = c.first->remote<calculator_actor>(identity_of(group));
  auto sum = c.ask(handle, calc::add_atom_v, 20, 22);
  REQUIRE_MESSAGE(sum, to_string(sum.error()));
  CHECK(*sum == 42);
  CHECK(c.all_additions() == 2);
  // Its own error is a refusal: all three are asked, and none agrees.
  auto refused = c.ask(handle, calc::fail_atom_v);
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == errc::threshold_not_met);
  c.others[0]->stop();
  auto again = c.ask(handle, calc::add_atom_v, 1, 2);
  REQUIRE_MESSAGE(again, to_string(again.error()));
  CHECK(*again == 3);
}

TEST_CASE("a member of a group that is advertised only after the message was sent takes the place of one that fails") {
  auto group = cluster::group_of(2, 3);
  cluster c{3, {{identity_of(group), group}}};
  c.spawn(0);
  c.spawn(1);
  REQUIRE(c.known(2));
  auto handle = c.first->remote<calculator_actor>(identity_of(group));
  REQUIRE(c.ask(handle, calc::add_atom_v, 1, 1)); // the router knows the way to both
  c.others[0]->stop();
  REQUIRE(c.eventually([&] { return c.first->services().counters.links->value() == 2; }));
  auto answer = std::async(std::launch::async, [&] { return c.ask(handle, calc::add_atom_v, 1, 2); });
  c.spawn(2);
  auto sum = answer.get();
  REQUIRE_MESSAGE(sum, to_string(sum.error()));
  CHECK(*sum == 3);
}

TEST_CASE("an all-of-n group reaches every member, a 1-of-n group one, and the next when that one is down") {
  auto all = cluster::group_of(3, 3), any = cluster::group_of(1, 3);
  cluster c{3, {{identity_of(all), all}, {identity_of(any), any}}};
  for (std::size_t i = 0; i < 3; ++i) c.spawn(i);
  auto everybody = c.first->remote<calculator_actor>(identity_of(all));
  REQUIRE(c.ask(everybody, calc::add_atom_v, 1, 2));
  CHECK(c.all_additions() == 3);
  compat::anon_send(everybody, calc::note_atom_v, std::string{"told"});
  CHECK(c.eventually([&] {
    return std::ranges::all_of(c.engines, [&](auto& e) { return c.ask(e.second, calc::stats_atom_v)->last == "told"; });
  }));

  auto somebody = c.first->remote<calculator_actor>(identity_of(any));
  REQUIRE(c.ask(somebody, calc::add_atom_v, 1, 2));
  CHECK(c.all_additions() == 4);
  for (std::size_t i = 0; i < 2; ++i) {
    compat::anon_send(c.engines[i], calc::quit_atom_v);
    c.engines.erase(i);
    CHECK(c.eventually([&] { return c.others[i]->local_engines()->empty(); }));
    auto sum = c.ask(somebody, calc::add_atom_v, 3, 4);
    REQUIRE_MESSAGE(sum, to_string(sum.error()));
    CHECK(*sum == 7);
  }
  auto error_of_its_own = c.ask(somebody, calc::fail_atom_v);
  REQUIRE_FALSE(error_of_its_own);
  CHECK(error_of_its_own.error() == caf::sec::invalid_argument);
}

TEST_CASE("a reliable message to a group is acknowledged when enough members have handled it") {
  auto all = cluster::group_of(2, 2);
  cluster c{2, {{identity_of(all), all}}};
  for (std::size_t i = 0; i < 2; ++i) c.spawn(i);
  auto p = note_to(c.first->id(), identity_of(all), {"calculator", 1, 0},
                   shared_bytes{*encode_body(calc::note_atom_v, std::string{"sure"})});
  p.reliable = true;
  auto told = c.first->send(std::move(p)).get();
  CHECK_FALSE(told.fault);
  CHECK(told.acknowledged);
  for (auto& [i, e] : c.engines) CHECK(c.ask(e, calc::stats_atom_v)->last == "sure");
}

TEST_CASE("a group whose descriptor is unknown, or with too few members advertised, is refused in words") {
  auto group = cluster::group_of(2, 2);
  cluster c{1, {{identity_of(group), group}}};
  c.spawn(0);
  auto few = c.ask(c.first->remote<calculator_actor>(identity_of(group)), calc::add_atom_v, 1, 2);
  REQUIRE_FALSE(few);
  CHECK(few.error() == errc::threshold_not_met);
  auto unknown = c.ask(c.first->remote<calculator_actor>(identity_of(cluster::group_of(1, 2))), calc::add_atom_v, 1, 2);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error() == errc::not_found);
}

TEST_CASE("a message to a domain reaches a member that serves it, and another when that one is gone") {
  cluster c{3};
  auto domain = somebody(50);
  set_domain(c, domain, {c.first.get(), c.others[0].get(), c.others[1].get(), c.others[2].get()});
  c.spawn(0); // does not serve it
  c.spawn(1, {.serves = {domain}});
  c.spawn(2, {.serves = {domain}});
  auto handle = c.first->remote<calculator_actor>(domain);
  for (int i = 0; i < 20; ++i) {
    auto sum = c.ask(handle, calc::add_atom_v, i, 1);
    REQUIRE_MESSAGE(sum, to_string(sum.error()));
    CHECK(*sum == i + 1);
  }
  CHECK(c.additions(0) == 0);
  CHECK(c.additions(1) + c.additions(2) == 20);
  c.engines.erase(1);
  c.others[1]->stop();
  for (int i = 0; i < 10; ++i) REQUIRE(c.ask(handle, calc::add_atom_v, i, 1));
  auto unknown =
      c.ask(c.first->remote<calculator_actor>(domain, {.protocol = protocol_id{"abacus", 1, 0}, .ttl_ms = 3000}),
            calc::add_atom_v, 1, 2);
  REQUIRE_FALSE(unknown);
  // Who serves it says that it does not speak that, the others that they serve nothing; the last word is told.
  CHECK((unknown.error() == errc::unsupported_protocol || unknown.error() == errc::engine_down));
}

TEST_CASE("who has sent to a domain before it was known here is answered when it is") {
  cluster c{1};
  caf::scoped_actor self{c.system};
  for (std::uint64_t i = 0; i < 5; ++i) {
    auto domain = somebody(60 + i);
    const domain_members members{domain, {c.first->id(), c.others[0]->id()}, {}};
    REQUIRE(c.others[0]->set_domain(members));
    auto engine = c.others[0]->spawn_engine<calculator_actor, calculator_engine>({.serves = {domain}});
    REQUIRE(engine);
    auto handle = c.first->remote<calculator_actor>(domain);
    auto sum = compat::request(self.ptr(), handle, std::chrono::seconds{30}, calc::add_atom_v, 20, 22);
    const auto unknown = c.first->why(domain); // meanwhile the message waits for a route
    REQUIRE(unknown);
    REQUIRE(c.first->set_domain(members));
    std::move(sum).receive([](std::int32_t n) { CHECK(n == 42); },
                           [](const caf::error& why) { FAIL_CHECK(to_string(why)); });
  }
}

TEST_CASE("a member whose own engine serves the domain is its best one") {
  cluster c{1};
  auto domain = somebody(51);
  set_domain(c, domain, {c.first.get(), c.others[0].get()});
  c.spawn(0, {.serves = {domain}});
  auto mine = c.first->spawn_engine<calculator_actor, calculator_engine>({.serves = {domain}});
  REQUIRE(mine);
  for (int i = 0; i < 5; ++i) REQUIRE(c.ask(c.first->remote<calculator_actor>(domain), calc::add_atom_v, i, 1));
  CHECK(c.ask(mine->handle, calc::stats_atom_v)->additions == 5);
  REQUIRE(c.first->release(mine->id, false));
  REQUIRE(c.ask(c.first->remote<calculator_actor>(domain), calc::add_atom_v, 1, 1));
  CHECK(c.additions(0) == 1);
}

TEST_CASE("from outside a domain is reached through the nodes that it advertises, never through others") {
  cluster c{2};
  auto domain = somebody(52);
  set_domain(c, domain, {c.others[0].get(), c.others[1].get()}, {c.others[1]->id()});
  c.spawn(0, {.serves = {domain}});
  c.spawn(1, {.serves = {domain}});
  for (int i = 0; i < 5; ++i) REQUIRE(c.ask(c.first->remote<calculator_actor>(domain), calc::add_atom_v, i, 1));
  CHECK(c.additions(0) == 0);
  CHECK(c.additions(1) == 5);
  auto why = c.first->why(domain);
  REQUIRE(why);
  CHECK(why->kind == destination_kind::domain);
  CHECK(why->candidates.size() == 1);
  // A node that has left serves no more, whatever its engine says.
  REQUIRE(c.others[1]->set_domain({domain, {c.others[0]->id()}, {}}));
  auto left = c.ask(c.first->remote<calculator_actor>(domain), calc::add_atom_v, 1, 1);
  REQUIRE_FALSE(left);
  CHECK(left.error() == errc::permission_denied);
  // Forgotten: nothing is known of it any more.
  REQUIRE(c.first->set_domain({domain, {}, {}}));
  auto gone = c.ask(c.first->remote<calculator_actor>(domain), calc::add_atom_v, 1, 1);
  REQUIRE_FALSE(gone);
  CHECK(gone.error() == errc::no_route);
}

TEST_CASE("a message that is to stay in a domain is refused from a node that is no member, and why says so") {
  cluster c{2};
  auto domain = somebody(53);
  c.spawn(0);
  c.spawn(1);
  REQUIRE(c.known(2));
  set_domain(c, domain, {c.first.get(), c.others[0].get()});
  remote_options within;
  within.routing = {scope_kind::domain, domain, 0, 0};
  REQUIRE(c.ask(c.first->remote<calculator_actor>(c.key(0).identity(), within), calc::add_atom_v, 1, 2));
  // The sender knows that the destination is outside.
  auto outside = c.ask(c.first->remote<calculator_actor>(c.key(1).identity(), within), calc::add_atom_v, 1, 2);
  REQUIRE_FALSE(outside);
  CHECK(outside.error() == errc::constraint);
  auto why = c.first->why(c.key(1).identity(), within.routing);
  REQUIRE(why);
  REQUIRE(why->candidates.size() == 1);
  CHECK(why->candidates[0].reason.find("is no member of the domain") != std::string::npos);
  // A liar claims that both are in it: the receiver knows better, of the sender as of itself.
  auto& liar = *c.others[1];
  REQUIRE(liar.add(c.others[0]->ticket()));
  REQUIRE(liar.set_domain({domain, {liar.id(), c.others[0]->id(), c.first->id()}, {}}));
  auto refused = c.ask(liar.remote<calculator_actor>(c.key(0).identity(), within), calc::add_atom_v, 1, 2);
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == errc::permission_denied);
  CHECK(to_string(refused.error()).find("is no member") != std::string::npos);
  CHECK(c.drops(*c.others[0], errc::permission_denied) == 1);
  CHECK(c.additions(0) == 1);
  REQUIRE(c.first->set_domain({domain, {liar.id(), c.first->id()}, {}}));
  auto not_there = c.ask(c.first->remote<calculator_actor>(c.key(1).identity(), within), calc::add_atom_v, 1, 2);
  REQUIRE(not_there);
  REQUIRE(liar.set_domain({domain, {c.first->id()}, {}}));
  auto itself = c.ask(c.first->remote<calculator_actor>(c.key(1).identity(), within), calc::add_atom_v, 1, 2);
  REQUIRE_FALSE(itself);
  CHECK(itself.error() == errc::permission_denied);
}

TEST_CASE("reliable messages keep to their domain, too") {
  cluster c{1};
  auto domain = somebody(54);
  c.spawn(0);
  REQUIRE(c.first->set_domain({domain, {c.first->id(), c.others[0]->id()}, {}}));
  remote_options within;
  within.reliable = true;
  within.routing = {scope_kind::domain, domain, 0, 0};
  auto handle = c.first->remote<calculator_actor>(c.key(0).identity(), within);
  auto stranger = c.ask(handle, calc::add_atom_v, 1, 2);
  REQUIRE_FALSE(stranger);
  CHECK(stranger.error() == errc::permission_denied);
  CHECK(c.additions(0) == 0);
  // The one refused is settled: the next does not wait behind it.
  REQUIRE(c.others[0]->set_domain({domain, {c.first->id(), c.others[0]->id()}, {}}));
  auto sum = c.ask(handle, calc::add_atom_v, 1, 2);
  REQUIRE_MESSAGE(sum, to_string(sum.error()));
  CHECK(c.additions(0) == 1);
  auto p = note_to(c.first->id(), domain, {"calculator", 1, 0},
                   shared_bytes{*encode_body(calc::note_atom_v, std::string{"x"})});
  p.reliable = true;
  auto refused = c.first->send(std::move(p)).get();
  REQUIRE(refused.fault);
  CHECK(refused.fault->code == errc::constraint);
}

TEST_CASE("a node that stops answers what it has under way to a group") {
  auto group = cluster::group_of(1, 1);
  cluster c{1, {{identity_of(group), group}}};
  c.spawn(0);
  auto p =
      note_to(c.first->id(), identity_of(group), {"calculator", 1, 0}, shared_bytes{*encode_body(calc::never_atom_v)});
  p.message.kind = message_kind::ask;
  auto waiting = c.first->send(std::move(p));
  CHECK(c.eventually([&] { return c.others[0]->services().counters.delivered.value.load() > 0; }));
  c.first->stop();
  REQUIRE(waiting.wait_for(std::chrono::seconds{30}) == std::future_status::ready);
  auto a = waiting.get();
  REQUIRE(a.fault);
  CHECK(a.fault->code == errc::cancelled);
}
