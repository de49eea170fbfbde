// Plumtree; see plumtree.hpp. Messages, [kind, version, …]; an id is the hash of a payload:
//   payloads 0       [hop, payload, hop, payload, …]
//   announcements 1  [hop, id, hop, id, …]
//   graft 2          [id, …]      send me these, and what comes
//   prune 3                       announce to me, do not send
#include "hanse/protocols/plumtree.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::uint8_t tree_version = 1;
constexpr std::size_t payloads_in_message_max = 4096;
constexpr std::size_t announcements_in_message_max = 4096;
constexpr std::size_t grafts_in_message_max = 256;
constexpr std::size_t announcers_max = 8;
constexpr std::uint32_t hop_max = 10'000;

enum class tree_kind : std::uint8_t { payloads = 0, announcements = 1, graft = 2, prune = 3 };

msgpack_writer begin(tree_kind kind, std::size_t fields, std::size_t size) {
  bytes buffer;
  buffer.reserve(size);
  msgpack_writer out{std::move(buffer)};
  out.array(fields);
  out.unsigned_integer(static_cast<std::uint8_t>(kind));
  out.unsigned_integer(tree_version);
  return out;
}

digest read_digest(msgpack_reader& in) {
  digest d;
  std::ranges::copy(in.blob_exactly(digest::size_bytes), d.octets.begin());
  return d;
}

} // namespace

plumtree::plumtree(const dissemination_context& context, const plumtree_config& config)
    : context_(context), config_(config), overlay_(context.self, context.random, config.overlay) {}

// Takes over what the overlay decided: new neighbours begin eager, as in the paper.
void plumtree::view_changed(time_ms now, dissemination_effects&) {
  for (const auto& [id, is_up] : overlay_.take_changes()) {
    if (is_up) {
      peers_[id];
      continue;
    }
    peers_.erase(id);
    for (auto& [payload, m] : missing_) {
      std::erase_if(m.announcers, [&id = id](const auto& a) { return a.first == id; });
      if (m.asked == id) {
        m.asked.reset();
        m.due = now;
        missing_due_ = std::min(missing_due_, now);
      }
    }
  }
}

void plumtree::members_changed(const std::vector<identity>& members, time_ms now, dissemination_effects& out) {
  overlay_.members_changed(members, now, out);
  view_changed(now, out);
}

void plumtree::peer_down(const identity& peer, time_ms now, dissemination_effects& out) {
  overlay_.peer_down(peer, now, out);
  view_changed(now, out);
}

void plumtree::peer_writable(const identity& id, bool writable, time_ms, dissemination_effects& out) {
  const auto it = peers_.find(id);
  if (it == peers_.end()) return;
  it->second.writable = writable;
  if (writable) send_queued(id, it->second, true, out);
}

void plumtree::broadcast(const shared_bytes& payload, time_ms now, dissemination_effects&) {
  ++stats_.broadcast;
  const auto id = blake2b_256(payload.view());
  if (seen_.contains(id)) return;
  remember(id, 0, payload);
  forward(id, 1, payload, context_.self, now);
}

void plumtree::remember(const digest& id, std::uint32_t hop, const shared_bytes& payload) {
  if (!seen_.emplace(id, seen_entry{hop, payload}).second) return;
  seen_order_.push_back(id);
  if (!payload.empty()) {
    cached_.push_back(id);
    cached_octets_ += payload.size();
  }
  while (cached_.size() > config_.cache_max || cached_octets_ > config_.cache_octets_max) {
    auto& oldest = seen_.at(cached_.front()); // seen_max > cache_max: it is still there
    cached_octets_ -= oldest.payload.size();
    oldest.payload = {};
    cached_.pop_front();
  }
  while (seen_order_.size() > std::max(config_.seen_max, config_.cache_max)) {
    if (!cached_.empty() && cached_.front() == seen_order_.front()) {
      cached_octets_ -= seen_.at(cached_.front()).payload.size();
      cached_.pop_front();
    }
    seen_.erase(seen_order_.front());
    seen_order_.pop_front();
  }
}

void plumtree::forward(const digest& id, std::uint32_t hop, const shared_bytes& payload, const identity& but,
                       time_ms now) {
  for (auto& [to, p] : peers_) {
    if (to == but) continue;
    if (p.eager) {
      queue_payload(p, id, hop, payload);
    } else {
      queue_announcement(p, id, hop);
      if (!announce_at_) announce_at_ = now + config_.announce_ms;
    }
  }
}

