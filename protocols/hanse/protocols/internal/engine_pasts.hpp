// The causal contexts of the engines here, and the probes that prune them. Not installed.
// Probes: an engine that receives from many gathers positions which only their destinations know to be settled. When
// more pile up than half of what a message may carry, the destinations are asked; their answers prune.
#pragma once

#include "hanse/protocols/internal/causal_context.hpp"
#include "hanse/protocols/internal/stream_key.hpp"
#include "hanse/protocols/reliable_unicast.hpp"

#include <unordered_map>

namespace hanse::internal {

inline constexpr std::size_t probe_above = causal_deps_max / 2;
inline constexpr std::uint32_t probe_delay_min_ms = 100; ///< a guess: most positions are settled by acks before
inline constexpr std::uint32_t probe_delay_max_ms = 5000;
inline constexpr std::size_t probe_destinations_max = 16; ///< asked at a time

struct local_engine : timed {
  identity id;
  causal_context past;
  std::set<identity> streams; ///< destinations of its open streams
  /// Those whose next message has more deps than it may carry, in the order in which these messages came. A later one
  /// depends on whatever an earlier one does and on that one itself, so that it cannot be free before.
  std::set<std::pair<std::uint64_t, identity>> blocked;
  std::uint64_t sends = 0; ///< numbers the messages of the engine
  bool crowded = false;    ///< a message for it waits for room in its context
  std::uint32_t probe_delay_ms = probe_delay_min_ms;
  identity probed; ///< the last destination asked: the next round goes on after it
};

class engine_pasts {
public:
  explicit engine_pasts(const reliable_config& config) : config_(config) {}

  local_engine& get(const identity& engine);
  local_engine* find(const identity& engine);

  /// Whether `deps` fit into the engine's context, those it has already counted twice at worst. If not, room is made by
  /// asking about what is in it; try again later.
  bool make_room(const identity& engine, const std::vector<causal_dep>& deps, time_ms now);

  /// Merges the deps of a message delivered to `engine`, except those addressed to it.
  void absorb(const identity& engine, const std::vector<causal_dep>& deps, time_ms now);

  /// `destination` says that these are settled there. Returns whether the engine's context shrank.
  bool settled(const identity& engine, const identity& destination, const std::vector<unicast_mark>& marks);

  /// Asks soon, if that is needed.
  void consider_probing(local_engine& e, time_ms now);

  /// Runs the next engine's due timer: expires its context and sends probes. Null when none is due.
  local_engine* tick(time_ms now, unicast_effects& out);
  std::optional<time_ms> next_timer() const { return timers_.next(); }

  /// Forgets the engine if nothing is left to know of it.
  void forget_if_unused(const identity& engine);

  void erase(const identity& engine);

  std::uint64_t probes_sent() const noexcept { return probes_sent_; }

private:
  bool wants_probe(const local_engine& e) const noexcept;
  void probe(local_engine& e, unicast_effects& out);

  const reliable_config& config_;
  std::unordered_map<identity, local_engine> engines_; // never iterated
  timer_queue<local_engine> timers_;
  std::uint64_t serials_ = 0;
  std::uint64_t probes_sent_ = 0;
};

} // namespace hanse::internal
