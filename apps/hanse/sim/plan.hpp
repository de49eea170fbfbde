// The schedule of a run: every send and every fault with its time, drawn from a scenario and a seed before it starts.
// Not the run (simulation.hpp). Being plain data it can be shortened (shrink.hpp), written down and replayed.
#pragma once

#include "hanse/sim/scenario.hpp"

namespace hanse::sim {

enum class action_kind : std::uint8_t {
  send,       ///< engine a to engine b; x octets, y ttl; `flag`: reliable; z: permille of replies
  loss,       ///< from a to b (any: any_node), x permille, until y
  duplicate,  ///< likewise
  replay,     ///< likewise
  reorder,    ///< likewise; held back for up to z ms
  clog,       ///< from a to b until y
  block,      ///< from a to b until y; both ways unless `flag`
  pause,      ///< a until y
  clock_jump, ///< a restarts with a clock off by x - clock_jump_max_ms
  crash,      ///< a stops after x more commits (and after 5 s at last), and starts y ms later
  disk_error, ///< the next commit of a fails; it starts again y ms later
  byzantine,  ///< a behaves as byzantine_behaviour x
  enter,      ///< a is to be in the domain from now on
  leave,      ///< a is to leave it, and enters again y ms later; 0: never
  put,        ///< a writes register x
  promote,    ///< a gives b level x
  expel,      ///< a expels b
  publish,    ///< a publishes y octets in topic x; `flag`: in causal order, else at best effort
};
inline constexpr std::size_t action_kind_count = 18;

/// Whether `b` names a node.
bool has_target(action_kind k) noexcept;

inline constexpr std::uint32_t any_node = UINT32_MAX;
inline constexpr time_ms clock_jump_max_ms = 3600 * 1000;

struct action {
  time_ms at = 0; ///< virtual, since the start
  action_kind what = action_kind::send;
  std::uint32_t a = 0, b = 0; ///< nodes, by index
  std::uint64_t x = 0, y = 0, z = 0;
  bool flag = false;
  friend bool operator==(const action&, const action&) = default;
};

std::string_view to_string(action_kind k) noexcept;

/// One line for people: "1234 crash core3 after 2 commits, down 800 ms".
std::string describe(const action& a, const scenario& s);

/// The name of node `index`.
std::string node_name(const scenario& s, std::uint32_t index);

/// Whether node `index` is of `group`; every node is of "*".
bool in_group(const scenario& s, std::uint32_t index, std::string_view group);

/// The nodes that enter the domain of the scenario, ascending; the first `introducers` of them let others in.
std::vector<std::uint32_t> domain_nodes(const scenario& s);

/// The nodes that node `index` knows at the start, ascending: all others, or `s.contacts` of them: the next ones, so
/// that all are connected, and seeded ones.
std::vector<std::uint32_t> contacts_of(const scenario& s, std::uint64_t seed, std::uint32_t index);

/// Everything that happens, ascending by time. The same scenario and seed give the same schedule on every platform.
/// Precondition: problems_of(s).empty().
std::vector<action> plan(const scenario& s, std::uint64_t seed);

} // namespace hanse::sim