void plumtree::queue_payload(peer& p, const digest& id, std::uint32_t hop, const shared_bytes& payload) {
  p.payloads.push_back({id, hop, payload});
  p.octets += payload.size();
  while (p.octets > config_.queue_octets_max && p.payloads.size() > 1) { // the slow-peer policy
    const auto oldest = std::move(p.payloads.front());
    p.payloads.pop_front();
    p.octets -= oldest.payload.size();
    ++stats_.dropped;
    queue_announcement(p, oldest.id, oldest.hop);
  }
}

void plumtree::queue_announcement(peer& p, const digest& id, std::uint32_t hop) {
  p.announcements.push_back({id, hop});
  if (p.announcements.size() <= config_.queue_announcements_max) return;
  p.announcements.pop_front();
  ++stats_.dropped;
}

void plumtree::send_queued(const identity& to, peer& p, bool announcements, dissemination_effects& out) {
  while (!p.payloads.empty()) {
    std::size_t count = 0, octets = 0;
    while (count < p.payloads.size() && count < payloads_in_message_max &&
           (count == 0 || octets + p.payloads[count].payload.size() <= dissemination_message_max))
      octets += p.payloads[count++].payload.size();
    auto message = begin(tree_kind::payloads, 3, octets + 16 + 10 * count);
    message.array(2 * count);
    for (std::size_t i = 0; i < count; ++i) {
      message.unsigned_integer(p.payloads[i].hop);
      message.blob(p.payloads[i].payload.view());
    }
    p.payloads.erase(p.payloads.begin(), p.payloads.begin() + static_cast<std::ptrdiff_t>(count));
    p.octets -= octets;
    stats_.payloads_sent += count;
    out.emplace_back(peer_message{to, std::move(message).take()});
  }
  if (announcements) send_announcements(to, p, out);
}

void plumtree::send_announcements(const identity& to, peer& p, dissemination_effects& out) {
  while (!p.announcements.empty()) {
    const auto count = std::min(p.announcements.size(), announcements_in_message_max);
    auto message = begin(tree_kind::announcements, 3, 16 + 38 * count);
    message.array(2 * count);
    for (std::size_t i = 0; i < count; ++i) {
      message.unsigned_integer(p.announcements[i].hop);
      message.blob(p.announcements[i].id.view());
    }
    p.announcements.erase(p.announcements.begin(), p.announcements.begin() + static_cast<std::ptrdiff_t>(count));
    stats_.announcements += count;
    out.emplace_back(peer_message{to, std::move(message).take()});
  }
}

void plumtree::flush(time_ms now, dissemination_effects& out) {
  const bool announce = announce_at_ && *announce_at_ <= now;
  for (auto& [id, p] : peers_)
    if (p.writable) send_queued(id, p, announce, out);
  if (announce) announce_at_.reset();
}

void plumtree::graft(const identity& to, const std::vector<digest>& ids, dissemination_effects& out) {
  ++stats_.grafts;
  auto message = begin(tree_kind::graft, 3, 16 + 34 * ids.size());
  message.array(ids.size());
  for (const auto& id : ids) message.blob(id.view());
  out.emplace_back(peer_message{to, std::move(message).take()});
  if (const auto it = peers_.find(to); it != peers_.end()) it->second.eager = true;
}

void plumtree::prune(const identity& to, dissemination_effects& out) {
  const auto it = peers_.find(to);
  if (it == peers_.end()) return;
  it->second.eager = false;
  ++stats_.prunes;
  out.emplace_back(peer_message{to, begin(tree_kind::prune, 2, 4).take()});
}

expected<unit> plumtree::receive(const identity& from, byte_view body, time_ms now, dissemination_effects& out) {
  msgpack_reader in{body};
  const auto fields = in.array(5);
  const auto kind = in.unsigned_integer();
  if (in.good() && kind >= hyparview_kind_first) {
    const auto result = overlay_.receive(from, body, now, out);
    view_changed(now, out);
    return result;
  }
  if (kind > static_cast<std::uint8_t>(tree_kind::prune)) in.fail(errc::bad_type);
  if (in.unsigned_integer() != tree_version) in.fail(errc::bad_version);
  const auto what = static_cast<tree_kind>(kind);
  if (fields != (what == tree_kind::prune ? 2u : 3u)) in.fail(errc::bad_value);
  if (!in.good()) return in.finish().error();
  if (overlay_.is_banned(from, now)) return errc::untrusted;
  overlay_.heard(from, now, out);
  switch (what) {
  case tree_kind::payloads:
    return receive_payloads(from, in, now, out);
  case tree_kind::announcements:
    return receive_announcements(from, in, now);
  case tree_kind::graft:
    return receive_grafts(from, in, now);
  case tree_kind::prune:
    break;
  }
  HANSE_CHECK(in.finish());
  if (const auto it = peers_.find(from); it != peers_.end()) it->second.eager = false;
  return ok();
}

