// A node's domains: what comes in from other nodes, and what the parts ask for. See domain_node.hpp.
#include "hanse/domains/domain_node.hpp"
#include "hanse/domains/internal/domain_entry.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::size_t refused_max = 1024; ///< former members remembered as told; a guess

domain_message wrapped(const identity& domain, peer_message&& m) {
  return {m.to, domain_channel::domain, encode(lattice_body{domain, std::move(m.body)})};
}

} // namespace

// --- the network ---

expected<unit> domain_node::receive(const identity& from, domain_channel which, const join_channel& channel,
                                    byte_view body, time_ms now, domain_effects& out) {
  if (which == domain_channel::advert) {
    domain_store_effects effects;
    auto result = adverts_.receive(from, body, now, effects);
    take(std::move(effects), now, out);
    return result;
  }
  if (which == domain_channel::join) {
    HANSE_TRY(const auto decoded, decode_join_body(body));
    const bool is_ours = std::holds_alternative<join_request>(decoded) ||
                         std::holds_alternative<join_answer>(decoded) || std::holds_alternative<leave_request>(decoded);
    if (is_ours) {
      introducer_effects effects;
      auto result = introducer_.receive(from, channel, body, now, effects);
      take(std::move(effects), now, out);
      return result;
    }
    requester_effects effects;
    auto result = requester_.receive(from, channel, body, now, effects);
    take(std::move(effects), now, out);
    return result;
  }
  HANSE_TRY(const auto decoded, decode_domain_body(body));
  if (const auto* l = std::get_if<lattice_body>(&decoded)) return on_lattice(from, *l, now, out);
  if (const auto* g = std::get_if<advert_gossip>(&decoded)) return on_gossip(from, *g, now, out);
  on_refusal(from, std::get<membership_refusal>(decoded), out);
  return ok();
}

expected<unit> domain_node::on_lattice(const identity& from, const lattice_body& b, time_ms now, domain_effects& out) {
  auto* e = find_active(b.domain);
  if (!e) return error{errc::not_found, "this node is not in that domain"};
  const auto& members = *e->membership;
  if (members.was_member(from)) { // it may not know yet
    if (e->refused.size() >= refused_max) e->refused.clear();
    auto& told = e->refused[from];
    if (told == 0 || now >= told + refusal_every_ms) {
      told = now;
      out.push_back(domain_message{from, domain_channel::domain, encode(membership_refusal{b.domain})});
    }
    return error{errc::permission_denied, "no member of the domain any more"};
  }
  membership_effects effects;
  auto result = e->membership->receive(from, b.body, now, effects);
  take(*e, std::move(effects), now, out);
  return result;
}

/// Believed of an introducer, or when more than a third of the others say so.
void domain_node::on_refusal(const identity& from, const membership_refusal& r, domain_effects& out) {
  auto* e = find_active(r.domain);
  if (!e) return;
  const auto& members = *e->membership;
  if (e->role == domain_role::leaving) return depart(*e, {}, out);
  if (!e->membership->is_in_good_standing(from)) return;
  e->refused_by.insert(from);
  if (members.level_of(from) > level_introducer && e->refused_by.size() <= members.member_count() / 3) return;
  depart(*e, {errc::permission_denied, "expelled, says " + to_string(from)}, out);
}

expected<unit> domain_node::on_gossip(const identity& from, const advert_gossip& g, time_ms now, domain_effects& out) {
  if (!config_.gossip) return error{errc::permission_denied, "this node does not gossip of domains"};
  if (const auto wait = gossip_bodies_.take(from, now))
    return error{errc::rate_limited, "again in " + std::to_string(wait) + " ms"};
  domain_store_effects effects;
  for (const auto& wire : g.adverts) {
    auto advert = decode_domain_advert(wire);
    if (!advert) {
      take(std::move(effects), now, out);
      return advert.error();
    }
    (void)adverts_.put(*std::move(advert), domain_origin::learned, effects); // what is known already changes nothing
  }
  take(std::move(effects), now, out);
  return ok();
}

