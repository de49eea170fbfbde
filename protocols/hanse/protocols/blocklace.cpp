// The blocklace: acceptance, evidence, own blocks, durability; see the header. The pool of what waits is in
// lace_pool.cpp.
#include "hanse/protocols/blocklace.hpp"

#include <algorithm>

namespace hanse {

blocklace::blocklace(const identity& domain, key_pair own, block_rules& rules, const lace_config& config)
    : own_(std::move(own)), config_(config), rules_(rules), graph_(domain, rules) {}

// --- durability ---

bytes blocklace::key_of(std::uint64_t stored_at) const {
  auto key = to_bytes(graph_.domain().wire());
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<std::byte>(stored_at >> shift));
  return key;
}

expected<unit> blocklace::restore(byte_view key, byte_view value) {
  assert(!started_);
  const auto prefix = graph_.domain().wire();
  if (key.size() != prefix.size() + 8 || !equal(key.first(prefix.size()), prefix))
    return error{errc::bad_value, "not a key of this domain's blocks"};
  std::uint64_t at = 0;
  for (const auto octet : key.last(8)) at = at << 8 | std::to_integer<std::uint64_t>(octet);
  restored_[at] = shared_bytes::copy_of(value);
  return ok();
}

void blocklace::start(bool alone, lace_effects& out) {
  assert(!started_);
  started_ = true;
  for (const auto& [at, wire] : restored_) {
    stored_ = at;
    auto b = decode_block(wire);
    const auto is_placed = [this](const block_id& id) { return graph_.find(id) != no_block; };
    const bool fits = b && b->header.domain == graph_.domain() && !is_placed(b->id) &&
                      (!b->header.self_prev || is_placed(*b->header.self_prev)) &&
                      std::ranges::all_of(b->header.preds, is_placed);
    const auto index = fits ? graph_.place(*b) : no_block;
    if (index == no_block) {
      refuse(self(), b ? error{errc::bad_value, "a stored block does not fit"} : b.error(), out);
      continue;
    }
    accept_one(index, out);
    graph_.at(index).stored_at = at;
  }
  restored_.clear();
  writes_.clear(); // they are stored
  byzantine_grew_ = true;
  ack_owed_ = !byzantine_.empty();
  if (alone) confirmed_ = true;
  settle(out);
}

void blocklace::persist_all(lace_effects& out) {
  if (writes_.empty()) return;
  ++token_;
  if (!own_unsent_.empty()) own_by_token_[token_] = std::exchange(own_unsent_, {});
  out.emplace_back(lace_persist{token_, std::exchange(writes_, {})});
}

void blocklace::persisted(std::uint64_t token, lace_effects& out) {
  while (!own_by_token_.empty() && own_by_token_.begin()->first <= token) {
    for (auto& wire : own_by_token_.begin()->second) out.emplace_back(lace_publish{std::move(wire)});
    own_by_token_.erase(own_by_token_.begin());
  }
}

void blocklace::strip(std::span<const block_index> blocks, lace_effects& out) {
  for (const auto b : blocks) {
    if (!graph_[b].accepted || graph_[b].bare) continue;
    graph_.strip(b);
    ++stats_.bare;
    writes_.push_back({key_of(graph_[b].stored_at), to_bytes(graph_[b].wire.view())});
  }
  persist_all(out);
}

// --- acceptance ---

bool blocklace::knows_all(block_index b) const {
  return std::ranges::all_of(byzantine_, [&](creator_index c) { return graph_.proves(b, c); });
}

bool blocklace::shows_more(block_index b) const {
  if (const auto& known = graph_[b].byzantine)
    if (std::ranges::any_of(*known, [&](creator_index c) { return !byzantine_.contains(c); })) return true;
  return !byzantine_.contains(graph_[b].creator) &&
         graph_.twin(b, [&](block_index t) { return graph_[t].accepted; }) != no_block;
}

void blocklace::try_accept(block_index first, lace_effects& out) {
  recheck_.push_back(first);
  recheck_twins(out);
}

