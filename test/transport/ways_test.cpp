// How messages get to a node: links first, then relays, then bundles; paths through several relays, and who may relay.
#include "hanse/transport/ways.hpp"

#include "hanse/transport/relay.hpp"

#include <doctest/doctest.h>

using namespace hanse;

namespace {

/// Real keys: what is no key is no relay's name.
identity node(std::uint64_t n) {
  static std::map<std::uint64_t, identity> made;
  const auto i = made.find(n);
  if (i != made.end()) return i->second;
  seeded_random random{n};
  return made[n] = key_pair::generate(random).identity();
}

constexpr transport_preferences any_security{false, false, security_kind::any};
constexpr transport_preferences rather_datagrams{false, false, security_kind::encrypted, true};
constexpr std::uint32_t hour = 3'600'000;

/// This node is 0.
struct sample_view final : way_view {
  const identity& self() const override { return self_; }
  bool connected(const identity& n) const override { return links.contains(n); }
  std::vector<weighted_address> addresses_of(const identity& n) const override {
    const auto i = addresses.find(n);
    return i == addresses.end() ? std::vector<weighted_address>{} : i->second;
  }
  address_origin origin_of(const identity&) const override { return address_origin::advertised; }
  bool undialable(const identity& n) const override { return dead.contains(n); }
  bool has_datagram_link(const identity& n) const override { return datagrams.contains(n); }
  bool datagrams_failed(const identity& n) const override { return silent.contains(n); }
  bool takes_bundles(const identity& n) const override { return couriers.contains(n); }
  std::vector<identity> neighbours_through(const identity& relay) const override {
    std::vector<identity> found;
    for (const auto& n : links)
      for (const auto& a : addresses_of(n))
        if (a.address == "relay://" + to_string(relay)) found.push_back(n);
    return found;
  }

  void relayed(std::uint64_t n, std::uint64_t relay, std::uint16_t weight = 1) {
    addresses[node(n)].push_back({"relay://" + to_string(node(relay)), weight});
  }
  void listens(std::uint64_t n) { addresses[node(n)].push_back({"tls://192.0.43.7:" + std::to_string(n), 1}); }

