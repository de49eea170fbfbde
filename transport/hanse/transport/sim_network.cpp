// The simulated network: an agenda of deliveries in virtual time. Not real I/O.
// Design section 13: everything follows from the seed and the order of the calls.
#include "hanse/transport/sim_network.hpp"

#include <algorithm>

namespace hanse {

namespace {

std::size_t side_of(endpoint_id endpoint) noexcept {
  return endpoint & 1;
}
endpoint_id other(endpoint_id endpoint) noexcept {
  return endpoint ^ 1;
}

} // namespace

sim_network::sim_network(std::uint64_t seed, sim_path everywhere, time_ms reset_after_ms)
    : random_(seed), everywhere_(everywhere), reset_after_ms_(reset_after_ms) {}

void sim_network::set_path(const std::string& from, const std::string& to, const sim_path& path) {
  paths_[{from, to}] = path;
}

const sim_path& sim_network::path_of(const path_key& path) const {
  const auto it = paths_.find(path);
  return it == paths_.end() ? everywhere_ : it->second;
}

time_ms sim_network::latency(const sim_path& path) {
  const auto spread = path.latency_max > path.latency_min ? path.latency_max - path.latency_min : 0;
  time_ms out = path.latency_min + random_.below(spread + 1);
  if (path.spike_permille > 0 && random_.below(1000) < path.spike_permille) out += path.spike_ms;
  return out;
}

void sim_network::listen(const std::string& host) {
  listeners_.insert(host);
}

void sim_network::stop_listening(const std::string& host) {
  listeners_.erase(host);
}

void sim_network::schedule(time_ms at, agenda_entry entry) {
  agenda_.emplace(event_key{at, next_seq_++}, std::move(entry));
}

sim_network::stream* sim_network::find(endpoint_id endpoint) {
  const auto it = streams_.find(endpoint & ~endpoint_id{1});
  return it == streams_.end() ? nullptr : &it->second;
}

endpoint_id sim_network::connect(const std::string& from, const std::string& to, time_ms now) {
  const endpoint_id end = next_endpoint_;
  next_endpoint_ += 2;
  auto& s = streams_[end];
  s.ways[0].path = {from, to};
  s.ways[1].path = {to, from};
  put(end, item_kind::syn, {}, now);
  return end;
}

// Sends an item after all that were sent before it in this direction.
void sim_network::put(endpoint_id sender, item_kind what, bytes octets, time_ms now) {
  auto& way = find(sender)->ways[side_of(sender)];
  const auto& path = path_of(way.path);
  way.busy_until = std::max(way.busy_until, now);
  if (path.octets_per_second > 0) way.busy_until += octets.size() * 1000 / path.octets_per_second;
  const auto at = std::max(way.busy_until + latency(path), way.last_at);
  way.last_at = at;
  way.under_way.push_back({what, at, std::move(octets)});
  if (!way.blocked_since) schedule(at, {agenda_entry::kind::way, sender, {}, {}});
}

expected<unit> sim_network::send(endpoint_id endpoint, byte_view octets, time_ms now) {
  stream* s = find(endpoint);
  if (!s || !s->open[side_of(endpoint)]) return errc::link_closed;
  if (octets.empty()) return ok();
  const auto& path = path_of(s->ways[side_of(endpoint)].path);
  if (octets.size() > 1 && path.split_permille > 0 && random_.below(1000) < path.split_permille) {
    const auto cut = 1 + random_.below(octets.size() - 1);
    put(endpoint, item_kind::data, to_bytes(octets.first(cut)), now);
    octets = octets.subspan(cut);
  }
  put(endpoint, item_kind::data, to_bytes(octets), now);
  return ok();
}

void sim_network::close(endpoint_id endpoint, time_ms now) {
  stream* s = find(endpoint);
  if (!s || !s->open[side_of(endpoint)]) return;
  s->open[side_of(endpoint)] = false;
  put(endpoint, item_kind::fin, {}, now);
}

void sim_network::reset(endpoint_id endpoint, time_ms now) {
  const error why{errc::link_closed, "reset"};
  end_at(endpoint, why, now, pending_);
  end_at(other(endpoint), why, now, pending_);
  streams_.erase(endpoint & ~endpoint_id{1});
}

void sim_network::crash(const std::string& host, time_ms now) {
  listeners_.erase(host);
  for (auto& [dialler, s] : streams_) {
    for (const std::size_t side : {0, 1}) {
      if (s.ways[side].path.first != host || !s.open[side]) continue;
      s.open[side] = false;
      put(dialler + side, item_kind::rst, {}, now);
    }
  }
}

void sim_network::send_datagram(const std::string& from, const std::string& to, byte_view octets, time_ms now) {
  const path_key path{from, to};
  const auto& conditions = path_of(path);
  const auto happens = [&](std::uint32_t permille) { return permille > 0 && random_.below(1000) < permille; };
  const int copies = happens(conditions.duplicate_permille) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    if (happens(conditions.loss_permille)) continue;
    schedule(now + latency(conditions), {agenda_entry::kind::datagram, 0, path, to_bytes(octets)});
  }
}

bool sim_network::blocked(const path_key& path, time_ms now) const {
  const auto it = blocks_.find(path);
  return it != blocks_.end() && it->second > now;
}

void sim_network::partition(const std::set<std::string>& a, const std::set<std::string>& b, bool one_way, time_ms) {
  for (const auto& from : a) {
    for (const auto& to : b) {
      blocks_[{from, to}] = UINT64_MAX;
      if (!one_way) blocks_[{to, from}] = UINT64_MAX;
    }
  }
}

