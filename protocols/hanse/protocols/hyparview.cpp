// HyParView; see hyparview.hpp. Messages:
//   join, ask (urgent), ask (if there is room), yes, no, leave, ping, pong   [kind, version]
//   forward_join                                                            [kind, version, joiner, ttl]
//   shuffle, shuffle_reply                                                  [kind, version, origin, ttl, [node, …]]
#include "hanse/protocols/hyparview.hpp"

#include "hanse/protocols/internal/wire_fields.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::uint8_t view_version = 1;
constexpr std::size_t nodes_in_message_max = 32;
constexpr std::uint32_t ttl_max = 32;

} // namespace

enum class hyparview::kind : std::uint8_t {
  join = hyparview_kind_first,
  ask_urgent,
  ask,
  yes,
  no,
  leave,
  ping,
  pong,
  forward_join,
  shuffle,
  shuffle_reply
};

void hyparview::send(const identity& to, kind k, dissemination_effects& out) {
  msgpack_writer body;
  body.array(2);
  body.unsigned_integer(static_cast<std::uint8_t>(k));
  body.unsigned_integer(view_version);
  out.emplace_back(peer_message{to, std::move(body).take()});
}

void hyparview::send_forward_join(const identity& to, const identity& joiner, std::uint32_t ttl,
                                  dissemination_effects& out) {
  msgpack_writer body;
  body.array(4);
  body.unsigned_integer(static_cast<std::uint8_t>(kind::forward_join));
  body.unsigned_integer(view_version);
  body.blob(joiner.wire());
  body.unsigned_integer(ttl);
  out.emplace_back(peer_message{to, std::move(body).take()});
}

void hyparview::send_nodes(const identity& to, kind k, const identity& origin, std::uint32_t ttl,
                           const std::vector<identity>& nodes, dissemination_effects& out) {
  msgpack_writer body;
  body.array(5);
  body.unsigned_integer(static_cast<std::uint8_t>(k));
  body.unsigned_integer(view_version);
  body.blob(origin.wire());
  body.unsigned_integer(ttl);
  body.array(nodes.size());
  for (const auto& n : nodes) body.blob(n.wire());
  out.emplace_back(peer_message{to, std::move(body).take()});
}

bool hyparview::is_member(const identity& node) const {
  return std::ranges::binary_search(members_, node);
}

bool hyparview::is_banned(const identity& peer, time_ms now) const {
  const auto it = banned_.find(peer);
  return it != banned_.end() && it->second > now;
}

std::optional<identity> hyparview::any_active(const identity& but, const identity& nor) {
  std::vector<identity> choice;
  for (const auto& [id, n] : active_)
    if (id != but && id != nor) choice.push_back(id);
  if (choice.empty()) return {};
  return choice[random_.below(choice.size())];
}

std::vector<identity> hyparview::some_of(std::vector<identity> nodes, std::size_t count) {
  for (std::size_t i = 0; i < count && i < nodes.size(); ++i)
    std::swap(nodes[i], nodes[i + random_.below(nodes.size() - i)]);
  if (nodes.size() > count) nodes.resize(count);
  return nodes;
}

void hyparview::add_active(const identity& peer, time_ms now, dissemination_effects& out) {
  asked_.erase(peer);
  if (active_.contains(peer)) return;
  while (active_.size() >= config_.active_max) { // one has to go, as in the paper
    const auto gone = *any_active(peer, peer);
    send(gone, kind::leave, out);
    remove_active(gone, true);
  }
  passive_.erase(peer);
  active_[peer] = {now, now + 1 + random_.below(config_.ping_ms), 0, 0};
  changes_.emplace_back(peer, true);
}

void hyparview::remove_active(const identity& peer, bool keep_passive) {
  if (active_.erase(peer) == 0) return;
  changes_.emplace_back(peer, false);
  if (keep_passive) add_passive(peer);
}

void hyparview::add_passive(const identity& peer) {
  if (peer == self_ || active_.contains(peer) || !is_member(peer) || passive_.contains(peer)) return;
  while (passive_.size() >= config_.passive_max)
    passive_.erase(std::next(passive_.begin(), static_cast<std::ptrdiff_t>(random_.below(passive_.size()))));
  passive_.insert(peer);
}

void hyparview::members_changed(const std::vector<identity>& members, time_ms now, dissemination_effects& out) {
  members_ = members;
  std::erase(members_, self_);
  std::vector<identity> gone;
  for (const auto& [id, n] : active_)
    if (!is_member(id)) gone.push_back(id);
  for (const auto& id : gone) remove_active(id, false);
  const auto is_gone = [&](const auto& entry) { return !is_member(entry.first); };
  std::erase_if(passive_, [&](const identity& id) { return !is_member(id); });
  std::erase_if(asked_, is_gone);
  std::erase_if(banned_, is_gone);
  std::erase_if(told_, is_gone);
  if (!shuffle_at_) shuffle_at_ = now + 1 + random_.below(config_.shuffle_ms);
  if (!members_.empty()) look_for_more(now, out);
}

