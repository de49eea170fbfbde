// The sending half of reliable_unicast, part 1: taking messages in, and sending them within window and causal bounds.
// Acks, timers and failures are in reliable_sender_acks.cpp.

#include "hanse/protocols/internal/reliable_sender.hpp"

#include <algorithm>

namespace hanse::internal {

void rtt_estimate::sample(std::uint64_t rtt_ms) noexcept {
  const auto r = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(rtt_ms, 1, 60'000));
  if (srtt8 == 0) { // RFC 6298 (2.2)
    srtt8 = r * 8;
    rttvar4 = r * 2;
    return;
  }
  const auto srtt = srtt8 / 8;
  const auto deviation = r > srtt ? r - srtt : srtt - r;
  rttvar4 = rttvar4 - rttvar4 / 4 + deviation; // (2.3), beta 1/4
  srtt8 = srtt8 - srtt8 / 8 + r;               // alpha 1/8
}

std::uint32_t rtt_estimate::timeout_ms(const reliable_config& config) const noexcept {
  const std::uint64_t plain = srtt8 == 0 ? config.rto_initial_ms : srtt8 / 8 + std::max(1u, rttvar4);
  const auto bounded = std::clamp<std::uint64_t>(plain, config.rto_min_ms, config.rto_max_ms);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(bounded << std::min(backoff, 16u), config.rto_max_ms));
}

expected<unit> reliable_sender::check_room(const out_stream* s, const envelope& message) const {
  const auto size = message.body.size();
  if (stats_.queued_octets + size > config_.node_octets_max)
    return error{errc::queue_full, "too much is being sent by this node"};
  if (!s) return streams_.size() < config_.streams_max ? ok() : error{errc::table_full, "too many streams"};
  if (s->messages.size() >= config_.queue_max || (s->live != 0 && s->octets + size > config_.queue_octets_max))
    return error{errc::queue_full, "too much is on its way to this destination"};
  return ok();
}

out_stream& reliable_sender::open(const stream_key& key, std::uint64_t epoch, time_ms now) {
  auto& s = streams_.try_emplace(key).first->second;
  s.key = key;
  s.serial = ++serials_;
  s.epoch = epoch;
  s.idle_at = now + config_.idle_ms;
  s.reachable = !unreachable_.contains(key.destination);
  by_destination_[key.destination].insert(key.source);
  pasts_.get(key.source).streams.insert(key.destination);
  stats_.streams_out = streams_.size();
  return s;
}

/// Forgets a stream without live messages. Its entry in the context stays: what was given up may yet be delivered.
void reliable_sender::close(out_stream& s) {
  const auto key = s.key;
  timers_.cancel(s);
  const auto sources = by_destination_.find(key.destination);
  sources->second.erase(key.source);
  if (sources->second.empty()) by_destination_.erase(sources);
  if (auto* e = pasts_.find(key.source)) {
    e->streams.erase(key.destination);
    std::erase_if(e->blocked, [&](const auto& b) { return b.second == key.destination; });
  }
  streams_.erase(key);
  stats_.streams_out = streams_.size();
  pasts_.forget_if_unused(key.source);
}

expected<unit> reliable_sender::send(envelope message, time_ms now, unicast_effects& out) {
  if (message.expires_ms() <= now) return errc::expired;
  const stream_key key{message.source, message.destination};
  const auto it = streams_.find(key);
  HANSE_CHECK(check_room(it != streams_.end() ? &it->second : nullptr, message));
  auto& e = pasts_.get(key.source);
  e.past.expire(now);
  if (e.past.size() >= config_.context_max && !e.past.contains(key.source, key.destination))
    return error{errc::queue_full, "the engine has too many causal dependencies"};

  // Ids strictly increase, over restarts too: the first id makes an epoch that is newer than all before.
  auto& s = it != streams_.end() ? it->second : open(key, message.id, now);
  const auto seq = s.end();
  out_message m;
  m.expires_ms = message.expires_ms();
  m.size = static_cast<std::uint32_t>(message.body.size());
  capture(s, m, e);
  message.stream = stream_position{s.epoch, seq, {}};
  m.message = std::make_shared<envelope>(std::move(message));
  m.order = ++e.sends;
  m.charge = m.size + static_cast<std::uint32_t>(m.past ? m.past->size() * sizeof(causal_dep) : 0);
  s.octets += m.charge;
  s.live += 1;
  stats_.queued_octets += m.charge;
  stats_.queued += 1;
  stats_.sent += 1;
  s.expiry_at = s.expiry_at == 0 ? m.expires_ms : std::min(s.expiry_at, m.expires_ms);
  s.own_changes += e.past.add({key.source, key.destination, s.epoch, seq, m.expires_ms}) ? 1 : 0;
  s.own_changes += e.past.prune(key.source, key.destination, s.epoch, s.acked) ? 1 : 0;
  s.messages.push_back(std::move(m));
  pump(s, now, out);
  schedule(s, now);
  return ok();
}

/// Takes the causal past as it is now. Never later: a dependency that was learned after `send` may itself depend on
/// this message, and the two would wait for each other.
void reliable_sender::capture(out_stream& s, out_message& m, local_engine& e) {
  const auto stamp = e.past.changes() - s.own_changes;
  if (!s.snapshot_taken || s.snapshot_stamp != stamp) {
    auto deps = e.past.without(s.key.source, s.key.destination);
    s.snapshot = deps.empty() ? nullptr : std::make_shared<const std::vector<causal_dep>>(std::move(deps));
    s.snapshot_stamp = stamp;
    s.snapshot_taken = true;
  }
  m.past = s.snapshot;
}

/// Puts what is still unsettled of the captured past into the message. False while that is more than it may carry.
bool reliable_sender::fill_deps(out_stream& s, std::uint64_t seq, time_ms now) {
  auto& m = s.at(seq);
  if (!m.past) return true;
  auto& e = pasts_.get(s.key.source);
  e.past.expire(now);
  const auto& past = *m.past;
  // What is settled stays so: over all calls every position is looked up about once, however long the message waits.
  std::erase_if(m.unsettled, [&](std::uint32_t i) { return !e.past.live(past[i]); });
  for (; m.looked_at < past.size() && m.unsettled.size() <= causal_deps_max; ++m.looked_at)
    if (e.past.live(past[m.looked_at])) m.unsettled.push_back(m.looked_at);
  if (m.unsettled.size() > causal_deps_max) {
    e.blocked.emplace(m.order, s.key.destination);
    e.past.keep_settled(true);
    pasts_.consider_probing(e, now);
    return false;
  }
  auto& deps = m.message->stream->deps;
  deps.reserve(m.unsettled.size());
  for (const auto i : m.unsettled) deps.push_back(past[i]);
  m.unsettled = {};
  m.past = nullptr;
  return true;
}

void reliable_sender::pump(out_stream& s, time_ms now, unicast_effects& out) {
  if (!s.reachable) return;
  while (s.next_tx < s.end()) {
    auto& m = s.at(s.next_tx);
    if (m.state == out_state::queued) {
      if (s.next_tx - s.base >= stream_window_max) break;
      if (s.flight_octets != 0 && s.flight_octets + m.size > config_.window_octets_max) break;
      if (!fill_deps(s, s.next_tx, now)) break;
      m.state = out_state::in_flight;
      s.flight_octets += m.size;
      s.transmitted = s.next_tx;
      transmit(s, m, now, out);
    }
    ++s.next_tx;
  }
  if (s.retry_at == 0) arm_retry(s, now);
}

void reliable_sender::transmit(out_stream&, out_message& m, time_ms now, unicast_effects& out) {
  const bool again = m.transmissions != 0;
  ++(again ? stats_.retransmitted : stats_.transmitted);
  m.transmissions += 1;
  m.sent_ms = now;
  out.push_back(unicast_transmit{m.message, again});
}

void reliable_sender::send_skip(out_stream& s, time_ms now, unicast_effects& out) {
  s.skip_sent_ms = now;
  out.push_back(unicast_transmit_control{s.key.source, s.key.destination, encode(unicast_skip{s.epoch, s.base})});
}

void reliable_sender::unblock(local_engine& e, time_ms now, unicast_effects& out) {
  while (!e.blocked.empty()) {
    const auto first = *e.blocked.begin();
    e.blocked.erase(e.blocked.begin());
    const auto it = streams_.find({e.id, first.second});
    if (it == streams_.end()) continue;
    pump(it->second, now, out); // enters itself again if it is still too much
    schedule(it->second, now);
    if (e.blocked.contains(first)) return;
  }
  e.past.keep_settled(false);
}

} // namespace hanse::internal