expected<unit> plumtree::receive_payloads(const identity& from, msgpack_reader& in, time_ms now,
                                          dissemination_effects& out) {
  std::vector<std::pair<std::uint32_t, byte_view>> payloads(in.array(2 * payloads_in_message_max) / 2);
  for (auto& [hop, payload] : payloads) {
    hop = static_cast<std::uint32_t>(in.unsigned_integer(hop_max));
    payload = in.blob(dissemination_message_max);
  }
  HANSE_CHECK(in.finish());
  for (const auto& [hop, payload] : payloads) {
    take(from, hop, shared_bytes::copy_of(payload), now, out);
    if (overlay_.is_banned(from, now)) break;
  }
  return ok();
}

// One payload of a peer; whether it is a neighbour (still) does not matter to its content.
void plumtree::take(const identity& from, std::uint32_t hop, shared_bytes payload, time_ms now,
                    dissemination_effects& out) {
  ++stats_.payloads_received;
  const auto id = blake2b_256(payload.view());
  const auto it = peers_.find(from);
  auto* p = it == peers_.end() ? nullptr : &it->second;
  if (seen_.contains(id)) {
    if (p && p->eager) prune(from, out);
    return;
  }
  const auto verdict = context_.sink.offer(from, payload, now);
  if (verdict == payload_verdict::invalid) {
    ++stats_.invalid;
    out.emplace_back(peer_faulted{from, errc::bad_signature});
    if (p && ++p->invalid >= config_.invalid_max) score_out(from, errc::bad_signature, now, out);
    return;
  }
  remember(id, hop, verdict == payload_verdict::fresh ? payload : shared_bytes{});
  const auto missing = missing_.find(id);
  if (p && missing != missing_.end() && missing->second.asked == from) ++p->kept;
  if (verdict == payload_verdict::fresh) {
    ++stats_.fresh;
    stats_.last_hop = std::max(stats_.last_hop, hop);
    forward(id, std::min(hop + 1, hop_max), payload, from, now);
    if (p) p->eager = true;
    if (p && missing != missing_.end()) optimise(from, hop, missing->second, out);
  }
  if (missing != missing_.end()) forget_missing(missing);
}

// Somebody is much closer to the source than who sent this.
void plumtree::optimise(const identity& from, std::uint32_t hop, const missing_entry& m, dissemination_effects& out) {
  for (const auto& [announcer, announced_hop] : m.announcers) {
    if (announcer == from || hop < announced_hop + config_.optimisation_hops || !peers_.contains(announcer)) continue;
    graft(announcer, {}, out);
    prune(from, out);
    return;
  }
}

expected<unit> plumtree::receive_announcements(const identity& from, msgpack_reader& in, time_ms now) {
  std::vector<announcement> announced(in.array(2 * announcements_in_message_max) / 2);
  for (auto& a : announced) {
    a.hop = static_cast<std::uint32_t>(in.unsigned_integer(hop_max));
    a.id = read_digest(in);
  }
  HANSE_CHECK(in.finish());
  const auto p = peers_.find(from);
  if (p == peers_.end()) return ok();
  const auto wait = std::max(config_.graft_min_ms, config_.graft_rtts * overlay_.rtt_ms(config_.rtt_initial_ms));
  for (const auto& a : announced) {
    if (seen_.contains(a.id)) continue;
    auto it = missing_.find(a.id);
    if (it == missing_.end()) {
      if (missing_.size() >= config_.missing_max || p->second.missing >= config_.missing_max / 8) break;
      it = missing_.emplace(a.id, missing_entry{{}, {}, from, now + wait}).first;
      ++p->second.missing;
      missing_due_ = std::min(missing_due_, now + wait);
    }
    auto& announcers = it->second.announcers;
    const auto is_same = [&](const auto& known) { return known.first == from; };
    if (announcers.size() < announcers_max && std::ranges::none_of(announcers, is_same))
      announcers.emplace_back(from, a.hop);
  }
  return ok();
}

