// The machine of blocks/1: members, dispatch, time. See block_exchange.hpp; fetching and serving have files of their
// own.
#include "hanse/domains/block_exchange.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr time_ms poll_ms = 20; // how exactly timeouts are kept while something is under way

} // namespace

block_exchange::block_exchange(block_store& store, key_pair key, random_source& random,
                               const block_exchange_config& config)
    : storage_protocol(store), key_(std::move(key)), random_(&random), config_(config) {}

void block_exchange::set_member(const identity& node, std::uint8_t trust) {
  if (node == key_.identity()) return;
  const auto found = members_.find(node);
  if (found == members_.end()) {
    if (members_.size() >= config_.members_max) return;
    auto& m = members_[node];
    m.trust = trust;
    answer_window_config window;
    window.initial = config_.window_initial;
    window.max = config_.window_max;
    window.unmeasured_per_s = std::max<std::uint64_t>(config_.slow_link_octets_per_s / stored_block_size_max, 1);
    m.window = answer_window{window};
    window.initial = config_.push_octets_initial;
    window.min = stored_block_size_max;
    window.max = config_.push_octets_max;
    window.unmeasured_per_s = config_.slow_link_octets_per_s;
    window.timeout_min_ms = window.timeout_initial_ms; // nothing is gained by haste: they come by a reliable link
    m.push_window = answer_window{window};
    if (fresh_.size() < config_.ask_width) fresh_.push_back(node);
  } else {
    found->second.trust = trust;
  }
}

void block_exchange::drop_member(const identity& node, block_effects& out) {
  const auto found = members_.find(node);
  if (found == members_.end()) return;
  give_up_flights(found->second, node);
  end_pushes(node, found->second, out);
  forget_queue(node, found->second);
  std::erase(fresh_, node);
  members_.erase(found);
}

/// What it was asked for is asked of others at once; of itself again after a while.
void block_exchange::peer_down(const identity& node, time_ms now, block_effects& out) {
  const auto found = members_.find(node);
  if (found == members_.end()) return;
  auto& m = found->second;
  give_up_flights(m, node);
  m.gives = false;
  m.idle_until = std::max(m.idle_until, now + config_.search_wait_ms);
  end_pushes(node, m, out);
  m.window.restart(); // the next link may be another one
  m.push_window.restart();
  pump(now, out);
  look_around(now, out);
}

void block_exchange::end_pushes(const identity& node, member& m, block_effects& out) {
  for (const auto& [id, p] : std::exchange(m.pushes, {}))
    out.push_back(block_pushed{node, p.token, errc::unreachable, std::nullopt});
  m.pushed_octets = 0;
}

void block_exchange::set_tree(const identity& topic, std::vector<identity> neighbours) {
  if (neighbours.empty()) {
    trees_.erase(topic);
  } else if (trees_.contains(topic) || trees_.size() < config_.trees_max) {
    trees_[topic] = std::move(neighbours);
  }
}

bool block_exchange::usable(const member& m, time_ms now) const noexcept {
  return m.trust >= config_.serve_trust_min && now >= m.punished_until && now >= m.idle_until;
}

/// Leaves up to `count`, in random order.
void block_exchange::draw(std::vector<identity>& from, std::size_t count) {
  count = std::min(count, from.size());
  for (std::size_t i = 0; i < count; ++i) std::swap(from[i], from[i + random_->below(from.size() - i)]);
  from.resize(count);
}

std::vector<identity> block_exchange::candidates(time_ms now) {
  std::vector<identity> result;
  for (const auto& [node, m] : members_)
    if (usable(m, now)) result.push_back(node);
  draw(result, result.size());
  return result;
}

/// Up to `count` random trusted members.
std::vector<identity> block_exchange::some_members(std::size_t count, const std::set<identity>& except) {
  std::vector<identity> result;
  for (const auto& [node, m] : members_)
    if (m.trust >= config_.serve_trust_min && m.punished_until <= ticked_ && !except.contains(node))
      result.push_back(node);
  draw(result, count);
  return result;
}

/// Neighbours in the tree of a topic that are members. Few of many, as in a topic whose nodes all send to all.
std::vector<identity> block_exchange::along(const identity& topic, const std::set<identity>& except) {
  std::vector<identity> result;
  const auto tree = trees_.find(topic);
  if (tree == trees_.end()) return result;
  std::ranges::copy_if(tree->second, std::back_inserter(result),
                       [&](const identity& to) { return members_.contains(to) && !except.contains(to); });
  draw(result, config_.tree_width);
  return result;
}

