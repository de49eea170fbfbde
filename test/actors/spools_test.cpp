// Two nodes with a directory each and nothing else between them; a test that copies is the courier. Not the machine's
// own cases (test/transport/spool_test.cpp).
#include "watch_drops.hpp"

#include "hanse/actors/errors.hpp"
#include "hanse/actors/spools.hpp"
#include "hanse/protocols/message_batch.hpp"

#include <fstream>

using namespace hanse;

namespace {

namespace fs = std::filesystem;

struct spooled_node {
  temporary_directory files;
  temporary_directory data;
  key_pair key;
  std::unique_ptr<node> n;
  std::unique_ptr<node_spool> spool;

  spooled_node(node_fixture& f, std::uint64_t seed) : key(key_of(seed)) { start(f); }
  void start(node_fixture& f) {
    node_options o;
    o.key = key;
    o.data_dir = data.path;
    o.speaks = spool_node_protocols();
    n = f.start("", std::move(o));
    auto s = node_spool::start(*n, {.directory = files.path, .scan_ms = 20});
    REQUIRE_MESSAGE(s, (s ? "" : to_string(s.error())));
    spool = std::move(*s);
  }
  void stop() {
    n->stop();
    spool.reset();
    n.reset();
  }
  std::vector<fs::path> bundles() const {
    std::vector<fs::path> found;
    for (auto& e : fs::directory_iterator{files.path})
      if (e.path().extension() == ".bundle") found.push_back(e.path());
    return found;
  }
  /// Carries all that is here to `to`.
  void carry(const spooled_node& to) const {
    for (auto& f : bundles())
      if (f.filename().string().starts_with(to_string(to.key.identity()))) {
        std::error_code gone;
        fs::rename(f, to.files.path / f.filename(), gone);
      }
  }
};

remote_options slow() {
  remote_options o;
  o.transport.security = security_kind::any;
  o.ttl_ms = 3'600'000;
  return o;
}

/// Asks while somebody carries files to and fro.
template <class Handle, class... Ts>
auto ask_by_courier(node_fixture& f, const spooled_node& a, const spooled_node& b, const Handle& h, Ts... xs) {
  std::atomic<bool> done = false;
  std::thread courier{[&] {
    while (!done) {
      a.carry(b);
      b.carry(a);
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
  }};
  auto result = f.ask(h, xs...);
  done = true;
  courier.join();
  return result;
}

} // namespace

TEST_CASE("a typed handle works over files that somebody carries, there and back") {
  node_fixture f;
  spooled_node a{f, 1}, b{f, 2};
  auto sums = b.n->spawn_engine<calculator_actor, calculator_engine>({});
  auto home = a.n->spawn_engine<calculator_actor, calculator_engine>({});
  REQUIRE(sums);
  REQUIRE(home);
  REQUIRE(a.n->add(b.n->ticket()));
  CHECK(a.n->why(b.n->id(), {}, slow().transport, slow().ttl_ms)->candidates.at(0).by == "spool");
  CHECK(a.n->why(b.n->id(), {}, slow().transport)->outcome.code == errc::constraint);
  // a node's answer brings its engines' adverts
  post hello;
  hello.message.destination = b.n->id();
  hello.message.kind = message_kind::ask;
  hello.message.protocol = {"hanse.node", 1, 0};
  hello.message.transport = slow().transport;
  hello.message.ttl_ms = slow().ttl_ms;
  hello.message.body = shared_bytes{*encode_body(std::string{"ping"})};
  auto answered = a.n->send(std::move(hello));
  REQUIRE(f.eventually([&] {
    a.carry(b);
    b.carry(a);
    return answered.wait_for(std::chrono::milliseconds{5}) == std::future_status::ready;
  }));
  CHECK_FALSE(answered.get().fault);
  for (const auto& source : {identity{}, home->id}) {
    auto sum = ask_by_courier(f, a, b, a.n->remote<calculator_actor>(sums->id, slow(), source), calc::add_atom_v, 3, 4);
    REQUIRE_MESSAGE(sum, to_string(sum.error()));
    CHECK(*sum == 7);
  }
  CHECK(only_watches_dropped(*a.n));
  CHECK(only_watches_dropped(*b.n));
  CHECK(f.eventually([&] { return a.bundles().empty() && b.bundles().empty(); }));
}

TEST_CASE("a bundle is delivered at most once, across a restart too, and long after its message's hour") {
  node_fixture f;
  spooled_node b{f, 2};
  const auto a = key_of(1);
  seeded_random random{3};
  std::int32_t handled = 0;
  const auto now = b.n->services().now_ms();
  const auto day = 86'400'000ull;
  envelope e;
  e.source = a.identity();
  e.destination = b.n->id();
  e.id = (now - day) * 1000;
  e.kind = message_kind::ask;
  e.protocol = {"hanse.node", 1, 0};
  e.sent_ms = now - day;
  e.ttl_ms = 600'000;
  e.transport.security = security_kind::any;
  e.body = shared_bytes{*encode_body(std::string{"ping"})};
  const auto wire = encode(e);
  const byte_view one{wire};
  const auto file = make_bundle(a, b.n->id(), seal(a, std::span{&one, 1}, random), now - day, 2 * day, random);
  REQUIRE(file);
  const auto put = [&] {
    std::ofstream out{b.files.path / to_string(file->name), std::ios::binary};
    out.write(reinterpret_cast<const char*>(file->octets.data()), static_cast<std::streamsize>(file->octets.size()));
  };
  put();
  CHECK(f.eventually([&] { return b.n->services().counters.bundles_received.value == 1; }));
  CHECK(f.eventually([&] { return b.bundles().empty(); }));
  CHECK(f.drops(*b.n, errc::expired) == 0); // a day in the post is no reason
  for (int i = 0; i < 2; ++i) {
    put();
    CHECK(f.eventually([&] { return f.drops(*b.n, errc::replayed) == 1; }));
    CHECK(f.eventually([&] { return b.bundles().empty(); }));
    handled += static_cast<std::int32_t>(b.n->services().counters.bundles_received.value);
    b.stop();
    b.start(f);
  }
  CHECK(handled == 1);
}

TEST_CASE("who is banned does not get in by a courier, and its bundle goes") {
  node_fixture f;
  spooled_node a{f, 1}, b{f, 2};
  REQUIRE(a.n->add(b.n->ticket()));
  REQUIRE(b.n->set_trust(a.n->id(), 0));
  post p;
  p.message.destination = b.n->id();
  p.message.protocol = {"hanse.node", 1, 0};
  p.message.transport = slow().transport;
  p.message.ttl_ms = slow().ttl_ms;
  p.message.body = shared_bytes{*encode_body(std::string{"ping"})};
  (void)a.n->send(std::move(p));
  CHECK(f.eventually([&] {
    a.carry(b);
    return f.drops(*b.n, errc::untrusted) == 1;
  }));
  CHECK(f.eventually([&] { return b.bundles().empty(); }));
  CHECK(b.n->services().counters.bundles_received.value == 0);
}

TEST_CASE("a full spool takes no more, and says so to who waits") {
  node_fixture f;
  spooled_node a{f, 1}, b{f, 2};
  REQUIRE(a.n->add(b.n->ticket()));
  a.spool = *node_spool::start(*a.n, {.directory = a.files.path, .scan_ms = 20, .quota = {.files_max = 1}});
  const auto ask_b = [&] {
    post p;
    p.message.destination = b.n->id();
    p.message.kind = message_kind::ask;
    p.message.protocol = {"hanse.node", 1, 0};
    p.message.transport = slow().transport;
    p.message.ttl_ms = slow().ttl_ms;
    p.message.body = shared_bytes{*encode_body(std::string{"ping"})};
    return a.n->send(std::move(p));
  };
  auto first = ask_b();
  REQUIRE(f.eventually([&] { return a.bundles().size() == 1; }));
  auto second = ask_b();
  REQUIRE(second.wait_for(std::chrono::seconds{30}) == std::future_status::ready);
  const auto refused = second.get();
  REQUIRE(refused.fault);
  CHECK(refused.fault->code == errc::queue_full);
}

TEST_CASE("what was sent before the node stops is written, and is its own after a restart") {
  node_fixture f;
  spooled_node a{f, 1}, b{f, 2};
  REQUIRE(a.n->add(b.n->ticket()));
  for (int i = 0; i < 20; ++i) {
    post p;
    p.message.destination = b.n->id();
    p.message.protocol = {"hanse.node", 1, 0};
    p.message.transport = slow().transport;
    p.message.ttl_ms = slow().ttl_ms;
    p.message.body = shared_bytes{*encode_body(std::string{"ping"})};
    (void)a.n->send(std::move(p));
  }
  a.stop();
  CHECK_FALSE(a.bundles().empty());
}

TEST_CASE("a file that does not fit its name is left alone and counted once; its whole content is taken then") {
  node_fixture f;
  spooled_node b{f, 2};
  const auto a = key_of(1);
  seeded_random random{3};
  const auto now = b.n->services().now_ms();
  envelope e;
  e.source = a.identity();
  e.destination = b.n->id();
  e.id = now * 1000;
  e.protocol = {"hanse.node", 1, 0};
  e.sent_ms = now;
  e.body = shared_bytes{*encode_body(std::string{"ping"})};
  const auto wire = encode(e);
  const byte_view one{wire};
  const auto file = make_bundle(a, b.n->id(), seal(a, std::span{&one, 1}, random), now, 10'000, random);
  REQUIRE(file);
  const auto put = [&](std::size_t size) {
    std::ofstream out{b.files.path / to_string(file->name), std::ios::binary};
    out.write(reinterpret_cast<const char*>(file->octets.data()), static_cast<std::streamsize>(size));
  };
  put(100);
  CHECK(f.eventually([&] { return f.drops(*b.n, errc::bad_checksum) == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds{200}); // ten scans
  CHECK(f.drops(*b.n, errc::bad_checksum) == 1);
  CHECK(b.bundles().size() == 1);
  put(file->octets.size());
  CHECK(f.eventually([&] { return b.n->services().counters.bundles_received.value == 1; }));
}
