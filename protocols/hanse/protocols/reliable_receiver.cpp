// The receiving half of reliable_unicast, part 1: from arrival to release, in order and after what it depends on.
// Commits, delivery, acks and timers are in reliable_receiver_commit.cpp.

#include "hanse/protocols/internal/reliable_receiver.hpp"

#include <algorithm>

namespace hanse::internal {

in_stream* reliable_receiver::find(const stream_key& key) {
  const auto it = streams_.find(key);
  return it != streams_.end() ? &it->second : nullptr;
}

in_stream* reliable_receiver::open(const stream_key& key, std::uint64_t epoch) {
  if (streams_.size() >= config_.streams_max) return nullptr;
  auto& s = streams_.try_emplace(key).first->second;
  s.key = key;
  s.serial = ++serials_;
  s.epoch = epoch;
  by_destination_[key.destination].insert(key.source);
  stats_.streams_in = streams_.size();
  return &s;
}

expected<unit> reliable_receiver::restore(byte_view key, byte_view value) {
  HANSE_TRY(const auto stream, decode_record_key(key));
  HANSE_TRY(const auto record, decode_record(value));
  auto* s = open(stream, record.epoch);
  if (!s) return errc::table_full;
  s->restore(record);
  s->of_earlier_life = true;
  timers_.wake(*s, s->retain_until_ms);
  return ok();
}

expected<unit> reliable_receiver::check(const envelope& m, time_ms now) const {
  if (!m.stream || m.stream->seq == 0 || m.stream->epoch == 0) return error{errc::bad_value, "no position in a stream"};
  for (const auto& d : m.stream->deps)
    if (d.source == m.source && d.destination == m.destination)
      return error{errc::bad_value, "depends on its own stream"};
  if (m.stream->epoch > (now + clock_skew_max_ms) * 1000 || m.expires_ms() > now + clock_skew_max_ms + ttl_max_ms)
    return errc::clock_skew;
  return ok();
}

/// The stream that a message is for, opened or begun anew as needed.
expected<in_stream*> reliable_receiver::stream_of(const envelope& m, time_ms now, unicast_effects& out) {
  HANSE_CHECK(check(m, now));
  const stream_key key{m.source, m.destination};
  auto* s = find(key);
  if (!s && m.expires_ms() <= now) { // what is expired may have been handled and forgotten: it opens no stream
    const unicast_ack ack{m.stream->epoch, 0, {}, {}, {{m.stream->seq, errc::expired}}, false};
    out.push_back(unicast_transmit_control{key.destination, key.source, encode(ack)});
    return errc::expired;
  }
  if (!s) s = open(key, m.stream->epoch);
  if (!s) return error{errc::table_full, "too many streams"};
  if (m.stream->epoch < s->epoch) return error{errc::replayed, "of an earlier life of its sender"};
  if (m.stream->epoch > s->epoch) begin_epoch(*s, m.stream->epoch, now, out);
  return s;
}

expected<unit> reliable_receiver::receive(envelope m, time_ms now, unicast_effects& out) {
  ++stats_.received;
  HANSE_TRY(auto* s, stream_of(m, now, out));
  auto result = arrive(*s, std::move(m), now, out);
  if (!result) ++stats_.refused;
  run_ready(now, out);
  schedule(*s, now);
  return result;
}

expected<unit> reliable_receiver::refuse(const envelope& m, errc why, time_ms now, unicast_effects& out) {
  ++stats_.received;
  ++stats_.refused;
  HANSE_TRY(auto* s, stream_of(m, now, out));
  const auto seq = m.stream->seq;
  if (seq == s->next && s->state(seq) == in_state::none && s->in_window(seq)) {
    retain(*s, m.expires_ms(), now);
    s->began |= seq == 1;
    s->highest = std::max(s->highest, seq);
    skip_head(*s, why, now, out);
    notify(s->key);
    advance(*s, now, out);
  } else {
    queue_ack(*s, true); // out of its turn: it comes again
  }
  run_ready(now, out);
  schedule(*s, now);
  return ok();
}

/// Settles seq `next` without handing anything on.
void reliable_receiver::skip_head(in_stream& s, errc why, time_ms now, unicast_effects& out) {
  ++stats_.dropped;
  out.push_back(unicast_dropped{{s.key.source, s.key.destination, s.epoch, s.next}, why});
  s.settle(s.next, why);
  ++s.next;
  make_dirty(s, now);
  queue_ack(s, true);
}

expected<unit> reliable_receiver::arrive(in_stream& s, envelope m, time_ms now, unicast_effects& out) {
  const auto seq = m.stream->seq;
  if (s.state(seq) != in_state::none) {
    ++stats_.duplicates;
    queue_ack(s, true); // the sender did not get the last one
    return ok();
  }
  if (!s.in_window(seq)) {
    queue_ack(s, true);
    return error{errc::queue_full, "beyond the window"};
  }
  retain(s, m.expires_ms(), now);
  s.began |= seq == 1;
  if (seq != s.next) {
    HANSE_CHECK(hold(s, std::move(m), now));
    queue_ack(s, true); // shows the gap at once
    return ok();
  }
  if (!step(s, m, now, out)) {
    HANSE_CHECK(hold(s, std::move(m), now));
    queue_ack(s, false);
    return ok();
  }
  s.highest = std::max(s.highest, seq);
  queue_ack(s, false);
  advance(s, now, out);
  return ok();
}

/// Keeps a message for later. What is released at once needs no room, so that a full node still makes progress.
expected<unit> reliable_receiver::hold(in_stream& s, envelope m, time_ms) {
  const auto size = m.body.size();
  if (stats_.pending >= config_.pending_max || stats_.pending_octets + size > config_.pending_octets_max)
    return error{errc::queue_full, "too much is held back"};
  const auto seq = m.stream->seq;
  const auto expires = m.expires_ms();
  s.wake_at = s.wake_at == 0 ? expires : std::min(s.wake_at, expires);
  s.set_state(seq, in_state::held);
  s.highest = std::max(s.highest, seq);
  s.pending.emplace(seq, std::move(m));
  stats_.pending += 1;
  stats_.pending_octets += size;
  return ok();
}

/// Whether `dep` is released here before whatever is released next, or never will be. The same clock that lets us stop
/// waiting at dep.expires_ms keeps us from releasing that message afterwards.
bool reliable_receiver::released_here(const causal_dep& dep, time_ms now) {
  if (dep.expires_ms <= now) return true;
  const auto* s = find({dep.source, dep.destination});
  if (!s) return false;
  return s->epoch > dep.epoch || (s->epoch == dep.epoch && s->next > dep.seq);
}

/// What is to be done with the head of a stream. Registers what it waits for.
reliable_receiver::verdict reliable_receiver::judge(in_stream& s, const envelope& m, time_ms now) {
  if (m.expires_ms() <= now) return verdict::expired;
  for (const auto& d : m.stream->deps) {
    if (d.destination != m.destination || released_here(d, now)) continue;
    wait_on(s, {d.source, d.destination});
    const auto until = std::min(d.expires_ms, m.expires_ms());
    s.wake_at = s.wake_at == 0 ? until : std::min(s.wake_at, until);
    return verdict::wait;
  }
  if (stats_.open >= config_.open_max || !pasts_.make_room(m.destination, m.stream->deps, now)) {
    s.stalled = true;
    stalled_.insert(s.key);
    const auto until = now + stall_retry_ms;
    s.wake_at = s.wake_at == 0 ? until : std::min(s.wake_at, until);
    return verdict::stall;
  }
  return verdict::release;
}

/// Releases or expires the head `m`, which has seq `next`. False, with `m` untouched, if it must wait.
bool reliable_receiver::step(in_stream& s, envelope& m, time_ms now, unicast_effects& out) {
  switch (judge(s, m, now)) {
  case verdict::wait:
  case verdict::stall:
    return false;
  case verdict::expired:
    skip_head(s, errc::expired, now, out);
    break;
  case verdict::release:
    release(s, std::move(m), now, out);
    break;
  }
  notify(s.key);
  return true;
}

void reliable_receiver::release(in_stream& s, envelope m, time_ms now, unicast_effects& out) {
  pasts_.absorb(m.destination, m.stream->deps, now);
  s.set_state(s.next, in_state::marking);
  ++s.next;
  ++stats_.open;
  make_dirty(s, now);
  releasing_.push_back(std::move(m));
  if (releasing_.size() >= config_.batch_max) close_commit(out);
}

/// Releases from the pending messages as far as possible.
void reliable_receiver::advance(in_stream& s, time_ms now, unicast_effects& out) {
  for (auto it = s.pending.find(s.next); it != s.pending.end(); it = s.pending.find(s.next)) {
    const auto size = it->second.body.size();
    if (!step(s, it->second, now, out)) return;
    s.pending.erase(it);
    stats_.pending -= 1;
    stats_.pending_octets -= size;
  }
}

void reliable_receiver::wait_on(in_stream& s, const stream_key& key) {
  if (s.waiting_on == key) return;
  stop_waiting(s);
  s.waiting_on = key;
  waiters_[key].insert(s.key);
}

void reliable_receiver::stop_waiting(in_stream& s) {
  if (!s.waiting_on) return;
  const auto it = waiters_.find(*s.waiting_on);
  if (it != waiters_.end()) {
    it->second.erase(s.key);
    if (it->second.empty()) waiters_.erase(it);
  }
  s.waiting_on.reset();
}

/// The stream `key` moved on: those that depend on it are looked at again.
void reliable_receiver::notify(const stream_key& key) {
  if (waiters_.empty()) return;
  const auto it = waiters_.find(key);
  if (it == waiters_.end()) return;
  for (const auto& waiter : it->second) {
    if (auto* s = find(waiter)) s->waiting_on.reset();
    ready_.push_back(waiter);
  }
  waiters_.erase(it);
}

void reliable_receiver::run_ready(time_ms now, unicast_effects& out) {
  while (!ready_.empty()) {
    const auto key = ready_.front();
    ready_.pop_front();
    auto* s = find(key);
    if (!s) continue;
    advance(*s, now, out);
    schedule(*s, now);
  }
}

/// Room came free: goes on with streams that waited for it.
void reliable_receiver::unstall(time_ms now, unicast_effects& out) {
  while (!stalled_.empty() && stats_.open < config_.open_max) {
    auto* s = find(*stalled_.begin());
    stalled_.erase(stalled_.begin());
    if (!s) continue;
    s->stalled = false;
    advance(*s, now, out);
    run_ready(now, out);
    schedule(*s, now);
    if (s->stalled) break; // still no room in its engine's context: the timer tries again
  }
}

/// A newer life of the sender. What its earlier life left waiting is not wanted any more; what was released goes on.
void reliable_receiver::begin_epoch(in_stream& s, std::uint64_t epoch, time_ms now, unicast_effects& out) {
  drop_pending(s, UINT64_MAX, errc::replayed, out);
  stop_waiting(s);
  s.restart(epoch);
  make_dirty(s, now);
  notify(s.key);
}

void reliable_receiver::drop(in_stream& s, std::map<std::uint64_t, envelope>::iterator it, errc why,
                             unicast_effects& out) {
  ++stats_.dropped;
  stats_.pending -= 1;
  stats_.pending_octets -= it->second.body.size();
  if (s.state(it->first) == in_state::held) s.set_state(it->first, in_state::none);
  out.push_back(unicast_dropped{{s.key.source, s.key.destination, s.epoch, it->first}, why});
  s.pending.erase(it);
}

void reliable_receiver::drop_pending(in_stream& s, std::uint64_t below, errc why, unicast_effects& out) {
  while (!s.pending.empty() && s.pending.begin()->first < below) drop(s, s.pending.begin(), why, out);
}

/// Messages behind a gap that never closed. Their slots are free again: an ack does not claim to hold them.
void reliable_receiver::drop_expired(in_stream& s, time_ms now, unicast_effects& out) {
  for (auto it = s.pending.begin(); it != s.pending.end();) {
    const auto at = it++;
    if (at->first != s.next && at->second.expires_ms() <= now) drop(s, at, errc::expired, out);
  }
  for (const auto& [seq, m] : s.pending)
    s.wake_at = s.wake_at == 0 ? m.expires_ms() : std::min(s.wake_at, m.expires_ms());
}

/// Settles all seq from `next` up to `floor`, without messages. Precondition: none of them is pending.
void reliable_receiver::skip_to(in_stream& s, std::uint64_t floor) {
  if (s.settled + 1 == s.next) { // nothing is open: any distance in one step
    const auto last = std::min(floor - 1, s.settled + stream_window_max);
    for (auto seq = s.settled + 1; seq <= last; ++seq) s.set_state(seq, in_state::none);
    s.settled = floor - 1;
    s.next = floor;
    return;
  }
  // Slots reach no further than the window; the sender repeats the skip when the open ones are handled.
  floor = std::min(floor, s.settled + stream_window_max + 1);
  while (s.next < floor) {
    s.settle(s.next, errc::none);
    ++s.next;
  }
}

void reliable_receiver::receive_skip(const stream_key& key, const unicast_skip& skip, time_ms now,
                                     unicast_effects& out) {
  if (skip.epoch == 0 || skip.epoch > (now + clock_skew_max_ms) * 1000) return;
  auto* s = find(key);
  if (!s) s = open(key, skip.epoch);
  if (!s || skip.epoch < s->epoch) return;
  if (skip.epoch > s->epoch) begin_epoch(*s, skip.epoch, now, out);
  retain(*s, now, now);
  s->began = true;
  if (skip.floor > s->next) {
    drop_pending(*s, skip.floor, errc::timed_out, out);
    stop_waiting(*s);
    skip_to(*s, skip.floor);
    s->highest = std::max(s->highest, s->next - 1);
    make_dirty(*s, now);
    notify(key);
    advance(*s, now, out);
  }
  run_ready(now, out);
  queue_ack(*s, true);
  schedule(*s, now);
}

} // namespace hanse::internal
