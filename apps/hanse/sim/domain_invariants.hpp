// Judges a run's domain: who is in it, and what its registers say. By node index, write number and what each writer
// saw; knows nothing of blocks, acknowledgements, heights or hashes. Not unicast (invariants.hpp), not topics
// (event_invariants.hpp).
//
//   members_agree  when all is over, members see the same members, levels and values; those that should be in are, and
//                  nobody else is
//   values_kept    what is in a register was written there; a write that was durable is lost to none that it replaced
//   no_false_proof nobody honest is held to have contradicted itself
#pragma once

#include "hanse/sim/invariants.hpp"

#include <map>

namespace hanse::sim {

/// The registers that workloads write: "k0" and so on.
inline constexpr std::uint64_t registers_max = 8;

/// How one node sees the domain.
struct domain_sight {
  std::uint32_t node = 0;
  bool is_in = false;                         ///< it takes itself for a member; the rest counts if it does
  std::map<std::uint32_t, unsigned> members;  ///< level, by node; any_node would be a stranger
  std::map<std::uint64_t, std::uint64_t> put; ///< number of the write that each register shows
  digest state;                               ///< its own word for all of it
};

class domain_checker {
public:
  domain_checker(checker& judge, std::uint32_t nodes) : judge_(judge), nodes_(nodes) {}

  /// Nothing that `node` does is judged.
  void exempt(std::uint32_t node) { nodes_[node].exempt = true; }

  void named(std::uint32_t node) { nodes_[node].named = true; } ///< the domain's owner did: a member in any case
  void entering(std::uint32_t node);                            ///< it may become a member, and should
  void leaving(std::uint32_t node); ///< it should not be one any more; what it wrote lately may be lost

  /// Somebody has written that it is expelled, which may take effect or not: what it writes may be void.
  void expelling(std::uint32_t node) { nodes_[node].doubtful = true; }
  bool is_expelled(std::uint32_t node) const { return nodes_[node].doubtful; }
  bool should_be_in(std::uint32_t node) const { return nodes_[node].wanted; }

  /// A write to register `key` by a node that saw write number `seen` in it, 0 for none; the new write's number.
  std::uint64_t put(std::uint32_t node, std::uint64_t key, std::uint64_t seen);
  std::uint64_t next() const { return writes_.size(); } ///< the number of the next write
  void durable(std::uint64_t write) { writes_[write].durable = true; }

  /// `by` holds `who` to have signed contradictions.
  void accused(std::uint32_t by, std::uint32_t who);

  /// What is not as it should be in the sights of all honest nodes that are up; empty if nothing.
  std::string apart(const std::vector<domain_sight>& sights) const;

  /// The same as a verdict, and `values_kept`. At the end of a run.
  void finish(const std::vector<domain_sight>& sights);

private:
  struct node_state {
    bool exempt = false, named = false, asked = false, wanted = false, doubtful = false, left = false;
  };
  struct write {
    std::uint32_t node = 0;
    std::uint64_t key = 0, seen = 0;
    bool durable = false;
  };

  std::string compare(const domain_sight& first, const domain_sight& other) const;
  void check_values(const domain_sight& sight);

  checker& judge_;
  std::vector<node_state> nodes_;
  std::vector<write> writes_{1}; ///< by number
};

} // namespace hanse::sim