void hyparview::peer_down(const identity& peer, time_ms now, dissemination_effects& out) {
  if (!active_.contains(peer)) return;
  remove_active(peer, false);
  look_for_more(now, out);
}

void hyparview::ban(const identity& peer, time_ms now, dissemination_effects& out) {
  if (is_member(peer)) banned_[peer] = now + config_.ban_ms;
  passive_.erase(peer);
  asked_.erase(peer);
  if (!active_.contains(peer)) return;
  send(peer, kind::leave, out);
  remove_active(peer, false);
  look_for_more(now, out);
}

void hyparview::on_join(const identity& from, time_ms now, dissemination_effects& out) {
  add_active(from, now, out);
  send(from, kind::yes, out);
  for (const auto& [id, n] : active_)
    if (id != from) send_forward_join(id, from, config_.arwl, out);
}

void hyparview::on_forward_join(const identity& from, const identity& joiner, std::uint32_t ttl, time_ms now,
                                dissemination_effects& out) {
  if (joiner == self_ || !is_member(joiner) || is_banned(joiner, now)) return;
  const auto next = ttl == 0 || active_.size() <= 1 ? std::nullopt : any_active(from, joiner);
  if (!next) {
    if (!active_.contains(joiner) && asked_.size() < 2 * config_.asked_max) {
      asked_[joiner] = now + config_.ask_timeout_ms;
      send(joiner, kind::ask_urgent, out);
    }
    return;
  }
  if (ttl == config_.prwl) add_passive(joiner);
  send_forward_join(*next, joiner, ttl - 1, out);
}

void hyparview::on_neighbour(const identity& from, bool urgent, time_ms now, dissemination_effects& out) {
  if (!urgent && !active_.contains(from) && active_.size() >= config_.active_max) {
    send(from, kind::no, out);
    return add_passive(from);
  }
  add_active(from, now, out);
  send(from, kind::yes, out);
}

void hyparview::shuffle(dissemination_effects& out) {
  const auto to = any_active(self_, self_);
  if (!to) return;
  std::vector<identity> active;
  for (const auto& [id, n] : active_) active.push_back(id);
  auto nodes = some_of(active, config_.shuffle_active);
  for (const auto& id : some_of({passive_.begin(), passive_.end()}, config_.shuffle_passive)) nodes.push_back(id);
  nodes.push_back(self_);
  send_nodes(*to, kind::shuffle, self_, config_.arwl, nodes, out);
}

void hyparview::on_shuffle(const identity& from, const identity& origin, std::uint32_t ttl,
                           const std::vector<identity>& nodes, time_ms, dissemination_effects& out) {
  if (origin == self_ || !is_member(origin)) return;
  if (ttl > 1 && active_.size() > 1)
    if (const auto next = any_active(from, origin))
      return send_nodes(*next, kind::shuffle, origin, ttl - 1, nodes, out);
  const auto answer = some_of({passive_.begin(), passive_.end()}, nodes.size());
  send_nodes(origin, kind::shuffle_reply, self_, 0, answer, out);
  for (const auto& n : nodes) add_passive(n);
}

