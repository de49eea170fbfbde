// The sending half of reliable_unicast, part 2: acks, timers, and what becomes of messages that cannot be delivered.

#include "hanse/protocols/internal/reliable_sender.hpp"

#include <algorithm>

namespace hanse::internal {

namespace {

bool bit(const std::vector<bool>& set, std::uint64_t index) {
  return index < set.size() && set[static_cast<std::size_t>(index)];
}

} // namespace

/// A live message ends here, once and for all. errc::none confirms it.
void reliable_sender::finish(out_stream& s, out_message& m, out_state state, const error& why, unicast_effects& out) {
  const auto id = m.message->id;
  if (m.state != out_state::queued) s.flight_octets -= m.size;
  s.octets -= m.charge;
  s.live -= 1;
  stats_.queued -= 1;
  stats_.queued_octets -= m.charge;
  m.state = state;
  m.message = nullptr;
  m.past = nullptr;
  if (why.code == errc::none) {
    ++stats_.confirmed;
    out.push_back(unicast_confirmed{s.key.source, s.key.destination, id});
  } else {
    ++stats_.failed;
    out.push_back(unicast_failed{s.key.source, s.key.destination, id, why});
  }
}

/// The destination is done with a message. If it was handed on there, what it depended on has been delivered there; of
/// one that had expired or was refused on arrival nobody knows.
void reliable_sender::settle(out_stream& s, std::uint64_t seq, errc code, unicast_effects& out) {
  auto& m = s.at(seq);
  if (!m.live() || m.state == out_state::queued) return;
  if (code != errc::expired && code != errc::permission_denied) {
    if (auto* e = pasts_.find(s.key.source))
      for (const auto& d : m.message->stream->deps)
        if (d.destination == s.key.destination) e->past.prune(d.source, d.destination, d.epoch, d.seq);
  }
  finish(s, m, out_state::settled, code, out);
}

void reliable_sender::pop_front(out_stream& s) {
  while (!s.messages.empty() && !s.messages.front().live()) {
    s.skip_due |= s.messages.front().state == out_state::abandoned;
    s.messages.pop_front();
    ++s.base;
  }
  s.next_tx = std::max(s.next_tx, s.base);
}

/// What was given up without having been transmitted cannot be delivered: nobody has to wait for it.
void reliable_sender::lower_own_dep(out_stream& s) {
  if (s.next_tx < s.end()) return; // there is more to come
  auto* e = pasts_.find(s.key.source);
  const auto possible = s.acked >= s.transmitted ? 0 : s.transmitted;
  if (e && e->past.lower(s.key.source, s.key.destination, possible)) ++s.own_changes;
}

/// Applies an ack to the messages. Returns whether it told anything new.
bool reliable_sender::take_ack(out_stream& s, const unicast_ack& ack, time_ms now, unicast_effects& out) {
  bool progress = false;
  time_ms sampled = 0;
  auto error_of = ack.errors.begin();
  for (auto seq = s.base; seq < s.next_tx; ++seq) {
    auto& m = s.at(seq);
    while (error_of != ack.errors.end() && error_of->seq < seq) ++error_of;
    if (!m.live() || m.state == out_state::queued) continue;
    const bool failed = error_of != ack.errors.end() && error_of->seq == seq;
    const auto offset = seq - ack.settled - 1; // only used beyond `settled`
    const bool settled = failed || seq <= ack.settled || bit(ack.settled_later, offset);
    const bool held = settled || bit(ack.held, offset);
    if (held && m.state == out_state::in_flight) {
      progress = true;
      if (m.transmissions == 1) sampled = m.sent_ms; // Karn: of a retransmitted one nobody knows which was received
    }
    progress |= settled;
    if (settled)
      settle(s, seq, failed ? error_of->code : errc::none, out);
    else // not held any more: the destination crashed, or this ack is an old one; at worst it is sent once too often
      m.state = held ? out_state::held : out_state::in_flight;
  }
  if (sampled != 0) s.rtt.sample(now - std::min(sampled, now));
  return progress;
}

/// Selective acks show gaps: what was sent before several that arrived, and did not arrive itself, is sent again.
void reliable_sender::retransmit_gaps(out_stream& s, const unicast_ack& ack, time_ms now, unicast_effects& out) {
  const auto highest = ack.settled + std::max(ack.held.size(), ack.settled_later.size());
  std::size_t burst = 0; // a forged ack must not set free a whole window
  for (auto seq = s.base; seq < s.next_tx && seq + reorder_tolerance <= highest && burst < retry_burst_max; ++seq) {
    auto& m = s.at(seq);
    if (m.state != out_state::in_flight || m.sent_ms + std::max(1u, s.rtt.srtt_ms()) > now) continue;
    transmit(s, m, now, out);
    ++burst;
  }
}

void reliable_sender::receive_ack(const stream_key& key, const unicast_ack& received, time_ms now,
                                  unicast_effects& out) {
  const auto it = streams_.find(key);
  if (it == streams_.end() || it->second.epoch != received.epoch) return;
  ++stats_.acks_received;
  auto& s = it->second;
  auto ack = received;
  if (ack.settled >= s.next_tx) ack = unicast_ack{ack.epoch, s.next_tx - 1, {}, {}, std::move(ack.errors), false};

  const bool progress = take_ack(s, ack, now, out);
  auto* e = pasts_.find(key.source);
  const auto before = e ? e->past.changes() : 0;
  s.acked = std::max(s.acked, ack.settled);
  if (e && e->past.prune(key.source, key.destination, s.epoch, ack.settled)) ++s.own_changes;
  pop_front(s);
  if (progress) {
    s.rtt.backoff = 0;
    s.retry_at = 0;
  }
  if (ack.settled + 1 >= s.base) s.skip_due = false;
  const bool behind = s.live != 0 && (ack.settled + 1 < s.base || (ack.lost && s.base > 1));
  if (behind && s.skip_sent_ms + std::max(config_.rto_min_ms / 2, s.rtt.srtt_ms()) <= now) send_skip(s, now, out);
  if (s.reachable) retransmit_gaps(s, ack, now, out);
  pump(s, now, out);
  s.idle_at = now + config_.idle_ms;
  schedule(s, now);
  if (e && (progress || e->past.changes() != before)) unblock(*e, now, out);
}

void reliable_sender::arm_retry(out_stream& s, time_ms now) {
  s.retry_at = 0;
  bool in_flight = false, held = false;
  for (auto seq = s.base; seq < s.next_tx && !in_flight; ++seq) {
    in_flight = s.at(seq).state == out_state::in_flight;
    held |= s.at(seq).state == out_state::held;
  }
  in_flight |= s.skip_due; // asked for again just the same: the destination may hold up others for what is skipped
  if (!in_flight && !held) return;
  // What the destination holds is only asked after from time to time: it may take long to handle, or have crashed.
  const auto wait = in_flight ? s.rtt.timeout_ms(config_) : config_.rto_max_ms;
  s.retry_at = now + wait + random_.below(wait / 4 + 1);
}

void reliable_sender::retry(out_stream& s, time_ms now, unicast_effects& out) {
  std::size_t burst = 0;
  if (s.skip_due) {
    send_skip(s, now, out);
    ++burst;
  }
  out_message* oldest_held = nullptr;
  for (auto seq = s.base; seq < s.next_tx && burst < retry_burst_max; ++seq) {
    auto& m = s.at(seq);
    if (m.state == out_state::held && !oldest_held) oldest_held = &m;
    if (m.state != out_state::in_flight) continue;
    transmit(s, m, now, out);
    ++burst;
  }
  if (burst == 0 && oldest_held) transmit(s, *oldest_held, now, out);
  if (burst != 0) s.rtt.backoff = std::min(s.rtt.backoff + 1, 16u);
  arm_retry(s, now);
}

/// Fails what expired. The next expiry is found on the way.
void reliable_sender::expire(out_stream& s, time_ms now, unicast_effects& out) {
  s.expiry_at = 0;
  bool any = false;
  for (auto& m : s.messages) {
    if (!m.live()) continue;
    if (m.expires_ms <= now) {
      const auto* detail = m.state == out_state::queued ? "never sent" : "not acknowledged";
      finish(s, m, out_state::abandoned, error{errc::timed_out, detail}, out);
      any = true;
    } else if (s.expiry_at == 0 || m.expires_ms < s.expiry_at) {
      s.expiry_at = m.expires_ms;
    }
  }
  if (!any) return;
  pop_front(s);
  lower_own_dep(s);
  if (s.skip_due && s.reachable) send_skip(s, now, out);
  pump(s, now, out);
  arm_retry(s, now);
  s.idle_at = now + config_.idle_ms;
}

void reliable_sender::schedule(out_stream& s, time_ms now) {
  auto when = s.live == 0 ? s.idle_at : s.expiry_at;
  if (s.reachable && s.retry_at != 0) when = std::min(when, s.retry_at);
  timers_.wake(s, std::max(when, now + 1));
}

void reliable_sender::tick(time_ms now, unicast_effects& out) {
  while (auto* s = timers_.take(now)) {
    if (s->expiry_at != 0 && s->expiry_at <= now) expire(*s, now, out);
    if (s->reachable && s->retry_at != 0 && s->retry_at <= now) retry(*s, now, out);
    if (s->live == 0 && s->idle_at <= now)
      close(*s);
    else
      schedule(*s, now);
  }
}

std::vector<out_stream*> reliable_sender::streams_to(const identity& destination) {
  std::vector<out_stream*> list;
  const auto it = by_destination_.find(destination);
  if (it == by_destination_.end()) return list;
  for (const auto& source : it->second) list.push_back(&streams_.at({source, destination}));
  return list;
}

void reliable_sender::unreachable(const identity& destination) {
  if (unreachable_.size() < config_.streams_max) unreachable_.insert(destination);
  for (auto* s : streams_to(destination)) s->reachable = false;
}

void reliable_sender::reachable(const identity& destination, time_ms now, unicast_effects& out) {
  unreachable_.erase(destination);
  for (auto* s : streams_to(destination)) {
    if (std::exchange(s->reachable, true)) continue;
    s->rtt.backoff = 0;
    if (s->skip_due) send_skip(*s, now, out);
    for (auto seq = s->base; seq < s->next_tx; ++seq)
      if (auto& m = s->at(seq); m.state == out_state::in_flight) transmit(*s, m, now, out);
    pump(*s, now, out);
    arm_retry(*s, now);
    schedule(*s, now);
  }
}

void reliable_sender::moved(const identity& destination, time_ms now, unicast_effects& out) {
  for (auto* s : streams_to(destination)) {
    for (auto seq = s->base; seq < s->next_tx; ++seq)
      if (auto& m = s->at(seq); m.live() && m.state != out_state::queued)
        finish(*s, m, out_state::abandoned, error{errc::in_doubt, "the engine moved to another node"}, out);
    pop_front(*s);
    s->rtt = {};
    s->skip_due = s->base > 1;
    if (s->skip_due && s->reachable) send_skip(*s, now, out); // also when idle: others' deps may name what came before
    pump(*s, now, out);
    arm_retry(*s, now);
    s->idle_at = now + config_.idle_ms;
    schedule(*s, now);
  }
}

void reliable_sender::failed(const identity& destination, const error& why, unicast_effects& out) {
  for (auto* s : streams_to(destination)) {
    for (auto& m : s->messages)
      if (m.live()) finish(*s, m, out_state::abandoned, why, out);
    s->next_tx = s->end();
    lower_own_dep(*s);
    close(*s);
  }
}

void reliable_sender::engine_removed(const identity& engine, unicast_effects& out) {
  if (auto* e = pasts_.find(engine)) {
    const auto destinations = e->streams; // `close` edits the original
    for (const auto& destination : destinations) {
      auto& s = streams_.at({engine, destination});
      for (auto& m : s.messages)
        if (m.live()) finish(s, m, out_state::abandoned, error{errc::engine_down, "the sender stopped"}, out);
      close(s);
    }
  }
  pasts_.erase(engine);
}

} // namespace hanse::internal
