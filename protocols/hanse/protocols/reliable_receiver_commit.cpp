// The receiving half of reliable_unicast, part 2: commits before delivery, results of engines, acks and timers.

#include "hanse/protocols/internal/reliable_receiver.hpp"

#include <algorithm>

namespace hanse::internal {

/// Keeps the record for as long as a message of the stream could be replayed, and longer than its sender keeps it.
void reliable_receiver::retain(in_stream& s, time_ms expires_ms, time_ms now) {
  s.retain_until_ms = std::max({s.retain_until_ms, expires_ms + clock_skew_max_ms, now + 2 * config_.idle_ms});
}

void reliable_receiver::make_dirty(in_stream& s, time_ms now) {
  if (!s.dirty_queued) {
    s.dirty_queued = true;
    dirty_.push_back(s.key);
  }
  if (write_at_ == 0) write_at_ = now + config_.handled_lazy_ms;
}

/// Hands over the open commit: every changed record, and the messages that may be delivered when it is durable.
void reliable_receiver::close_commit(unicast_effects& out) {
  unicast_persist effect;
  commit c;
  effect.writes.reserve(dirty_.size() + erased_.size());
  // Erasures first: a stream that came back meanwhile has its record written after.
  for (const auto& key : erased_) effect.writes.push_back({encode_record_key(key), std::nullopt});
  for (const auto& key : dirty_) {
    auto* s = find(key);
    if (!s) continue;
    s->dirty_queued = false;
    effect.writes.push_back({encode_record_key(key), encode_record(s->record())});
    c.marks.push_back({key, s->epoch, s->next});
  }
  erased_.clear();
  dirty_.clear();
  write_at_ = 0;
  if (effect.writes.empty()) return;
  effect.token = c.token = ++tokens_;
  c.messages = std::exchange(releasing_, {});
  committing_.push_back(std::move(c));
  out.push_back(std::move(effect));
}

void reliable_receiver::persisted(std::uint64_t token, time_ms, unicast_effects& out) {
  if (token > tokens_) return;
  while (!committing_.empty() && committing_.front().token <= token) {
    auto c = std::move(committing_.front());
    committing_.pop_front();
    for (const auto& m : c.marks) {
      auto* s = find(m.key);
      if (!s || std::tie(m.epoch, m.next) < std::tie(s->durable_epoch, s->durable_next)) continue;
      s->durable_epoch = m.epoch;
      s->durable_next = m.next;
    }
    for (auto& m : c.messages) {
      auto* s = find({m.source, m.destination});
      if (!s) continue;
      const auto epoch = m.stream->epoch;
      const auto seq = m.stream->seq;
      const bool wanted = epoch == s->epoch ? s->state(seq) == in_state::marking : s->old_open.contains({epoch, seq});
      if (!wanted) continue; // its engine was removed meanwhile
      if (epoch == s->epoch) s->set_state(seq, in_state::delivered);
      ++stats_.delivered;
      out.push_back(unicast_deliver{std::move(m)});
    }
  }
}

void reliable_receiver::handled(const stream_ref& m, errc result, time_ms now, unicast_effects& out) {
  auto* s = find({m.source, m.destination});
  if (!s) return;
  if (m.epoch == s->epoch) {
    if (s->state(m.seq) != in_state::delivered) return;
    s->settle(m.seq, result);
    make_dirty(*s, now);
    queue_ack(*s, true);
  } else if (s->old_open.erase({m.epoch, m.seq}) == 0) {
    return;
  }
  --stats_.open;
  schedule(*s, now);
  unstall(now, out);
}

void reliable_receiver::engine_removed(const identity& engine, time_ms now, unicast_effects& out) {
  const auto it = by_destination_.find(engine);
  if (it == by_destination_.end()) return;
  for (const auto& source : it->second) {
    auto& s = *find({source, engine});
    drop_pending(s, UINT64_MAX, errc::engine_down, out);
    stop_waiting(s);
    const auto first = s.settled + 1;
    for (auto seq = first; seq < s.next; ++seq) {
      const auto state = s.state(seq);
      if (state != in_state::marking && state != in_state::delivered) continue;
      s.settle(seq, state == in_state::delivered ? errc::in_doubt : errc::engine_down);
      --stats_.open;
    }
    stats_.open -= s.old_open.size();
    s.old_open.clear();
    make_dirty(s, now);
    queue_ack(s, true);
    schedule(s, now);
  }
  unstall(now, out);
}

unicast_settled reliable_receiver::answer(const identity& destination, const unicast_probe& probe, time_ms now) const {
  unicast_settled a;
  for (const auto& m : probe.marks)
    if (is_delivered({m.source, destination, m.epoch, m.seq, m.expires_ms}, now)) a.marks.push_back(m);
  return a;
}

/// Only what is durable counts: after a crash, a released message whose mark was lost would come again, and whoever had
/// been told that it is settled could overtake it.
bool reliable_receiver::is_delivered(const causal_dep& dep, time_ms now) const {
  if (dep.expires_ms <= now) return true;
  const auto it = streams_.find({dep.source, dep.destination});
  if (it == streams_.end()) return false;
  const auto& s = it->second;
  return s.durable_epoch > dep.epoch || (s.durable_epoch == dep.epoch && s.durable_next > dep.seq);
}

void reliable_receiver::queue_ack(in_stream& s, bool soon) {
  s.unacked += 1;
  s.ack_now |= soon;
  if (s.ack_queued) return;
  s.ack_queued = true;
  to_ack_.push_back(s.key);
}

void reliable_receiver::send_ack(in_stream& s, unicast_effects& out) {
  s.unacked = 0;
  s.ack_now = false;
  s.ack_at = 0;
  ++stats_.acks_sent;
  out.push_back(unicast_transmit_control{s.key.destination, s.key.source, encode(s.make_ack())});
}

void reliable_receiver::flush(time_ms now, unicast_effects& out) {
  if (!releasing_.empty() || (write_at_ != 0 && write_at_ <= now)) close_commit(out);
  for (const auto& key : std::exchange(to_ack_, {})) {
    auto* s = find(key);
    if (!s) continue;
    s->ack_queued = false;
    if (s->ack_now || s->unacked >= config_.ack_every) {
      send_ack(*s, out);
    } else if (s->ack_at == 0) { // "held" alone is not urgent: it will mostly be handled within the delay
      s->ack_at = now + config_.ack_delay_ms;
    }
    schedule(*s, now);
  }
}

void reliable_receiver::schedule(in_stream& s, time_ms now) {
  auto when = std::max(s.retain_until_ms, now + 1000); // looked at again then, should it not be idle
  if (s.ack_at != 0) when = std::min(when, s.ack_at);
  if (s.wake_at != 0) when = std::min(when, s.wake_at);
  timers_.wake(s, std::max(when, now + 1));
}

void reliable_receiver::forget(in_stream& s, time_ms now) {
  const auto key = s.key;
  timers_.cancel(s);
  stop_waiting(s);
  stalled_.erase(key);
  const auto sources = by_destination_.find(key.destination);
  sources->second.erase(key.source);
  if (sources->second.empty()) by_destination_.erase(sources);
  streams_.erase(key);
  stats_.streams_in = streams_.size();
  erased_.push_back(key);
  if (write_at_ == 0) write_at_ = now + config_.handled_lazy_ms;
  notify(key);
}

void reliable_receiver::tick(time_ms now, unicast_effects& out) {
  while (auto* s = timers_.take(now)) {
    if (s->ack_at != 0 && s->ack_at <= now) queue_ack(*s, true);
    if (s->wake_at != 0 && s->wake_at <= now) {
      s->wake_at = 0;
      s->stalled = false;
      stalled_.erase(s->key);
      stop_waiting(*s);
      advance(*s, now, out); // the head: released, expired, or waiting anew
      drop_expired(*s, now, out);
    }
    // A clock that was, or is, an hour ahead must not make us forget what can still be retransmitted: what was restored
    // stays for as long as that takes by the steady clock of this life, whatever the time.
    if (s->retain_until_ms <= now && std::exchange(s->of_earlier_life, false))
      s->retain_until_ms = now + ttl_max_ms + clock_skew_max_ms;
    if (s->idle() && s->retain_until_ms <= now)
      forget(*s, now);
    else
      schedule(*s, now);
    run_ready(now, out);
  }
}

std::optional<time_ms> reliable_receiver::next_timer() const {
  auto when = timers_.next();
  if (write_at_ != 0) when = when ? std::min(*when, write_at_) : write_at_;
  return when;
}

} // namespace hanse::internal
