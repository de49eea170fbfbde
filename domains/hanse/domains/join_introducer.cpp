// The introducer's side of joins and leaves.
// A request is counted before anything is made for it; a repeated one is answered as before and not counted.
#include "hanse/domains/join_introducer.hpp"

#include "hanse/domains/internal/fields.hpp"

#include <algorithm>

namespace hanse {

namespace {

/// What fits a refusal: at most join_detail_size_max octets of printable ASCII, whatever the error says.
std::string detail_of(const error& why) {
  auto text = why.detail.substr(0, join_detail_size_max);
  std::ranges::replace_if(
      text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

} // namespace

join_introducer::join_introducer(const identity& self, random_source& random, const join_introducer_config& config)
    : self_(self), random_(random), config_(config), tries_(config.tries) {}

expected<unit> join_introducer::serve(introduced_domain domain) {
  const auto& config = domain.advert.value;
  if (config.auth == auth_mechanism::psk && domain.keys.empty())
    return error{errc::bad_config, "the domain asks for a pre-shared key, and this node has none"};
  const auto i = domains_.find(config.domain);
  if (i == domains_.end() && domains_.size() >= config_.domains_max) return errc::table_full;
  if (i != domains_.end() && config.version < i->second.advert.value.version) return errc::stale;
  const auto id = config.domain; // `config` is moved from below
  domains_.insert_or_assign(id, std::move(domain));
  return ok();
}

void join_introducer::stop(const identity& domain) {
  domains_.erase(domain);
  std::erase_if(sessions_, [&](const auto& s) { return s.first.first == domain; });
}

expected<unit> join_introducer::receive(const identity& from, const join_channel& channel, byte_view body, time_ms now,
                                        introducer_effects& out) {
  HANSE_TRY(const auto decoded, decode_join_body(body));
  if (const auto* r = std::get_if<join_request>(&decoded))
    on(from, channel, *r, now, out);
  else if (const auto* a = std::get_if<join_answer>(&decoded))
    on(from, channel, *a, now, out);
  else if (const auto* l = std::get_if<leave_request>(&decoded))
    on(from, *l, now, out);
  else
    return error{errc::bad_type, "not for introducers"};
  return ok();
}

/// Whether this node may admit to the domain, and the requester knows what it asks for.
expected<unit> join_introducer::admits(const join_request& r) const {
  const auto i = domains_.find(r.domain);
  if (i == domains_.end()) return error{errc::not_found, "this node does not introduce to that domain"};
  const auto& config = i->second.advert.value;
  // First: who has the latest advert also knows the introducers of today.
  if (r.version < config.version)
    return error{errc::stale, "the domain is at version " + std::to_string(config.version)};
  const auto level = i->second.own_level;
  if (!config.permissions.allows(domain_action::admit, level) || level >= config.join_level)
    return error{errc::permission_denied, "this node may not admit members"};
  if (!r.instance.empty() && !find_instance(config, r.instance))
    return error{errc::not_found, "the domain names no instance " + r.instance};
  return ok();
}

/// A session for a new try; null if it was refused.
join_introducer::session* join_introducer::begin(const identity& from, const identity& domain, const join_nonce& nonce,
                                                 time_ms now, introducer_effects& out) {
  if (const auto wait = tries_.take(from, now)) {
    say_no(from, domain, nonce, {errc::rate_limited, "too many tries"}, out, wait);
    return nullptr;
  }
  sessions_.erase({domain, from});
  if (sessions_.size() >= config_.sessions_max) {
    say_no(from, domain, nonce, {errc::table_full, "too many nodes join at once"}, out);
    return nullptr;
  }
  session s;
  s.nonce = nonce;
  s.expires = now + config_.session_ms;
  return &sessions_.emplace(session_key{domain, from}, s).first->second;
}

void join_introducer::on(const identity& from, const join_channel&, const join_request& r, time_ms now,
                         introducer_effects& out) {
  const session_key key{r.domain, from};
  auto i = sessions_.find(key);
  auto* s = i != sessions_.end() && i->second.nonce == r.nonce && i->second.at != stage::leaving ? &i->second : nullptr;
  if (!s) {
    s = begin(from, r.domain, r.nonce, now, out);
    if (!s) return;
    if (const auto admitted = admits(r); !admitted) {
      sessions_.erase(key);
      return say_no(from, r.domain, r.nonce, admitted.error(), out);
    }
    if (r.version > domains_.at(r.domain).advert.value.version) out.push_back(join_behind{r.domain, from});
    s->instance = r.instance;
    s->challenged = domains_.at(r.domain).advert.value.auth == auth_mechanism::psk;
    s->at = s->challenged ? stage::challenged : stage::proven;
    s->facts = {r.domain, from, self_, r.nonce, {}, {}};
    if (s->challenged) random_.fill(s->facts.challenge);
  }
  s->expires = now + config_.session_ms;
  if (s->at == stage::challenged)
    out.push_back(peer_message{from, encode(join_challenge{r.domain, r.nonce, s->facts.challenge})});
  else if (!s->challenged)
    ask_host(r.domain, from, *s, out);
}

void join_introducer::on(const identity& from, const join_channel& channel, const join_answer& a, time_ms now,
                         introducer_effects& out) {
  const auto i = sessions_.find({a.domain, from});
  const auto domain = domains_.find(a.domain);
  if (i == sessions_.end() || domain == domains_.end() || i->second.nonce != a.nonce || !i->second.challenged) return;
  auto& s = i->second;
  if (s.at == stage::challenged) {
    s.facts.channel = channel;
    const auto* key = find_proven(domain->second.keys, now, join_role::requester, s.facts, a.proof);
    if (!key) { // one answer to one challenge: the next guess is a new try, which is counted
      sessions_.erase(i);
      return say_no(from, a.domain, a.nonce, {errc::bad_proof, "the pre-shared key is another"}, out);
    }
    s.at = stage::proven;
    s.answer = a.proof;
    s.proof = prove(key->key(), join_role::introducer, s.facts);
  } else if (s.answer != a.proof) {
    return; // neither the answer that held nor a new try
  }
  s.expires = now + config_.session_ms;
  ask_host(a.domain, from, s, out);
}

void join_introducer::on(const identity& from, const leave_request& r, time_ms now, introducer_effects& out) {
  auto i = sessions_.find({r.domain, from});
  auto* s = i != sessions_.end() && i->second.nonce == r.nonce && i->second.at == stage::leaving ? &i->second : nullptr;
  if (!s) {
    s = begin(from, r.domain, r.nonce, now, out);
    if (!s) return;
    if (!domains_.contains(r.domain)) {
      sessions_.erase({r.domain, from});
      return say_no(from, r.domain, r.nonce, {errc::not_found, "this node does not introduce to that domain"}, out);
    }
    s->at = stage::leaving;
  }
  s->expires = now + config_.session_ms;
  ask_host(r.domain, from, *s, out);
}

/// Once for each answer of the host: a repeated request while it works is left alone.
void join_introducer::ask_host(const identity& domain, const identity& node, session& s, introducer_effects& out) {
  if (s.asked) return;
  s.asked = true;
  if (s.at == stage::leaving)
    out.push_back(join_withdraw{domain, node});
  else
    out.push_back(join_approve{domain, node, domains_.at(domain).advert.value.join_level, s.instance});
}

void join_introducer::say_no(const identity& to, const identity& domain, const join_nonce& nonce, const error& why,
                             introducer_effects& out, std::uint64_t retry_after_ms) {
  join_refuse no{domain, nonce, why.code, detail_of(why), 0, {}};
  no.retry_after_ms = static_cast<std::uint32_t>(std::min<std::uint64_t>(retry_after_ms, join_retry_after_max_ms));
  const auto i = domains_.find(domain);
  if (i != domains_.end() && why.code == errc::stale) no.advert = i->second.advert.wire;
  out.push_back(peer_message{to, encode(no)});
  out.push_back(join_refusal{domain, to, why});
}

join_introducer::session* join_introducer::waiting(const identity& domain, const identity& node, stage at) {
  const auto i = sessions_.find({domain, node});
  if (i == sessions_.end() || !i->second.asked || i->second.at != at || !domains_.contains(domain)) return nullptr;
  i->second.asked = false;
  return &i->second;
}

void join_introducer::approved(const identity& domain, const identity& node, member_level level,
                               std::span<const bytes> adverts, time_ms now, introducer_effects& out) {
  assert(level > level_owner && level <= level_lowest);
  auto* s = waiting(domain, node, stage::proven);
  if (!s) return;
  s->expires = now + config_.session_ms; // the acceptance may get lost: the answer that held is taken again
  join_accept yes{domain, s->nonce, level, s->proof, domains_.at(domain).advert.wire, {}};
  const auto count = std::min(adverts.size(), join_adverts_max);
  yes.adverts.assign(adverts.begin(), adverts.begin() + static_cast<std::ptrdiff_t>(count));
  out.push_back(peer_message{node, encode(yes)});
}

void join_introducer::refuse(const identity& domain, const identity& node, const error& why, introducer_effects& out) {
  auto* s = waiting(domain, node, stage::proven);
  if (!s) s = waiting(domain, node, stage::leaving);
  if (!s) return;
  const auto nonce = s->nonce;
  sessions_.erase({domain, node});
  say_no(node, domain, nonce, why, out);
}

void join_introducer::withdrawn(const identity& domain, const identity& node, introducer_effects& out) {
  if (const auto* s = waiting(domain, node, stage::leaving))
    out.push_back(peer_message{node, encode(leave_done{domain, s->nonce})});
}

void join_introducer::tick(time_ms now, introducer_effects&) {
  std::erase_if(sessions_, [&](const auto& s) { return s.second.expires <= now; });
}

std::optional<time_ms> join_introducer::next_timer() const {
  std::optional<time_ms> next;
  for (const auto& [key, s] : sessions_)
    if (!next || s.expires < *next) next = s.expires;
  return next;
}

} // namespace hanse
