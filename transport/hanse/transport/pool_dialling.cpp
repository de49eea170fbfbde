// The connection pool: when to dial which address, redials with backoff, idle links, timers, and reports.
// Not messages (pool.cpp). Design section 6.
#include "hanse/transport/pool.hpp"

#include <algorithm>

namespace hanse {

namespace {

// What a pooled link must be: it carries every message, so it must satisfy the most demanding.
constexpr transport_preferences any_message{true, true, security_kind::encrypted};

// Doubling beyond this would overflow; the configured maximum is far below.
constexpr unsigned doublings_max = 20;

} // namespace

bool pool::wants_link(const peer_entry& p) const {
  return !stopped_ && p.current == 0 && p.dialling == 0 && !p.waiting && (p.permanent || !p.queue.empty());
}

// Nothing is going on: the entry is only a memory.
bool pool::idle_entry(const peer_entry& p) const {
  return p.current == 0 && p.dialling == 0 && !p.waiting && !p.permanent && p.queue.empty() && p.grace_until == 0;
}

bool pool::closes_idle(const peer_entry& p) const {
  return p.current != 0 && p.idle_close && !p.permanent && p.queue.empty();
}

void pool::set_permanent(const identity& peer, bool permanent, time_ms now, pool_effects& fx) {
  if (stopped_) return;
  if (!permanent && !peers_.contains(peer)) return;
  auto& entry = *peers_.try_emplace(peer).first;
  entry.second.permanent = permanent;
  entry.second.last_active = now;
  if (wants_link(entry.second)) want_link(entry, now, fx);
  rearm(entry);
}

// Addresses of both origins, each judged by its own rules. What the owner configured goes first among equals.
address_selection pool::select(const identity& id, const peer_entry& p, const transport_preferences& wanted,
                               time_ms now) const {
  const auto judge = [&](const std::vector<weighted_address>& list, address_origin origin) {
    return select_addresses(id, list, origin, wanted, config_.addresses, failures_, now);
  };
  auto out = judge(p.configured, address_origin::configured);
  auto more = judge(p.advertised, address_origin::advertised);
  for (auto& c : more.candidates) {
    const auto same = [&](const address_candidate& known) { return known.text == c.text; };
    if (std::none_of(out.candidates.begin(), out.candidates.end(), same)) out.candidates.push_back(std::move(c));
  }
  std::stable_sort(out.candidates.begin(), out.candidates.end(),
                   [](const auto& a, const auto& b) { return a.penalty < b.penalty; });
  std::move(more.excluded.begin(), more.excluded.end(), std::back_inserter(out.excluded));
  return out;
}

address_selection pool::explain(const identity& peer, const transport_preferences& wanted, time_ms now) const {
  const auto it = peers_.find(peer);
  return it == peers_.end() ? address_selection{} : select(peer, it->second, wanted, now);
}

// Begins a round of dials, unless it is too early.
void pool::want_link(peer_ref peer, time_ms now, pool_effects& fx) {
  auto& p = peer.second;
  if (p.redial_at > now) return;
  p.redial_at = 0;
  auto found = select(peer.first, p, any_message, now);
  if (found.candidates.empty()) {
    const bool excluded = !found.excluded.empty();
    const auto detail = excluded ? found.excluded[0].text + ": " + to_string(found.excluded[0].reason) : std::string{};
    p.last_error = error{errc::no_address, detail};
    drop_queue(p, p.last_error, fx);
    if (p.permanent) plan_redial(p, now);
    return;
  }
  p.round = std::move(found.candidates);
  dial_next(peer, now, fx);
}

bool pool::dial_slot_free() const {
  return outgoing_ < config_.handshakes_max_each_way && handshakes() < config_.handshakes_max &&
         links_.size() < config_.links_max;
}

void pool::dial_next(peer_ref peer, time_ms now, pool_effects& fx) {
  auto& p = peer.second;
  if (!dial_slot_free()) {
    if (links_.size() >= config_.links_max) make_room(now, fx);
    p.waiting = true;
    waiting_.push_back(peer.first);
    return;
  }
  const address_candidate next = std::move(p.round.front());
  p.round.erase(p.round.begin());
  const link_id link = next_link_++;
  links_[link] = {link_role::dialer, stage::handshake, peer.first, next.text, 0, 0};
  ++outgoing_;
  p.dialling = link;
  const bool private_allowed = next.origin == address_origin::configured || config_.addresses.private_ranges;
  fx.dial.push_back({peer.first, next.address, link, private_allowed});
}

void pool::dial_failed(peer_ref peer, const link_entry& entry, const error& why, time_ms now, pool_effects& fx) {
  auto& p = peer.second;
  p.dialling = 0;
  ++counters_.dials_failed[why.code];
  failures_.failed(peer.first, entry.address, why.code, now);
  fx.failed.push_back({peer.first, entry.address, why});
  if (p.current != 0) return;
  p.last_error = why;
  if (p.round.empty()) {
    fx.exhausted.push_back(peer.first);
    return plan_redial(p, now); // also if nothing waits: the next message is not to spin either
  }
  if (wants_link(p)) return dial_next(peer, now, fx);
  p.round.clear();
}

// Exponential backoff with jitter over the upper half, so that peers cut off together do not return together.
void pool::plan_redial(peer_entry& p, time_ms now) {
  const auto doubled = config_.backoff_min_ms << (1 + std::min(p.rounds, doublings_max));
  const auto wait = std::min(doubled, config_.backoff_max_ms);
  const auto half = std::max<time_ms>(wait / 2, 1);
  ++p.rounds;
  p.redial_at = now + std::max(config_.backoff_min_ms, half + random_.below(half + 1));
}

// Gives free handshakes to those who wait for one.
void pool::serve_waiting(time_ms now, pool_effects& fx) {
  while (!waiting_.empty() && dial_slot_free()) {
    const auto it = peers_.find(waiting_.front());
    waiting_.pop_front();
    if (it == peers_.end() || !std::exchange(it->second.waiting, false)) continue;
    if (wants_link(it->second)) dial_next(*it, now, fx);
    rearm(*it);
  }
}

// All links are taken: ends the one that has been idle longest. The place is free once it is reported closed.
void pool::make_room(time_ms now, pool_effects& fx) {
  peer_map::value_type* idlest = nullptr;
  for (auto& peer : peers_) {
    const auto& p = peer.second;
    if (p.current == 0 || p.permanent || !p.queue.empty() || p.last_active + config_.evict_idle_ms > now) continue;
    if (!idlest || p.last_active < idlest->second.last_active) idlest = &peer;
  }
  if (!idlest) return;
  const error why{errc::table_full, "idle, and others want in"};
  close_link(std::exchange(idlest->second.current, 0), why, true, fx);
  ++counters_.links_closed[errc::table_full];
  say_down(*idlest, why, fx);
  rearm(*idlest);
}

// The next time at which `on_timer` has something to do for the peer; 0: never.
time_ms pool::due(const peer_entry& p) const {
  time_ms at = UINT64_MAX;
  if (p.sweep_at != 0) at = std::min(at, p.sweep_at);
  if (p.grace_until != 0) at = std::min(at, p.grace_until);
  if (p.redial_at != 0 && wants_link(p)) at = std::min(at, p.redial_at);
  if (closes_idle(p)) at = std::min(at, p.last_active + config_.idle_ms);
  if (idle_entry(p)) at = std::min(at, p.last_active + config_.forget_ms);
  return at == UINT64_MAX ? 0 : at;
}

void pool::rearm(peer_ref peer) {
  auto& p = peer.second;
  const auto at = due(p);
  if (at == p.timer) return;
  if (p.timer != 0) timers_.erase({p.timer, peer.first});
  p.timer = at;
  if (at != 0) timers_.insert({at, peer.first});
}

void pool::on_timer(peer_ref peer, time_ms now, pool_effects& fx) {
  auto& p = peer.second;
  if (p.sweep_at != 0 && p.sweep_at <= now) sweep(p, now, fx);
  if (p.grace_until != 0 && p.grace_until <= now) say_down(peer, p.last_error, fx);
  if (wants_link(p)) want_link(peer, now, fx);
  if (!closes_idle(p) || p.last_active + config_.idle_ms > now) return;
  const error why{errc::link_closed, "idle"};
  close_link(std::exchange(p.current, 0), why, true, fx);
  ++counters_.links_closed[errc::link_closed];
  say_down(peer, why, fx);
}

void pool::tick(time_ms now, pool_effects& fx) {
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const auto it = peers_.find(timers_.begin()->second);
    timers_.erase(timers_.begin());
    if (it == peers_.end()) continue;
    it->second.timer = 0;
    on_timer(*it, now, fx);
    if (idle_entry(it->second) && it->second.last_active + config_.forget_ms <= now)
      peers_.erase(it);
    else
      rearm(*it);
  }
}

time_ms pool::next_timer() const noexcept {
  return timers_.empty() ? UINT64_MAX : timers_.begin()->first;
}

std::optional<link_id> pool::link_of(const identity& peer) const {
  const auto it = peers_.find(peer);
  if (it == peers_.end() || it->second.current == 0) return std::nullopt;
  return it->second.current;
}

std::optional<identity> pool::peer_of(link_id link) const {
  const auto it = links_.find(link);
  if (it == links_.end() || it->second.peer.is_none()) return std::nullopt;
  return it->second.peer;
}

std::optional<peer_report> pool::report(const identity& peer) const {
  const auto it = peers_.find(peer);
  if (it == peers_.end()) return std::nullopt;
  const auto& p = it->second;
  const auto link = links_.find(p.current);
  const auto address = link == links_.end() ? std::string{} : link->second.address;
  return peer_report{p.current, p.dialling != 0, p.permanent, address, p.queue.size(), p.redial_at, p.last_error};
}

std::vector<identity> pool::connected() const {
  std::vector<identity> out;
  for (const auto& [id, p] : peers_)
    if (p.current != 0) out.push_back(id);
  return out;
}

} // namespace hanse