void blocklace::recheck_twins(lace_effects& out) {
  while (!recheck_.empty()) {
    const auto b = recheck_.back();
    recheck_.pop_back();
    if (!graph_[b].here || graph_[b].accepted) continue;
    const bool is_welcome = !byzantine_.contains(graph_[b].creator) && knows_all(b);
    if (is_welcome || shows_more(b)) accept_with_past(b, out);
  }
}

void blocklace::accept_with_past(block_index b, lace_effects& out) {
  std::vector<block_index> missing;
  std::vector<block_index> stack{b};
  while (!stack.empty()) {
    const auto x = stack.back();
    stack.pop_back();
    if (graph_[x].accepted) continue;
    graph_.at(x).accepted = true;
    missing.push_back(x);
    if (graph_[x].self_prev != no_block) stack.push_back(graph_[x].self_prev);
    stack.insert(stack.end(), graph_[x].preds.begin(), graph_[x].preds.end());
  }
  std::ranges::sort(missing, {}, [&](block_index x) { return std::pair{graph_[x].height, graph_[x].id}; });
  for (const auto x : missing) accept_one(x, out);
  if (!byzantine_.contains(graph_[b].creator)) acknowledge(b);
}

/// Its past is accepted.
void blocklace::accept_one(block_index index, lace_effects& out) {
  auto& b = graph_.at(index);
  b.accepted = true;
  b.stored_at = ++stored_;
  ++stats_.accepted;
  if (b.bare) ++stats_.bare;
  unhold(b.id);
  writes_.push_back({key_of(b.stored_at), to_bytes(b.wire.view())});
  accepted_.push_back(index);
  if (b.self_prev != no_block) heads_.erase(b.self_prev);
  for (const auto p : b.preds) heads_.erase(p);
  heads_.insert(index);
  if (graph_.creator(index) == self() && (own_tip_ == no_block || graph_[own_tip_].seq < b.seq)) own_tip_ = index;
  if (b.byzantine)
    for (const auto c : *b.byzantine) note_byzantine(c, out);
  const auto is_accepted_twin = [&](block_index t) { return graph_[t].accepted; };
  if (graph_.twin(index, is_accepted_twin) != no_block) note_byzantine(b.creator, out);
  const auto pending = graph_.twin(index, [&](block_index t) { return !graph_[t].accepted; });
  if (pending != no_block) recheck_.push_back(pending);
}

void blocklace::note_byzantine(creator_index c, lace_effects& out) {
  if (!byzantine_.insert(c).second) return;
  byzantine_grew_ = true;
  ack_owed_ = true;
  lace_byzantine found{graph_.creator_id(c), std::nullopt};
  for (const auto lane : graph_.lanes_of(c)) {
    const auto first = graph_.lane(lane).empty() ? no_block : graph_.lane(lane).front();
    if (first == no_block || !graph_[first].accepted) continue;
    const auto other = graph_.twin(first, [&](block_index t) { return graph_[t].accepted; });
    if (other == no_block) continue;
    found.proof = prove_equivocation(*decode_block(graph_[first].wire), *decode_block(graph_[other].wire));
    proofs_.emplace(c, *found.proof);
    break;
  }
  out.emplace_back(std::move(found));
}

// --- what is acknowledged ---

/// Marks the past of `b`, oldest first.
void blocklace::acknowledge(block_index b) {
  std::vector<block_index> found;
  std::vector<block_index> stack{b};
  while (!stack.empty()) {
    const auto x = stack.back();
    stack.pop_back();
    if (graph_[x].acknowledged) continue;
    graph_.at(x).acknowledged = true;
    found.push_back(x);
    if (graph_[x].self_prev != no_block) stack.push_back(graph_[x].self_prev);
    stack.insert(stack.end(), graph_[x].preds.begin(), graph_[x].preds.end());
  }
  if (found.size() > 1)
    std::ranges::sort(found, {}, [&](block_index x) { return std::pair{graph_[x].height, graph_[x].id}; });
  newly_acknowledged_.insert(newly_acknowledged_.end(), found.begin(), found.end());
}

