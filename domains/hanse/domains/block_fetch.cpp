// The fetching half of blocks/1: whom to ask, how much at once, what to do when nobody answers. See block_exchange.hpp.
#include "hanse/domains/block_exchange.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::size_t names_in_get_max = 58; // two messages of large blocks: an answer begins before all is asked for
constexpr std::size_t names_in_get_few =
    15;                                    // less than half an answer: gathered for a moment while others are under way
constexpr time_ms gather_ms = 20;          // … so long at most: while 40 blocks come at 60 MB/s
constexpr std::size_t scan_max = 512;      // open wants looked at for one member, so that a step stays short
constexpr std::uint32_t failures_max = 3;  // in a row, then a member rests
constexpr std::size_t has_max = 16;        // members remembered to have a wanted block
constexpr std::size_t lacks_told_max = 64; // that said unasked that they lack it

} // namespace

expected<unit> block_exchange::want(std::span<const digest> names, std::span<const identity> providers, time_ms now,
                                    block_effects& out) {
  if (failed_) return errc::io_error;
  if (wants_.size() + names.size() > config_.wants_max) return error{errc::queue_full, "wanted blocks"};
  for (const auto& name : names) {
    auto here = store_->has(name);
    if (!here) {
      fail(here.error(), out);
      return here.error();
    }
    if (*here) {
      out.push_back(block_arrived{name, key_.identity()});
      continue;
    }
    const auto [at, fresh] = wants_.try_emplace(name);
    at->second.has.insert(providers.begin(), providers.end());
    if (!fresh) {
      ++at->second.wishes;
      continue;
    }
    at->second.order = next_order_++;
    open_.emplace(at->second.order, name);
  }
  for (const auto& p : providers)
    if (const auto m = members_.find(p); m != members_.end()) m->second.gives = true;
  pump(now, out);
  look_around(now, out);
  return ok();
}

void block_exchange::unwant(const digest& name) {
  const auto found = wants_.find(name);
  if (found != wants_.end() && --found->second.wishes == 0) forget(name);
}

void block_exchange::forget(const digest& name) {
  const auto found = wants_.find(name);
  if (found == wants_.end()) return;
  if (found->second.from)
    if (const auto m = members_.find(*found->second.from); m != members_.end()) m->second.flights.erase(name);
  open_.erase(found->second.order);
  wants_.erase(found);
}

/// A wanted block is no longer under way.
void block_exchange::land(wanted_block& w, const digest& name) {
  w.from.reset();
  open_.emplace(w.order, name);
}

void block_exchange::give_up_flights(member& m, const identity& who) {
  for (const auto& [name, f] : m.flights)
    if (const auto w = wants_.find(name); w != wants_.end() && w->second.from == who) {
      w->second.lacks.insert(who);
      land(w->second, name);
    }
  m.flights.clear();
}

void block_exchange::delivered(member& m, const digest& name, const wanted_block& w, time_ms now) {
  m.gives = true;
  m.heard = now;
  m.failures = 0;
  m.idle_until = 0;
  const auto f = m.flights.find(name);
  if (f == m.flights.end()) return;
  m.window.answered(1, f->second.ahead, now - f->second.sent, !w.timed_out);
  m.flights.erase(f);
}

void block_exchange::arrived(const digest& name, const identity& from, block_effects& out) {
  const auto w = wants_.find(name);
  if (w->second.from && *w->second.from != from)
    if (const auto other = members_.find(*w->second.from); other != members_.end()) other->second.flights.erase(name);
  open_.erase(w->second.order);
  wants_.erase(w);
  out.push_back(block_arrived{name, from});
}

void block_exchange::remember(const named_block& b) {
  if (!recent_.emplace(b.name, to_bytes(b.octets)).second) return;
  recent_order_.push_back(b.name);
  while (recent_order_.size() > config_.recent_max) {
    recent_.erase(recent_order_.front());
    recent_order_.pop_front();
  }
}

