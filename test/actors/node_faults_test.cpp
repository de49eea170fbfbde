// What goes wrong between nodes: engines and nodes that go away, moves, forgeries, wrong peers.
#include "two_nodes.hpp"

#include "hanse/actors/database.hpp"
#include "hanse/actors/errors.hpp"

using namespace hanse;

namespace {

/// Watches an actor as CAF users do, and remembers that it went down.
std::shared_ptr<std::atomic<bool>> watch(caf::actor_system& system, const calculator_actor& handle) {
  auto down = std::make_shared<std::atomic<bool>>(false);
  compat::on_termination(handle, [down](const caf::error&) { *down = true; });
  (void)system;
  return down;
}

} // namespace

TEST_CASE("a remote handle goes down when its engine quits") {
  node_fixture f;
  auto a = f.start("mem://a"), b = f.start("mem://b");
  auto hosted = b->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(hosted);
  REQUIRE(a->add(b->ticket()));
  auto remote = a->remote<calculator_actor>(hosted->id);
  REQUIRE(f.ask(remote, calc::add_atom_v, 1, 2));
  auto down = watch(f.system, remote);
  compat::anon_send(hosted->handle, calc::quit_atom_v);
  CHECK(f.eventually([&] { return down->load(); }));
}

TEST_CASE("a remote handle goes down when its node is gone for good, and waiting requests fail") {
  node_fixture f;
  auto a = f.start("tls://127.0.0.1:0"), b = f.start("tls://127.0.0.1:0");
  auto hosted = b->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(hosted);
  REQUIRE(a->add(b->ticket()));
  auto remote = a->remote<calculator_actor>(hosted->id);
  REQUIRE(f.ask(remote, calc::add_atom_v, 1, 2));
  auto down = watch(f.system, remote);
  std::promise<caf::error> failure;
  f.system.spawn([&, remote](caf::event_based_actor* self) {
    compat::request(self, remote, caf::infinite, calc::never_atom_v)
        .then([&] { failure.set_value({}); }, [&](const caf::error& why) { failure.set_value(why); });
  });
  CHECK(f.eventually([&] { return b->services().counters.delivered.value.load() >= 2; }));
  b->stop();
  auto answered = failure.get_future();
  REQUIRE(answered.wait_for(std::chrono::seconds{30}) == std::future_status::ready);
  CHECK(static_cast<bool>(answered.get()));
  CHECK(f.eventually([&] { return down->load(); }));
}

TEST_CASE("an engine that moves with its key keeps answering at its address") {
  node_fixture f;
  auto a = f.start("mem://a"), b = f.start("mem://b"), c = f.start("mem://c");
  auto hosted = b->spawn_engine<calculator_actor, calculator_engine>({.name = "mover"});
  REQUIRE(hosted);
  REQUIRE(a->add(b->ticket()));
  REQUIRE(a->add(c->ticket()));
  REQUIRE(b->add(c->ticket()));
  auto remote = a->remote<calculator_actor>(hosted->id);
  REQUIRE(f.ask(remote, calc::add_atom_v, 1, 2));
  auto entry = b->release(hosted->id, true);
  REQUIRE(entry);
  auto moved = c->spawn_engine<calculator_actor, calculator_engine>(
      {.name = entry->name, .key = entry->key, .advert_version = entry->advert_version});
  REQUIRE(moved);
  CHECK(moved->id == hosted->id);
  for (int i = 0; i < 5; ++i) {
    auto sum = f.ask(remote, calc::add_atom_v, i, 2);
    REQUIRE_MESSAGE(sum, to_string(sum.error()));
    CHECK(*sum == i + 2);
  }
  CHECK(f.ask(moved->handle, calc::stats_atom_v)->additions == 5);
}

TEST_CASE("broken signatures, replays and strangers are refused and counted, honest messages go on") {
  node_fixture f;
  auto a = f.start("tls://127.0.0.1:0"), b = f.start("tls://127.0.0.1:0");
  auto hosted = b->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(hosted);
  REQUIRE(a->add(b->ticket()));
  auto remote = a->remote<calculator_actor>(hosted->id);
  REQUIRE(f.ask(remote, calc::add_atom_v, 1, 2));
  a->inject(hosted->id, "broken_signature", 3, {});
  CHECK(f.eventually([&] { return f.drops(*b, errc::bad_signature) == 3; }));
  a->inject(hosted->id, "replay", 3, {});
  CHECK(f.eventually([&] { return f.drops(*b, errc::replayed) == 3; }));
  a->inject(hosted->id, "impostor", 3, {});
  CHECK(f.eventually([&] { return f.drops(*b, errc::not_hosted) == 3; }));
  a->inject(hosted->id, "impostor", 2, hosted->id); // claims to be an engine whose key it does not have
  CHECK(f.eventually([&] { return f.drops(*b, errc::bad_signature) == 5; }));
  CHECK(f.eventually([&] { return b->peers()->at(0).reputation <= -100; })); // two payloads at least
  CHECK(static_cast<bool>(f.ask(remote, calc::add_atom_v, 2, 2)));
  CHECK(f.ask(remote, calc::stats_atom_v)->additions == 2);
}

