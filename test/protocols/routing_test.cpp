// Routing decisions: what excludes a candidate, what is preferred, how groups are expanded, and that `why` says so.
// Not delivery itself: only where messages would go.
#include "protocols/allocations.hpp"
#include "protocols/samples.hpp"

#include "hanse/protocols/routing.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

constexpr time_ms start = 1'700'000'000'000;

identity numbered(std::uint64_t n) {
  std::array<std::byte, 32> octets{};
  for (std::size_t i = 0; i < 8; ++i) octets[i] = static_cast<std::byte>((n * 0x9e3779b97f4a7c15u) >> (8 * i));
  return identity::trusted(identity_kind::individual, octets);
}

identity engine(std::uint64_t n) {
  return numbered(100 + n);
}
identity node(std::uint64_t n) {
  return numbered(200 + n);
}

/// A node 0 that hosts engine 0; engine n is advertised at node n, n = 1..9.
class sample_view final : public routing_view {
public:
  sample_view() {
    for (std::uint64_t n = 1; n <= 9; ++n) {
      put_engine(engine(n), node(n));
      advert_effects out;
      (void)store.put(signed_node_advert{{node(n), 1, {{"tls://h:1", 1}}, {}, ""}, {}}, advert_origin::learned, out);
      links.insert(node(n));
    }
  }
  void put_engine(const identity& e, const identity& n) {
    advert_effects out;
    (void)store.put(signed_engine_advert{{e, n, 1, {}, ""}, {}}, advert_origin::learned, out);
  }
  void trust(const identity& id, std::uint8_t value) {
    advert_effects out;
    (void)store.set_trust(id, value, out);
  }
  void rtt(const identity& n, std::uint32_t us) {
    advert_effects out;
    store.measure(n, {us, {}, {}}, start, out);
  }
  identity add_group(std::uint32_t threshold, std::vector<composite_member> members) {
    const auto g = make_composite(threshold, std::move(members));
    REQUIRE(g);
    groups[identity_of(*g)] = *g;
    return identity_of(*g);
  }

  const identity& self() const override { return self_; }
  bool is_local_engine(const identity& e) const override { return e == engine(0); }
  const advert_store& adverts() const override { return store; }
  bool connected(const identity& n) const override { return links.contains(n); }
  expected<unit> reachable(const identity& n, const transport_preferences& wanted) const override {
    if (no_address.contains(n)) return error{errc::no_address, "no usable address"};
    if (wanted.ordered && unordered.contains(n)) return error{errc::constraint, "no ordered transport"};
    return ok();
  }
  const composite_descriptor* group(const identity& id) const override {
    const auto it = groups.find(id);
    return it != groups.end() ? &it->second : nullptr;
  }
  bool in_domain(const identity& n, const identity& domain) const override {
    return domain == numbered(999) ? n == node(0) || n == node(1) : routing_view::in_domain(n, domain);
  }
  const domain_members* domain(const identity& id) const override {
    const auto it = domains.find(id);
    return it != domains.end() ? &it->second : nullptr;
  }

  advert_store store;
  std::set<identity> links, no_address, unordered;
  composite_table groups;
  std::map<identity, domain_members> domains;

private:
  identity self_ = node(0);
};

route_request to(const identity& destination) {
  route_request r;
  r.destination = destination;
  r.now = start;
  return r;
}

errc refusal(const sample_view& v, const route_request& r) {
  return routing{}.decide(r, v).code();
}

/// The destinations of a group route, best first.
std::vector<identity> order_of(const expected<route>& r) {
  std::vector<identity> list;
  if (r)
    for (const auto& m : r->members) list.push_back(m.destination);
  return list;
}

} // namespace

TEST_CASE("routing: an engine here, an engine there, a node, this node") {
  sample_view v;
  routing table;
  auto r = table.decide(to(engine(0)), v);
  REQUIRE(r);
  CHECK(r->what == route::kind::local);
  r = table.decide(to(engine(1)), v);
  REQUIRE(r);
  CHECK(r->what == route::kind::remote);
  CHECK(r->next_hop == node(1));
  CHECK(r->destination == engine(1));
  CHECK(r->connected);
  r = table.decide(to(node(2)), v);
  REQUIRE(r);
  CHECK(r->next_hop == node(2));
  r = table.decide(to(node(0)), v);
  REQUIRE(r);
  CHECK(r->what == route::kind::local);
  CHECK(table.kind_of(engine(1), v) == destination_kind::engine);
  CHECK(table.kind_of(node(1), v) == destination_kind::node);
  CHECK(table.kind_of(numbered(1), v) == destination_kind::unknown);
}

