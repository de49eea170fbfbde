// Domains between real nodes in one process: joins over TLS, restarts, several domains, anycast from in- and outside.
#include "two_nodes.hpp"

#include "hanse/actors/domains.hpp"

#include <caf/stateful_actor.hpp>

#include <filesystem>

using namespace hanse;

namespace {

pre_shared_key psk(std::string_view text) {
  return {to_secret(text), {}};
}

psk_list keys(std::string_view text) {
  psk_list list;
  list.push_back(psk(text));
  return list;
}

/// A node with its domains.
struct domain_host {
  std::unique_ptr<node> n;
  std::unique_ptr<node_domains> domains;
  ~domain_host() {
    domains.reset();
    if (n) n->stop();
  }
};

struct domain_fixture : node_fixture {
  std::unique_ptr<domain_host> host(std::uint64_t seed, const std::string& address,
                                    const std::filesystem::path& data_dir = {}) {
    auto h = std::make_unique<domain_host>();
    node_options o;
    o.key = key_of(seed);
    o.data_dir = data_dir;
    o.speaks = domain_node_protocols();
    h->n = start(address, std::move(o));
    auto d = node_domains::start(*h->n, {});
    REQUIRE(d);
    h->domains = std::move(*d);
    return h;
  }

  static domain_config config_of(std::uint64_t owner, const domain_host& introducer,
                                 auth_mechanism auth = auth_mechanism::psk) {
    domain_config c;
    c.domain = key_of(owner).identity();
    c.version = 1;
    c.name = "lab" + std::to_string(owner);
    c.auth = auth;
    c.introducers = {make_introducer(*parse_ticket(introducer.n->ticket()))};
    return c;
  }

  static domain_role role(domain_host& h, const identity& domain) {
    auto r = h.domains->report(domain);
    return r ? r->role : domain_role::outside;
  }

  static bool becomes_member(domain_host& h, const identity& domain, std::size_t members) {
    return h.domains->await_members(domain, members).has_value();
  }
};

struct change_log {
  std::mutex mutex;
  std::vector<identity> added;
  bool has(const identity& who) {
    std::lock_guard guard{mutex};
    return std::ranges::find(added, who) != added.end();
  }
};

struct listener_engine {
  listener_engine(domain_listener_actor::pointer, std::shared_ptr<change_log> log) : log(std::move(log)) {}
  domain_listener_actor::behavior_type make_behavior() {
    return {
        [this](const domain_change& c) {
          std::lock_guard guard{log->mutex};
          if (auto* added = std::get_if<member_added>(&c.what)) log->added.push_back(added->member);
        },
        [](const domain_role_changed&) {},
    };
  }
  std::shared_ptr<change_log> log;
};

} // namespace

TEST_CASE_FIXTURE(domain_fixture, "nodes join by a pre-shared key bound to their link, remember it, and tell engines") {
  temporary_directory dir;
  std::filesystem::create_directories(dir.path / "b");
  auto a = host(1, "tls://127.0.0.1:0");
  auto log = std::make_shared<change_log>();
  auto listener = system.spawn<domain_listener_actor::stateful_impl<listener_engine>>(log);
  a->domains->subscribe(caf::actor_cast<domain_listener_actor>(listener));
  const auto c = config_of(50, *a);
  const auto advert = sign(c, key_of(50));
  REQUIRE(a->domains->enter({advert, keys("correct-horse-battery"), "", ""}));
  REQUIRE(becomes_member(*a, c.domain, 1));
  identity b_id;
  {
    auto b = host(2, "tls://127.0.0.1:0", dir.path / "b");
    b_id = b->n->id();
    CHECK(b->domains->enter({advert, {}, "", ""}).code() == errc::bad_proof);
    REQUIRE(b->domains->enter({advert, keys("incorrect-horse-battery"), "", ""}));
    REQUIRE(eventually([&] { return role(*b, c.domain) == domain_role::outside; }));
    CHECK(b->domains->report(c.domain)->why == errc::bad_proof);
    CHECK(a->domains->members(c.domain)->size() == 1);
    REQUIRE(b->domains->enter({advert, keys("correct-horse-battery"), "", ""}));
    REQUIRE(becomes_member(*b, c.domain, 2));
    CHECK(log->has(b_id));
    REQUIRE(eventually([&] { return a->domains->report(c.domain)->state == b->domains->report(c.domain)->state; }));
  }
  auto b = host(2, "tls://127.0.0.1:0", dir.path / "b");
  REQUIRE(becomes_member(*b, c.domain, 2));
  REQUIRE(b->n->add(a->n->ticket()));
  REQUIRE(eventually([&] { return b->domains->report(c.domain)->may_write; }));
  REQUIRE(b->domains->put(c.domain, "colour", to_bytes("red")));
  REQUIRE(eventually([&] { return a->domains->report(c.domain)->state == b->domains->report(c.domain)->state; }));
  auto members = a->domains->members(c.domain);
  REQUIRE(members);
  for (auto& m : *members) CHECK(m.online);
  auto drawing = a->domains->drawing(c.domain, 100);
  REQUIRE(drawing);
  CHECK(drawing->creators.size() == 2);
  CHECK(drawing->blocks.size() >= 3);
  REQUIRE(a->domains->expel(c.domain, b_id));
  REQUIRE(eventually([&] { return role(*b, c.domain) == domain_role::expelled; }));
}

