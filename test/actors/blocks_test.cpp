// Blocks between real nodes in one process: put, get from several members, resume, convergence, protocols by the
// domain's configuration, and a disk that fails.
#include "fault_disk.hpp"
#include "two_nodes.hpp"

#include "hanse/actors/blocks.hpp"
#include "hanse/actors/service.hpp"
#include "hanse/domains/block_exchange.hpp"

#include <filesystem>

using namespace hanse;

namespace {

/// A node with its domains and blocks.
struct block_host {
  std::unique_ptr<node> n;
  std::unique_ptr<node_domains> domains;
  std::unique_ptr<node_blocks> blocks;
  std::atomic<int> fatal = 0;
  ~block_host() {
    blocks.reset();
    domains.reset();
    if (n) n->stop();
  }
};

struct block_fixture : node_fixture {
  std::unique_ptr<block_host> host(std::uint64_t seed, block_options options = {}, node_options o = {}) {
    auto h = std::make_unique<block_host>();
    o.key = key_of(seed);
    o.data_dir = options.directory;
    o.speaks = domain_node_protocols();
    for (auto& p : block_node_protocols(options.storage)) o.speaks.push_back(p);
    o.on_fatal = [&fatal = h->fatal](const error&) { ++fatal; };
    h->n = start("mem://blocks-" + std::to_string(seed), std::move(o));
    domain_options d;
    options.storage.teach(d.protocols);
    auto domains = node_domains::start(*h->n, std::move(d));
    REQUIRE(domains);
    h->domains = std::move(*domains);
    if (options.vfs) options.directory = "/";
    auto blocks = node_blocks::start(*h->n, *h->domains, std::move(options));
    REQUIRE_MESSAGE(blocks, (blocks ? "" : to_string(blocks.error())));
    h->blocks = std::move(*blocks);
    return h;
  }

  static domain_config config_of(std::uint64_t owner, const block_host& introducer) {
    domain_config c;
    c.domain = key_of(owner).identity();
    c.version = 1;
    c.name = "lab";
    c.introducers = {make_introducer(*parse_ticket(introducer.n->ticket()))};
    return c;
  }

  /// All are members of a new domain, and exchange blocks.
  identity domain_of(std::uint64_t owner, std::initializer_list<block_host*> hosts, const std::string& psk = "",
                     const stack_protocol& storage = {{"blocks", 1, 0}, {}}) {
    auto c = config_of(owner, **hosts.begin());
    c.stack.storage = storage;
    if (!psk.empty()) c.auth = auth_mechanism::psk;
    for (auto* h : hosts) {
      psk_list keys;
      if (!psk.empty()) keys = *parse_psk_text(to_bytes(psk));
      REQUIRE(h->domains->enter({sign(c, key_of(owner)), std::move(keys), "", ""}));
    }
    for (auto* h : hosts) REQUIRE(ready(*h, c.domain, hosts.size()));
    return c.domain;
  }

  static bool ready(block_host& h, const identity& domain, std::size_t members) {
    return h.blocks->await_members(domain, members).has_value();
  }

  static bytes content_of(std::uint64_t seed, std::size_t size) {
    bytes content(size);
    seeded_random{seed}.fill(content);
    return content;
  }
};

constexpr std::size_t some = 3 * 1024 * 1024 + 17;

expected<bytes> film_program(node_blocks& here, node_blocks& there, const identity& lab) {
  // [program]
  HANSE_TRY(const auto kept, here.put({.domain = lab, .replicas = 1}, to_bytes("a film")));
  bytes film;
  const auto write = [&film](byte_view part) -> expected<unit> {
    film.insert(film.end(), part.begin(), part.end());
    return ok();
  };
  HANSE_CHECK(there.get({.domain = lab, .content = kept.content}, write));
  // [program]
  return film;
}

} // namespace

