// The causal contexts of local engines and their probes: see the header.

#include "hanse/protocols/internal/engine_pasts.hpp"

#include <algorithm>
#include <map>

namespace hanse::internal {

local_engine& engine_pasts::get(const identity& engine) {
  const auto [it, fresh] = engines_.try_emplace(engine);
  if (fresh) {
    it->second.id = engine;
    it->second.serial = ++serials_;
  }
  return it->second;
}

local_engine* engine_pasts::find(const identity& engine) {
  const auto it = engines_.find(engine);
  return it != engines_.end() ? &it->second : nullptr;
}

bool engine_pasts::make_room(const identity& engine, const std::vector<causal_dep>& deps, time_ms now) {
  auto* e = find(engine);
  if (!e || e->past.size() + deps.size() <= config_.context_max) return true; // alone, deps are within causal_deps_max
  e->past.expire(now);
  e->crowded = e->past.size() + deps.size() > config_.context_max;
  if (e->crowded) consider_probing(*e, now);
  return !e->crowded;
}

void engine_pasts::absorb(const identity& engine, const std::vector<causal_dep>& deps, time_ms now) {
  local_engine* e = nullptr;
  for (auto d : deps) {
    if (d.destination == engine) continue;
    // No honest position expires later; a forged one may not stay for ever.
    d.expires_ms = std::min(d.expires_ms, now + clock_skew_max_ms + ttl_max_ms);
    if (d.expires_ms + clock_skew_max_ms < now) continue;
    if (!e) e = &get(engine);
    e->past.add(d);
  }
  if (e) consider_probing(*e, now);
}

bool engine_pasts::settled(const identity& engine, const identity& destination,
                           const std::vector<unicast_mark>& marks) {
  auto* e = find(engine);
  if (!e) return false;
  bool shrank = false;
  for (const auto& m : marks) shrank |= e->past.prune(m.source, destination, m.epoch, m.seq);
  if (shrank) e->probe_delay_ms = probe_delay_min_ms;
  return shrank;
}

bool engine_pasts::wants_probe(const local_engine& e) const noexcept {
  return e.crowded || !e.blocked.empty() || e.past.live_size() > probe_above;
}

void engine_pasts::consider_probing(local_engine& e, time_ms now) {
  if (wants_probe(e)) timers_.wake(e, now + e.probe_delay_ms);
}

local_engine* engine_pasts::tick(time_ms now, unicast_effects& out) {
  auto* e = timers_.take(now);
  if (!e) return nullptr;
  e->past.expire(now);
  if (wants_probe(*e)) {
    e->crowded = false;
    probe(*e, out);
    timers_.wake(*e, now + e->probe_delay_ms);
    e->probe_delay_ms = std::min(e->probe_delay_ms * 2, probe_delay_max_ms);
  } else {
    e->probe_delay_ms = probe_delay_min_ms;
  }
  return e;
}

void engine_pasts::probe(local_engine& e, unicast_effects& out) {
  std::map<identity, std::vector<unicast_mark>> ask;
  for (const auto& d : e.past.all()) {
    if (d.source == e.id && e.streams.contains(d.destination)) continue; // is acknowledged without being asked
    auto& marks = ask[d.destination];
    if (marks.size() < unicast_probe_max) marks.push_back({d.source, d.epoch, d.seq, d.expires_ms});
  }
  auto it = ask.upper_bound(e.probed);
  const auto rounds = std::min(ask.size(), probe_destinations_max);
  for (std::size_t i = 0; i < rounds; ++i, ++it) {
    if (it == ask.end()) it = ask.begin();
    e.probed = it->first;
    ++probes_sent_;
    out.push_back(unicast_transmit_control{e.id, it->first, encode(unicast_probe{std::move(it->second)})});
  }
}

void engine_pasts::forget_if_unused(const identity& engine) {
  const auto it = engines_.find(engine);
  if (it == engines_.end() || it->second.past.size() != 0 || !it->second.streams.empty()) return;
  timers_.cancel(it->second);
  engines_.erase(it);
}

void engine_pasts::erase(const identity& engine) {
  const auto it = engines_.find(engine);
  if (it == engines_.end()) return;
  timers_.cancel(it->second);
  engines_.erase(it);
}

} // namespace hanse::internal
