// Chooses among a node's advertised addresses: by transport preferences, policy, weight and past failures.
// Not dialling (pool.hpp) and not routing between nodes (protocols/). Every refusal has a reason, for `hanse why`.
// Spec "Transport": "an appropriate transport protocol is selected according to constraints and requirements".
#pragma once

#include "hanse/transport/address.hpp"

#include <set>

namespace hanse {

/// Who says that a node is at an address.
enum class address_origin : std::uint8_t {
  configured, ///< the owner of this node: any range
  advertised, ///< a remote node: private ranges only if the policy allows
};

/// What this node is willing to dial.
struct address_policy {
  std::set<std::string, std::less<>> schemes{"tls"}; ///< what this program speaks and is configured for
  bool private_ranges =
      false; ///< dial private, loopback, link-local and local-machine addresses that a remote advertised
  transport_registry transports = transport_registry::builtin();
};

inline constexpr std::uint32_t failure_penalty = 1;         ///< a dial that failed
inline constexpr std::uint32_t wrong_peer_penalty = 8;      ///< another identity answered. Guess: later than 7 failures
inline constexpr std::uint32_t penalty_max = 64;            ///< bounds how long an address stays behind
inline constexpr time_ms penalty_half_life_ms = 5 * 60'000; ///< guess: the time in which networks get repaired
inline constexpr std::size_t failure_book_size_max = 8192;  ///< entries; the one not touched longest goes first

/// Remembers how dialling went, per (peer, address).
class failure_book {
public:
  /// Notes a failed dial; `wrong_peer` weighs more.
  void failed(const identity& peer, const std::string& address, errc why, time_ms now);
  /// Forgets the failures of an address that worked.
  void succeeded(const identity& peer, const std::string& address);
  /// The penalty at `now`: halves every penalty_half_life_ms.
  std::uint32_t penalty(const identity& peer, const std::string& address, time_ms now) const;
  std::size_t size() const noexcept { return entries_.size(); }

private:
  using key = std::pair<identity, std::string>;
  struct entry {
    std::uint32_t penalty = 0;
    time_ms at = 0;
  };
  std::map<key, entry> entries_;
  std::set<std::pair<time_ms, key>> by_age_;
};

struct address_candidate {
  std::string text; ///< canonical
  transport_address address;
  std::uint16_t weight = 1;
  std::uint32_t penalty = 0;
  address_origin origin = address_origin::advertised;
};

struct excluded_address {
  std::string text; ///< as advertised
  error reason;     ///< `bad_value`, `constraint` (preferences), `permission_denied` (policy)
};

/// The outcome: candidates in the order in which to try them, and why the others are not among them.
struct address_selection {
  std::vector<address_candidate> candidates;
  std::vector<excluded_address> excluded;
};

/// Candidates by penalty (least first), then weight (largest first), then text. At most advert_addresses_max addresses
/// are looked at; the rest is excluded as `too_long`. An address twice counts once, with the larger weight.
address_selection select_addresses(const identity& peer, std::span<const weighted_address> addresses,
                                   address_origin origin, const transport_preferences& wanted,
                                   const address_policy& policy, const failure_book& history, time_ms now);

/// Whether what a DNS name resolved to may be dialled: names are judged only once they are numbers.
/// `private_allowed` as in pool_effects::dial_request. Errors: `bad_value` (unusable), `permission_denied` (private).
expected<unit> check_resolved(std::string_view ip, bool private_allowed);

} // namespace hanse
