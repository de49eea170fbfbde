// See ways.hpp.
#include "hanse/transport/ways.hpp"

#include "hanse/transport/relay.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr transport_preferences by_relay{false, false, security_kind::any};
constexpr transport_preferences by_link{}; // what relay messages themselves demand

address_selection addresses(const identity& node, const transport_preferences& wanted, const way_view& view,
                            const address_policy& policy) {
  return select_addresses(node, view.addresses_of(node), view.origin_of(node), wanted, policy, failure_book{}, 0);
}

bool is_link(const address_candidate& c, const address_policy& policy) {
  const auto* traits = policy.transports.find(c.address.scheme);
  return traits && traits->ordered && traits->reliable;
}

bool has_link_address(const address_selection& found, const address_policy& policy) {
  return std::ranges::any_of(found.candidates, [&](const auto& c) { return is_link(c, policy); });
}

bool offers(const address_selection& found, std::string_view scheme) {
  return std::ranges::any_of(found.candidates, [&](const auto& c) { return c.address.scheme == scheme; });
}

/// Who has dialled us is answered in datagrams without an address.
bool has_datagrams(const identity& node, const address_selection& found, const transport_preferences& wanted,
                   const way_view& view, const address_policy& policy) {
  if (wanted.ordered || wanted.reliable || !policy.schemes.contains("dtls")) return false;
  return offers(found, "dtls") || view.has_datagram_link(node);
}

bool can_dial(const identity& node, const way_view& view, const address_policy& policy) {
  return !view.undialable(node) && has_link_address(addresses(node, by_link, view, policy), policy);
}

/// A node on the way back from the recipient: who names it as relay, by index.
struct step {
  identity node;
  std::size_t named_by = 0;
};

/// The relays from `found` down to the recipient, which is at index 0.
std::vector<identity> path_from(std::size_t found, const std::vector<step>& steps) {
  std::vector<identity> path;
  for (auto i = found; i != 0; i = steps[i].named_by) path.push_back(steps[i].node);
  return path;
}

} // namespace

expected<std::vector<identity>> find_relays(const identity& node, const way_view& view, const address_policy& policy,
                                            const relay_predicate& may_relay) {
  std::vector<step> steps{{node, 0}};
  std::set<identity> seen{node, view.self()};
  std::string refused;
  for (std::size_t hop = 0, first = 0; hop < relay_hops_max && first < steps.size(); ++hop) {
    const auto last = steps.size();
    for (auto i = first; i < last; ++i)
      for (const auto& c : addresses(steps[i].node, by_relay, view, policy).candidates) {
        if (c.address.scheme != "relay" || seen.size() >= relay_search_max) continue;
        const auto relay = parse_relay_address(c.text);
        if (!relay || !seen.insert(*relay).second) continue;
        if (may_relay(*relay))
          steps.push_back({*relay, i});
        else if (refused.empty())
          refused = "; " + to_short_string(*relay) + " is not trusted, or outside of the domain";
      }
    first = last;
    for (auto i = first; i < steps.size(); ++i)
      if (view.connected(steps[i].node)) return path_from(i, steps);
    for (auto i = first; i < steps.size(); ++i)
      if (can_dial(steps[i].node, view, policy)) return path_from(i, steps);
    if (hop + 1 == relay_hops_max) break;
    for (auto i = first; i < steps.size(); ++i)
      for (const auto& neighbour : view.neighbours_through(steps[i].node)) {
        if (seen.contains(neighbour) || !may_relay(neighbour)) continue;
        auto path = path_from(i, steps);
        path.insert(path.begin(), neighbour);
        return path;
      }
  }
  return error{errc::no_address, "no way to the relays that it names" + refused};
}

expected<way> choose_way(const identity& node, const transport_preferences& wanted, std::uint32_t ttl_ms,
                         const way_view& view, const address_policy& policy, const relay_predicate& may_relay) {
  const bool connected = view.connected(node);
  if (connected && !wanted.datagrams) return way{};
  const auto found = addresses(node, wanted, view, policy);
  const bool by_datagrams = has_datagrams(node, found, wanted, view, policy);
  if (by_datagrams && wanted.datagrams && !view.datagrams_failed(node)) return way{"dtls", {}};
  const bool dialable = has_link_address(found, policy);
  if (connected || (dialable && !view.undialable(node))) return way{};
  if (by_datagrams) return way{"dtls", {}};
  error why;
  if (offers(found, "relay")) {
    auto relays = find_relays(node, view, policy, may_relay);
    if (relays) return way{"relay", std::move(*relays)};
    why = relays.error();
  }
  if (dialable) return way{};
  if (policy.schemes.contains("spool") && view.takes_bundles(node)) {
    const bool wants_channel = wanted.ordered || wanted.reliable || wanted.security != security_kind::any;
    if (!wants_channel && ttl_ms >= delay_tolerant_ttl_ms) return way{"spool", {}};
    if (why.code == errc::none)
      why = {errc::constraint, wants_channel
                                   ? "only a bundle reaches it: unordered, unreliable, without forward secrecy"
                                   : "only a bundle reaches it, and the message lives less than " +
                                         std::to_string(delay_tolerant_ttl_ms / 60'000) + " minutes"};
  }
  if (why.code == errc::none && !found.excluded.empty()) { // rather what the message can change than what we cannot
    const auto demand =
        std::ranges::find_if(found.excluded, [](const auto& e) { return e.reason == errc::constraint; });
    why = demand != found.excluded.end() ? demand->reason : found.excluded.front().reason;
  }
  if (why.code == errc::none) why = {errc::no_address, "no address of it is known"};
  return why;
}

} // namespace hanse