expected<unit> plumtree::receive_grafts(const identity& from, msgpack_reader& in, time_ms now) {
  std::vector<digest> ids(in.array(grafts_in_message_max));
  for (auto& id : ids) id = read_digest(in);
  HANSE_CHECK(in.finish());
  const auto it = peers_.find(from);
  if (it == peers_.end()) return ok();
  auto& p = it->second;
  p.eager = true;
  const auto grown = std::min<std::uint64_t>(now - p.credit_at, 1000) * config_.graft_octets_per_second / 1000;
  p.credit = std::min(config_.graft_octets_per_second, p.credit + grown);
  if (p.credit_at == 0) p.credit = config_.graft_octets_per_second;
  p.credit_at = std::max<time_ms>(now, 1);
  for (const auto& id : ids) {
    const auto seen = seen_.find(id);
    if (seen == seen_.end() || seen->second.payload.empty()) continue;
    if (p.credit < seen->second.payload.size()) break;
    p.credit -= seen->second.payload.size();
    queue_payload(p, id, std::min(seen->second.hop + 1, hop_max), seen->second.payload);
  }
  return ok();
}

plumtree::missing_table::iterator plumtree::forget_missing(missing_table::iterator at) {
  if (const auto p = peers_.find(at->second.first); p != peers_.end() && p->second.missing > 0) --p->second.missing;
  return missing_.erase(at);
}

// Whoever was asked and has not sent it broke a promise; then the next announcer is asked.
void plumtree::ask_for_missing(time_ms now, dissemination_effects& out) {
  if (missing_due_ > now) return;
  const auto again = std::max(config_.regraft_min_ms, overlay_.rtt_ms(config_.rtt_initial_ms) * 3 / 2);
  std::map<identity, std::vector<digest>> grafts;
  std::vector<identity> broken;
  missing_due_ = UINT64_MAX;
  for (auto it = missing_.begin(); it != missing_.end();) {
    auto& [id, m] = *it;
    if (m.due > now) {
      missing_due_ = std::min(missing_due_, m.due);
      ++it;
      continue;
    }
    if (m.asked) broken.push_back(*m.asked);
    m.asked.reset();
    const auto next = std::ranges::find_if(m.announcers, [&](const auto& a) {
      const auto asked = grafts.find(a.first);
      return peers_.contains(a.first) && (asked == grafts.end() || asked->second.size() < grafts_in_message_max);
    });
    if (next == m.announcers.end()) {
      it = forget_missing(it); // digests will find it
      continue;
    }
    m.asked = next->first;
    m.announcers.erase(next);
    grafts[*m.asked].push_back(id);
    m.due = now + again;
    missing_due_ = std::min(missing_due_, m.due);
    ++it;
  }
  for (const auto& [to, ids] : grafts) graft(to, ids, out);
  for (const auto& id : broken) broke_promise(id, now, out);
}

void plumtree::broke_promise(const identity& id, time_ms now, dissemination_effects& out) {
  const auto it = peers_.find(id);
  if (it == peers_.end()) return;
  auto& p = it->second;
  if (++p.broken < config_.broken_max || p.kept * 8 > p.broken) return;
  score_out(id, error{errc::not_found, "announced what it does not send"}, now, out);
}

void plumtree::score_out(const identity& id, const error& why, time_ms now, dissemination_effects& out) {
  ++stats_.scored_out;
  out.emplace_back(peer_faulted{id, why});
  overlay_.ban(id, now, out);
  view_changed(now, out);
}

void plumtree::tick(time_ms now, dissemination_effects& out) {
  overlay_.tick(now, out);
  view_changed(now, out);
  ask_for_missing(now, out);
  flush(now, out);
}

std::optional<time_ms> plumtree::next_timer() const {
  auto next = overlay_.next_timer();
  const auto sooner = [&](time_ms when) { next = next ? std::min(*next, when) : when; };
  if (!missing_.empty() && missing_due_ != UINT64_MAX) sooner(missing_due_);
  if (announce_at_) sooner(*announce_at_);
  return next;
}

std::vector<identity> plumtree::neighbours() const {
  std::vector<identity> ids;
  for (const auto& [id, p] : peers_) ids.push_back(id);
  return ids;
}

std::vector<identity> plumtree::eager() const {
  std::vector<identity> ids;
  for (const auto& [id, p] : peers_)
    if (p.eager) ids.push_back(id);
  return ids;
}

} // namespace hanse
