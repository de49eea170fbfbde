// Which domains exchange blocks at this node, by which protocol, and with whom. See block_engine.hpp.
#include "hanse/actors/block_engine.hpp"

#include "hanse/actors/errors.hpp"
#include "hanse/actors/internal/change_signal.hpp"
#include "hanse/actors/internal/member_domains.hpp"

namespace hanse {

void block_engine::domains_changed() {
  if (std::exchange(look_scheduled_, true)) return;
  compat::delayed_send_to_self(self_, std::chrono::milliseconds{block_domains_ms}, changed_atom_v);
}

/// By changes, and again after a while, as trust changes without a word.
void block_engine::look_at_domains() {
  if (failed_) return;
  look_scheduled_ = false;
  looked_ms_ = now();
  const auto known = [this] {
    std::set<identity> all;
    for (const auto& [domain, e] : entries_) all.insert(domain);
    return all;
  };
  internal::look_at_member_domains(
      self_, domains_, known,
      [this](const domain_report& r, const std::vector<domain_member>& members) { take_domain(r, members); },
      [this](const std::set<identity>& left) {
        for (const auto& domain : left) leave(domain, {errc::not_found, "this node has left the domain"});
      });
}

void block_engine::take_domain(const domain_report& report, const std::vector<domain_member>& members) {
  if (failed_) return;
  const auto& wanted = report.stack.storage;
  const auto known = entries_.find(report.domain);
  if (known != entries_.end() && known->second.protocol != wanted)
    leave(report.domain, {errc::cancelled, "the domain stores by another protocol now"});
  const auto [at, fresh] = entries_.try_emplace(report.domain);
  auto& e = at->second;
  if (fresh) {
    e.protocol = wanted;
    if (const auto q = setup_->quotas.find(report.domain); q != setup_->quotas.end())
      store().set_quota(report.domain, q->second);
    auto made =
        setup_->storage.make(wanted.id, {store(), *core_->key, disk_->random, report.domain}, wanted.parameters);
    if (made) {
      e.machine = *std::move(made);
      if (const auto trees = trees_.find(report.domain); trees != trees_.end())
        for (const auto& [topic, neighbours] : trees->second) e.machine->set_tree(topic, neighbours);
    } else {
      e.why = made.error();
      core_->services->log(log_level::error, "blocks_unavailable",
                           {{"domain", to_short_string(report.domain)}, {"reason", to_string(e.why)}});
      setup_->changes->raise();
    }
  }
  std::set<identity> now_in;
  for (const auto& m : members)
    if (!m.is_byzantine && m.view.member != core_->services->self) now_in.insert(m.view.member);
  if (members.empty()) // just joined: what says who is in may be content itself, an archive; the owner names these
    for (const auto& i : report.introducers)
      if (i != core_->services->self) now_in.insert(i);
  // Members are heard once our trust in them is known.
  compat::request(self_, core_->identities, caf::infinite, list_atom_v)
      .then([this, domain = report.domain,
             now_in](const std::vector<peer_info>& peers) { take_members(domain, now_in, peers); },
            [](const caf::error&) {}); // the node stops
}

void block_engine::take_members(const identity& domain, const std::set<identity>& members,
                                const std::vector<peer_info>& peers) {
  const auto at = entries_.find(domain);
  if (at == entries_.end() || !at->second.machine) return;
  auto& e = at->second;
  block_effects out;
  for (const auto& member : e.members)
    if (!members.contains(member)) e.machine->drop_member(member, out);
  std::map<identity, std::uint8_t> trust;
  for (const auto& p : peers) trust.emplace(p.id, p.trust);
  for (const auto& member : members) {
    const auto known = trust.find(member);
    e.machine->set_member(member, known == trust.end() ? trust_default : known->second);
  }
  e.members = members;
  go_on(domain, std::move(out));
  setup_->changes->raise();
}

/// From the node's topics, of which it believes everything; the bound is against very many topics.
void block_engine::learn(const topic_tree& tree) {
  auto& trees = trees_[tree.domain];
  if (tree.neighbours.empty()) {
    trees.erase(tree.topic);
  } else if (trees.contains(tree.topic) || trees.size() < block_trees_max) {
    trees[tree.topic] = tree.neighbours;
  } else {
    return;
  }
  if (trees.empty()) trees_.erase(tree.domain);
  if (const auto e = entries_.find(tree.domain); e != entries_.end() && e->second.machine)
    e->second.machine->set_tree(tree.topic, tree.neighbours);
}

/// Leases go on: what other members put here is kept as long as was promised.
void block_engine::leave(const identity& domain, const error& why) {
  std::vector<std::uint64_t> tokens;
  for (auto& [token, g] : gets_)
    if (g.domain == domain) g.failed = why, g.get.reset(), tokens.push_back(token);
  for (auto& [token, s] : spreads_)
    if (s.domain == domain) s.failed = why, tokens.push_back(token);
  entries_.erase(domain);
  for (const auto token : tokens) {
    answer(token, false);
    answer_spread(token, false);
  }
}

} // namespace hanse
