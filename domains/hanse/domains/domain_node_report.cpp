// A node's domains: what it tells of them, and how domains are found from their identity. See domain_node.hpp.
#include "hanse/domains/domain_node.hpp"
#include "hanse/domains/internal/domain_entry.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::size_t asked_at_once = 8; ///< nodes, when a domain is looked for; a guess

} // namespace

std::string_view to_string(domain_role r) noexcept {
  constexpr std::array<std::string_view, 5> names{"outside", "joining", "member", "leaving", "expelled"};
  const auto at = static_cast<std::size_t>(r);
  return at < names.size() ? names[at] : "unknown";
}

/// For the router: members if this node is one, else whom the domain advertises.
void domain_node::view(const entry& e, domain_effects& out) const {
  domain_members m;
  m.domain = e.domain;
  if (const auto* a = adverts_.find(e.domain))
    for (const auto& i : introducers_of(a->value)) m.introducers.push_back(i.node);
  if (e.role == domain_role::member && e.membership && e.membership->is_member(self_)) {
    m.members = e.membership->member_ids();
  } else if (e.role == domain_role::member && e.membership && e.membership->member_count() == 0) {
    // Just joined: what says who is in may itself be content of the domain (an archive). The owner names these.
    m.members = m.introducers;
    m.members.push_back(self_);
    std::ranges::sort(m.members);
    m.members.erase(std::unique(m.members.begin(), m.members.end()), m.members.end());
  }
  out.push_back(domain_view{std::move(m)});
}

std::vector<bytes> domain_node::adverts_of(const entry& e) const {
  std::vector<bytes> out;
  for (auto& m : e.membership->members()) {
    if (out.size() >= join_adverts_max) break;
    auto& advert = m.view.value;
    if (m.view.member != self_ && !advert.empty() && advert.size() <= advert_size_max) out.push_back(std::move(advert));
  }
  return out;
}

// --- finding ---

expected<unit> domain_node::find(const identity& domain, time_ms now, domain_effects& out) {
  if (const auto* known = adverts_.find(domain)) out.push_back(domain_found{domain, known->value.version});
  if (searches_.size() >= config_.finds_max && !searches_.contains(domain)) return errc::table_full;
  searches_[domain] = {now + config_.find_ms, now};
  search_on(now, out);
  return ok();
}

/// Random nodes with a link, each once.
std::vector<identity> domain_node::some_links(std::size_t count) {
  std::vector<identity> all(links_.begin(), links_.end());
  count = std::min(count, all.size());
  for (std::size_t i = 0; i < count; ++i) std::swap(all[i], all[i + random_.below(all.size() - i)]);
  all.resize(count);
  return all;
}

void domain_node::search_on(time_ms now, domain_effects& out) {
  std::erase_if(searches_, [&](const auto& s) { return now >= s.second.until; });
  domain_store_effects asks;
  for (auto& [domain, s] : searches_) {
    if (now < s.again_at) continue;
    s.again_at = now + config_.find_again_ms;
    auto asked = some_links(asked_at_once);
    if (const auto* known = adverts_.find(domain))
      for (const auto& i : introducers_of(known->value))
        if (i.node != self_) asked.push_back(i.node);
    for (const auto& node : asked) adverts_.ask(node, domain, asks);
  }
  take(std::move(asks), now, out);
}

/// What is new spreads at once, from each node that did not know it to a few others: at most one round a version.
void domain_node::tell_news(const identity& domain, domain_effects& out) {
  if (!config_.gossip || !started_ || news_told_ >= config_.news_max) return;
  ++news_told_;
  const advert_gossip g{{adverts_.find(domain)->wire}};
  for (const auto& to : some_links(config_.news_links))
    out.push_back(domain_message{to, domain_channel::domain, encode(domain_body{g})});
}

/// To one random node, what this node knows of some domains; chosen at random, so that all spread alike.
void domain_node::gossip(domain_effects& out) {
  news_told_ = 0;
  const auto to = some_links(1);
  auto domains = adverts_.domains();
  if (to.empty() || domains.empty()) return;
  advert_gossip g;
  for (std::size_t i = 0; i < std::min(gossip_adverts_max, domains.size()); ++i) {
    std::swap(domains[i], domains[i + random_.below(domains.size() - i)]);
    g.adverts.push_back(adverts_.find(domains[i])->wire);
  }
  out.push_back(domain_message{to.front(), domain_channel::domain, encode(domain_body{std::move(g)})});
}

// --- reports ---

const membership_protocol* domain_node::membership(const identity& domain) const noexcept {
  const auto* e = find_entry(domain);
  return e ? e->membership.get() : nullptr;
}

std::string domain_node::key_file(const identity& domain) const {
  const auto* e = find_entry(domain);
  return e ? e->key_file : std::string{};
}

expected<eris_key> domain_node::convergence(const identity& domain) const {
  const auto* e = find_entry(domain);
  if (!e || !e->is_active()) return error{errc::not_found, "this node is not in that domain"};
  return convergence_secret(domain, e->keys);
}

expected<domain_report> domain_node::report(const identity& domain) const {
  domain_report r;
  r.domain = domain;
  const auto* a = adverts_.find(domain);
  const auto* e = find_entry(domain);
  if (!a && !e) return error{errc::not_found, "that domain is not known here; `hanse domain find` asks other nodes"};
  if (a) {
    r.name = a->value.name;
    r.version = a->value.version;
    r.auth = a->value.auth;
    r.allowed = a->value.permissions;
    r.stack = stack_of(a->value, e ? e->instance : std::string{});
    for (const auto& i : introducers_of(a->value)) r.introducers.push_back(i.node);
    r.introduces = std::ranges::find(r.introducers, self_) != r.introducers.end();
  }
  if (!e) return r;
  r.role = e->role;
  r.why = e->why;
  r.instance = e->instance;
  for (auto& j : requester_.reports())
    if (j.domain == domain) r.join = std::move(j);
  if (!e->membership || !e->started) return r;
  auto status = e->membership->status();
  r.level = e->membership->level_of(self_);
  r.may_write = e->membership->may_write();
  r.members = e->membership->member_count();
  r.byzantine = std::move(status.byzantine);
  r.blocks = status.blocks;
  r.pending = status.pending;
  r.state = status.state;
  r.checkpoint = status.checkpoint;
  return r;
}

std::vector<domain_report> domain_node::reports() const {
  auto all = adverts_.domains();
  for (const auto& [domain, e] : entries_) all.push_back(domain);
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  std::vector<domain_report> out;
  for (const auto& d : all)
    if (auto r = report(d)) out.push_back(*std::move(r));
  return out;
}

std::vector<domain_member> domain_node::members(const identity& domain) const {
  std::vector<domain_member> out;
  const auto* e = find_entry(domain);
  if (!e || !e->membership) return out;
  for (auto& m : e->membership->members()) {
    domain_member d{std::move(m.view), m.is_byzantine, false, {}};
    d.online = d.view.member == self_ || links_.contains(d.view.member);
    if (const auto seen = seen_.find(d.view.member); seen != seen_.end()) d.last_seen_ms = seen->second;
    out.push_back(std::move(d));
  }
  return out;
}

} // namespace hanse