  expected<way> to(std::uint64_t n, transport_preferences wanted = any_security, std::uint32_t ttl = 10'000) const {
    return choose_way(node(n), wanted, ttl, *this, policy, [&](const identity& r) { return !refused.contains(r); });
  }
  std::string by(std::uint64_t n, transport_preferences wanted = any_security, std::uint32_t ttl = 10'000) const {
    const auto found = to(n, wanted, ttl);
    return found ? to_string(*found) : to_string(found.error());
  }
  /// The relays on the way, by number; empty: none.
  std::vector<std::uint64_t> path(std::uint64_t n) const {
    std::vector<std::uint64_t> numbers;
    const auto found = to(n);
    if (!found || found->carrier != "relay") return {};
    for (const auto& r : found->relays)
      for (std::uint64_t i = 0; i < 1'100; ++i)
        if (node(i) == r) numbers.push_back(i);
    return numbers;
  }

  identity self_ = node(0);
  std::set<identity> links, dead, couriers, refused, datagrams, silent;
  std::map<identity, std::vector<weighted_address>> addresses;
  address_policy policy{{"tls", "relay", "spool"}, false, transport_registry::builtin()};
};

using path = std::vector<std::uint64_t>;

} // namespace

TEST_CASE("a link that is up carries everything") {
  sample_view v;
  v.links.insert(node(1));
  v.relayed(1, 2);
  CHECK(v.by(1, {true, true, security_kind::encrypted}) == "link");
}

TEST_CASE("a node that can be dialled is dialled; one whose dials failed is reached through its relay") {
  sample_view v;
  v.listens(1);
  v.relayed(1, 2);
  v.links.insert(node(2));
  CHECK(v.by(1) == "link");
  v.dead.insert(node(1));
  CHECK(v.path(1) == path{2});
  CHECK(v.by(1, {}) == "link"); // with forward secrecy there is only the link, which is dialled again
  v.refused.insert(node(2));
  CHECK(v.by(1) == "link");
}

TEST_CASE("who can be reached by datagrams alone gets what needs neither order nor reliability, before relays") {
  sample_view v;
  v.policy.schemes.insert("dtls");
  v.addresses[node(1)] = {{"dtls://192.0.43.7:1", 1}};
  v.relayed(1, 2);
  v.links.insert(node(2));
  CHECK(v.by(1) == "dtls");
  CHECK(v.by(1, {}) == "dtls"); // forward secret
  CHECK(v.to(1, {true, false, security_kind::encrypted}).code() == errc::constraint);
  CHECK(v.to(1, {false, true, security_kind::encrypted}).code() == errc::constraint);
  v.listens(1);
  CHECK(v.by(1) == "link");
  v.dead.insert(node(1));
  CHECK(v.by(1, {}) == "dtls");
  v.datagrams.insert(node(3)); // it dialled us
  CHECK(v.by(3, {}) == "dtls");
  CHECK(v.to(3, {false, true, security_kind::encrypted}).code() == errc::no_address);
  v.policy.schemes.erase("dtls");
  CHECK(v.to(3, {}).code() == errc::no_address);
  CHECK(v.path(1) == path{2});
}

TEST_CASE("who would rather have datagrams gets them in spite of a link; others do not") {
  sample_view v;
  v.policy.schemes.insert("dtls");
  v.addresses[node(1)] = {{"dtls://192.0.43.7:1", 1}};
  v.links.insert(node(1));
  CHECK(v.by(1, rather_datagrams) == "dtls");
  CHECK(v.by(1, {}) == "link");
  CHECK(v.by(1) == "link");
  v.listens(2);
  v.datagrams.insert(node(2)); // it dialled us
  CHECK(v.by(2, rather_datagrams) == "dtls");
  CHECK(v.by(2, {}) == "link");
}

TEST_CASE("the wish for datagrams is no demand: without them there is the link") {
  sample_view v;
  v.policy.schemes.insert("dtls");
  v.links.insert(node(1));
  CHECK(v.by(1, rather_datagrams) == "link"); // it speaks none
  v.listens(2);
  CHECK(v.by(2, rather_datagrams) == "link"); // which is dialled
  v.addresses[node(1)] = {{"dtls://192.0.43.7:1", 1}};
  v.silent.insert(node(1));
  CHECK(v.by(1, rather_datagrams) == "link");
  v.links.clear();
  CHECK(v.by(1, rather_datagrams) == "dtls"); // there is nothing else
  v.links.insert(node(1));
  v.silent.clear();
  CHECK(v.by(1, {true, false, security_kind::encrypted, true}) == "link"); // demands come first
  CHECK(v.by(1, {false, true, security_kind::encrypted, true}) == "link");
  v.policy.schemes.erase("dtls"); // this node has none
  v.datagrams.insert(node(1));
  CHECK(v.by(1, rather_datagrams) == "link");
}

TEST_CASE("who is behind a relay gets nothing that demands forward secrecy or order") {
  sample_view v;
  v.relayed(1, 2);
  v.links.insert(node(2));
  CHECK(v.to(1, {}).code() == errc::constraint);
  CHECK(v.to(1, {true, false, security_kind::any}).code() == errc::constraint);
  CHECK(v.path(1) == path{2});
  v.addresses[node(1)].insert(v.addresses[node(1)].begin(), {"quic://a.org:1", 1}); // says less
  CHECK(v.to(1, {}).code() == errc::constraint);
}

TEST_CASE("a relay is not used when the node is not configured for relays") {
  sample_view v;
  v.policy.schemes = {"tls"};
  v.relayed(1, 2);
  v.links.insert(node(2));
  CHECK(v.to(1).code() == errc::permission_denied);
}

TEST_CASE("the fewest relays are taken, nearest first") {
  sample_view v;
  v.relayed(1, 2);
  v.relayed(2, 3);
  v.relayed(3, 4);
  v.listens(4);
  CHECK(v.path(1) == path{4, 3, 2});
  v.links.insert(node(3));
  CHECK(v.path(1) == path{3, 2});
  v.listens(2);
  CHECK(v.path(1) == path{2});
}

TEST_CASE("of equal paths those with a link come first, then those of more weight") {
  sample_view v;
  v.relayed(1, 2, 1);
  v.relayed(1, 3, 5);
  v.listens(2);
  v.listens(3);
  CHECK(v.path(1) == path{3});
  v.links.insert(node(2));
  CHECK(v.path(1) == path{2});
  v.refused.insert(node(2));
  CHECK(v.path(1) == path{3});
}

TEST_CASE("a path has four relays at most, and loops end") {
  sample_view v;
  for (std::uint64_t n = 1; n < 6; ++n) v.relayed(n, n + 1);
  v.links.insert(node(6));
  CHECK(v.to(1).code() == errc::no_address); // 2..6 are five
  CHECK(v.path(2) == path{6, 5, 4, 3});
  sample_view loop;
  loop.relayed(1, 2);
  loop.relayed(2, 1);
  loop.relayed(2, 0); // this node is no relay of its own
  CHECK(loop.to(1).code() == errc::no_address);
}

TEST_CASE("who is behind a relay itself answers through it") {
  sample_view v; // 0 keeps a link to 3, which keeps one to 2, which keeps one to 1
  v.relayed(1, 2);
  v.relayed(3, 2);
  v.links.insert(node(3));
  CHECK(v.path(1) == path{3, 2});
  v.refused.insert(node(3));
  CHECK(v.path(1) == path{});
}

TEST_CASE("the search for a path looks at a bounded number of nodes") {
  sample_view v;
  for (std::uint64_t n = 1; n < 300; ++n)
    for (std::uint64_t k = 0; k < advert_addresses_max; ++k) v.relayed(n, n * 8 + k);
  CHECK(v.to(1).code() == errc::no_address);
  v.links = {node(100)}; // behind one of 8..15
  CHECK(v.path(1).size() == 2);
  v.links = {node(1'000)}; // one hop further: there are 512 of them
  CHECK(v.to(1).code() == errc::no_address);
}

TEST_CASE("bundles are for messages that can wait, to nodes that take them, when there is no other way") {
  sample_view v;
  v.couriers.insert(node(1));
  CHECK(v.by(1, any_security, hour) == "spool");
  CHECK(v.by(1, any_security, delay_tolerant_ttl_ms) == "spool");
  CHECK(v.to(1, any_security, delay_tolerant_ttl_ms - 1).code() == errc::constraint);
  CHECK(v.to(1, {}, hour).code() == errc::constraint);
  CHECK(v.to(2, any_security, hour).code() == errc::no_address);
  v.relayed(1, 3);
  CHECK(v.by(1, any_security, hour) == "spool"); // its relay is out of reach
  v.links.insert(node(3));
  CHECK(v.path(1) == path{3});
  v.policy.schemes.erase("spool");
  v.links.clear();
  CHECK(v.to(1, any_security, hour).code() == errc::no_address);
}