std::optional<bytes> block_exchange::take_recent(const digest& name) {
  auto found = recent_.extract(name);
  if (found.empty()) return std::nullopt;
  return std::move(found.mapped());
}

expected<unit> block_exchange::on(const identity& from, const blocks_answer& m, time_ms now, block_effects& out) {
  auto& who = members_.at(from);
  for (const auto& b : m.blocks) {
    const auto wanted = wants_.find(b.name);
    if (wanted == wants_.end()) { // late, or never asked for: not worth a hash
      ++stats_.unasked;
      continue;
    }
    if (blake2b_256(b.octets) != b.name) {
      misbehaved(from, error{errc::bad_checksum, "octets of another block"}, now, out);
      pump(now, out);
      return errc::bad_checksum;
    }
    delivered(who, b.name, wanted->second, now);
    auto kept = store_->put(config_.domain, b.name, b.octets, now + config_.fetch_lease_ms, now, block_check::trusted);
    if (!kept) { // no room: this is ours, not the sender's
      if (kept.error() == errc::io_error) return kept.error();
      forget(b.name);
      out.push_back(block_missing{b.name});
      continue;
    }
    ++stats_.fetched;
    stats_.fetched_octets += b.octets.size();
    remember(b);
    arrived(b.name, from, out);
  }
  for (const auto& name : m.missing) {
    if (who.flights.erase(name) == 0) continue;
    const auto w = wants_.find(name);
    if (w == wants_.end() || w->second.from != from) continue;
    w->second.lacks.insert(from);
    w->second.has.erase(from);
    land(w->second, name);
  }
  if (store_->commit_due(now)) HANSE_CHECK(store_->commit());
  pump(now, out);
  look_around(now, out);
  return ok();
}

expected<unit> block_exchange::on(const identity& from, const blocks_presence& m, time_ms now, block_effects& out) {
  // Also when another one was faster: who has one block of some content tends to have the next ones, too.
  if (!m.have.empty()) members_.at(from).gives = true;
  for (const auto& name : m.have)
    if (const auto w = wants_.find(name); w != wants_.end()) {
      if (w->second.has.size() < has_max) w->second.has.insert(from);
      w->second.lacks.erase(from);
    }
  for (const auto& name : m.missing)
    if (const auto w = wants_.find(name); w != wants_.end() && w->second.lacks.size() < lacks_told_max)
      w->second.lacks.insert(from);
  pump(now, out);
  look_around(now, out);
  return ok();
}

void block_exchange::time_out(time_ms now, block_effects&) {
  for (auto& [who, m] : members_) {
    std::vector<digest> late;
    for (const auto& [name, f] : m.flights) {
      const auto limit = m.window.timeout_ms(f.ahead);
      if (now >= std::max(f.sent, m.heard) + limit || now >= f.sent + 4 * limit) late.push_back(name);
    }
    if (late.empty()) continue;
    stats_.timeouts += late.size();
    m.window.timed_out();
    if (++m.failures >= failures_max) {
      m.gives = false;
      m.idle_until = now + (config_.rest_ms << std::min(m.failures - failures_max, 4u));
    }
    for (const auto& name : late) {
      m.flights.erase(name);
      const auto w = wants_.find(name);
      if (w == wants_.end() || w->second.from != who) continue;
      w->second.lacks.insert(who);
      w->second.timed_out = true;
      land(w->second, name);
    }
  }
}

/// Asks one member for what it may have, up to its window. True if it asked.
bool block_exchange::fill(const identity& who, member& m, time_ms now, block_effects& out) {
  blocks_get get;
  std::size_t scanned = 0;
  for (auto i = open_.begin(); i != open_.end() && scanned < scan_max; ++scanned) {
    if (m.flights.size() >= m.window.size() || get.names.size() == names_in_get_max) break;
    auto& w = wants_.at(i->second);
    if (w.lacks.contains(who) || (!m.gives && !w.has.contains(who))) {
      ++i;
      continue;
    }
    w.from = who;
    w.round_ends = 0;
    get.names.push_back(i->second);
    m.flights[i->second] = {now, 0};
    i = open_.erase(i);
  }
  if (get.names.empty()) return false;
  for (const auto& name : get.names) m.flights.at(name).ahead = m.flights.size();
  if (m.flights.size() == get.names.size()) m.heard = now; // nothing was under way before
  m.asked = now;
  send(who, get, out);
  return true;
}

