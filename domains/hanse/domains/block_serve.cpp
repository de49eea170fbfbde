// The serving half of blocks/1: giving blocks, keeping blocks for others, passing searches on. See block_exchange.hpp.
#include "hanse/domains/block_exchange.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::size_t lookup_cost = 1024; // octets that looking for a missing block counts for in a step; a guess

} // namespace

/// What one member may ask for is counted by the second.
block_exchange::member& block_exchange::asking(const identity& from, time_ms now) {
  auto& who = members_.at(from);
  if (who.second != now / 1000) {
    who.second = now / 1000;
    who.searches = 0;
    who.dropped = 0;
    who.asked_names = 0;
  }
  return who;
}

/// Whether it may wait for one more: within its own bound, and, when all wait for much, within its share.
bool block_exchange::has_room(const member& who) const noexcept {
  if (who.queue.size() >= config_.serve_names_max) return false;
  if (waiting_names_ < config_.serve_names_all_max) return true;
  return who.queue.size() < config_.serve_names_all_max / std::max<std::size_t>(waiting_.size(), 1);
}

void block_exchange::forget_queue(const identity& who, member& m) {
  waiting_names_ -= m.queue.size();
  waiting_.erase(who);
  m.queue.clear();
  m.queued.clear();
}

expected<unit> block_exchange::on(const identity& from, const blocks_get& m, time_ms now, block_effects& out) {
  auto& who = asking(from, now);
  const auto before = who.dropped;
  for (const auto& name : m.names) {
    if (who.queued.contains(name)) continue;
    if (!has_room(who)) {
      ++who.dropped;
      ++stats_.floods;
      continue;
    }
    who.queue.push_back(name);
    who.queued.insert(name);
    waiting_.insert(from);
    ++waiting_names_;
  }
  if (who.dropped > config_.flood_max) {
    who.dropped = 0;
    misbehaved(from, error{errc::queue_full, "asks for more blocks than it takes"}, now, out);
    return errc::queue_full;
  }
  const auto refused = who.dropped - before;
  serve(out);
  if (refused != 0) return error{errc::queue_full, std::to_string(refused) + " names over a member's share"};
  return ok();
}

/// One answer of about `octets_max`. Returns what it cost, in octets.
std::size_t block_exchange::serve_one(const identity& to, std::size_t octets_max, block_effects& out) {
  auto& m = members_.at(to);
  blocks_answer answer;
  std::vector<bytes> kept; // what the answer's views are of
  kept.reserve(message_blocks_max);
  std::size_t octets = 0, looked = 0;
  while (!m.queue.empty() && kept.size() < message_blocks_max && answer.missing.size() < block_names_max &&
         octets + looked < octets_max) {
    const auto name = m.queue.front();
    auto block = store_->get(name);
    if (!block) {
      fail(block.error(), out);
      return octets;
    }
    if (*block && octets + (*block)->size() > message_octets_max) break; // begins the next one
    m.queue.pop_front();
    m.queued.erase(name);
    --waiting_names_;
    if (!*block) {
      answer.missing.push_back(name);
      looked += lookup_cost;
      continue;
    }
    octets += (*block)->size();
    kept.push_back(std::move(**block));
    answer.blocks.push_back({name, kept.back()});
  }
  if (m.queue.empty()) waiting_.erase(to);
  stats_.served += answer.blocks.size();
  stats_.served_octets += octets;
  send(to, answer, out);
  return octets + looked;
}

/// Answers in turns, so that who asks for much delays nobody: a message each, a part of one while others wait. What is
/// sent between two ticks is bounded, however many requests come in between; the rest at the next tick.
void block_exchange::serve(block_effects& out) {
  while (!waiting_.empty() && !failed_ && served_octets_ < config_.serve_octets_step) {
    auto at = served_last_ ? waiting_.upper_bound(*served_last_) : waiting_.begin();
    if (at == waiting_.end()) at = waiting_.begin();
    served_last_ = *at;
    served_octets_ +=
        serve_one(*served_last_, waiting_.size() > 1 ? config_.serve_octets_turn : message_octets_max, out);
  }
}

expected<std::vector<digest>> block_exchange::split_present(const std::vector<digest>& names,
                                                            std::vector<digest>& missing) {
  std::vector<digest> have;
  for (const auto& name : names) {
    HANSE_TRY(const auto here, store_->has(name));
    (here ? have : missing).push_back(name);
  }
  return have;
}