TEST_CASE_FIXTURE(domain_fixture, "who waits for members is told how far it got, and at once why a node is kept out") {
  auto a = host(8, "mem://a8"), b = host(9, "mem://b9");
  const auto c = config_of(54, *a);
  CHECK(a->domains->await_members(c.domain, 1, 0).code() == errc::not_found);
  REQUIRE(a->domains->enter({sign(c, key_of(54)), keys("correct-horse-battery"), "", ""}));
  REQUIRE(a->domains->await_members(c.domain, 1));
  const auto alone = a->domains->await_members(c.domain, 2, 20);
  CHECK(alone.code() == errc::timed_out);
  CHECK(alone.error().detail.find("sees 1 member") != std::string::npos);
  REQUIRE(b->domains->enter({sign(c, key_of(54)), keys("incorrect-horse-battery"), "", ""}));
  CHECK(b->domains->await_members(c.domain, 1).code() == errc::bad_proof);
  REQUIRE(b->domains->enter({sign(c, key_of(54)), keys("correct-horse-battery"), "", ""}));
  CHECK(a->domains->await_members(c.domain, 2));
  CHECK(b->domains->await_members(c.domain, 2));
}

TEST_CASE_FIXTURE(domain_fixture, "several domains with different protocols run in one node, side by side") {
  auto a = host(3, "mem://a3");
  auto b = host(4, "mem://b4");
  auto first = config_of(51, *a, auth_mechanism::none);
  auto second = config_of(52, *a, auth_mechanism::psk);
  first.stack.dissemination = {{"plumtree", 1, 0}, {{"active", "4"}}};
  second.stack.membership.parameters = {{"idle_ms", "20000"}};
  REQUIRE(a->domains->enter({sign(first, key_of(51)), {}, "", ""}));
  REQUIRE(a->domains->enter({sign(second, key_of(52)), keys("correct-horse-battery"), "", ""}));
  REQUIRE(b->domains->enter({sign(first, key_of(51)), {}, "", ""}));
  REQUIRE(b->domains->enter({sign(second, key_of(52)), keys("correct-horse-battery"), "", ""}));
  CHECK(becomes_member(*b, first.domain, 2));
  CHECK(becomes_member(*b, second.domain, 2));
  REQUIRE(b->domains->leave(first.domain));
  CHECK(eventually([&] { return a->domains->members(first.domain)->size() == 1; }));
  CHECK(a->domains->members(second.domain)->size() == 2);
  CHECK(b->domains->report(second.domain)->stack != a->domains->report(first.domain)->stack);
}

TEST_CASE_FIXTURE(domain_fixture,
                  "a domain is found from its identity, and answers from outside through its introducer") {
  auto a = host(5, "mem://a5");
  auto b = host(6, "mem://b6");
  auto outsider = host(7, "mem://c7");
  const auto c = config_of(53, *a, auth_mechanism::none);
  REQUIRE(a->domains->enter({sign(c, key_of(53)), {}, "", ""}));
  REQUIRE(b->domains->enter({sign(c, key_of(53)), {}, "", ""}));
  REQUIRE(becomes_member(*b, c.domain, 2));
  auto here = b->n->spawn_engine<calculator_actor, calculator_engine>({.name = "adder", .serves = {c.domain}});
  REQUIRE(here);
  auto sum = ask(a->n->remote<calculator_actor>(c.domain), calc::add_atom_v, 40, 2); // from inside, at another member
  REQUIRE_MESSAGE(sum, to_string(sum.error()));
  CHECK(*sum == 42);
  REQUIRE(outsider->n->add(a->n->ticket()));
  REQUIRE(eventually([&] { return outsider->domains->find(c.domain).has_value(); }));
  auto there = a->n->spawn_engine<calculator_actor, calculator_engine>({.name = "adder", .serves = {c.domain}});
  REQUIRE(there);
  auto outside = ask(outsider->n->remote<calculator_actor>(c.domain), calc::add_atom_v, 20, 3);
  REQUIRE_MESSAGE(outside, to_string(outside.error()));
  CHECK(*outside == 23);
}