/// Whom byz(B) gained no longer acknowledges anything.
void blocklace::reacknowledge(lace_effects& out) {
  for (const auto b : std::exchange(newly_acknowledged_, {})) graph_.at(b).acknowledged = false;
  std::size_t before = 0;
  std::vector<block_index> reported;
  for (const auto b : accepted_)
    if (std::exchange(graph_.at(b).acknowledged, false)) reported.push_back(b), ++before;
  for (auto b = accepted_.rbegin(); b != accepted_.rend(); ++b)
    if (!graph_[*b].acknowledged && !byzantine_.contains(graph_[*b].creator)) acknowledge(*b);
  if (std::ranges::all_of(reported, [&](block_index b) { return graph_[b].acknowledged; })) {
    std::ranges::sort(reported);
    std::erase_if(newly_acknowledged_, [&](block_index b) { return std::ranges::binary_search(reported, b); });
    std::ranges::sort(newly_acknowledged_, {}, [&](block_index b) { return graph_[b].stored_at; });
    return;
  }
  newly_acknowledged_.clear();
  out.emplace_back(lace_reordered{});
}

std::vector<block_index> blocklace::acknowledged() const {
  std::vector<block_index> out;
  std::ranges::copy_if(accepted_, std::back_inserter(out), [&](block_index b) { return graph_[b].acknowledged; });
  return out;
}

bool blocklace::owes_ack() const {
  if (byzantine_.empty()) return false;
  if (own_tip_ == no_block || !knows_all(own_tip_)) return true;
  return std::ranges::any_of(heads_, [&](block_index h) {
    return !graph_.in_past(h, own_tip_) && !byzantine_.contains(graph_[h].creator) && !knows_all(h);
  });
}

/// The end of every input.
void blocklace::settle(lace_effects& out) {
  recheck_twins(out);
  for (auto rounds = heads_.size() / block_preds_max + 2; rounds > 0 && ack_owed_ && may_write(); --rounds) {
    if (!owes_ack()) {
      ack_owed_ = false;
    } else if (const auto acked = append_own(rules_.ack_payload(), out)) {
      ++stats_.acks;
    } else {
      break; // not a member: tried again when more is known
    }
  }
  if (std::exchange(byzantine_grew_, false)) reacknowledge(out);
  persist_all(out);
  if (!newly_acknowledged_.empty()) out.emplace_back(lace_acknowledged{std::exchange(newly_acknowledged_, {})});
  if (!confirmed_ && started_) confirm(out);
}

// --- own blocks ---

/// The maximal blocks that may be pointed at. A head of somebody whom the own previous block knows as Byzantine may
/// not; what it points at may, so evidence that only such a head shows is not lost.
std::vector<block_index> blocklace::own_preds() const {
  const bool has_tip = own_tip_ != no_block;
  std::vector<block_index> found;
  std::set<block_index> seen;
  std::vector<block_index> stack(heads_.begin(), heads_.end());
  while (!stack.empty()) {
    const auto x = stack.back();
    stack.pop_back();
    if ((has_tip && graph_.in_past(x, own_tip_)) || !seen.insert(x).second) continue;
    if (!has_tip || !graph_.proves(own_tip_, graph_[x].creator)) {
      found.push_back(x);
      continue;
    }
    if (graph_[x].self_prev != no_block) stack.push_back(graph_[x].self_prev);
    stack.insert(stack.end(), graph_[x].preds.begin(), graph_[x].preds.end());
  }
  if (seen.size() > found.size()) // else all are heads, and no head is in the past of another
    std::erase_if(found, [&](block_index x) {
      return std::ranges::any_of(found, [&](block_index y) { return x != y && graph_.in_past(x, y); });
    });
  if (found.size() > block_preds_max) {
    std::ranges::sort(found, {}, [&](block_index x) { return std::pair{graph_[x].stored_at, x}; }); // oldest first
    found.resize(block_preds_max);
  }
  return found;
}