void domain_node::link_up(const identity& node, time_ms now, domain_effects& out) {
  links_.insert(node);
  if (seen_.size() < config_.seen_max || seen_.contains(node)) seen_[node] = now;
  for (auto& [domain, e] : entries_) {
    if (!e->is_active()) continue;
    membership_effects effects;
    e->membership->peer_up(node, now, effects);
    take(*e, std::move(effects), now, out);
  }
  domain_store_effects asks;
  for (const auto& [domain, s] : searches_) adverts_.ask(node, domain, asks);
  take(std::move(asks), now, out);
}

void domain_node::link_down(const identity& node, time_ms now) {
  links_.erase(node);
  node_adverts_.erase(node);
  if (seen_.contains(node)) seen_[node] = now;
}

void domain_node::node_advert(const identity& node, bytes advert) {
  if (links_.contains(node)) node_adverts_[node] = std::move(advert);
}

// --- what the parts ask for ---

void domain_node::take(entry& e, membership_effects effects, time_ms now, domain_effects& out) {
  bool is_other_view = false;
  bytes newer;
  for (auto& effect : effects)
    std::visit(overloaded{
                   [&](peer_message& m) { out.push_back(wrapped(e.domain, std::move(m))); },
                   [&](lace_persist& p) {
                     e.token = p.token;
                     out.push_back(domain_write{lace_table, std::move(p.writes), e.domain, p.token});
                   },
                   [&](archive_wanted& a) {
                     out.push_back(domain_archive{e.domain, std::move(a.content)});
                   },
                   [&](lace_byzantine& b) {
                     out.push_back(domain_event{"equivocator", e.domain, b.who, {}});
                   },
                   [&](lace_refused& r) {
                     out.push_back(domain_event{"block_refused", e.domain, r.from, std::move(r.why)});
                   },
                   [&](config_changed& c) {
                     newer = c.signed_advert;
                     out.push_back(domain_change{e.domain, std::move(c)});
                   },
                   [&](value_changed& c) {
                     const auto* member = std::get_if<identity>(&c.key);
                     if (member && *member != self_ && c.value && !c.value->empty())
                       out.push_back(domain_reach{*member, *c.value});
                     out.push_back(domain_change{e.domain, std::move(c)});
                   },
                   [&](auto& change) {
                     is_other_view = true;
                     out.push_back(domain_change{e.domain, std::move(change)});
                   },
               },
               effect);
  if (!newer.empty()) {
    auto advert = decode_domain_advert(newer);
    domain_store_effects stored;
    if (advert) (void)adverts_.put(*std::move(advert), domain_origin::kept, stored);
    take(std::move(stored), now, out);
  }
  if (is_other_view) {
    serve(e);
    view(e, out);
    if (e.role == domain_role::member && e.membership->was_member(self_) && !e.membership->is_member(self_))
      depart(e, {errc::permission_denied, "expelled"}, out);
  }
}

void domain_node::take(domain_store_effects effects, time_ms now, domain_effects& out) {
  for (auto& effect : effects)
    std::visit(overloaded{
                   [&](peer_message& m) {
                     out.push_back(domain_message{m.to, domain_channel::advert, std::move(m.body)});
                   },
                   [&](domain_persist& p) {
                     out.push_back(domain_write{domain_table, {std::move(p.write)}, {}, 0});
                   },
                   [&](domain_changed& c) {
                     out.push_back(domain_found{c.domain, c.version});
                     new_advert(c.domain, now, out);
                     tell_news(c.domain, out);
                   },
               },
               effect);
}

void domain_node::new_advert(const identity& domain, time_ms now, domain_effects& out) {
  searches_.erase(domain);
  auto* e = find_entry(domain);
  if (!e || !e->is_active()) {
    // Outside: anycast to the domain goes to whom it advertises.
    if (!e)
      for (auto& i : introducers_of(adverts_.find(domain)->value))
        if (i.node != self_) out.push_back(domain_reach{i.node, std::move(i.advert)});
    if (e) return view(*e, out);
    entry outside;
    outside.domain = domain;
    return view(outside, out);
  }
  for (const auto& i : introducers_of(adverts_.find(domain)->value))
    if (i.node != self_) e->membership->add_contact(i.node);
  reach_introducers(*e, out);
  serve(*e);
  configure(*e, now, out);
  view(*e, out);
}

