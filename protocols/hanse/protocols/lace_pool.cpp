// The blocklace's pool: blocks that wait for others or for knowledge, bounded, fair between the peers that sent them.
// Not acceptance (blocklace.cpp).
#include "hanse/protocols/blocklace.hpp"

#include <algorithm>

namespace hanse {

void blocklace::refuse(const identity& from, error why, lace_effects& out) {
  ++stats_.refused;
  out.emplace_back(lace_refused{from, std::move(why)});
}

void blocklace::accept(const identity& from, std::span<const shared_bytes> blocks, lace_effects& out, bool vouched) {
  if (!started_) return;
  std::vector<block_id> missing;
  for (const auto& wire : blocks) take(from, wire, vouched, missing, out);
  make_room(out);
  std::erase_if(missing, [this](const block_id& id) { return has(id); }); // came later in the same burst
  if (!missing.empty()) {
    std::ranges::sort(missing);
    missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
    if (missing.size() > config_.wants_max) missing.resize(config_.wants_max);
    out.emplace_back(lace_missing{from, std::move(missing)});
  }
  settle(out);
}

/// The order of the checks is the order of their cost; a signature is looked at last.
void blocklace::take(const identity& from, const shared_bytes& wire, bool vouched, std::vector<block_id>& missing,
                     lace_effects& out) {
  ++stats_.received;
  auto b = decode_block(wire);
  if (!b) return refuse(from, b.error(), out);
  if (b->header.domain != graph_.domain()) return refuse(from, error{errc::wrong_recipient, "of another domain"}, out);
  if (has(b->id)) {
    ++stats_.duplicates;
    return;
  }
  if (b->bare && !vouched && !config_.accept_bare)
    return refuse(from, error{errc::bad_value, "without its payload"}, out);
  if (!verify_signature(*b)) return refuse(from, errc::bad_signature, out);
  if (lacks_past(*b)) return wait_for(*std::move(b), from, missing);
  place_with_waiters(*std::move(b), from, missing, out);
}

bool blocklace::lacks_past(const block& b) const {
  const auto is_missing = [this](const block_id& id) { return graph_.find(id) == no_block; };
  return (b.header.self_prev && is_missing(*b.header.self_prev)) || std::ranges::any_of(b.header.preds, is_missing);
}

void blocklace::wait_for(block b, const identity& from, std::vector<block_id>& missing) {
  waiting_block w{std::move(b), from, 0, 0};
  const auto id = w.b.id;
  const auto await = [&](const block_id& pred) {
    if (graph_.find(pred) != no_block) return;
    ++w.missing;
    waiters_[pred].push_back(id);
    if (!waiting_.contains(pred)) missing.push_back(pred);
  };
  if (w.b.header.self_prev) await(*w.b.header.self_prev);
  for (const auto& p : w.b.header.preds) await(p);
  hold(id, from, w.b.wire.size());
  waiting_.emplace(id, std::move(w));
}

void blocklace::place_with_waiters(block first, const identity& from, std::vector<block_id>& missing,
                                   lace_effects& out) {
  std::vector<std::pair<block, identity>> ready;
  ready.emplace_back(std::move(first), from);
  while (!ready.empty()) {
    auto [b, sender] = std::move(ready.back());
    ready.pop_back();
    if (lacks_past(b)) { // what it counted as placed was evicted
      wait_for(std::move(b), sender, missing);
      continue;
    }
    if (!place_one(b, sender, out)) {
      drop_with_waiters(b.id);
      continue;
    }
    const auto waiters = waiters_.find(b.id);
    if (waiters == waiters_.end()) continue;
    const auto ids = std::move(waiters->second);
    waiters_.erase(waiters);
    for (const auto& id : ids) {
      const auto w = waiting_.find(id);
      if (w == waiting_.end() || --w->second.missing > 0) continue;
      ready.emplace_back(std::move(w->second.b), w->second.from);
      waiting_.erase(w);
    }
  }
}

bool blocklace::place_one(const block& b, const identity& from, lace_effects& out) {
  const auto index = graph_.place(b);
  if (index == no_block) {
    unhold(b.id);
    refuse(from, error{errc::permission_denied, "its creator was never authorised"}, out);
    return false;
  }
  try_accept(index, out);
  if (!graph_[index].accepted) hold(b.id, from, b.wire.size());
  return true;
}

/// What waits for a block that can never be placed can never be placed either.
void blocklace::drop_with_waiters(const block_id& first) {
  std::vector<block_id> gone{first};
  while (!gone.empty()) {
    const auto id = gone.back();
    gone.pop_back();
    const auto waiters = waiters_.find(id);
    if (waiters == waiters_.end()) continue;
    const auto ids = std::move(waiters->second);
    waiters_.erase(waiters);
    for (const auto& w : ids) {
      if (waiting_.contains(w)) evict(w);
      gone.push_back(w);
    }
  }
}

void blocklace::hold(const block_id& id, const identity& from, std::size_t octets) {
  if (held_.contains(id)) return;
  const held h{from, ++order_, octets};
  held_.emplace(id, h);
  auto& [share, ids] = shares_[from];
  share += octets;
  ids.emplace(h.order, id);
  held_octets_ += octets;
}

void blocklace::unhold(const block_id& id) {
  const auto h = held_.find(id);
  if (h == held_.end()) return;
  const auto share = shares_.find(h->second.from);
  share->second.first -= h->second.octets;
  share->second.second.erase(h->second.order);
  if (share->second.second.empty()) shares_.erase(share);
  held_octets_ -= h->second.octets;
  held_.erase(h);
}

/// Takes a waiting or pending block out. False if a placed block points at it.
bool blocklace::evict(const block_id& id) {
  if (const auto w = waiting_.find(id); w != waiting_.end()) {
    const auto forget = [&](const block_id& pred) {
      const auto waiters = waiters_.find(pred);
      if (waiters == waiters_.end()) return;
      std::erase(waiters->second, id);
      if (waiters->second.empty()) waiters_.erase(waiters);
    };
    if (w->second.b.header.self_prev) forget(*w->second.b.header.self_prev);
    for (const auto& p : w->second.b.header.preds) forget(p);
    waiting_.erase(w);
  } else {
    const auto index = graph_.find(id);
    if (graph_[index].children > 0) return false;
    // Whoever waits for it alone is not told: it counts as missing again, and sync brings both.
    graph_.remove(index);
  }
  unhold(id);
  ++stats_.evicted;
  return true;
}

/// The peer with the most loses its newest: a flood harms who sends it, and what is oldest has waited longest.
bool blocklace::evict_of_largest_share() {
  const auto largest = std::ranges::max_element(shares_, {}, [](const auto& s) {
    return std::pair{s.second.second.size(), s.second.first};
  });
  const auto& ids = largest->second.second;
  for (auto i = ids.rbegin(); i != ids.rend(); ++i)
    if (const auto id = i->second; evict(id)) return true; // the iterator is gone, and so are we
  return false;
}

void blocklace::make_room(lace_effects& out) {
  std::size_t evicted = 0;
  while (held_.size() > config_.pending_max || held_octets_ > config_.pending_octets_max) {
    if (!evict_of_largest_share()) break;
    ++evicted;
  }
  if (evicted > 0) refuse(self(), error{errc::queue_full, std::to_string(evicted) + " waiting blocks evicted"}, out);
}

} // namespace hanse