void block_exchange::misbehaved(const identity& node, error why, time_ms now, block_effects& out) {
  auto& m = members_.at(node);
  m.punished_until = now + config_.penalty_ms;
  m.gives = false;
  forget_queue(node, m);
  give_up_flights(m, node);
  ++stats_.liars;
  out.push_back(block_misbehaviour{node, std::move(why)});
}

void block_exchange::fail(const error& why, block_effects& out) {
  if (!failed_) out.push_back(block_store_failed{why});
  failed_ = true;
}

void block_exchange::send(const identity& to, const block_message& m, block_effects& out) {
  out.push_back(peer_message{to, encode(m)});
}

expected<unit> block_exchange::receive(const identity& from, byte_view body, time_ms now, block_effects& out) {
  if (failed_) return errc::io_error;
  const auto found = members_.find(from);
  if (found == members_.end()) return hold(from, body, now);
  if (found->second.trust < config_.serve_trust_min) {
    ++stats_.refused;
    return error{errc::untrusted, "blocks are for trusted members"};
  }
  if (now < found->second.punished_until) return errc::untrusted;
  found->second.punished_until = 0;
  auto m = decode_block_message(body);
  if (!m) { // a later version is no fault; everything else is never sent by an honest member
    if (m.error() != errc::bad_version) misbehaved(from, m.error(), now, out);
    return m.error();
  }
  auto done = std::visit([&](const auto& message) { return on(from, message, now, out); }, *m);
  if (!done && done.error() == errc::io_error) fail(done.error(), out);
  return done;
}

/// Who has just joined asks before we have heard that it joined: its host has checked that it is in the domain, and our
/// list of members follows. What it asks is kept for a moment, or it would wait for a time-out of its own.
expected<unit> block_exchange::hold(const identity& from, byte_view body, time_ms now) {
  const auto refuse = [this](error why) -> expected<unit> {
    ++stats_.refused;
    return why;
  };
  const auto of_one = std::ranges::count(early_, from, &early_request::from);
  if (early_.size() >= config_.early_max || static_cast<std::size_t>(of_one) >= config_.early_of_one_max)
    return refuse({errc::queue_full, "requests of nodes that are no members yet"});
  const auto m = decode_block_message(body);
  if (!m || !(std::holds_alternative<blocks_get>(*m) || std::holds_alternative<blocks_ask>(*m)))
    return refuse({errc::untrusted, "blocks are for trusted members"});
  early_.push_back({from, to_bytes(body), now + config_.early_ms});
  return ok();
}

void block_exchange::hear_early(time_ms now, block_effects& out) {
  for (auto& e : std::exchange(early_, {})) {
    if (members_.contains(e.from)) {
      (void)receive(e.from, e.body, now, out); // a failure of the store is an effect
    } else if (now < e.until) {
      early_.push_back(std::move(e));
    } else {
      ++stats_.refused;
    }
  }
}

void block_exchange::tick(time_ms now, block_effects& out) {
  if (failed_) return;
  ticked_ = now;
  served_octets_ = 0;
  hear_early(now, out);
  if (auto ticked = store_->tick(now); !ticked) return fail(ticked.error(), out);
  acknowledge(out);
  time_out(now, out);
  if (const auto lost = store_->take_lost(config_.domain, config_.wants_max - wants_.size()); !lost.empty())
    (void)want(lost, {}, now, out); // repair: it can only fail by the store, which then has failed
  for (auto& [who, m] : members_) time_out_pushes(who, m, now, out);
  pump(now, out);
  ask_fresh(now, out);
  look_around(now, out);
  serve(out);
}

std::optional<time_ms> block_exchange::next_timer() const {
  if (failed_) return std::nullopt;
  const auto fresh = !fresh_.empty() && !open_.empty();
  const auto heard = std::ranges::any_of(early_, [this](const auto& e) { return members_.contains(e.from); });
  if (!waiting_.empty() || fresh || heard) return ticked_; // at once: the rest of what others wait for
  auto at = store_->next_timer();
  const auto earlier = [&at](time_ms t) { at = at ? std::min(*at, t) : t; };
  const auto busy =
      !wants_.empty() || std::ranges::any_of(members_, [](const auto& m) { return !m.second.pushes.empty(); });
  if (busy) earlier(ticked_ + poll_ms);
  if (!early_.empty()) earlier(early_.front().until);
  return at;
}

} // namespace hanse