TEST_CASE_FIXTURE(block_fixture, "content put with two replicas is got from several members at once") {
  auto a = host(201), b = host(202), c = host(203), d = host(204);
  const auto domain = domain_of(250, {a.get(), b.get(), c.get(), d.get()});
  const auto content = content_of(1, some);
  auto kept = a->blocks->put({.domain = domain, .replicas = 2}, content);
  REQUIRE_MESSAGE(kept, (kept ? "" : to_string(kept.error())));
  CHECK(kept->octets == some);
  CHECK(kept->until == lease_forever);
  REQUIRE(kept->replicas.size() == 2);
  for (const auto& r : kept->replicas) {
    REQUIRE(r.root);
    CHECK(r.root->storer == r.node); // a signed receipt
  }
  for (auto* h : {a.get(), b.get(), c.get(), d.get()}) {
    auto got = h->blocks->get(domain, kept->content, some);
    REQUIRE_MESSAGE(got, (got ? "" : to_string(got.error())));
    CHECK(*got == content);
  }
}

TEST_CASE_FIXTURE(block_fixture, "content outlives the node that put it, by its replicas") {
  auto a = host(205), b = host(206), c = host(207), d = host(208);
  // Few blocks under way to one member, so that one alone cannot have given everything before the other is found.
  const auto domain =
      domain_of(251, {a.get(), b.get(), c.get(), d.get()}, "", {{"blocks", 1, 0}, {{"window_max", "4"}}});
  const auto content = content_of(2, some);
  auto kept = a->blocks->put({.domain = domain, .replicas = 2}, content);
  REQUIRE(kept);
  REQUIRE(kept->replicas.size() == 2);
  a.reset();
  const auto keeps = [&](const block_host& h) {
    return std::ranges::count(kept->replicas, h.n->id(), &content_replica::node) != 0;
  };
  std::uint64_t fetched = 0;
  for (auto* h : {b.get(), c.get(), d.get()}) {
    content_progress last;
    bytes got;
    auto done = h->blocks->get({.domain = domain, .content = kept->content}, [&](byte_view part) -> expected<unit> {
      got.insert(got.end(), part.begin(), part.end());
      return ok();
    });
    REQUIRE_MESSAGE(done, (done ? "" : to_string(done.error())));
    CHECK(got == content);
    if (keeps(*h)) {
      CHECK(done->blocks_fetched == 0);
    } else {
      fetched += done->blocks_fetched;
      CHECK(done->sources.size() == 2);
    }
  }
  CHECK(fetched > 90);
}

TEST_CASE_FIXTURE(block_fixture, "who waits for members that exchange blocks is told how many do") {
  auto a = host(242), b = host(243);
  const auto lab = domain_of(282, {a.get(), b.get()});
  CHECK(a->blocks->await_members(lab, 2));
  const auto more = a->blocks->await_members(lab, 3, 20);
  CHECK(more.code() == errc::timed_out);
  CHECK(more.error().detail.find("2 of 3 members") != std::string::npos);
  CHECK(a->blocks->await_members(key_of(283).identity(), 1, 0).code() == errc::timed_out);
}

TEST_CASE_FIXTURE(block_fixture, "the program of docs/blocks.md does what it says") {
  auto a = host(230), b = host(231);
  const auto lab = domain_of(270, {a.get(), b.get()});
  auto film = film_program(*a->blocks, *b->blocks, lab);
  REQUIRE(film);
  CHECK(*film == to_bytes("a film"));
}

