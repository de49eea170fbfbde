// The replay window: see the header. A window is a short ascending list: messages mostly arrive in order, so that
// recording appends, and dropping the older half of a full list costs one move of 4 KiB every 512 messages.

#include "hanse/protocols/replay_window.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::uint64_t us_per_ms = 1000;

} // namespace

std::size_t replay_window::pair_hash::operator()(const pair_key& k) const noexcept {
  const std::hash<identity> h;
  return h(k.source) * 31 + h(k.destination); // both are well spread; not symmetric, so that a->b and b->a differ
}

message_id floor_at_start(message_id durable_mark, time_ms now) noexcept {
  return std::min<message_id>(durable_mark, (now + clock_skew_max_ms) * us_per_ms);
}

replay_window::replay_window(message_id durable_mark) noexcept
    : floor_(durable_mark), durable_mark_(durable_mark), asked_mark_(durable_mark) {}

expected<replay_verdict> replay_window::accept(const identity& source, const identity& destination, message_id id,
                                               time_ms expires_ms, time_ms now) {
  if (id <= floor_) return errc::replayed;
  if (id > (now + clock_skew_max_ms) * us_per_ms) return errc::clock_skew;
  if (expires_ms > now + clock_skew_max_ms + ttl_max_ms) return errc::clock_skew; // would hold its pair for ever
  if (expires_ms + clock_skew_max_ms < now) return errc::expired;
  auto it = pairs_.find(pair_key{source, destination});
  if (it != pairs_.end()) {
    const auto& w = it->second;
    if (id <= w.low ||
        (!w.recent.empty() && id <= w.recent.back() && std::binary_search(w.recent.begin(), w.recent.end(), id)))
      return errc::replayed;
  }
  if (id > durable_mark_) {
    wanted_ = std::max(wanted_, id);
    return replay_verdict::wait;
  }
  if (it == pairs_.end()) {
    if (pairs_.size() >= replay_pairs_max && now >= swept_ms_ + 1000) sweep(now);
    if (pairs_.size() >= replay_pairs_max) return errc::table_full;
    it = pairs_.try_emplace(pair_key{source, destination}).first;
  }
  wanted_ = std::max(wanted_, id);
  used_ = true;
  it->second.expires_ms = std::max(it->second.expires_ms, expires_ms);
  record(it->second, id);
  return replay_verdict::fresh;
}

void replay_window::record(window& w, message_id id) {
  auto& ids = w.recent;
  const auto cap = ids_ < replay_ids_max ? replay_window_size : replay_window_small;
  if (ids.size() >= cap) {
    const auto gone = ids.size() - cap / 2;
    w.low = ids[gone - 1];
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(gone));
    ids_ -= gone;
  }
  if (id <= w.low) return; // just dropped past it: it counts as seen from now on
  if (ids.empty() || id > ids.back())
    ids.push_back(id);
  else
    ids.insert(std::lower_bound(ids.begin(), ids.end(), id), id);
  ++ids_;
}

bool replay_window::seen(const identity& source, const identity& destination, message_id id) const noexcept {
  if (id <= floor_) return true;
  const auto it = pairs_.find(pair_key{source, destination});
  if (it == pairs_.end()) return false;
  const auto& w = it->second;
  return id <= w.low || std::binary_search(w.recent.begin(), w.recent.end(), id);
}

std::optional<message_id> replay_window::mark_to_persist(time_ms now) noexcept {
  const auto position = used_ ? std::max(wanted_, now * us_per_ms) : wanted_;
  if (position + replay_mark_step_us / 2 <= asked_mark_) return std::nullopt;
  // Never beyond what honest senders may raise their ids to (message_clock::raise_to), or a forged id near that bound
  // would lock them out after a restart.
  const auto bound = (now + clock_skew_max_ms) * us_per_ms;
  const auto mark = std::max(wanted_, std::min(position + replay_mark_step_us, bound));
  if (mark <= asked_mark_) return std::nullopt;
  used_ = false;
  asked_mark_ = mark;
  return mark;
}

void replay_window::persisted(message_id mark) noexcept {
  durable_mark_ = std::max(durable_mark_, std::min(mark, asked_mark_));
}

void replay_window::sweep(time_ms now) {
  swept_ms_ = now;
  for (auto it = pairs_.begin(); it != pairs_.end();) {
    if (it->second.expires_ms + clock_skew_max_ms < now) {
      ids_ -= it->second.recent.size();
      it = pairs_.erase(it);
    } else {
      ++it;
    }
  }
}

} // namespace hanse
