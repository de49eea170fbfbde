// See domain_invariants.hpp.
#include "hanse/sim/domain_invariants.hpp"

namespace hanse::sim {

namespace {

std::string node_text(std::uint32_t node) {
  return "node " + std::to_string(node);
}

} // namespace

void domain_checker::entering(std::uint32_t node) {
  nodes_[node].asked = nodes_[node].wanted = true;
}

void domain_checker::leaving(std::uint32_t node) {
  nodes_[node].wanted = false;
  nodes_[node].left = true;
}

std::uint64_t domain_checker::put(std::uint32_t node, std::uint64_t key, std::uint64_t seen) {
  writes_.push_back({node, key, seen, false});
  return writes_.size() - 1;
}

void domain_checker::accused(std::uint32_t by, std::uint32_t who) {
  if (who >= nodes_.size() || nodes_[who].exempt || nodes_[by].exempt) return;
  judge_.violate(invariant::no_false_proof,
                 node_text(by) + " holds " + node_text(who) + ", which is honest, to have contradicted itself");
}

std::string domain_checker::compare(const domain_sight& first, const domain_sight& other) const {
  const auto both = node_text(first.node) + " and " + node_text(other.node);
  if (first.members != other.members) return both + " see other members, or other levels";
  if (first.put != other.put) return both + " see other values";
  if (first.state != other.state) return both + " differ in their state";
  return {};
}

std::string domain_checker::apart(const std::vector<domain_sight>& sights) const {
  const domain_sight* first = nullptr;
  for (const auto& s : sights) {
    const auto& n = nodes_[s.node];
    if (n.wanted && !s.is_in && !n.doubtful) return node_text(s.node) + " wants to be in the domain and is not";
    if (!n.wanted && s.is_in) return node_text(s.node) + " does not want to be in the domain and is";
    // A node that was expelled may not know it yet; what it sees is its own affair.
    if (!s.is_in || n.doubtful) continue;
    if (!first) first = &s;
    if (auto difference = compare(*first, s); !difference.empty()) return difference;
  }
  if (!first) return {};
  for (const auto& [member, level] : first->members)
    if (member >= nodes_.size() || (!nodes_[member].asked && !nodes_[member].named && !nodes_[member].exempt))
      return node_text(first->node) + " sees a member that never asked to be one";
  for (const auto& s : sights) {
    const auto& n = nodes_[s.node];
    if (n.exempt || n.doubtful || n.named) continue;
    if (n.wanted != first->members.contains(s.node))
      return node_text(first->node) + (n.wanted ? " misses the member " : " still sees as a member ") +
             std::to_string(s.node);
  }
  return {};
}

void domain_checker::finish(const std::vector<domain_sight>& sights) {
  if (const auto what = apart(sights); !what.empty()) judge_.violate(invariant::members_agree, what);
  for (const auto& s : sights)
    if (s.is_in && !nodes_[s.node].doubtful) check_values(s);
}

/// What a register shows is no write that a durable one of a member replaced, directly or over others.
void domain_checker::check_values(const domain_sight& sight) {
  for (const auto& [key, number] : sight.put)
    if (number == 0 || number >= writes_.size() || writes_[number].key != key) {
      judge_.violate(invariant::values_kept, node_text(sight.node) + " sees a value that nobody wrote there");
      return;
    }
  for (std::uint64_t i = 1; i < writes_.size(); ++i) {
    const auto& w = writes_[i];
    const auto& author = nodes_[w.node];
    if (!w.durable || author.exempt || author.doubtful || author.left) continue;
    const auto at = sight.put.find(w.key);
    const auto shown = at == sight.put.end() ? 0 : at->second;
    bool replaced = shown == 0;
    for (auto older = w.seen; older != 0 && !replaced; older = writes_[older].seen) replaced = older == shown;
    if (!replaced) continue;
    judge_.violate(invariant::values_kept, node_text(sight.node) + " shows write " + std::to_string(shown) +
                                               " in register " + std::to_string(w.key) + ", which write " +
                                               std::to_string(i) + " of " + node_text(w.node) + " replaced durably");
    return;
  }
}

} // namespace hanse::sim