expected<unit> block_exchange::on(const identity& from, const blocks_ask& m, time_ms now, block_effects& out) {
  auto& who = asking(from, now);
  if (who.asked_names + m.names.size() > config_.asked_names_per_s) {
    stats_.floods += m.names.size();
    return error{errc::queue_full, "asks whether more is here than is looked up for one member"};
  }
  who.asked_names += m.names.size();
  blocks_presence answer;
  HANSE_TRY(answer.have, split_present(m.names, answer.missing));
  send(from, answer, out);
  return ok();
}

expected<unit> block_exchange::on(const identity& from, const blocks_search& m, time_ms now, block_effects& out) {
  auto& who = asking(from, now);
  if (++who.searches > config_.searches_per_s) {
    ++stats_.floods;
    if (who.searches > config_.flood_max) misbehaved(from, error{errc::queue_full, "floods with searches"}, now, out);
    return errc::queue_full;
  }
  const auto asker = members_.find(m.asker);
  if (asker == members_.end() || asker->second.trust < config_.serve_trust_min) return errc::untrusted;
  if (!nonces_.insert(m.nonce).second) return errc::replayed;
  nonce_order_.push_back(m.nonce);
  while (nonce_order_.size() > config_.nonces_max) {
    nonces_.erase(nonce_order_.front());
    nonce_order_.pop_front();
  }
  blocks_presence answer;
  std::vector<digest> rest;
  HANSE_TRY(answer.have, split_present(m.names, rest));
  if (!answer.have.empty()) send(m.asker, answer, out);
  if (rest.empty() || m.ttl <= 1) return ok();
  auto onward = m;
  --onward.ttl;
  onward.names = std::move(rest);
  std::vector<identity> next;
  if (m.topic) {
    next = along(*m.topic, {from, m.asker});
  } else {
    next = some_members(1, {from, m.asker});
  }
  stats_.forwarded += next.size();
  for (const auto& to : next) send(to, onward, out);
  return ok();
}

expected<unit> block_exchange::on(const identity& from, const blocks_put& m, time_ms now, block_effects& out) {
  const auto refuse = [&](errc code) {
    send(from, blocks_stored{m.id, code, {}}, out);
    return code;
  };
  if (acks_.size() >= config_.acks_max) return refuse(errc::queue_full);
  pending_ack ack{0, from, m.id, errc::none, wire_number_max, {}};
  for (const auto& octets : m.blocks) {
    const auto name = blake2b_256(octets);
    auto end = store_->put(config_.domain, name, octets, m.until, now, block_check::trusted);
    if (!end && end.error() == errc::io_error) return end.error();
    if (!end) {
      ack.code = end.error().code;
      continue;
    }
    ++stats_.kept;
    ack.until = std::min(ack.until, *end);
    ack.names.push_back(name);
    if (const auto w = wants_.find(name); w != wants_.end()) arrived(name, from, out);
  }
  if (ack.names.empty()) return refuse(ack.code);
  ack.batch = store_->batch();
  acks_.push_back(std::move(ack));
  store_->await_commit(now);
  if (store_->commit_due(now)) {
    HANSE_CHECK(store_->commit());
    acknowledge(out);
  }
  return ok();
}

/// Sends the receipts of what is durable now, and of nothing else.
void block_exchange::acknowledge(block_effects& out) {
  while (!acks_.empty() && acks_.front().batch <= store_->committed()) {
    auto& ack = acks_.front();
    const auto receipt = encode(sign_receipt(key_, config_.domain, ack.until, std::move(ack.names)));
    send(ack.to, blocks_stored{ack.id, ack.code, receipt}, out);
    acks_.pop_front();
  }
}

/// In quarters of the window, so that the link is never idle for the time of an answer.
std::size_t block_exchange::push_room(const identity& to) const {
  const auto found = members_.find(to);
  if (found == members_.end()) return SIZE_MAX; // push says why not
  const auto& m = found->second;
  if (m.pushes.size() >= config_.pushes_max) return 0;
  const auto window = m.push_window.size();
  const auto piece = std::max<std::uint64_t>(window / 4, stored_block_size_max);
  return window >= m.pushed_octets + piece ? static_cast<std::size_t>(piece) : 0;
}