void domain_node::take(introducer_effects effects, time_ms now, domain_effects& out) {
  introducer_effects answers;
  for (auto& effect : effects)
    std::visit(overloaded{
                   [&](peer_message& m) {
                     out.push_back(domain_message{m.to, domain_channel::join, std::move(m.body)});
                   },
                   [&](join_approve& a) { approve(a, now, answers, out); },
                   [&](join_withdraw& w) { withdraw(w, now, answers, out); },
                   [&](join_refusal& r) {
                     out.push_back(domain_event{"join_refused", r.domain, r.node, std::move(r.why)});
                   },
                   [&](join_behind& b) {
                     domain_store_effects asks;
                     adverts_.ask(b.node, b.domain, asks);
                     take(std::move(asks), now, out);
                   },
               },
               effect);
  if (!answers.empty()) take(std::move(answers), now, out); // messages and refusals only
}

void domain_node::approve(const join_approve& a, time_ms now, introducer_effects& answers, domain_effects& out) {
  auto* e = find_active(a.domain);
  if (!e) return introducer_.refuse(a.domain, a.node, {errc::not_found, "this node has left the domain"}, answers);
  if (e->membership->is_expelled(a.node))
    return introducer_.refuse(a.domain, a.node,
                              {errc::permission_denied, "expelled: a member that may admit can add it again"}, answers);
  if (!e->membership->is_member(a.node)) {
    const auto known = node_adverts_.find(a.node);
    membership_effects effects;
    const auto written =
        e->membership->admit(a.node, a.level, known == node_adverts_.end() ? bytes{} : known->second, now, effects);
    take(*e, std::move(effects), now, out);
    if (!written) return introducer_.refuse(a.domain, a.node, written.error(), answers);
  }
  e->waiting.push_back({e->token, a.node, false});
  answer(*e, now, out);
}

void domain_node::withdraw(const join_withdraw& w, time_ms now, introducer_effects& answers, domain_effects& out) {
  auto* e = find_active(w.domain);
  if (!e) return introducer_.refuse(w.domain, w.node, {errc::not_found, "this node has left the domain"}, answers);
  if (e->membership->is_member(w.node)) {
    membership_effects effects;
    const auto written = e->membership->withdraw(w.node, now, effects);
    take(*e, std::move(effects), now, out);
    if (!written) return introducer_.refuse(w.domain, w.node, written.error(), answers);
  }
  e->waiting.push_back({e->token, w.node, true});
  answer(*e, now, out);
}

/// Answers whose membership is durable.
void domain_node::answer(entry& e, time_ms now, domain_effects& out) {
  std::vector<entry::waiting_answer> ready;
  std::erase_if(e.waiting, [&](const auto& w) {
    if (w.token > e.durable) return false;
    ready.push_back(w);
    return true;
  });
  introducer_effects answers;
  const auto adverts = ready.empty() ? std::vector<bytes>{} : adverts_of(e);
  for (const auto& w : ready) {
    const auto level = e.membership->level_of(w.node);
    if (w.leaves) {
      introducer_.withdrawn(e.domain, w.node, answers);
    } else if (level == level_none) {
      introducer_.refuse(e.domain, w.node, {errc::permission_denied, "removed meanwhile"}, answers);
    } else {
      introducer_.approved(e.domain, w.node, level, adverts, now, answers);
      if (links_.contains(w.node)) {
        membership_effects effects;
        e.membership->peer_up(w.node, now, effects);
        take(e, std::move(effects), now, out);
      }
    }
  }
  if (!answers.empty()) take(std::move(answers), now, out);
}

void domain_node::persisted(const identity& domain, std::uint64_t token, time_ms now, domain_effects& out) {
  auto* e = find_entry(domain);
  if (!e || !e->membership) return;
  e->durable = std::max(e->durable, token);
  membership_effects effects;
  e->membership->persisted(token, now, effects);
  take(*e, std::move(effects), now, out);
  answer(*e, now, out);
}