void sim_network::clog(const std::string& from, const std::string& to, time_ms until, time_ms now) {
  auto& end = blocks_[{from, to}];
  end = std::max(end, until);
  schedule(std::max(until, now), {agenda_entry::kind::unblock, 0, {}, {}});
}

void sim_network::heal(time_ms now) {
  blocks_.clear();
  release(now);
}

// Sends on what was held up on paths that are free again.
void sim_network::release(time_ms now) {
  std::erase_if(blocks_, [&](const auto& block) { return block.second <= now; });
  for (auto& [dialler, s] : streams_) {
    for (const std::size_t side : {0, 1}) {
      auto& way = s.ways[side];
      if (!way.blocked_since || blocked(way.path, now)) continue;
      way.blocked_since.reset();
      time_ms at = now + latency(path_of(way.path));
      for (auto& i : way.under_way) {
        at = i.at = std::max(i.at, at);
        schedule(at, {agenda_entry::kind::way, dialler + side, {}, {}});
      }
      way.last_at = std::max(way.last_at, at);
    }
  }
}

time_ms sim_network::next_event_time() const noexcept {
  const auto next = agenda_.empty() ? UINT64_MAX : agenda_.begin()->first.first;
  return pending_.empty() ? next : std::min(next, pending_.front().at);
}

std::vector<sim_event> sim_network::advance(time_ms now) {
  auto out = std::exchange(pending_, {});
  while (!agenda_.empty() && agenda_.begin()->first.first <= now) {
    auto node = agenda_.extract(agenda_.begin());
    run(node.mapped(), node.key().first, out);
  }
  return out;
}

void sim_network::run(agenda_entry& entry, time_ms now, std::vector<sim_event>& out) {
  switch (entry.what) {
  case agenda_entry::kind::way:
    return run_way(entry.sender, now, out);
  case agenda_entry::kind::unblock:
    return release(now);
  case agenda_entry::kind::reset_check:
    return check_reset(entry.sender, now, out);
  case agenda_entry::kind::datagram:
    break;
  }
  if (blocked(entry.path, now)) return; // lost
  out.push_back({sim_event::kind::datagram, now, 0, entry.path.second, entry.path.first, std::move(entry.octets), {}});
}

void sim_network::run_way(endpoint_id sender, time_ms now, std::vector<sim_event>& out) {
  for (;;) {
    stream* s = find(sender);
    if (!s) return;
    auto& way = s->ways[side_of(sender)];
    if (way.under_way.empty() || way.under_way.front().at > now) return;
    if (blocked(way.path, now)) {
      if (way.blocked_since) return;
      way.blocked_since = now;
      return schedule(now + reset_after_ms_, {agenda_entry::kind::reset_check, sender, {}, {}});
    }
    item next = std::move(way.under_way.front());
    way.under_way.pop_front();
    deliver(sender, std::move(next), now, out);
  }
}

void sim_network::deliver(endpoint_id sender, item what, time_ms now, std::vector<sim_event>& out) {
  stream& s = *find(sender);
  const endpoint_id receiver = other(sender);
  const auto& from = s.ways[side_of(sender)].path.first;
  const auto& to = s.ways[side_of(sender)].path.second;
  const auto tell = [&](sim_event::kind kind) {
    out.push_back({kind, now, receiver, to, from, std::move(what.octets), {}});
  };
  switch (what.what) {
  case item_kind::syn:
    if (!listeners_.contains(to)) return put(receiver, item_kind::refused, {}, now);
    s.open[side_of(receiver)] = true;
    tell(sim_event::kind::accepted);
    return put(receiver, item_kind::accepted, {}, now);
  case item_kind::accepted:
    if (s.open[side_of(receiver)]) tell(sim_event::kind::connected);
    return;
  case item_kind::data:
    if (s.open[side_of(receiver)]) tell(sim_event::kind::data);
    return;
  case item_kind::refused:
    end_at(receiver, {errc::unreachable, "nobody listens there"}, now, out);
    break;
  case item_kind::fin:
    end_at(receiver, {errc::link_closed, "closed by the far end"}, now, out);
    break;
  case item_kind::rst:
    end_at(receiver, {errc::link_closed, "reset"}, now, out);
    break;
  }
  if (!s.open[0] && !s.open[1]) streams_.erase(sender & ~endpoint_id{1});
}

void sim_network::end_at(endpoint_id endpoint, const error& why, time_ms now, std::vector<sim_event>& out) {
  stream* s = find(endpoint);
  if (!s || !std::exchange(s->open[side_of(endpoint)], false)) return;
  const auto& [host, far] = s->ways[side_of(endpoint)].path;
  out.push_back({sim_event::kind::closed, now, endpoint, host, far, {}, why});
}

// A stream whose octets have been held up for too long breaks, at both ends.
void sim_network::check_reset(endpoint_id sender, time_ms now, std::vector<sim_event>& out) {
  stream* s = find(sender);
  if (!s) return;
  const auto& since = s->ways[side_of(sender)].blocked_since;
  if (!since || *since + reset_after_ms_ > now) return;
  const error why{errc::link_closed, "no way through"};
  end_at(sender, why, now, out);
  end_at(other(sender), why, now, out);
  streams_.erase(sender & ~endpoint_id{1});
}

} // namespace hanse
