// Causal multicast: reading parcels, the order of delivery, forks, the store. See causal_multicast.hpp.
// Not repair (causal_repair.cpp). A parcel costs in this order: structure and hashes, whether its publisher may
// publish, whether all is known, and only then a verification.
#include "hanse/protocols/internal/causal_state.hpp"

#include <algorithm>

namespace hanse {

using impl = causal_multicast::impl;

impl::chain* impl::find(const chain_key& key) {
  if (last_found_ && last_found_->key == key) return last_found_;
  const auto it = chains_.find(key);
  return it == chains_.end() ? nullptr : last_found_ = &it->second;
}

// Whether so many later lives of the publisher are known that this one is over.
bool impl::is_over(const chain_key& key) const {
  std::size_t later = 0;
  for (auto it = chains_.upper_bound(key); it != chains_.end() && it->first.publisher == key.publisher; ++it)
    if (it->second.verified) ++later;
  return later >= config_.chains_per_publisher_max;
}

impl::chain* impl::find_or_make(const chain_key& key, bool verified) {
  if (auto* c = find(key)) {
    if (verified && !std::exchange(c->verified, true)) --rumours_;
    return c;
  }
  if (is_over(key) || (!verified && rumours_ >= config_.rumours_max)) return nullptr;
  if (chains_.size() >= config_.chains_max) return nullptr;
  auto& c = chains_[key];
  c.key = key;
  c.verified = verified;
  if (!verified) ++rumours_;
  if (!verified) return &c;
  std::size_t lives = 0;
  chain* oldest = nullptr;
  for (auto it = chains_.lower_bound({key.publisher, 0}); it != chains_.end() && it->first.publisher == key.publisher;
       ++it) {
    if (!it->second.verified) continue;
    ++lives;
    if (!oldest) oldest = &it->second;
  }
  if (lives > config_.chains_per_publisher_max && oldest != &c) evict(*oldest);
  return &c;
}

void impl::evict(chain& c) {
  drop_pending(c);
  needy_.erase(c.key);
  set_head(c, false);
  std::erase(touched_, &c);
  if (!c.stored.empty()) std::erase(order_, &c);
  for (const auto& s : c.stored) stored_octets_ -= s.size();
  if (!c.verified) --rumours_;
  last_found_ = nullptr;
  chains_.erase(chain_key{c.key});
}

void impl::set_head(chain& c, bool is_head) {
  if (std::exchange(c.is_head, is_head) == is_head) return;
  if (is_head) {
    heads_[c.key] = &c;
  } else {
    heads_.erase(c.key);
  }
}

const impl::slot* impl::stored(const chain& c, std::uint64_t seq) const {
  if (seq > c.delivered || seq < c.stored_first()) return nullptr;
  return &c.stored[seq - c.stored_first()];
}

// Whether the event adds nothing: neither to the order nor as proof of a fork.
bool impl::is_known(const topic_event& e, const digest& id) {
  const auto* c = find(e.chain);
  if (!c) return is_over(e.chain);
  if (e.mode == event_mode::unreliable) {
    if (e.seq > c->loose_top) return false;
    const auto age = c->loose_top - e.seq;
    return age >= 64 || (c->loose_window >> age & 1) != 0;
  }
  if (e.seq <= c->delivered) {
    const auto* s = stored(*c, e.seq);
    return !s || s->id() == id;
  }
  const auto it = c->pending.find(e.seq);
  return it != c->pending.end() && it->second.where.id() == id;
}

// Everything that is known of a parcel without its signature. Empty: verify it.
std::optional<payload_verdict> impl::screen(const event_parcel& parcel) {
  scratch_.clear();
  if (!may_publish(parcel.publisher)) {
    ++stats_.unauthorised;
    return payload_verdict::unwanted;
  }
  if (forked_.contains(parcel.publisher)) {
    ++stats_.forked;
    return payload_verdict::unwanted;
  }
  bool is_new = false;
  for (std::size_t i = 0; i < parcel.events.size(); ++i) {
    auto event = decode_event(parcel.wire.slice(parcel.events[i]));
    if (!event || event->topic != topic_ || event->chain.publisher != parcel.publisher) {
      ++stats_.invalid;
      return payload_verdict::invalid;
    }
    is_new = is_new || !is_known(*event, parcel.ids[i]);
    scratch_.push_back(*std::move(event));
  }
  if (is_new) return {};
  ++stats_.duplicates;
  return payload_verdict::duplicate;
}

payload_verdict impl::offer(const identity& from, const shared_bytes& wire, bool is_repair, time_ms now,
                            multicast_effects& out) {
  auto read = read_parcel(wire);
  if (!read) {
    ++stats_.invalid;
    return payload_verdict::invalid;
  }
  if (const auto known = screen(*read)) return *known;
  if (!verify_parcel(*read, verifier_)) {
    ++stats_.invalid;
    return payload_verdict::invalid;
  }
  const auto parcel = std::make_shared<const event_parcel>(std::move(*read));
  for (std::size_t i = 0; i < parcel->events.size(); ++i)
    accept(std::move(scratch_[i]), {parcel, static_cast<std::uint32_t>(i)}, from, is_repair, now, out);
  scratch_.clear();
  return forked_.contains(parcel->publisher) ? payload_verdict::unwanted : payload_verdict::fresh;
}

// Takes one verified event.
void impl::accept(topic_event&& e, slot&& where, const identity& from, bool is_repair, time_ms now,
                  multicast_effects& out) {
  auto* c = find_or_make(e.chain, true);
  if (!c || forked_.contains(e.chain.publisher)) return;
  if (e.mode == event_mode::unreliable) return accept_loose(*c, std::move(e), where.id(), out);
  if (e.seq <= c->delivered) {
    if (const auto* s = stored(*c, e.seq); s && s->id() != where.id()) fork(*s, where, e.chain.publisher, out);
    return;
  }
  if (const auto it = c->pending.find(e.seq); it != c->pending.end()) {
    if (it->second.where.id() != where.id()) fork(it->second.where, where, e.chain.publisher, out);
    return;
  }
  if (is_repair) ++stats_.repaired;
  for (const auto& mark : e.seen)
    if (auto* other = find(mark.chain)) note_exists(*other, mark.seq, from, now);
  if (joined_ && e.seq == c->delivered + 1) {
    if (!follows(*c, e)) return blame(*c, e, from, now, out);
    if (deps_satisfied(e, from, now)) {
      deliver(*c, std::move(e), std::move(where), now, out);
      if (!waiting_.empty()) drain_all(now, out);
      return;
    }
  }
  hold(*c, std::move(e), std::move(where), from, now);
}

void impl::accept_loose(chain& c, topic_event&& e, const digest& id, multicast_effects& out) {
  if (e.seq > c.loose_top) {
    const auto by = e.seq - c.loose_top;
    c.loose_window = by >= 64 ? 1 : c.loose_window << by | 1;
    c.loose_top = e.seq;
  } else {
    const auto age = c.loose_top - e.seq;
    if (age >= 64 || (c.loose_window >> age & 1) != 0) return;
    c.loose_window |= std::uint64_t{1} << age;
  }
  ++stats_.delivered;
  out.emplace_back(multicast_deliver{std::move(e), id});
}

void impl::hold(chain& c, topic_event&& e, slot&& where, const identity& from, time_ms now) {
  const auto seq = e.seq;
  if (stats_.pending >= config_.pending_max || pending_octets_ + where.size() > config_.pending_octets_max) {
    ++stats_.dropped; // it is known to exist, so it will be asked for again
  } else {
    ++stats_.pending;
    pending_octets_ += where.size();
    c.pending.emplace(seq, held_event{std::move(e), std::move(where), from});
    waiting_.insert(c.key);
  }
  note_exists(c, seq, from, now);
}

// Whether `e` is the next event of its chain, and continues the one that was delivered.
bool impl::follows(const chain& c, const topic_event& e) {
  return e.seq == c.delivered + 1 && (!c.tip || e.previous == c.tip);
}

// Whether all that `e` depends on was delivered. What was not is asked for. Dependencies on what is never delivered
// here (a publisher that forked, that may not publish, a life that is long over) do not count.
bool impl::deps_satisfied(const topic_event& e, const identity& from, time_ms now) {
  bool all = true;
  for (const auto& dep : e.deps) {
    auto* c = find(dep.chain);
    if (c && c->delivered >= dep.seq) continue;
    if (forked_.contains(dep.chain.publisher) || is_over(dep.chain)) continue;
    if (!may_publish(dep.chain.publisher)) {
      if (is_awaited(dep.chain.publisher, now)) all = false;
      continue;
    }
    if (!strangers_.empty()) strangers_.erase(dep.chain.publisher);
    all = false;
    if (!c) c = find_or_make(dep.chain, false);
    if (!c) continue;
    c->required = std::max(c->required, dep.seq);
    note_exists(*c, dep.seq, from, now);
  }
  return all;
}

// Whether a publisher that may not publish here is still likely to be a new one.
bool impl::is_awaited(const identity& stranger, time_ms now) {
  const auto is_past = [&](const auto& s) { return now >= s.second + config_.stranger_ms; };
  if (strangers_.size() >= config_.rumours_max && !strangers_.contains(stranger)) {
    std::erase_if(strangers_, is_past);
    if (strangers_.size() >= config_.rumours_max) return false;
  }
  const auto& entry = *strangers_.try_emplace(stranger, now).first;
  if (is_past(entry)) return false;
  const auto at = std::min<time_ms>(now + config_.want_timeout_ms, entry.second + config_.stranger_ms);
  if (!strangers_at_ || *strangers_at_ > at) strangers_at_ = at;
  return true;
}

// What was depended on comes no more, whoever its publisher turns out to be: it would come too late.
void impl::pass_over(const event_dep& dep) {
  if (may_publish(dep.chain.publisher) || forked_.contains(dep.chain.publisher)) return;
  auto* c = find_or_make(dep.chain, false);
  if (!c || c->delivered >= dep.seq) return;
  c->unheard += dep.seq - c->delivered;
  skip_to(*c, dep.seq);
}

void impl::skip_to(chain& c, std::uint64_t seq) {
  if (!c.stored.empty()) { // the store has no gaps
    std::erase(order_, &c);
    for (const auto& s : c.stored) stored_octets_ -= s.size();
    c.stored.clear();
  }
  c.delivered = seq;
  c.known = std::max(c.known, seq);
  c.tip.reset();
  forget_pending(c, seq);
  set_head(c, false);
}

void impl::deliver(chain& c, topic_event&& e, slot&& where, time_ms now, multicast_effects& out) {
  for (const auto& dep : e.deps) {
    pass_over(dep);
    if (auto* other = find(dep.chain); other && other->delivered <= dep.seq) set_head(*other, false);
  }
  if (const auto unheard = std::exchange(c.unheard, 0)) {
    ++stats_.gaps;
    out.emplace_back(multicast_gap{{c.key, c.delivered + 1 - std::min(unheard, c.delivered), c.delivered}});
  }
  c.delivered = e.seq;
  c.tip = where.id();
  c.known = std::max(c.known, e.seq);
  c.changed_ms = now;
  if (c.want_at != 0) {
    c.since = now;
    c.attempts = 0;
    c.refused.clear();
  }
  set_head(c, true);
  if (!std::exchange(c.is_touched, true)) touched_.push_back(&c);
  stored_octets_ += where.size();
  order_.push_back(&c);
  const auto id = where.id();
  parcel_place place{where.parcel, where.index};
  c.stored.push_back(std::move(where));
  news(now);
  trim_store();
  if (e.mode == event_mode::join) {
    out.emplace_back(multicast_pass{std::move(e), std::move(place)});
    return;
  }
  ++stats_.delivered;
  out.emplace_back(multicast_deliver{std::move(e), id, std::move(place)});
}

void impl::trim_store() {
  while (order_.size() > config_.store_events_max || stored_octets_ > config_.store_octets_max) {
    auto& c = *order_.front();
    order_.pop_front();
    stored_octets_ -= c.stored.front().size();
    c.stored.pop_front();
  }
}

// Delivers what is next in `c` as far as it goes.
bool impl::drain(chain& c, time_ms now, multicast_effects& out) {
  bool progress = false;
  while (!c.pending.empty() && c.pending.begin()->first == c.delivered + 1) {
    auto& held = c.pending.begin()->second;
    if (!follows(c, held.event)) {
      blame(c, held.event, held.from, now, out);
      drop_pending(c);
      break;
    }
    if (!deps_satisfied(held.event, held.from, now)) break;
    auto next = std::move(held);
    pending_octets_ -= next.where.size();
    --stats_.pending;
    c.pending.erase(c.pending.begin());
    deliver(c, std::move(next.event), std::move(next.where), now, out);
    progress = true;
  }
  if (c.pending.empty()) waiting_.erase(c.key);
  return progress;
}

void impl::drain_all(time_ms now, multicast_effects& out) {
  if (!joined_) return;
  for (bool progress = true; progress;) {
    progress = false;
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      const auto key = *it; // drain may erase it, and others
      progress = drain(chains_.at(key), now, out) || progress;
      it = waiting_.upper_bound(key);
    }
  }
}