/// Gives open wants to members with room, in turns, so that several give at once.
void block_exchange::pump(time_ms now, block_effects& out) {
  for (bool more = true; more && !open_.empty();) {
    more = false;
    for (auto& [who, m] : members_) {
      if (open_.empty()) return;
      // no small requests while much is under way: an answer is worth a message of its own
      const auto room = m.window.size() > m.flights.size() ? m.window.size() - m.flights.size() : 0;
      if (!usable(m, now) || room == 0 || (m.flights.size() > 2 * room && open_.size() > room)) continue;
      const auto count = std::min<std::uint64_t>(room, open_.size());
      if (count < names_in_get_few && m.flights.size() > 2 * count && now < m.asked + gather_ms) continue;
      more |= fill(who, m, now, out);
    }
  }
}

bool block_exchange::somebody_may_give(const wanted_block& w, time_ms now) const {
  return std::ranges::any_of(members_, [&](const auto& entry) {
    const auto& [who, m] = entry;
    return usable(m, now) && !w.lacks.contains(who) && (m.gives || w.has.contains(who));
  });
}

/// For open wants that nobody known may give: ask around, then search, then give up.
void block_exchange::look_around(time_ms now, block_effects& out) {
  std::vector<digest> near, far, missing;
  std::size_t scanned = 0;
  for (const auto& [order, name] : open_) {
    if (++scanned > scan_max) break;
    auto& w = wants_.at(name);
    if (now < w.round_ends || somebody_may_give(w, now)) continue;
    if (w.round >= config_.search_rounds_max) {
      missing.push_back(name);
      continue;
    }
    (w.round == 0 ? near : far).push_back(name);
    w.round_ends = now + (std::uint64_t{config_.search_wait_ms} << w.round);
    ++w.round;
    w.lacks.clear(); // what somebody did not have, or lost on the way, it may have now
    if (near.size() == search_names_max || far.size() == search_names_max) break;
  }
  for (const auto& name : missing) {
    forget(name);
    out.push_back(block_missing{name});
  }
  if (!near.empty()) search(near, false, now, out);
  if (!far.empty()) search(far, true, now, out);
}

/// Members that are known only now are asked for what is wanted, and not when the round is over: who has just joined
/// wants something before it knows anybody.
void block_exchange::ask_fresh(time_ms now, block_effects& out) {
  for (const auto& who : std::exchange(fresh_, {})) {
    const auto m = members_.find(who);
    if (open_.empty() || m == members_.end() || !usable(m->second, now)) continue;
    blocks_ask ask;
    for (const auto& [order, name] : open_) {
      if (ask.names.size() == block_names_max) break;
      ask.names.push_back(name);
    }
    ++stats_.searches;
    send(who, ask, out);
  }
}

void block_exchange::search(const std::vector<digest>& names, bool far, time_ms, block_effects& out) {
  ++stats_.searches;
  for (const auto& to : some_members(config_.ask_width, {})) send(to, blocks_ask{names}, out);
  if (!far) return;
  const auto nonce = [this] {
    const auto n = random_->next_u64();
    nonces_.insert(n);
    nonce_order_.push_back(n);
    return n;
  };
  std::vector<identity> topics;
  for (const auto& [topic, neighbours] : trees_) topics.push_back(topic);
  draw(topics, config_.search_trees);
  for (const auto& topic : topics) {
    const blocks_search m{nonce(), key_.identity(), search_ttl_max, topic, names};
    for (const auto& to : along(topic, {})) send(to, m, out);
  }
  for (const auto& to : some_members(config_.walks, {}))
    send(to, blocks_search{nonce(), key_.identity(), search_ttl_max, std::nullopt, names}, out);
}

} // namespace hanse
