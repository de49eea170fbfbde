// The causal past of an engine: see the header.

#include "hanse/protocols/internal/causal_context.hpp"

#include <algorithm>
#include <tuple>

namespace hanse::internal {

namespace {

/// The order of entries, with as few comparisons of 33 octets as it takes.
bool before(const causal_dep& a, const identity& source, const identity& destination) noexcept {
  const auto by_source = a.source <=> source;
  return by_source != 0 ? by_source < 0 : a.destination < destination;
}

} // namespace

bool causal_context::entry::settled() const noexcept {
  return std::tie(dep.epoch, dep.seq) <= std::tie(settled_epoch, settled_seq);
}

std::vector<causal_context::entry>::const_iterator causal_context::find(const identity& source,
                                                                        const identity& destination) const noexcept {
  const auto at = std::partition_point(entries_.begin(), entries_.end(),
                                       [&](const entry& e) { return before(e.dep, source, destination); });
  const bool found = at != entries_.end() && at->dep.source == source && at->dep.destination == destination;
  return found ? at : entries_.end();
}

causal_context::entry* causal_context::get(const identity& source, const identity& destination) noexcept {
  const auto at = find(source, destination);
  return at != entries_.end() ? &entries_[static_cast<std::size_t>(at - entries_.begin())] : nullptr;
}

bool causal_context::add(const causal_dep& dep) {
  earliest_ = std::min(earliest_, dep.expires_ms);
  auto* e = get(dep.source, dep.destination);
  if (!e) {
    const auto place = std::partition_point(entries_.begin(), entries_.end(), [&](const entry& other) {
      return before(other.dep, dep.source, dep.destination);
    });
    entries_.insert(place, {dep, 0, 0});
    ++changes_;
    return true;
  }
  auto raised = e->dep;
  if (std::tie(dep.epoch, dep.seq) > std::tie(raised.epoch, raised.seq))
    std::tie(raised.epoch, raised.seq) = std::tie(dep.epoch, dep.seq);
  raised.expires_ms = std::max(raised.expires_ms, dep.expires_ms);
  if (raised == e->dep) return false;
  if (e->settled()) --settled_;
  e->dep = raised;
  if (e->settled()) ++settled_;
  ++changes_;
  return true;
}

bool causal_context::prune(const identity& source, const identity& destination, std::uint64_t epoch,
                           std::uint64_t seq) {
  auto* e = get(source, destination);
  if (!e || std::tie(epoch, seq) <= std::tie(e->settled_epoch, e->settled_seq)) return false;
  const bool was = e->settled();
  std::tie(e->settled_epoch, e->settled_seq) = std::tie(epoch, seq);
  ++changes_;
  if (!was && e->settled()) ++settled_;
  if (!keep_settled_) sweep_settled();
  return true;
}

bool causal_context::lower(const identity& source, const identity& destination, std::uint64_t seq) {
  auto* e = get(source, destination);
  if (!e || e->dep.seq <= seq) return false;
  const bool was = e->settled();
  e->dep.seq = seq;
  if (seq == 0) std::tie(e->settled_epoch, e->settled_seq) = std::tie(e->dep.epoch, seq);
  ++changes_;
  if (!was && e->settled()) ++settled_;
  if (!keep_settled_) sweep_settled();
  return true;
}

void causal_context::keep_settled(bool keep) {
  keep_settled_ = keep;
  if (!keep) sweep_settled();
}

void causal_context::sweep_settled() {
  if (settled_ == 0) return;
  std::erase_if(entries_, [](const entry& e) { return e.settled(); });
  settled_ = 0;
}

bool causal_context::expire(time_ms now) {
  if (entries_.empty() || earliest_ + clock_skew_max_ms >= now) return false;
  const auto gone = std::erase_if(entries_, [&](const entry& e) {
    if (e.dep.expires_ms + clock_skew_max_ms >= now) return false;
    if (e.settled()) --settled_;
    return true;
  });
  earliest_ = UINT64_MAX;
  for (const auto& e : entries_) earliest_ = std::min(earliest_, e.dep.expires_ms);
  if (gone != 0) ++changes_;
  return gone != 0;
}

bool causal_context::live(const causal_dep& dep) const noexcept {
  const auto at = find(dep.source, dep.destination);
  return at != entries_.end() && std::tie(dep.epoch, dep.seq) <= std::tie(at->dep.epoch, at->dep.seq) &&
         std::tie(dep.epoch, dep.seq) > std::tie(at->settled_epoch, at->settled_seq);
}

bool causal_context::contains(const identity& source, const identity& destination) const noexcept {
  return find(source, destination) != entries_.end();
}

std::vector<causal_dep> causal_context::without(const identity& source, const identity& destination) const {
  std::vector<causal_dep> rest;
  rest.reserve(live_size());
  for (const auto& e : entries_)
    if (!e.settled() && (e.dep.source != source || e.dep.destination != destination)) rest.push_back(e.dep);
  return rest;
}

std::vector<causal_dep> causal_context::all() const {
  return without({}, {});
}

} // namespace hanse::internal