TEST_CASE_FIXTURE(block_fixture, "an engine puts and gets whole contents by typed messages") {
  auto a = host(209), b = host(210);
  const auto domain = domain_of(252, {a.get(), b.get()});
  const auto content = content_of(3, 40'000);
  auto kept = ask(a->blocks->handle(), put_atom_v, content_wish{.domain = domain}, std::vector<bytes>{content});
  REQUIRE(kept);
  auto got = ask(b->blocks->handle(), load_atom_v, content_get_wish{.domain = domain, .content = kept->content});
  REQUIRE(got);
  CHECK(got->at(0) == content);
  // What is larger than one message may be is refused before it is fetched.
  auto large = a->blocks->put({.domain = domain}, content_of(4, some));
  REQUIRE(large);
  CHECK(b->blocks->get(domain, large->content, 1024 * 1024).code() == errc::too_long);
}

TEST_CASE_FIXTURE(block_fixture, "content that is encoded in pieces at once is the content that is encoded in one") {
  auto a = host(232);
  const auto domain = domain_of(271, {a.get()});
  constexpr std::size_t piece = 1024 * 1024;
  for (const std::size_t size : {piece - 1, piece, piece + 1, 9 * piece, 9 * piece + 5}) {
    CAPTURE(size);
    const auto content = content_of(size, size);
    std::uint64_t seen = 0;
    byte_view rest{content};
    const auto read = [&rest](std::span<std::byte> into) -> expected<std::size_t> {
      const auto some_of = std::min({into.size(), rest.size(), std::size_t{300'000}});
      std::copy_n(rest.begin(), some_of, into.begin());
      rest = rest.subspan(some_of);
      return some_of;
    };
    auto kept = a->blocks->put({.domain = domain}, read, [&seen](const put_progress& p) {
      const auto grows = p.octets >= seen;
      seen = p.octets;
      return grows;
    });
    REQUIRE(kept);
    CHECK(kept->octets == size);
    auto whole = ask(a->blocks->handle(), put_atom_v, content_wish{.domain = domain}, std::vector<bytes>{content});
    REQUIRE(whole);
    CHECK(whole->content == kept->content);
    auto got = a->blocks->get(domain, kept->content, size);
    REQUIRE(got);
    CHECK((*got == content));
  }
}

TEST_CASE_FIXTURE(block_fixture,
                  "a put that is called off, or whose source fails, in its midst ends, and the node goes on") {
  auto a = host(233);
  const auto domain = domain_of(272, {a.get()});
  const auto content = content_of(12, 4 * some);
  std::uint64_t looks = 0;
  byte_view rest{content};
  const auto read = [&rest](std::span<std::byte> into) -> expected<std::size_t> {
    if (rest.size() < some) return error{errc::io_error, "the pipe broke"};
    const auto size = std::min(into.size(), rest.size());
    std::copy_n(rest.begin(), size, into.begin());
    rest = rest.subspan(size);
    return size;
  };
  CHECK(a->blocks->put({.domain = domain}, read, [&looks](const auto&) { return ++looks < 6; }).code() ==
        errc::cancelled);
  rest = content;
  CHECK(a->blocks->put({.domain = domain}, read).code() == errc::io_error);
  CHECK(a->blocks->put({.domain = domain}, content));
}

TEST_CASE_FIXTURE(block_fixture, "a get that was interrupted by a restart goes on with what is in the store") {
  temporary_directory dir;
  auto a = host(211);
  std::optional<content_kept> kept;
  const auto content = content_of(5, 4 * some);
  identity domain;
  {
    auto b = host(212, {.directory = dir.path});
    domain = domain_of(253, {a.get(), b.get()});
    auto put = a->blocks->put({.domain = domain}, content);
    REQUIRE(put);
    kept = *put;
    std::size_t came = 0;
    auto cut = b->blocks->get({.domain = domain, .content = kept->content}, [&](byte_view part) -> expected<unit> {
      came += part.size();
      if (came > some) return errc::cancelled;
      return ok();
    });
    CHECK(cut.code() == errc::cancelled);
  }
  auto b = host(212, {.directory = dir.path});
  REQUIRE(b->n->add(a->n->ticket()));
  REQUIRE(ready(*b, domain, 2));
  bytes got;
  auto done = b->blocks->get({.domain = domain, .content = kept->content}, [&](byte_view part) -> expected<unit> {
    got.insert(got.end(), part.begin(), part.end());
    return ok();
  });
  REQUIRE_MESSAGE(done, (done ? "" : to_string(done.error())));
  CHECK(got == content);
  CHECK(done->blocks_local >= some / octets_of(eris_block_size::large));
  CHECK(done->blocks_fetched > 0);
}

TEST_CASE_FIXTURE(block_fixture, "members converge on the same blocks, others and private content do not") {
  auto a = host(213), b = host(214);
  const auto psk = std::string(64, 'a'), other = std::string(64, 'b');
  const auto domain = domain_of(254, {a.get(), b.get()}, psk);
  const auto second = domain_of(255, {a.get(), b.get()}, other);
  const auto content = content_of(6, 50'000);
  const auto put = [&](block_host& h, const identity& where, bool is_private) {
    auto kept = h.blocks->put({.domain = where, .is_private = is_private}, content);
    REQUIRE(kept);
    return kept->content;
  };
  const auto first = put(*a, domain, false);
  CHECK(put(*b, domain, false) == first);
  CHECK(put(*a, second, false) != first);
  CHECK(put(*a, domain, true) != first);
  CHECK(put(*a, domain, true) != put(*a, domain, true));
  // The key of the domain makes the difference, not its name alone.
  CHECK(convergence_secret(domain, *parse_psk_text(to_bytes(psk))) !=
        convergence_secret(domain, *parse_psk_text(to_bytes(other))));
  CHECK(convergence_secret(domain, {}) != convergence_secret(second, {}));
}

TEST_CASE_FIXTURE(block_fixture, "storage that a node does not know, or settings that it does not, keep it out") {
  auto a = host(215);
  auto c = config_of(256, *a);
  c.stack.storage = {{"carrier-pigeon", 1, 0}, {}};
  auto refused = a->domains->enter({sign(c, key_of(256)), {}, "", ""});
  CHECK(refused.code() == errc::unsupported_protocol);
  c.stack.storage = {{"blocks", 1, 0}, {{"windw_max", "5"}}};
  refused = a->domains->enter({sign(c, key_of(256)), {}, "", ""});
  CHECK(refused.code() == errc::bad_config);
  CHECK(refused.error().detail.find("windw_max") != std::string::npos);
  c.stack.storage = {{"blocks", 1, 0}, {{"window_max", "0"}}};
  CHECK(a->domains->enter({sign(c, key_of(256)), {}, "", ""}).code() == errc::bad_config);
  c.stack.storage = {{"blocks", 1, 0}, {{"window_max", "8"}}};
  CHECK(a->domains->enter({sign(c, key_of(256)), {}, "", ""}));
}

TEST_CASE_FIXTURE(block_fixture, "a protocol of one's own is registered, named by a domain, and used") {
  // blocks/1 by another name, which counts what comes.
  struct counting final : storage_protocol {
    counting(const storage_context& c, std::shared_ptr<std::atomic<int>> count, std::shared_ptr<std::atomic<int>> trees)
        : storage_protocol(c.store), inner(c.store, c.key, c.random, {.domain = c.domain}), count(std::move(count)),
          trees(std::move(trees)) {}
    void set_tree(const identity&, std::vector<identity> neighbours) override { *trees += neighbours.empty() ? -1 : 1; }
    void set_member(const identity& node, std::uint8_t trust) override { inner.set_member(node, trust); }
    void drop_member(const identity& node, block_effects& out) override { inner.drop_member(node, out); }
    expected<unit> want(std::span<const digest> names, std::span<const identity> providers, time_ms now,
                        block_effects& out) override {
      return inner.want(names, providers, now, out);
    }
    void unwant(const digest& name) override { inner.unwant(name); }
    expected<unit> push(const identity& to, std::uint64_t token, std::vector<digest> names, time_ms until, time_ms now,
                        block_effects& out) override {
      return inner.push(to, token, std::move(names), until, now, out);
    }
    expected<unit> receive(const identity& from, byte_view body, time_ms now, block_effects& out) override {
      ++*count;
      return inner.receive(from, body, now, out);
    }
    void tick(time_ms now, block_effects& out) override { inner.tick(now, out); }
    std::optional<time_ms> next_timer() const override { return inner.next_timer(); }
    std::vector<identity> candidates(time_ms now) override { return inner.candidates(now); }
    const storage_stats& stats() const noexcept override { return inner.stats(); }
    block_exchange inner;
    std::shared_ptr<std::atomic<int>> count, trees;
  };
  auto count = std::make_shared<std::atomic<int>>(0), trees = std::make_shared<std::atomic<int>>(0);
  block_options options;
  REQUIRE(options.storage.add({"counting", 1, 0}, [=](const storage_context& c, const protocol_parameters&) {
    return expected<std::unique_ptr<storage_protocol>>{std::make_unique<counting>(c, count, trees)};
  }));
  auto a = host(216, options), b = host(217, options);
  const auto learn = [&](std::uint64_t topic, std::vector<identity> neighbours) {
    compat::anon_send(a->blocks->handle(), learn_atom_v,
                      topic_tree{key_of(257).identity(), key_of(topic).identity(), std::move(neighbours)});
  };
  learn(270, {b->n->id()}); // before the domain is there
  const auto domain = domain_of(257, {a.get(), b.get()}, "", {{"counting", 1, 0}, {}});
  CHECK(*trees == 1);
  learn(271, {b->n->id()});
  CHECK(eventually([&] { return *trees == 2; }));
  learn(270, {});
  CHECK(eventually([&] { return *trees == 1; }));
  const auto content = content_of(7, some);
  auto kept = a->blocks->put({.domain = domain}, content);
  REQUIRE(kept);
  auto got = b->blocks->get(domain, kept->content, some);
  REQUIRE_MESSAGE(got, (got ? "" : to_string(got.error())));
  CHECK(*got == content);
  CHECK(*count > 2);
  CHECK(b->blocks->report()->domains.at(0).protocol == "counting/1");
}

TEST_CASE_FIXTURE(block_fixture, "what nobody has is not found, and what is not in a domain is refused in words") {
  auto a = host(218);
  const auto domain = domain_of(258, {a.get()}, "", {{"blocks", 1, 0}, {{"search_rounds_max", "1"}}});
  eris_capability c;
  c.root.reference = blake2b_256(to_bytes("nothing"));
  CHECK(a->blocks->get(domain, c, 1024).code() == errc::not_found);
  const auto elsewhere = key_of(999).identity();
  CHECK(a->blocks->get(elsewhere, c, 1024).code() == errc::not_found);
  CHECK(a->blocks->put({.domain = elsewhere}, to_bytes("x")).code() == errc::not_found);
  // Replicas beyond the members: as many as there are, and it is said.
  auto kept = a->blocks->put({.domain = domain, .replicas = 3}, to_bytes("alone"));
  REQUIRE(kept);
  CHECK(kept->replicas.empty());
}

TEST_CASE_FIXTURE(block_fixture, "a quota holds, and an ended lease is collected") {
  block_options options;
  const auto domain_key = key_of(259).identity();
  options.quotas[domain_key] = 2 * 1024 * 1024;
  options.store.lease_grace_ms = 0;
  auto a = host(219, options);
  const auto domain = domain_of(259, {a.get()});
  CHECK(a->blocks->put({.domain = domain}, content_of(8, some)).code() == errc::table_full);
  auto kept = a->blocks->put({.domain = domain, .lease_ms = 1}, content_of(9, 10'000));
  CHECK(a->blocks->verify()->corrupt == 0);
  CHECK(eventually([&] {
    (void)a->blocks->collect();
    auto all = a->blocks->list({}, 4096);
    REQUIRE(all);
    return std::ranges::none_of(*all, [](const block_entry& e) { return e.info.size == 1024; });
  }));
}

TEST_CASE_FIXTURE(block_fixture, "blocks from outside of the domain are refused and counted") {
  auto a = host(220), b = host(221);
  (void)domain_of(260, {a.get(), b.get()});
  const auto before = drops(*a->n, errc::permission_denied);
  auto p =
      note_to(b->n->id(), a->n->id(), blocks_protocol(), shared_bytes{encode(block_message{blocks_ask{{digest{}}}})});
  (void)b->n->send(std::move(p)); // to the node, not within a domain
  CHECK(eventually([&] { return drops(*a->n, errc::permission_denied) > before; }));
}

TEST_CASE_FIXTURE(block_fixture, "a disk that fails ends the node in words, and nothing more is acknowledged") {
  test::fault_disk disk{1};
  auto a = host(222, {.vfs = disk.vfs()});
  const auto domain = domain_of(261, {a.get()});
  REQUIRE(a->blocks->put({.domain = domain}, content_of(10, some)));
  CHECK(a->fatal == 0);
  disk.plan(test::disk_fault::io_error, 3); // the fourth write from here
  auto failed = a->blocks->put({.domain = domain}, content_of(11, some));
  CHECK(failed.code() == errc::io_error);
  CHECK(failed.error().detail.find("block store") != std::string::npos);
  CHECK(eventually([&] { return a->fatal == 1; }));
  CHECK(a->blocks->put({.domain = domain}, to_bytes("later")).code() == errc::io_error);
}