expected<unit> block_exchange::push(const identity& to, std::uint64_t token, std::vector<digest> names, time_ms until,
                                    time_ms now, block_effects& out) {
  assert(!names.empty() && names.size() <= message_blocks_max);
  const auto found = members_.find(to);
  if (found == members_.end()) return error{errc::not_found, "member"};
  auto& m = found->second;
  if (m.pushes.size() >= config_.pushes_max) return error{errc::queue_full, "pushes"};
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const auto id = next_push_++;
  push_under_way p{token, std::move(names), until, now, now, 0, 0, 1};
  std::vector<bytes> kept;
  auto read = read_push(id, p, kept);
  if (!read) {
    if (read.error() == errc::io_error) fail(read.error(), out);
    return read.error();
  }
  for (const auto& block : kept) p.octets += block.size();
  if (!m.pushes.empty() && m.pushed_octets + p.octets > m.push_window.size())
    return error{errc::queue_full, "octets of pushes"};
  send(to, *read, out);
  m.pushed_octets += p.octets;
  p.ahead = m.pushed_octets;
  m.pushes.emplace(id, std::move(p));
  ++stats_.pushes;
  return ok();
}

/// `kept`: what the message's views are of.
expected<blocks_put> block_exchange::read_push(std::uint64_t id, const push_under_way& p, std::vector<bytes>& kept) {
  blocks_put m{id, p.until, {}};
  std::size_t octets = 0;
  for (const auto& name : p.names) {
    HANSE_TRY(auto block, store_->get(name));
    if (!block) return error{errc::not_found, "block"};
    octets += block->size();
    kept.push_back(std::move(*block));
    m.blocks.push_back(kept.back()); // a vector's octets stay where they are when the vector is moved
  }
  if (octets > message_octets_max) return error{errc::too_long, "push"};
  return m;
}

/// What is before it in the queue has its time, too: only the first is late by itself.
void block_exchange::time_out_pushes(const identity& who, member& m, time_ms now, block_effects& out) {
  auto late = false;
  for (auto i = m.pushes.begin(); i != m.pushes.end();) {
    auto& p = i->second;
    if (now < std::max(p.sent, m.push_heard) + m.push_window.timeout_ms(p.ahead)) {
      ++i;
      continue;
    }
    late = true;
    std::vector<bytes> kept;
    auto again = p.tries < config_.push_tries_max ? read_push(i->first, p, kept) : error{errc::timed_out};
    ++p.tries;
    p.sent = now;
    if (again) {
      send(who, *again, out);
      ++stats_.pushes_again;
      ++i;
      continue;
    }
    if (again.error() == errc::io_error) return fail(again.error(), out);
    out.push_back(block_pushed{who, p.token, again.error(), std::nullopt});
    m.pushed_octets -= p.octets;
    i = m.pushes.erase(i);
  }
  if (late) m.push_window.timed_out();
}

expected<unit> block_exchange::on(const identity& from, const blocks_stored& m, time_ms now, block_effects& out) {
  auto& who = members_.at(from);
  const auto found = who.pushes.find(m.id);
  if (found == who.pushes.end()) return ok(); // an answer to a repetition
  block_pushed done{from, found->second.token, m.code, std::nullopt};
  if (!m.receipt.empty()) {
    auto receipt = decode_receipt(m.receipt);
    const auto fits = receipt && receipt->storer == from && receipt->domain == config_.domain && receipt->until > now &&
                      std::ranges::includes(found->second.names, receipt->blocks);
    if (!fits) {
      misbehaved(from, receipt ? error{errc::bad_value, "a receipt for something else"} : receipt.error(), now, out);
      done.why = errc::bad_signature;
    } else {
      if (done.why == errc::none && receipt->blocks.size() < found->second.names.size()) done.why = errc::bad_value;
      done.receipt = std::move(*receipt);
    }
  } else if (m.code == errc::none) {
    done.why = error{errc::bad_value, "neither a receipt nor a reason"};
  }
  const auto& p = found->second;
  who.push_heard = now;
  who.push_window.answered(p.octets, p.ahead, now - p.begun, p.tries == 1);
  who.pushed_octets -= p.octets;
  who.pushes.erase(found);
  out.push_back(std::move(done));
  return ok();
}

} // namespace hanse
