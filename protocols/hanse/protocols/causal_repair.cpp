// Causal multicast: finding and fetching what is missing. Digests find a lost last event, which leaves no gap; wants go
// to whoever said that there is more, to the peers nearby, to the publisher, to others. See causal_multicast.hpp.
// Whatever a peer asks for is bounded by the credit it has with us.
#include "hanse/protocols/internal/causal_state.hpp"

#include <algorithm>

namespace hanse {

using impl = causal_multicast::impl;

namespace {

constexpr std::size_t hints_max = 4;
constexpr std::size_t refusals_max = 16;
constexpr std::size_t digest_octets = 4096; ///< what answering a digest costs a peer of its credit, about

} // namespace

// `from` says, or implies, that the events of `c` up to `seq` exist.
void impl::note_exists(chain& c, std::uint64_t seq, const identity& from, time_ms now) {
  if (seq <= c.delivered || forked_.contains(c.key.publisher)) return;
  if (from != self_) {
    std::erase(c.hints, from);
    c.hints.insert(c.hints.begin(), from);
    if (c.hints.size() > hints_max) c.hints.pop_back();
  }
  c.known = std::max(c.known, seq);
  need(c, now);
}

void impl::need(chain& c, time_ms now) {
  if (c.want_at != 0) return;
  c.want_at = now + config_.want_delay_ms;
  c.since = now;
  c.attempts = 0;
  c.refused.clear();
  needy_.insert(c.key);
}

std::vector<chain_range> impl::missing_of(const chain& c, std::size_t events_max) const {
  std::vector<chain_range> ranges;
  auto at = c.delivered + 1;
  auto held = c.pending.begin();
  while (at <= c.known && events_max > 0 && ranges.size() < want_ranges_max) {
    for (; held != c.pending.end() && held->first == at; ++held) ++at;
    if (at > c.known) break;
    const auto before = held == c.pending.end() ? c.known + 1 : std::min(held->first, c.known + 1);
    const auto count = std::min<std::uint64_t>(before - at, events_max);
    ranges.push_back({c.key, at, at + count - 1});
    events_max -= count;
    at = before;
  }
  return ranges;
}

std::optional<identity> impl::source_for(const chain& c) {
  std::vector<identity> sources;
  const auto add = [&](const identity& node) {
    if (is_member(node) && std::ranges::find(sources, node) == sources.end()) sources.push_back(node);
  };
  for (const auto& node : c.hints) add(node);
  for (const auto& node : near_) add(node);
  add(c.key.publisher); // where a node publishes by its own identity
  for (int i = 0; i < 3 && !members_.empty(); ++i) {
    const auto& node = members_[random_.below(members_.size())];
    if (!c.refused.contains(node)) add(node);
  }
  if (sources.empty()) return {};
  return sources[c.attempts % sources.size()];
}

// Whether nobody has it. Silence does not count: it may be a partition, which ends.
bool impl::is_hopeless(const chain& c, time_ms now) const {
  if (now - c.since < config_.give_up_ms) return false;
  if (now - c.since >= config_.give_up_max_ms) return true;
  return c.refused.size() >= std::min(refusals_max, members_.size() / 2 + 1);
}

void impl::send_wants(time_ms now, multicast_effects& out) {
  std::map<identity, multicast_want> wants;
  std::map<identity, std::size_t> events;
  for (auto it = needy_.begin(); it != needy_.end();) {
    auto& c = chains_.at(*it++); // giving up may erase it
    if (c.want_at > now) continue;
    const auto ranges = missing_of(c, want_events_max);
    if (ranges.empty()) {
      c.want_at = 0;
      needy_.erase(c.key);
      continue;
    }
    if (is_hopeless(c, now)) {
      give_up(c, now, out);
      continue;
    }
    const auto backoff = std::min(c.attempts, 8u);
    std::uint64_t timeout = config_.want_timeout_ms;
    for (std::uint32_t i = 0; i < backoff; ++i) timeout += timeout / 2;
    c.want_at = now + std::min<std::uint64_t>(timeout, config_.want_timeout_max_ms);
    const auto source = source_for(c);
    ++c.attempts;
    if (!source) continue;
    auto& want = wants[*source];
    for (const auto& r : ranges) {
      const auto count = static_cast<std::size_t>(r.last - r.first + 1);
      if (want.ranges.size() == want_ranges_max || events[*source] + count > want_events_max) {
        c.want_at = now + config_.want_delay_ms; // the rest goes with the next one
        break;
      }
      want.ranges.push_back(r);
      events[*source] += count;
    }
  }
  for (auto& [source, want] : wants) {
    if (want.ranges.empty()) continue;
    ++stats_.wants_sent;
    send(source, want, out);
  }
}

// Nobody has what is missing next: it is skipped, if something waits for it.
void impl::give_up(chain& c, time_ms now, multicast_effects& out) {
  auto last = c.delivered;
  if (!c.pending.empty()) last = c.pending.begin()->first - 1;
  if (c.pending.empty() && c.required > c.delivered) last = c.required;
  c.want_at = 0;
  needy_.erase(c.key);
  if (last > c.delivered) {
    ++stats_.gaps;
    out.emplace_back(multicast_gap{{c.key, c.delivered + 1, last}});
    skip_to(c, last);
    if (!c.pending.empty() && c.known > c.delivered) need(c, now);
  } else if (c.pending.empty()) {
    c.known = c.delivered; // believed no longer
    if (!c.verified && c.delivered == 0) return evict(c);
  }
  drain_all(now, out);
}

// An event that continues another one than we delivered: its sender has the other branch.
void impl::blame(chain& c, const topic_event& e, const identity& from, time_ms now, multicast_effects& out) {
  ++stats_.dropped;
  if (c.blamed_ms != 0 && now < c.blamed_ms + config_.want_timeout_ms) return;
  c.blamed_ms = std::max<time_ms>(now, 1);
  if (e.seq > 1 && is_member(from)) send(from, multicast_want{{{c.key, e.seq - 1, e.seq - 1}}}, out);
}

// Something was delivered, or somebody came: digests go out for a while.
void impl::news(time_ms now) {
  digest_rounds_left_ = config_.digest_rounds;
  const auto at = now + config_.digest_ms;
  if (!digest_at_ || *digest_at_ > at) digest_at_ = at;
}

// Publishers that forked are left out: who lists one has not seen the proof.
std::vector<chain_mark> impl::digest_marks(bool idle, time_ms now) {
  std::vector<chain_mark> marks;
  const auto since = std::uint64_t{config_.digest_ms} * (config_.digest_rounds + 1);
  auto it = digest_after_ ? chains_.upper_bound(*digest_after_) : chains_.begin();
  for (std::size_t i = 0; i < chains_.size() && marks.size() < digest_marks_max; ++i) {
    if (it == chains_.end()) it = chains_.begin();
    const auto& c = it++->second;
    if (c.delivered == 0 || c.unheard != 0 || (!idle && c.changed_ms + since < now) ||
        forked_.contains(c.key.publisher))
      continue;
    marks.push_back({c.key, c.delivered});
    digest_after_ = c.key;
  }
  std::ranges::sort(marks);
  return marks;
}

void impl::send_digests(time_ms now, multicast_effects& out) {
  const bool idle = digest_rounds_left_ == 0;
  if (!idle) --digest_rounds_left_;
  digest_at_ = now + (digest_rounds_left_ > 0 ? config_.digest_ms : config_.idle_digest_ms);
  if (!joined_ || members_.empty()) return;
  auto marks = digest_marks(idle, now);
  if (marks.empty()) return;
  const multicast_control body = multicast_digest{std::move(marks)};
  std::vector<identity> to;
  const auto add = [&](const identity& node) {
    if (std::ranges::find(to, node) == to.end()) to.push_back(node);
  };
  // While new to those nearby in turn, and always to one of all: that bridges what the overlay does not.
  for (std::size_t i = 0; !idle && i < near_.size() && to.size() + 1 < config_.digest_fanout; ++i)
    add(near_[digest_turn_++ % near_.size()]);
  add(members_[random_.below(members_.size())]);
  for (const auto& node : to) {
    ++stats_.digests_sent;
    send(node, body, out);
  }
}

bool impl::spend(const identity& peer, std::uint64_t octets, time_ms now) {
  auto& p = peers_[peer]; // of members only, see receive
  if (p.credit_at == 0) {
    p.credit = config_.answer_octets_burst;
  } else {
    const auto grown = std::min<std::uint64_t>(now - p.credit_at, 3'600'000) * config_.answer_octets_per_second / 1000;
    p.credit = std::min(config_.answer_octets_burst, p.credit + grown);
  }
  p.credit_at = std::max<time_ms>(now, 1);
  if (p.credit < octets) {
    ++stats_.refused;
    return false;
  }
  p.credit -= octets;
  return true;
}

void impl::on(const identity& from, const multicast_digest& d, time_ms now, multicast_effects& out) {
  multicast_digest ahead;
  for (const auto& mark : d.marks) {
    if (forked_.contains(mark.chain.publisher)) { // the proof got lost on its way there
      send_fork_proof(from, mark.chain.publisher, now, out);
      continue;
    }
    auto* c = find(mark.chain);
    if (!c) {
      if (!may_publish(mark.chain.publisher)) continue;
      c = find_or_make(mark.chain, false);
      if (!c) continue;
    }
    if (joined_ && mark.seq > c->delivered) note_exists(*c, mark.seq, from, now);
    if (mark.seq < c->delivered) ahead.marks.push_back({c->key, c->delivered});
  }
  if (ahead.marks.empty() || !joined_) return;
  auto& p = peers_[from];
  if (p.digest_answered && now < *p.digest_answered + config_.digest_reply_ms) return;
  if (!spend(from, digest_octets, now)) return;
  p.digest_answered = now;
  ++stats_.digests_sent;
  send(from, ahead, out);
}

void impl::send_fork_proof(const identity& to, const identity& publisher, time_ms now, multicast_effects& out) {
  const auto forked = forked_.find(publisher);
  if (forked == forked_.end()) return;
  const auto& proof = forked->second;
  if (spend(to, digest_octets + proof.first.size() + proof.second.size(), now))
    send(to, multicast_fork_notice{encode(proof)}, out);
}

void impl::on(const identity& from, const multicast_want& w, time_ms now, multicast_effects& out) {
  ++stats_.wants_received;
  std::map<const event_parcel*, std::vector<std::uint32_t>> wanted; // with the order of first mention below
  std::vector<parcel_ptr> in_order;
  multicast_events answer;
  for (const auto& r : w.ranges) {
    const auto* c = find(r.chain);
    for (auto seq = r.first; seq <= r.last; ++seq) {
      const auto* s = c ? stored(*c, seq) : nullptr;
      if (!s) {
        if (!answer.missing.empty() && answer.missing.back().chain == r.chain && answer.missing.back().last + 1 == seq)
          answer.missing.back().last = seq;
        else
          answer.missing.push_back({r.chain, seq, seq});
        continue;
      }
      auto& indices = wanted[s->parcel.get()];
      if (indices.empty()) in_order.push_back(s->parcel);
      indices.push_back(s->index);
    }
    send_fork_proof(from, r.chain.publisher, now, out);
  }
  std::size_t octets = 0;
  const auto add = [&](shared_bytes parcel) {
    if (octets + parcel.size() > answer_octets_max && octets > 0) return; // it will be wanted again
    octets += parcel.size();
    answer.parcels.push_back(std::move(parcel));
  };
  for (const auto& parcel : in_order) {
    const auto& indices = wanted[parcel.get()];
    // A proof costs the whole tree: from some events on, the whole parcel with its one signature is cheaper.
    if (indices.size() * 4 >= parcel->events.size()) {
      add(parcel->wire);
    } else {
      for (const auto i : indices) add(shared_bytes{parcel_alone(*parcel, i)});
    }
  }
  if (spend(from, octets + 256, now)) send(from, answer, out);
}

void impl::offer_answer(const identity& from, const shared_bytes& parcel, time_ms now, multicast_effects& out) {
  if (offer(from, parcel, true, now, out) == payload_verdict::invalid)
    out.emplace_back(peer_faulted{from, error{errc::bad_signature, "a parcel in an answer"}});
}

void impl::on(const identity& from, const multicast_events& e, time_ms now, multicast_effects& out) {
  for (const auto& parcel : e.parcels) offer_answer(from, parcel, now, out);
  for (const auto& r : e.missing) {
    auto* c = find(r.chain);
    if (!c || c->want_at == 0 || r.last <= c->delivered) continue;
    if (std::erase(c->hints, from) > 0 && r.last <= c->known) // it had said that there is more
      out.emplace_back(peer_faulted{from, error{errc::not_found, "claimed to have events"}});
    if (c->refused.size() < refusals_max) c->refused.insert(from);
    if (c->attempts < 4) c->want_at = now; // the next one, at once; then only at the pace of the timeouts
  }
  if (e.parcels.empty()) return;
  for (const auto& key : needy_) { // what follows in long gaps
    auto& c = chains_.at(key);
    if (c.delivered > 0 && c.changed_ms == now) c.want_at = now;
  }
}

void impl::on(const identity& from, const multicast_fork_notice& f, time_ms now, multicast_effects& out) {
  if (!spend(from, digest_octets, now)) return; // verifying costs
  auto proof = decode_fork_proof(f.proof, verifier_);
  if (!proof) {
    out.emplace_back(peer_faulted{from, proof.error()});
    return;
  }
  const auto event = forked_event(*proof);
  if (!event || event->topic != topic_ || !may_publish(event->chain.publisher)) return;
  forked(event->chain.publisher, *std::move(proof), out);
  drain_all(now, out);
}

} // namespace hanse
