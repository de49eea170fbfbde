// Selection of addresses and the memory of failed dials. Not dialling.
// Spec "Transport"; design section 7, "no dialling of private ranges that a remote advertised, unless configured".
#include "hanse/transport/selection.hpp"

#include <algorithm>

namespace hanse {

namespace {

std::uint32_t decayed(std::uint32_t penalty, time_ms since, time_ms now) noexcept {
  if (now <= since) return penalty;
  const auto halvings = (now - since) / penalty_half_life_ms;
  return halvings >= 32 ? 0 : penalty >> halvings;
}

expected<unit> check_preferences(const transport_traits& traits, const transport_preferences& wanted) {
  if (wanted.ordered && !traits.ordered) return error{errc::constraint, "not ordered"};
  if (wanted.reliable && !traits.reliable) return error{errc::constraint, "not reliable"};
  if (wanted.security == security_kind::encrypted && traits.security != security_kind::encrypted)
    return error{errc::constraint, "no encrypted channel with forward secrecy"};
  return ok();
}

expected<unit> check_policy(const transport_address& address, address_origin origin, const address_policy& policy) {
  if (!policy.schemes.contains(address.scheme))
    return error{errc::permission_denied, "transport " + address.scheme + " is not configured"};
  const auto range = classify(address);
  if (range == address_range::unusable) return error{errc::bad_value, "no host can have this address"};
  if (address.form == address_form::host_port && address.port == 0) return error{errc::bad_value, "port 0"};
  if (origin == address_origin::advertised && is_private(range) && !policy.private_ranges)
    return error{errc::permission_denied, std::string{to_string(range)} + " address advertised by a remote node"};
  return ok();
}

expected<transport_address> judge(const std::string& text, address_origin origin, const transport_preferences& wanted,
                                  const address_policy& policy) {
  HANSE_TRY(auto address, parse_transport_address(text, policy.transports));
  const transport_traits* traits = policy.transports.find(address.scheme);
  if (!traits) return error{errc::permission_denied, "unknown transport " + address.scheme};
  HANSE_CHECK(check_policy(address, origin, policy));
  HANSE_CHECK(check_preferences(*traits, wanted));
  return address;
}

bool before(const address_candidate& a, const address_candidate& b) {
  if (a.penalty != b.penalty) return a.penalty < b.penalty;
  if (a.weight != b.weight) return a.weight > b.weight;
  return a.text < b.text;
}

} // namespace

void failure_book::failed(const identity& peer, const std::string& address, errc why, time_ms now) {
  const key k{peer, address};
  entry& e = entries_[k];
  const auto weight = why == errc::wrong_peer ? wrong_peer_penalty : failure_penalty;
  by_age_.erase({e.at, k});
  e = {std::min(decayed(e.penalty, e.at, now) + weight, penalty_max), now};
  by_age_.insert({now, k});
  if (entries_.size() <= failure_book_size_max) return;
  const auto oldest = by_age_.begin();
  entries_.erase(oldest->second);
  by_age_.erase(oldest);
}

void failure_book::succeeded(const identity& peer, const std::string& address) {
  const auto it = entries_.find({peer, address});
  if (it == entries_.end()) return;
  by_age_.erase({it->second.at, it->first});
  entries_.erase(it);
}

std::uint32_t failure_book::penalty(const identity& peer, const std::string& address, time_ms now) const {
  const auto it = entries_.find({peer, address});
  return it == entries_.end() ? 0 : decayed(it->second.penalty, it->second.at, now);
}

address_selection select_addresses(const identity& peer, std::span<const weighted_address> addresses,
                                   address_origin origin, const transport_preferences& wanted,
                                   const address_policy& policy, const failure_book& history, time_ms now) {
  address_selection out;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto& [text, weight] = addresses[i];
    if (i >= advert_addresses_max) {
      out.excluded.push_back({text, error{errc::too_long, "too many addresses"}});
      continue;
    }
    auto address = judge(text, origin, wanted, policy);
    if (!address) {
      out.excluded.push_back({text, address.error()});
      continue;
    }
    auto canonical = to_string(*address);
    const auto same = std::find_if(out.candidates.begin(), out.candidates.end(),
                                   [&](const address_candidate& c) { return c.text == canonical; });
    if (same != out.candidates.end()) {
      same->weight = std::max(same->weight, weight);
      continue;
    }
    const auto penalty = history.penalty(peer, canonical, now);
    out.candidates.push_back({std::move(canonical), *std::move(address), weight, penalty, origin});
  }
  std::sort(out.candidates.begin(), out.candidates.end(), before);
  return out;
}

expected<unit> check_resolved(std::string_view ip, bool private_allowed) {
  HANSE_TRY(const auto range, classify_ip(ip));
  if (range == address_range::unusable) return error{errc::bad_value, "no host can have this address"};
  if (is_private(range) && !private_allowed)
    return error{errc::permission_denied, std::string{to_string(range)} + " address behind an advertised name"};
  return ok();
}

} // namespace hanse