void impl::drop_pending(chain& c) {
  forget_pending(c, UINT64_MAX);
}

void impl::forget_pending(chain& c, std::uint64_t up_to) {
  while (!c.pending.empty() && c.pending.begin()->first <= up_to) {
    pending_octets_ -= c.pending.begin()->second.where.size();
    --stats_.pending;
    c.pending.erase(c.pending.begin());
  }
  if (c.pending.empty()) waiting_.erase(c.key);
}

// Two events with one place in a chain.
void impl::fork(const slot& a, const slot& b, const identity& publisher, multicast_effects& out) {
  fork_proof proof{parcel_alone(*a.parcel, a.index), parcel_alone(*b.parcel, b.index)};
  if (b.id() < a.id()) std::swap(proof.first, proof.second);
  forked(publisher, std::move(proof), out);
}

void impl::forked(const identity& publisher, fork_proof proof, multicast_effects& out) {
  if (forked_.size() >= config_.chains_max || !forked_.emplace(publisher, proof).second) return;
  for (auto it = chains_.lower_bound({publisher, 0}); it != chains_.end() && it->first.publisher == publisher; ++it) {
    auto& c = it->second;
    drop_pending(c);
    set_head(c, false);
    c.known = c.delivered;
    c.want_at = 0;
    needy_.erase(c.key);
  }
  if (const auto own = publishers_.find(publisher); own != publishers_.end()) own->second.queue.clear();
  for (const auto& peer : near_) send(peer, multicast_fork_notice{encode(proof)}, out);
  out.emplace_back(multicast_forked{publisher, std::move(proof)});
}

} // namespace hanse
