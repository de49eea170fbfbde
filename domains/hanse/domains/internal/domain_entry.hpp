// One domain at one node, as domain_node keeps it. Not installed.
#pragma once

#include "hanse/domains/domain_node.hpp"
#include "hanse/domains/internal/overloaded.hpp"

namespace hanse {

/// Lattice bodies of former members are answered by a refusal at most so often.
inline constexpr std::uint32_t refusal_every_ms = 1000;

/// Introducers that have not begun yet are asked again after this, doubled up to the second; guesses.
inline constexpr std::uint32_t ask_again_min_ms = 1000;
inline constexpr std::uint32_t ask_again_max_ms = 300'000;

struct domain_node::entry {
  /// An answer of the introducer's side that waits for a commit.
  struct waiting_answer {
    std::uint64_t token = 0;
    identity node;
    bool leaves = false;
  };

  identity domain;
  domain_role role = domain_role::outside;
  error why;
  std::string instance;
  std::string key_file;
  psk_list keys;
  std::unique_ptr<membership_protocol> membership;
  bool started = false;
  bool publishes = false; ///< the operator gave a newer advert: write it when possible
  std::uint64_t token = 0, durable = 0;
  std::vector<waiting_answer> waiting;
  std::set<identity> refused_by;
  std::map<identity, time_ms> refused; ///< when a former member was told last; bounded
  time_ms leaves_at = 0;
  time_ms asks_again_at = 0; ///< joining, and all introducers said that they have not begun; 0: not so
  std::uint32_t asks_again_ms = 0;

  bool is_active() const noexcept { return started && (role == domain_role::member || role == domain_role::leaving); }
};

} // namespace hanse