TEST_CASE("another identity at an address is refused and reported") {
  node_fixture f;
  auto b = f.start("tls://127.0.0.1:0");
  // A ticket that says somebody else is where b listens.
  system_random random;
  auto other = key_pair::generate(random);
  node_advert lie{other.identity(), 1, b->advert().addresses, {}, "liar"};
  std::atomic<int> reports{0};
  node_options o;
  o.log = log_level::error;
  o.sink = [&](log_level, std::string_view event, const log_fields& fields) {
    for (auto& [key, value] : fields)
      if (key == "reason" && value.find("wrong_peer") != std::string::npos && event.find("log") == event.npos)
        ++reports;
  };
  auto a = f.start("tls://127.0.0.1:0", std::move(o));
  REQUIRE(a->add(to_ticket(sign(lie, other))));
  CHECK(f.eventually([&] { return reports.load() > 0; }));
  auto peers = a->peers();
  REQUIRE(peers);
  for (auto& p : *peers) CHECK_FALSE(p.connected);
}

TEST_CASE("simultaneous dials end in one link that works both ways") {
  node_fixture f;
  for (int round = 0; round < 5; ++round) {
    auto a = f.start("tls://127.0.0.1:0"), b = f.start("tls://127.0.0.1:0");
    auto on_a = a->spawn_engine<calculator_actor, calculator_engine>({});
    auto on_b = b->spawn_engine<calculator_actor, calculator_engine>({});
    REQUIRE(a->add(b->ticket()));
    REQUIRE(b->add(a->ticket()));
    CHECK(static_cast<bool>(f.ask(a->remote<calculator_actor>(on_b->id), calc::add_atom_v, 1, 2)));
    CHECK(static_cast<bool>(f.ask(b->remote<calculator_actor>(on_a->id), calc::add_atom_v, 1, 2)));
    CHECK(f.eventually([&] { return a->services().counters.links->value() == 1; }));
    CHECK(f.eventually([&] { return b->services().counters.links->value() == 1; }));
  }
}

TEST_CASE("a node whose clock was set back does not go back to older versions of its adverts") {
  std::string directory = "/tmp/hanse-test-XXXXXX";
  REQUIRE(mkdtemp(directory.data()));
  node_options o;
  seeded_random random{11};
  o.key = key_pair::generate(random);
  o.data_dir = directory;
  const auto engine_key = key_pair::generate(random);
  const std::uint64_t future = 5'000'000'000'000; // what a clock that is far ahead would have made of it
  {
    auto db = database::open(o.data_dir / "node.db");
    REQUIRE(db);
    advert_store earlier;
    advert_effects effects;
    REQUIRE(earlier.put(sign(node_advert{o.key->identity(), future, {{"mem://a", 1}}, {}, ""}, *o.key),
                        advert_origin::own, effects));
    REQUIRE(earlier.put(sign(engine_advert{engine_key.identity(), o.key->identity(), future, {}, ""}, engine_key),
                        advert_origin::own, effects));
    std::vector<record> records;
    for (auto& e : effects)
      if (auto* write = std::get_if<advert_persist>(&e))
        records.push_back({std::string{advert_table}, write->write.key, *write->write.value});
    REQUIRE(records.size() == 2);
    REQUIRE(db->write(records));
  }
  {
    node_fixture f;
    auto a = f.start("mem://a", o);
    CHECK(a->advert().version == future + 1);
    engine_options e;
    e.key = engine_key;
    REQUIRE(a->spawn_engine<calculator_actor, calculator_engine>(e));
    auto engines = a->engines();
    REQUIRE(engines);
    REQUIRE(engines->size() == 1);
    CHECK(engines->front().version == future + 1);
  }
  std::filesystem::remove_all(directory);
}