void domain_node::take(requester_effects effects, time_ms now, domain_effects& out) {
  const auto end = [&](const identity& domain, error why) {
    if (auto* e = find_entry(domain)) {
      if (e->role == domain_role::leaving && why.code != errc::none) return; // its own time ends it
      set_role(*e, domain_role::outside, std::move(why), out);
    }
  };
  for (auto& effect : effects)
    std::visit(overloaded{
                   [&](peer_message& m) {
                     out.push_back(domain_message{m.to, domain_channel::join, std::move(m.body)});
                   },
                   [&](join_reach& r) {
                     out.push_back(domain_reach{r.node, std::move(r.advert)});
                   },
                   [&](join_done& d) { on_joined(d, now, out); },
                   [&](join_left& l) { end(l.domain, {}); },
                   [&](join_passed_over& p) {
                     out.push_back(domain_event{"introducer_passed_over", p.domain, p.attempt.introducer,
                                                std::move(p.attempt.why)});
                   },
                   [&](join_failed& f) {
                     auto* e = find_entry(f.domain);
                     const auto is_final = [](const join_try& t) {
                       return t.why.code == errc::bad_proof || t.why.code == errc::permission_denied;
                     };
                     if (!e || e->role != domain_role::joining || f.why.code != errc::not_found ||
                         std::ranges::any_of(f.tries, is_final))
                       return end(f.domain, std::move(f.why));
                     // Nodes that are started together: the introducers may begin in a moment.
                     e->why = std::move(f.why);
                     e->asks_again_ms = std::clamp(e->asks_again_ms * 2, ask_again_min_ms, ask_again_max_ms);
                     e->asks_again_at = now + e->asks_again_ms / 2 + random_.below(e->asks_again_ms);
                   },
                   [&](join_advert& a) {
                     domain_store_effects stored;
                     (void)adverts_.put(std::move(a.advert), domain_origin::kept, stored);
                     take(std::move(stored), now, out);
                   },
               },
               effect);
}

void domain_node::on_joined(join_done& done, time_ms now, domain_effects& out) {
  auto* e = find_entry(done.domain);
  if (!e) return;
  domain_store_effects stored;
  (void)adverts_.put(std::move(done.advert), domain_origin::kept, stored);
  take(std::move(stored), now, out);
  if (auto opened = open_membership(*e, true); !opened) return set_role(*e, domain_role::outside, opened.error(), out);
  e->membership->add_contact(done.introducer);
  for (auto& a : done.adverts)
    if (auto node = decode_node_advert(a); node && node->value.node != self_)
      out.push_back(domain_reach{node->value.node, std::move(a)});
  set_role(*e, domain_role::member, {}, out);
  activate(*e, now, out);
  membership_effects effects;
  e->membership->peer_up(done.introducer, now, effects);
  take(*e, std::move(effects), now, out);
}

// --- time ---

void domain_node::tick(time_ms now, domain_effects& out) {
  introducer_effects from_introducer;
  introducer_.tick(now, from_introducer);
  take(std::move(from_introducer), now, out);
  requester_effects from_requester;
  requester_.tick(now, from_requester);
  take(std::move(from_requester), now, out);
  for (auto& [domain, e] : entries_) {
    if (e->role == domain_role::joining && e->asks_again_at != 0 && now >= e->asks_again_at) {
      e->asks_again_at = 0;
      if (auto asked = ask_in(*e, false, now, out); !asked) set_role(*e, domain_role::outside, asked.error(), out);
    }
    if (!e->is_active()) continue;
    membership_effects effects;
    e->membership->tick(now, effects);
    take(*e, std::move(effects), now, out);
    if (e->role == domain_role::leaving && now >= e->leaves_at) depart(*e, {}, out);
    configure(*e, now, out);
  }
  search_on(now, out);
  if (config_.gossip && now >= gossip_at_) {
    gossip_at_ = now + config_.gossip_ms / 2 + random_.below(config_.gossip_ms + 1);
    gossip(out);
  }
}

std::optional<time_ms> domain_node::next_timer() const {
  std::optional<time_ms> next;
  const auto sooner = [&](std::optional<time_ms> t) {
    if (t && (!next || *t < *next)) next = t;
  };
  sooner(introducer_.next_timer());
  sooner(requester_.next_timer());
  for (const auto& [domain, e] : entries_) {
    if (e->role == domain_role::joining && e->asks_again_at != 0) sooner(e->asks_again_at);
    if (!e->is_active()) continue;
    sooner(e->membership->next_timer());
    if (e->role == domain_role::leaving) sooner(e->leaves_at);
  }
  for (const auto& [domain, s] : searches_) sooner(std::min(s.until, s.again_at));
  if (config_.gossip) sooner(gossip_at_);
  return next;
}

} // namespace hanse