expected<block_id> blocklace::append_own(byte_view payload, lace_effects& out) {
  block_header h;
  h.domain = graph_.domain();
  h.seq = 1;
  if (own_tip_ != no_block) {
    h.seq = graph_[own_tip_].seq + 1;
    h.self_prev = graph_[own_tip_].id;
  }
  for (const auto p : own_preds()) h.preds.push_back(graph_[p].id);
  std::ranges::sort(h.preds);
  const auto b = make_block(own_, std::move(h), payload);
  const auto index = graph_.place(b);
  if (index == no_block) return error{errc::permission_denied, "not a member"};
  if (graph_[index].bad) {
    graph_.remove(index);
    return error{errc::permission_denied, "the rules of the domain do not allow it"};
  }
  accept_with_past(index, out);
  own_unsent_.push_back(b.wire);
  return b.id;
}

expected<block_id> blocklace::write(byte_view payload, lace_effects& out) {
  if (!started_ || !confirmed_) return error{errc::in_doubt, "peers have not confirmed the newest own block yet"};
  if (is_byzantine(self())) return error{errc::permission_denied, "this node is proven Byzantine"};
  if (payload.size() > block_payload_max) return errc::too_long;
  auto id = append_own(payload, out);
  settle(out);
  return id;
}

void blocklace::confirm(lace_effects& out) {
  if (tips_.empty()) return;
  const auto wanted = std::min(others_, std::clamp(others_ / 3 + 1, config_.tip_answers_min, config_.tip_answers_max));
  const auto own = own_tip_ == no_block ? 0 : graph_[own_tip_].seq;
  if (tips_.size() < wanted) return;
  if (std::ranges::any_of(tips_, [&](const auto& t) { return t.second > own; })) return; // still to be fetched
  tips_.clear();
  assume_current(out);
}

void blocklace::assume_current(lace_effects& out) {
  confirmed_ = true;
  if (started_) settle(out);
}

void blocklace::peer_tip(const identity& peer, const std::optional<shared_bytes>& newest, std::size_t others,
                         lace_effects& out) {
  if (confirmed_) return;
  others_ = others;
  std::uint64_t seq = 0;
  if (newest) {
    if (const auto b = decode_block(*newest);
        b && b->header.creator == self() && b->header.domain == graph_.domain() && verify_signature(*b))
      seq = b->header.seq;
    accept(peer, {&*newest, 1}, out);
  }
  auto& known = tips_[peer];
  known = std::max(known, seq);
  settle(out);
}

// --- questions ---

bool blocklace::is_byzantine(const identity& who) const noexcept {
  const auto c = graph_.find_creator(who);
  return c && byzantine_.contains(*c);
}

std::vector<identity> blocklace::byzantine() const {
  std::vector<identity> out;
  for (const auto c : byzantine_) out.push_back(graph_.creator_id(c));
  std::ranges::sort(out);
  return out;
}

std::optional<equivocation_proof> blocklace::proof_against(const identity& who) const {
  const auto c = graph_.find_creator(who);
  const auto found = c ? proofs_.find(*c) : proofs_.end();
  if (found == proofs_.end()) return std::nullopt;
  return found->second;
}

std::optional<shared_bytes> blocklace::newest_of(const identity& creator) const {
  std::optional<shared_bytes> newest;
  std::uint64_t seq = 0;
  if (const auto c = graph_.find_creator(creator))
    for (const auto lane : graph_.lanes_of(*c)) {
      if (graph_.lane(lane).empty()) continue;
      const auto& top = graph_[graph_.lane(lane).back()];
      if (top.seq > seq) seq = top.seq, newest = top.wire;
    }
  for (const auto& [id, w] : waiting_)
    if (w.b.header.creator == creator && w.b.header.seq > seq) seq = w.b.header.seq, newest = w.b.wire;
  return newest;
}

lace_stats blocklace::stats() const noexcept {
  auto s = stats_;
  s.blocks = accepted_.size();
  s.pending = held_.size();
  s.pending_octets = held_octets_;
  s.byzantine = byzantine_.size();
  return s;
}

} // namespace hanse