expected<unit> hyparview::receive(const identity& from, byte_view body, time_ms now, dissemination_effects& out) {
  msgpack_reader in{body};
  const auto fields = in.array(5);
  const auto k = static_cast<kind>(in.unsigned_integer(static_cast<std::uint8_t>(kind::shuffle_reply)));
  if (in.unsigned_integer() != view_version) in.fail(errc::bad_version);
  identity node;
  std::uint32_t ttl = 0;
  std::vector<identity> nodes;
  if (k >= kind::forward_join) {
    node = internal::read_identity(in);
    ttl = static_cast<std::uint32_t>(in.unsigned_integer(ttl_max));
  }
  if (k >= kind::shuffle)
    for (auto left = in.array(nodes_in_message_max); left > 0 && in.good(); --left)
      nodes.push_back(internal::read_identity(in));
  if (fields != (k >= kind::shuffle ? 5u : k == kind::forward_join ? 4u : 2u)) in.fail(errc::bad_value);
  HANSE_CHECK(in.finish());
  if (!is_member(from)) return error{errc::permission_denied, "not a node of this topic"};
  if (is_banned(from, now)) return errc::untrusted;
  if (const auto n = active_.find(from); n != active_.end()) n->second.heard_ms = now;
  switch (k) {
  case kind::join:
    on_join(from, now, out);
    break;
  case kind::ask_urgent:
  case kind::ask:
    on_neighbour(from, k == kind::ask_urgent, now, out);
    break;
  case kind::yes:
    if (asked_.contains(from)) {
      add_active(from, now, out);
    } else if (!active_.contains(from)) {
      send(from, kind::leave, out); // too late
    }
    break;
  case kind::no:
    asked_.erase(from);
    break;
  case kind::leave:
    remove_active(from, true);
    look_for_more(now, out);
    break;
  case kind::ping:
    if (active_.contains(from)) {
      send(from, kind::pong, out);
    } else {
      heard(from, now, out);
    }
    break;
  case kind::pong:
    if (const auto it = active_.find(from); it != active_.end() && it->second.pinged_ms != 0) {
      auto& n = it->second;
      const auto sample = static_cast<std::uint32_t>(std::clamp<time_ms>(now - n.pinged_ms, 1, 60'000));
      n.rtt_ms = n.rtt_ms == 0 ? sample : (7 * n.rtt_ms + sample) / 8;
      n.pinged_ms = 0;
    }
    break;
  case kind::forward_join:
    on_forward_join(from, node, ttl, now, out);
    break;
  case kind::shuffle:
    on_shuffle(from, node, ttl, nodes, now, out);
    break;
  case kind::shuffle_reply:
    for (const auto& n : nodes) add_passive(n);
    break;
  default:
    return errc::bad_type;
  }
  return ok();
}

void hyparview::heard(const identity& from, time_ms now, dissemination_effects& out) {
  if (const auto it = active_.find(from); it != active_.end()) {
    it->second.heard_ms = now;
    return;
  }
  if (!is_member(from)) return;
  auto& told = told_[from];
  if (told != 0 && now < told + config_.ping_ms) return;
  told = std::max<time_ms>(now, 1);
  send(from, kind::leave, out); // its view is half open
}

void hyparview::check_neighbours(time_ms now, dissemination_effects& out) {
  std::vector<identity> dead;
  for (auto& [id, n] : active_) {
    if (n.heard_ms + 3 * std::uint64_t{config_.ping_ms} <= now) {
      dead.push_back(id);
    } else if (n.ping_at <= now) {
      n.ping_at = now + config_.ping_ms;
      n.pinged_ms = std::max<time_ms>(now, 1);
      send(id, kind::ping, out);
    }
  }
  for (const auto& id : dead) remove_active(id, false);
}

// Asks others to be neighbours: at once while there are few, now and then while there is room.
void hyparview::look_for_more(time_ms now, dissemination_effects& out) {
  for (auto it = asked_.begin(); it != asked_.end();) {
    if (it->second <= now) {
      passive_.erase(it->first); // it did not answer
      it = asked_.erase(it);
    } else {
      ++it;
    }
  }
  look_at_.reset();
  if (active_.size() >= config_.active_max || members_.empty()) return;
  const auto wanted = std::min(config_.asked_max, config_.active_max - active_.size());
  const auto candidate = [&](const identity& id) {
    return !active_.contains(id) && !asked_.contains(id) && !is_banned(id, now);
  };
  for (int tries = 0; asked_.size() < wanted && tries < 16; ++tries) {
    identity id;
    if (!passive_.empty() && tries < 8) {
      id = *std::next(passive_.begin(), static_cast<std::ptrdiff_t>(random_.below(passive_.size())));
    } else {
      id = members_[random_.below(members_.size())];
    }
    if (!candidate(id)) continue;
    asked_[id] = now + config_.ask_timeout_ms;
    const bool is_new = active_.empty() && passive_.empty();
    send(id, is_new ? kind::join : active_.empty() ? kind::ask_urgent : kind::ask, out);
    if (is_new) break; // a join is forwarded: one is enough at a time
  }
  const bool few = active_.size() < (config_.active_max + 1) / 2;
  look_at_ = now + (few ? config_.ask_timeout_ms : config_.ask_again_ms);
}

void hyparview::tick(time_ms now, dissemination_effects& out) {
  const auto before = active_.size();
  check_neighbours(now, out);
  if (active_.size() < before || (look_at_ && *look_at_ <= now)) look_for_more(now, out);
  if (shuffle_at_ && *shuffle_at_ <= now) {
    shuffle_at_ = now + config_.shuffle_ms;
    shuffle(out);
  }
}

std::optional<time_ms> hyparview::next_timer() const {
  auto next = shuffle_at_;
  const auto sooner = [&](time_ms when) { next = next ? std::min(*next, when) : when; };
  if (look_at_) sooner(*look_at_);
  for (const auto& [id, n] : active_) sooner(std::min(n.ping_at, n.heard_ms + 3 * std::uint64_t{config_.ping_ms}));
  return next;
}

std::uint32_t hyparview::rtt_ms(std::uint32_t otherwise) const {
  std::uint64_t sum = 0, count = 0;
  for (const auto& [id, n] : active_)
    if (n.rtt_ms > 0) sum += n.rtt_ms, ++count;
  return count == 0 ? otherwise : static_cast<std::uint32_t>(sum / count);
}

} // namespace hanse
