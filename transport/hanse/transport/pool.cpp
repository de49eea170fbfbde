// The connection pool: messages, queues, and which of two links stays. Dialling and timers are in pool_dialling.cpp.
// Not links, not sockets. Spec "Transport"; design section 6.
#include "hanse/transport/pool.hpp"

#include <algorithm>

namespace hanse {

void pool_effects::clear() {
  dropped.clear();
  transmit.clear();
  close.clear();
  failed.clear();
  exhausted.clear();
  down.clear();
  up.clear();
  dial.clear();
}

bool pool_effects::empty() const noexcept {
  return dropped.empty() && transmit.empty() && close.empty() && failed.empty() && exhausted.empty() && down.empty() &&
         up.empty() && dial.empty();
}

pool::pool(pool_config config, random_source& random) : config_(std::move(config)), random_(random) {}

expected<unit> pool::set_addresses(const identity& peer, std::vector<weighted_address> addresses, address_origin origin,
                                   time_ms now, pool_effects& fx) {
  if (stopped_) return errc::cancelled;
  auto it = peers_.find(peer);
  if (it == peers_.end()) {
    if (peers_.size() >= config_.peers_max) return errc::table_full;
    it = peers_.try_emplace(peer).first;
    it->second.last_active = now;
  }
  auto& p = it->second;
  auto& known = origin == address_origin::configured ? p.configured : p.advertised;
  if (known != addresses) {
    known = std::move(addresses);
    p.redial_at = 0; // somewhere new to look
    if (wants_link(p)) want_link(*it, now, fx);
  }
  rearm(*it);
  return ok();
}

bool pool::knows(const identity& peer) const {
  const auto it = peers_.find(peer);
  if (it == peers_.end()) return false;
  const auto& p = it->second;
  return p.current != 0 || p.grace_until != 0 || !p.configured.empty() || !p.advertised.empty();
}

void pool::send(const identity& peer, outbound message, time_ms now, pool_effects& fx) {
  const auto it = peers_.find(peer);
  if (it == peers_.end() || stopped_)
    return drop(std::move(message), stopped_ ? errc::cancelled : errc::no_address, fx);
  auto& p = it->second;
  p.last_active = now;
  // Nothing waits while there is budget: whatever raises it flushes the queue.
  if (p.current != 0 && p.budget > 0) return hand_over(p, std::move(message), fx);
  enqueue(p, std::move(message), fx);
  if (wants_link(p)) want_link(*it, now, fx);
  rearm(*it);
}

void pool::give_back(const identity& peer, std::vector<outbound> messages, time_ms now, pool_effects& fx) {
  const auto it = peers_.find(peer);
  if (it == peers_.end() || stopped_) {
    for (auto& m : messages) drop(std::move(m), stopped_ ? errc::cancelled : errc::no_address, fx);
    return;
  }
  auto& p = it->second;
  counters_.transmitted -= std::min<std::uint64_t>(counters_.transmitted, messages.size());
  auto later = std::exchange(p.queue, {});
  p.queued_octets = 0;
  for (auto& m : messages) enqueue(p, std::move(m), fx);
  for (auto& m : later) enqueue(p, std::move(m), fx); // the newest do not fit, if any
  flush(p, now, fx);
  if (wants_link(p)) want_link(*it, now, fx);
  rearm(*it);
}

void pool::hand_over(peer_entry& p, outbound message, pool_effects& fx) {
  p.budget -= std::min(p.budget, queue_cost(message));
  ++counters_.transmitted;
  if (fx.transmit.empty() || fx.transmit.back().link != p.current) fx.transmit.push_back({p.current, {}});
  fx.transmit.back().messages.push_back(std::move(message));
}

void pool::enqueue(peer_entry& p, outbound message, pool_effects& fx) {
  const auto cost = queue_cost(message);
  if (p.queue.size() >= config_.queue_messages_max || p.queued_octets + cost > config_.queue_octets_max)
    return drop(std::move(message), errc::queue_full, fx);
  const auto expires = message.message.expires_ms();
  if (p.sweep_at == 0 || expires < p.sweep_at) p.sweep_at = expires;
  p.queued_octets += cost;
  p.queue.push_back(std::move(message));
}

// Hands over what waits, as far as the link takes it.
void pool::flush(peer_entry& p, time_ms now, pool_effects& fx) {
  if (p.current == 0) return;
  std::size_t done = 0;
  while (done < p.queue.size() && p.budget > 0) {
    auto& m = p.queue[done++];
    p.queued_octets -= queue_cost(m);
    if (m.message.expires_ms() <= now)
      drop(std::move(m), errc::expired, fx);
    else
      hand_over(p, std::move(m), fx);
  }
  p.queue.erase(p.queue.begin(), p.queue.begin() + static_cast<std::ptrdiff_t>(done));
  if (p.queue.empty()) {
    p.sweep_at = 0;
    p.queue.shrink_to_fit();
  }
}

// Drops what has expired. Who waited for a peer that does not answer is told why it does not.
void pool::sweep(peer_entry& p, time_ms now, pool_effects& fx) {
  const bool failing = p.current == 0 && p.last_error.code != errc::none;
  const error why = failing ? error{errc::unreachable, to_string(p.last_error)} : error{errc::expired};
  std::vector<outbound> kept;
  p.sweep_at = 0;
  p.queued_octets = 0;
  for (auto& m : std::exchange(p.queue, {})) {
    const auto expires = m.message.expires_ms();
    if (expires <= now) {
      drop(std::move(m), why, fx);
      continue;
    }
    if (p.sweep_at == 0 || expires < p.sweep_at) p.sweep_at = expires;
    p.queued_octets += queue_cost(m);
    kept.push_back(std::move(m));
  }
  p.queue = std::move(kept);
}

void pool::drop(outbound message, error why, pool_effects& fx) {
  ++counters_.dropped[why.code];
  fx.dropped.push_back({std::move(message), std::move(why)});
}

void pool::drop_queue(peer_entry& p, const error& why, pool_effects& fx) {
  for (auto& m : std::exchange(p.queue, {})) drop(std::move(m), why, fx);
  p.queued_octets = 0;
  p.sweep_at = 0;
}

std::vector<outbound> pool::take_undemanding(const identity& peer, time_ms now) {
  const auto it = peers_.find(peer);
  if (it == peers_.end()) return {};
  auto& p = it->second;
  const auto stays = [](const outbound& m) {
    const auto& wants = m.message.transport;
    return wants.ordered || wants.reliable || wants.security != security_kind::any;
  };
  const auto from = std::stable_partition(p.queue.begin(), p.queue.end(), stays);
  std::vector<outbound> taken{std::make_move_iterator(from), std::make_move_iterator(p.queue.end())};
  p.queue.erase(from, p.queue.end());
  for (const auto& m : taken) p.queued_octets -= queue_cost(m);
  if (p.queue.empty()) p.sweep_at = 0;
  p.last_active = now;
  rearm(*it);
  return taken;
}

expected<link_id> pool::accept(time_ms now, pool_effects& fx) {
  if (stopped_) return errc::cancelled;
  const auto refuse = [&](const char* what) -> expected<link_id> {
    ++counters_.accepts_refused;
    return error{errc::table_full, what};
  };
  if (incoming_ >= config_.handshakes_max_each_way || handshakes() >= config_.handshakes_max)
    return refuse("handshakes");
  if (links_.size() >= config_.links_max) {
    make_room(now, fx);
    return refuse("links");
  }
  const link_id link = next_link_++;
  links_[link].role = link_role::acceptor;
  ++incoming_;
  return link;
}

void pool::end_handshake(const link_entry& entry) {
  if (entry.at != stage::handshake) return;
  --(entry.role == link_role::dialer ? outgoing_ : incoming_);
}

void pool::close_link(link_id link, const error& why, bool graceful, pool_effects& fx) {
  const auto it = links_.find(link);
  if (it == links_.end() || it->second.at == stage::closing) return;
  end_handshake(it->second);
  it->second.at = stage::closing;
  fx.close.push_back({link, why, graceful});
}

void pool::link_up(link_id link, const identity& peer, std::uint64_t life, time_ms now, pool_effects& fx) {
  const auto found = links_.find(link);
  if (found == links_.end() || found->second.at != stage::handshake) return;
  auto& entry = found->second;
  auto it = peers_.find(peer);
  if (it == peers_.end() && peers_.size() < config_.peers_max) it = peers_.try_emplace(peer).first;
  const bool expected_one = entry.role == link_role::acceptor || entry.peer == peer;
  if (it == peers_.end() || !expected_one || peer == config_.self) {
    close_link(link, expected_one && it == peers_.end() ? errc::table_full : errc::wrong_peer, false, fx);
    return serve_waiting(now, fx);
  }
  end_handshake(entry);
  entry.at = stage::up;
  entry.peer = peer;
  entry.life = life;
  entry.up_since = now;
  auto& p = it->second;
  if (p.dialling == link) p.dialling = 0;
  if (entry.role == link_role::dialer) failures_.succeeded(peer, entry.address);
  const auto old = links_.find(p.current);
  if (old != links_.end() && !fresh_survives(old->second, entry)) {
    close_link(link, errc::duplicate_link, true, fx);
  } else {
    if (old != links_.end()) replace(*it, entry, fx);
    install(*it, link, entry, now, fx);
  }
  rearm(*it);
  serve_waiting(now, fx);
}

// Both sides come to the same answer, in whatever order they see the links come up.
bool pool::fresh_survives(const link_entry& old, const link_entry& fresh) const {
  if (old.life != fresh.life) return true; // the peer restarted: the old link is dead, whoever dialled it
  if (old.role == fresh.role) return true; // one side dials once at a time: it has lost the old link
  const identity& dialer = fresh.role == link_role::dialer ? config_.self : fresh.peer;
  const identity& acceptor = fresh.role == link_role::dialer ? fresh.peer : config_.self;
  return dialer < acceptor;
}

// Takes the current link out of service for a better one. Gracefully: what is under way on it arrives.
void pool::replace(peer_ref peer, const link_entry& fresh, pool_effects& fx) {
  auto& p = peer.second;
  const auto& old = links_.at(p.current);
  ++counters_.links_closed[errc::duplicate_link];
  if (old.life == fresh.life) return close_link(p.current, errc::duplicate_link, true, fx);
  const error why{errc::link_closed, "the peer restarted"};
  close_link(p.current, why, false, fx);
  say_down(peer, why, fx);
}

void pool::install(peer_ref peer, link_id link, link_entry& entry, time_ms now, pool_effects& fx) {
  auto& p = peer.second;
  p.current = link;
  p.budget = config_.link_budget;
  p.idle_close = entry.role == link_role::dialer;
  p.last_active = now;
  p.redial_at = p.grace_until = 0;
  p.waiting = false;
  p.round.clear();
  p.last_error = {};
  if (!p.announced) fx.up.push_back({peer.first, {}});
  p.announced = true;
  flush(p, now, fx);
}

void pool::say_down(peer_ref peer, const error& why, pool_effects& fx) {
  auto& p = peer.second;
  p.grace_until = 0;
  if (!std::exchange(p.announced, false)) return;
  fx.down.push_back({peer.first, why});
}

void pool::link_closed(link_id link, const error& why, time_ms now, pool_effects& fx) {
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  const link_entry entry = std::move(found->second);
  end_handshake(entry);
  links_.erase(found);
  const auto it = peers_.find(entry.peer);
  if (it != peers_.end()) {
    if (entry.at == stage::handshake) dial_failed(*it, entry, why, now, fx);
    if (entry.at == stage::up && it->second.current == link) lost(*it, entry, why, now, fx);
    if (it->second.dialling == link) it->second.dialling = 0;
    rearm(*it);
  }
  serve_waiting(now, fx);
}

// The link in use is gone.
void pool::lost(peer_ref peer, const link_entry& entry, const error& why, time_ms now, pool_effects& fx) {
  auto& p = peer.second;
  ++counters_.links_closed[why.code];
  p.current = 0;
  p.budget = 0;
  p.last_error = why;
  if (why == errc::duplicate_link) {
    // The far side sees a better link already; it is about to come up here.
    p.grace_until = now + config_.grace_ms;
    p.redial_at = p.grace_until;
    return;
  }
  say_down(peer, why, fx);
  // A link that breaks as soon as it is up counts as a failed dial, or the two would spin.
  if (now >= entry.up_since + config_.backoff_max_ms) p.rounds = 0;
  if (wants_link(p)) plan_redial(p, now);
}

void pool::disconnect(const identity& peer, const error& why, time_ms now, pool_effects& fx) {
  const auto it = peers_.find(peer);
  if (it == peers_.end()) return;
  auto& p = it->second;
  close_link(p.current, why, false, fx);
  close_link(p.dialling, why, false, fx);
  drop_queue(p, why, fx);
  say_down(*it, why, fx);
  timers_.erase({p.timer, peer});
  peers_.erase(it);
  serve_waiting(now, fx);
}

void pool::shutdown(const error& why, time_ms, pool_effects& fx) {
  stopped_ = true;
  for (auto& [link, entry] : links_) close_link(link, why, entry.at == stage::up, fx);
  for (auto& peer : peers_) {
    drop_queue(peer.second, why, fx);
    say_down(peer, why, fx);
  }
  peers_.clear();
  timers_.clear();
  waiting_.clear();
}

void pool::active(link_id link, time_ms now) {
  const auto it = links_.find(link);
  if (it == links_.end() || it->second.at != stage::up) return;
  const auto p = peers_.find(it->second.peer);
  if (p != peers_.end()) p->second.last_active = now;
}

void pool::set_budget(link_id link, std::size_t octets, time_ms now, pool_effects& fx) {
  const auto it = links_.find(link);
  if (it == links_.end() || it->second.at != stage::up) return;
  const auto p = peers_.find(it->second.peer);
  if (p == peers_.end() || p->second.current != link) return;
  p->second.budget = octets;
  if (p->second.queue.empty()) return;
  flush(p->second, now, fx);
  rearm(*p);
}

} // namespace hanse
