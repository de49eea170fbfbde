// What the nodes of a topic say to each other beside the events: digests, wants and their answers, joining, forks.
// Not the machine (causal_multicast.hpp). Canonical msgpack arrays that begin with kind and version; docs/topics.md.
#pragma once

#include "hanse/protocols/topic_event.hpp"

#include <variant>

namespace hanse {

inline constexpr std::size_t digest_marks_max = 64;          ///< in one digest
inline constexpr std::size_t want_ranges_max = 16;           ///< in one want
inline constexpr std::size_t want_events_max = 256;          ///< over all ranges of one want
inline constexpr std::size_t join_marks_max = 1024;          ///< chains in one answer to a join
inline constexpr std::size_t join_history_max = 1024;        ///< events in one answer to a join
inline constexpr std::size_t answer_octets_max = 700 * 1024; ///< of the parcels of one answer

/// Events `first`..`last` of a chain.
struct chain_range {
  chain_key chain;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  friend auto operator<=>(const chain_range&, const chain_range&) = default;
};

/// Up to where I have delivered these chains.
struct multicast_digest {
  std::vector<chain_mark> marks; ///< strictly ascending, at most digest_marks_max
};

/// Send me these events.
struct multicast_want {
  std::vector<chain_range> ranges; ///< strictly ascending, 1..want_ranges_max
};

/// The answer: parcels, and what of the want I do not have.
struct multicast_events {
  std::vector<shared_bytes> parcels;
  std::vector<chain_range> missing; ///< strictly ascending, at most want_events_max
};

/// I am new here: tell me where the chains are, and at most so many of the latest events.
struct multicast_join {
  std::uint32_t history = 0; ///< at most join_history_max
};

/// The answer. `settled` is false when the answerer is itself still joining.
struct multicast_welcome {
  bool settled = false;
  std::vector<chain_mark> marks; ///< strictly ascending, at most join_marks_max
  std::vector<shared_bytes> parcels;
};

/// A publisher forked: the octets of a fork_proof.
struct multicast_fork_notice {
  bytes proof;
};

using multicast_control = std::variant<multicast_digest, multicast_want, multicast_events, multicast_join,
                                       multicast_welcome, multicast_fork_notice>;

bytes encode(const multicast_control& body);

/// Errors: those of msgpack_reader, `bad_type`, `bad_version`, `bad_value`, `not_canonical`. Parcels are copied out of
/// `wire` and not looked at.
expected<multicast_control> decode_multicast_control(byte_view wire);

} // namespace hanse