TEST_CASE("routing: what excludes the only candidate is the error") {
  sample_view v;
  CHECK(refusal(v, to({})) == errc::bad_value);
  CHECK(refusal(v, to(numbered(1))) == errc::no_route);
  auto r = to(engine(1));
  r.routing.scope = scope_kind::local;
  CHECK(refusal(v, r) == errc::constraint);
  r.destination = engine(0);
  CHECK(refusal(v, r) == errc::none);

  r = to(engine(1));
  r.routing.trust_min = 129;
  CHECK(refusal(v, r) == errc::untrusted);
  v.trust(node(1), 200);
  CHECK(refusal(v, r) == errc::untrusted); // the engine itself has 128
  v.trust(engine(1), 129);
  CHECK(refusal(v, r) == errc::none);
  v.trust(node(1), trust_banned);
  r.routing.trust_min = 0;
  CHECK(refusal(v, r) == errc::untrusted);
  v.trust(engine(2), trust_banned);
  CHECK(refusal(v, to(engine(2))) == errc::untrusted);

  r = to(engine(3));
  r.routing.rtt_max_ms = 10;
  CHECK(refusal(v, r) == errc::none); // not measured yet
  v.rtt(node(3), 10'000);
  CHECK(refusal(v, r) == errc::none);
  v.rtt(node(3), 10'008);
  CHECK(refusal(v, r) == errc::constraint);

  r = to(engine(4));
  r.routing = {scope_kind::domain, numbered(999), 0, 0};
  CHECK(refusal(v, r) == errc::constraint);
  v.no_address.insert(node(5));
  CHECK(refusal(v, to(engine(5))) == errc::no_address);
  v.unordered.insert(node(6));
  r = to(engine(6));
  CHECK(refusal(v, r) == errc::none);
  r.transport.ordered = true;
  CHECK(refusal(v, r) == errc::constraint);
}

TEST_CASE("routing: domain scope lets members through") {
  sample_view v;
  auto r = to(engine(1));
  r.routing = {scope_kind::domain, numbered(999), 0, 0};
  CHECK(refusal(v, r) == errc::none);
  r.routing.domain = numbered(998);
  CHECK(refusal(v, r) == errc::permission_denied); // this node is outside
}

TEST_CASE("routing: anycast prefers local, connected, trusted, reputed, near, lossless, in this order") {
  sample_view v;
  routing table;
  advert_effects out;
  const auto three = [&](std::uint64_t a, std::uint64_t b) { return v.add_group(1, {{engine(a), 1}, {engine(b), 1}}); };
  const auto best = [&](const identity& g) {
    const auto r = table.decide(to(g), v);
    REQUIRE(r);
    CHECK(r->pattern == delivery::anycast);
    CHECK(r->initial == 1);
    CHECK(r->members.size() == 2);
    return r->members[0].destination;
  };
  v.trust(engine(1), 255);
  CHECK(best(three(0, 1)) == engine(0));
  v.links.erase(node(1));
  CHECK(best(three(1, 2)) == engine(2));
  v.trust(engine(3), 129); // the lower of the engine and its node counts
  v.trust(node(3), 129);
  for (int i = 0; i < 300; ++i) v.store.note(node(4), reputation_event::delivered, start, out);
  CHECK(best(three(3, 4)) == engine(3));
  v.rtt(node(5), 10);
  CHECK(best(three(4, 5)) == engine(4));
  v.rtt(node(6), 9);
  v.store.measure(node(6), {{}, 500'000, {}}, start, out);
  CHECK(best(three(5, 6)) == engine(6));
  v.rtt(node(7), 9);
  CHECK(best(three(6, 7)) == engine(7));
}

TEST_CASE("routing: among equals the choice rotates with the message, and is the same for the same message") {
  sample_view v;
  routing table;
  const auto g = v.add_group(1, {{engine(1), 1}, {engine(2), 1}, {engine(3), 1}});
  std::map<identity, int> chosen;
  for (std::uint64_t tie = 0; tie < 300; ++tie) {
    auto r = to(g);
    r.tie = tie;
    const auto first = table.decide(r, v);
    REQUIRE(first);
    CHECK(order_of(first) == order_of(table.decide(r, v)));
    ++chosen[first->members[0].destination];
  }
  CHECK(chosen.size() == 3);
  for (const auto& [who, count] : chosen) CHECK(count > 50);
}

TEST_CASE("routing: multicast needs all, quorumcast keeps substitutes, weights count") {
  sample_view v;
  routing table;
  auto g = v.add_group(3, {{engine(1), 1}, {engine(2), 1}, {engine(3), 1}});
  auto r = table.decide(to(g), v);
  REQUIRE(r);
  CHECK(r->pattern == delivery::multicast);
  CHECK(r->initial == 3);
  g = v.add_group(2, {{engine(1), 1}, {engine(2), 1}, {engine(3), 1}});
  v.links.erase(node(2));
  r = table.decide(to(g), v);
  REQUIRE(r);
  CHECK(r->pattern == delivery::quorumcast);
  CHECK(r->threshold == 2);
  CHECK(r->initial == 2);
  REQUIRE(r->members.size() == 3);
  CHECK(r->members[2].destination == engine(2)); // the substitute
  g = v.add_group(5, {{engine(1), 4}, {engine(3), 2}, {engine(4), 2}, {engine(5), 2}});
  r = table.decide(to(g), v);
  REQUIRE(r);
  std::uint32_t weight = 0;
  for (std::size_t i = 0; i < r->initial; ++i) weight += r->members[i].weight;
  CHECK(weight >= 5);
  CHECK(weight - r->members[r->initial - 1].weight < 5); // no more than needed

  v.no_address.insert(node(1));
  g = v.add_group(3, {{engine(1), 1}, {engine(2), 1}, {engine(3), 1}});
  CHECK(refusal(v, to(g)) == errc::threshold_not_met);
  g = v.add_group(2, {{engine(1), 1}, {engine(2), 1}, {engine(3), 1}});
  r = table.decide(to(g), v);
  REQUIRE(r);
  CHECK(r->members.size() == 2);
  v.no_address.insert(node(2));
  v.no_address.insert(node(3));
  CHECK(refusal(v, to(g)) == errc::no_address); // nobody: the first one's reason
}

TEST_CASE("routing: a member that nobody has advertised yet comes last, and never counts for the threshold") {
  sample_view v;
  routing table;
  const auto unheard = numbered(4711);
  const auto r = table.decide(to(v.add_group(2, {{unheard, 1}, {engine(1), 1}, {engine(2), 1}})), v);
  REQUIRE(r);
  CHECK(r->initial == 2);
  REQUIRE(r->members.size() == 3);
  CHECK(r->members[2].destination == unheard);
  CHECK_FALSE(r->members[2].next_hop);
  CHECK_FALSE(r->members[2].connected);
  CHECK(refusal(v, to(v.add_group(3, {{unheard, 1}, {engine(1), 1}, {engine(2), 1}}))) == errc::threshold_not_met);
  CHECK(refusal(v, to(v.add_group(1, {{unheard, 1}, {numbered(4712), 1}}))) == errc::no_route);
}

TEST_CASE("routing: nested groups keep their own pattern, and unknown or cyclic ones are errors") {
  sample_view v;
  routing table;
  const auto inner = v.add_group(1, {{engine(1), 1}, {engine(2), 1}});
  const auto outer = v.add_group(2, {{inner, 1}, {engine(3), 1}});
  const auto r = table.decide(to(outer), v);
  REQUIRE(r);
  CHECK(r->pattern == delivery::multicast);
  REQUIRE(r->members.size() == 2);
  const auto& nested = r->members[0].what == route::kind::group ? r->members[0] : r->members[1];
  CHECK(nested.destination == inner);
  CHECK(nested.pattern == delivery::anycast);
  CHECK(nested.initial == 1);
  v.trust(inner, trust_banned);
  CHECK(refusal(v, to(outer)) == errc::threshold_not_met);
  v.groups.erase(inner);
  CHECK(refusal(v, to(outer)) == errc::not_found);
  CHECK(refusal(v, to(inner)) == errc::not_found);

  auto deep = engine(1);
  for (std::size_t i = 0; i <= composite_depth_max; ++i) deep = v.add_group(1, {{deep, 1}});
  CHECK(refusal(v, to(deep)) == errc::too_deep);
  // A view that answers with a cycle cannot be hashed into being; a lying one must still not hang us.
  const auto loop = v.add_group(1, {{engine(1), 1}});
  v.groups[loop].members = {{loop, 1}};
  CHECK(refusal(v, to(loop)) != errc::none);
}

TEST_CASE("routing: the explanation lists every candidate and why") {
  sample_view v;
  routing table;
  v.trust(engine(2), trust_banned);
  v.trust(engine(3), 40);
  v.rtt(node(1), 1234);
  const auto g = v.add_group(1, {{engine(1), 1}, {engine(2), 1}, {engine(3), 1}, {numbered(1), 1}});
  auto request = to(g);
  request.routing.trust_min = 100;
  route_explanation why;
  REQUIRE(table.decide(request, v, &why));
  CHECK(why.kind == destination_kind::group);
  CHECK(why.protocol == "group");
  CHECK(why.pattern == delivery::anycast);
  CHECK(why.outcome.code == errc::none);
  REQUIRE(why.candidates.size() == 4);
  const auto of = [&](const identity& id) {
    for (const auto& c : why.candidates)
      if (c.destination == id) return c;
    FAIL("not listed");
    return candidate_report{};
  };
  CHECK(of(engine(1)).chosen);
  CHECK(of(engine(1)).verdict == errc::none);
  CHECK(of(engine(1)).connected);
  CHECK(of(engine(1)).measured.rtt_us == 1234u);
  CHECK(of(engine(2)).verdict == errc::untrusted);
  CHECK(of(engine(2)).reason == "banned");
  CHECK(of(engine(3)).trust == 40);
  CHECK(of(engine(3)).reason == "trust 40 is below 100");
  CHECK(of(numbered(1)).verdict == errc::no_route);
  CHECK_FALSE(of(numbered(1)).chosen);

  CHECK_FALSE(table.decide(to(numbered(1)), v, &why));
  CHECK(why.kind == destination_kind::unknown);
  CHECK(why.outcome.code == errc::no_route);
  REQUIRE(why.candidates.size() == 1);
  CHECK(why.candidates[0].reason == "no advert says which node hosts it");
}

TEST_CASE("routing: explaining a decision does not change it") {
  sample_view v;
  routing table;
  const auto g = v.add_group(2, {{engine(1), 1}, {engine(2), 1}, {engine(3), 1}});
  for (const auto& d : {engine(0), engine(1), node(1), g}) {
    route_explanation why;
    const auto a = table.decide(to(d), v), b = table.decide(to(d), v, &why);
    REQUIRE(a);
    REQUIRE(b);
    CHECK(a->what == b->what);
    CHECK(a->next_hop == b->next_hop);
    CHECK(order_of(a) == order_of(b));
  }
}

TEST_CASE("routing: other kinds of destinations bring their own protocol") {
  class to_all final : public routing_protocol {
  public:
    std::string_view name() const override { return "to-all"; }
    expected<candidate_set> candidates(const identity&, const route_request&, const routing_view&) const override {
      return candidate_set{delivery::multicast, 2, {{engine(1), node(1), 1}, {engine(2), node(2), 1}}};
    }
  };
  sample_view v;
  routing table;
  REQUIRE(table.set_kind(numbered(5), destination_kind::topic));
  table.set_protocol(destination_kind::topic, std::make_shared<to_all>());
  const auto r = table.decide(to(numbered(5)), v);
  REQUIRE(r);
  CHECK(r->what == route::kind::group);
  CHECK(r->initial == 2);
  REQUIRE(table.set_kind(numbered(5), destination_kind::unknown));
  CHECK(table.decide(to(numbered(5)), v).code() == errc::no_route);
}

TEST_CASE("routing: deciding on a unicast route allocates nothing") {
  sample_view v;
  routing table;
  const auto remote = to(engine(1)), here = to(engine(0));
  CHECK(allocations_by([&] {
          (void)table.decide(remote, v);
          (void)table.decide(here, v);
        }) == 0);
}

namespace {

/// A domain that advertises the nodes 9 and 8.
const identity domain_500 = numbered(500);

void put_domain(sample_view& v, routing& table, std::vector<identity> members) {
  std::ranges::sort(members);
  v.domains[domain_500] = {domain_500, std::move(members), {node(9), node(8)}};
  REQUIRE(table.set_kind(domain_500, destination_kind::domain));
}

} // namespace

TEST_CASE("routing: a domain is anycast to its members, ranked as any candidates are") {
  sample_view v;
  routing table;
  put_domain(v, table, {node(0), node(1), node(2), node(3)});
  v.trust(node(2), 200);
  v.trust(node(3), trust_banned);
  route_explanation why;
  auto r = table.decide(to(domain_500), v, &why);
  REQUIRE(r);
  CHECK(r->what == route::kind::group);
  CHECK(r->pattern == delivery::anycast);
  CHECK(r->threshold == 1);
  CHECK(order_of(r) == std::vector{node(0), node(2), node(1)}); // here, trusted, the rest; the banned one not at all
  CHECK(r->members[1].next_hop == node(2));
  CHECK(why.kind == destination_kind::domain);
  CHECK(why.protocol == "domain");
  CHECK(why.candidates.size() == 4);
  auto wanted = to(domain_500);
  wanted.routing.trust_min = 255;
  r = table.decide(wanted, v);
  CHECK(order_of(r) == std::vector{node(0)}); // this node needs no trust in itself
}

TEST_CASE("routing: from outside a domain is reached through the nodes that it advertises, and not at all without") {
  sample_view v;
  routing table;
  put_domain(v, table, {});
  v.no_address.insert(node(9));
  auto r = table.decide(to(domain_500), v);
  CHECK(order_of(r) == std::vector{node(8)});
  v.domains[domain_500].members = {node(1), node(2)}; // seen somewhere; this node is still outside
  CHECK(order_of(table.decide(to(domain_500), v)) == std::vector{node(8)});
  v.domains[domain_500].introducers.clear();
  CHECK(table.decide(to(domain_500), v).code() == errc::no_route);
  v.domains.clear();
  CHECK(table.decide(to(domain_500), v).code() == errc::no_route);
}

TEST_CASE("routing: of a large domain a bounded sample is considered, those with a link first, rotated by the tie") {
  sample_view v;
  routing table;
  std::vector<identity> members{node(0), node(5)};
  for (std::uint64_t n = 0; n < 1000; ++n) members.push_back(numbered(10'000 + n));
  put_domain(v, table, members);
  std::set<identity> seen;
  for (std::uint64_t tie = 1; tie <= 200; ++tie) {
    auto request = to(domain_500);
    request.tie = tie;
    const auto r = table.decide(request, v);
    REQUIRE(r);
    CHECK(r->members.size() == composite_leaves_max);
    CHECK(r->members[0].destination == node(0));
    CHECK(r->members[1].destination == node(5)); // has a link
    const auto order = order_of(r);
    CHECK(std::set(order.begin(), order.end()).size() == composite_leaves_max);
    seen.insert(order.begin(), order.end());
    CHECK(order == order_of(table.decide(request, v)));
  }
  CHECK(seen.size() > 900);
}

TEST_CASE("routing: what is to stay in a domain passes between its members only, and why says who is none") {
  sample_view v;
  routing table;
  put_domain(v, table, {node(0), node(1)});
  auto request = to(engine(1));
  request.routing = {scope_kind::domain, domain_500, 0, 0};
  CHECK(table.decide(request, v));
  request.destination = engine(2);
  route_explanation why;
  CHECK(table.decide(request, v, &why).code() == errc::constraint);
  REQUIRE(why.candidates.size() == 1);
  CHECK(why.candidates[0].reason.find("is no member of the domain") != std::string::npos);
  CHECK(why.candidates[0].reason.find(to_short_string(node(2))) != std::string::npos);
  v.domains[domain_500].members = {node(1), node(2)};
  std::ranges::sort(v.domains[domain_500].members);
  CHECK(table.decide(request, v, &why).code() == errc::permission_denied);
  CHECK(why.candidates[0].reason.find("this node is no member") != std::string::npos);
}

TEST_CASE("routing: a claimed topic is served here") {
  sample_view v;
  routing table;
  REQUIRE(table.set_kind(numbered(77), destination_kind::topic));
  route_explanation why;
  const auto r = table.decide(to(numbered(77)), v, &why);
  REQUIRE(r);
  CHECK(r->what == route::kind::local);
  CHECK(r->destination == numbered(77));
  CHECK(why.kind == destination_kind::topic);
}
