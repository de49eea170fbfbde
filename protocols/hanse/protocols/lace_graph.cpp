// The graph of placed blocks: lanes, pasts, evidence; see the header.
#include "hanse/protocols/lace_graph.hpp"

#include <algorithm>

namespace hanse {

namespace {

bool contains(const byzantine_set& set, creator_index c) noexcept {
  return set && std::ranges::binary_search(*set, c);
}

/// The union, shared with one of the two where it can be.
byzantine_set unite(const byzantine_set& a, const byzantine_set& b) {
  if (!b || a == b) return a;
  if (!a || std::ranges::includes(*b, *a)) return b;
  if (std::ranges::includes(*a, *b)) return a;
  std::vector<creator_index> all;
  std::ranges::set_union(*a, *b, std::back_inserter(all));
  return std::make_shared<const std::vector<creator_index>>(std::move(all));
}

byzantine_set with(const byzantine_set& a, creator_index c) {
  if (contains(a, c)) return a;
  std::vector<creator_index> all;
  if (a) all = *a;
  all.insert(std::ranges::lower_bound(all, c), c);
  return std::make_shared<const std::vector<creator_index>>(std::move(all));
}

std::uint32_t offset_in(const shared_bytes& wire, byte_view part) noexcept {
  return part.empty() ? 0 : static_cast<std::uint32_t>(part.data() - wire.view().data());
}

} // namespace

block_index lace_graph::find(const block_id& id) const noexcept {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? no_block : found->second;
}

std::optional<creator_index> lace_graph::find_creator(const identity& id) const noexcept {
  const auto found = creator_by_id_.find(id);
  if (found == creator_by_id_.end()) return std::nullopt;
  return found->second;
}

bool lace_graph::proves(block_index b, creator_index c) const noexcept {
  return contains(blocks_[b].byzantine, c);
}

block_index lace_graph::at_seq(std::uint32_t lane, std::uint64_t seq) const noexcept {
  const auto& chain = lanes_[lane];
  if (chain.empty() || seq < blocks_[chain.front()].seq || seq > blocks_[chain.back()].seq) return no_block;
  return chain[seq - blocks_[chain.front()].seq];
}

block_index lace_graph::new_slot() {
  if (free_.empty()) {
    blocks_.emplace_back();
    return static_cast<block_index>(blocks_.size() - 1);
  }
  const auto b = free_.back();
  free_.pop_back();
  return b;
}

creator_index lace_graph::intern(const identity& id) {
  const auto [found, is_new] = creator_by_id_.try_emplace(id, static_cast<creator_index>(creators_.size()));
  if (is_new) creators_.push_back({id, {}});
  return found->second;
}

/// A chain goes on in its lane; what does not follow the end of a lane begins one.
void lace_graph::join_lane(placed_block& b) {
  if (b.self_prev != no_block) {
    const auto& prev = blocks_[b.self_prev];
    auto& chain = lanes_[prev.lane];
    if (prev.creator == b.creator && prev.seq + 1 == b.seq && chain.back() == b.self_prev) {
      b.lane = prev.lane;
      b.place = prev.place + 1;
      return;
    }
  }
  if (free_lanes_.empty()) {
    b.lane = static_cast<std::uint32_t>(lanes_.size());
    lanes_.emplace_back();
  } else {
    b.lane = free_lanes_.back();
    free_lanes_.pop_back();
  }
  b.place = 1;
  auto& lanes = creators_[b.creator].lanes;
  lanes.push_back(b.lane);
  if (lanes.size() == 2) forked_.insert(std::ranges::lower_bound(forked_, b.creator), b.creator);
}

void lace_graph::merge_pasts(placed_block& b) {
  if (b.self_prev != no_block) b.past = blocks_[b.self_prev].past;
  for (const auto p : b.preds) b.past = lane_clock::merge(b.past, blocks_[p].past);
  b.past = b.past.with(b.lane, b.place);
}

/// A chain has as many blocks as its highest seq says; with more, two of them have one seq.
bool lace_graph::shows_fork(const lane_clock& past, creator_index c) const {
  std::uint64_t blocks = 0;
  std::uint64_t highest = 0;
  for (const auto l : creators_[c].lanes) {
    const auto count = past.get(l);
    if (count == 0) continue;
    blocks += count;
    const auto first = lanes_[l].empty() ? no_block : lanes_[l].front();
    if (first != no_block) highest = std::max(highest, blocks_[first].seq + count - 1);
  }
  return blocks > highest;
}

/// Both tips of a fork may be pointed at, although another pointer covers one of them.
bool lace_graph::is_exempt(const placed_block& b, block_index pred) const {
  return std::ranges::any_of(b.preds, [&](block_index other) {
    return other != pred && blocks_[other].creator == blocks_[pred].creator && concurrent(other, pred);
  });
}

bool lace_graph::is_ill_formed(const placed_block& b) const {
  const bool has_prev = b.self_prev != no_block;
  if (has_prev) {
    const auto& prev = blocks_[b.self_prev];
    if (prev.creator != b.creator || prev.seq + 1 != b.seq) return true;
  }
  const auto covers = [&](block_index y, block_index x) { return y != x && in_past(x, y); };
  for (const auto x : b.preds) {
    const bool is_covered = (has_prev && covers(b.self_prev, x)) ||
                            std::ranges::any_of(b.preds, [&](block_index y) { return covers(y, x); });
    if (is_covered && !is_exempt(b, x)) return true;
    if (has_prev && contains(blocks_[b.self_prev].byzantine, blocks_[x].creator) && !in_past(x, b.self_prev))
      return true;
  }
  return false;
}

void lace_graph::find_byzantine(placed_block& b) {
  if (b.self_prev != no_block) b.byzantine = blocks_[b.self_prev].byzantine;
  for (const auto p : b.preds) b.byzantine = unite(b.byzantine, blocks_[p].byzantine);
  if (b.bad) b.byzantine = with(b.byzantine, b.creator);
  for (const auto c : forked_)
    if (!contains(b.byzantine, c) && shows_fork(b.past, c)) b.byzantine = with(b.byzantine, c);
}

block_index lace_graph::place(const block& from) {
  const auto index = new_slot();
  placed_block b;
  b.id = from.id;
  b.wire = from.wire;
  b.payload_at = offset_in(from.wire, from.payload);
  b.payload_size = static_cast<std::uint32_t>(from.payload.size());
  b.here = true;
  b.bare = from.bare;
  b.seq = from.header.seq;
  if (from.header.self_prev) b.self_prev = find(*from.header.self_prev);
  for (const auto& p : from.header.preds) b.preds.push_back(find(p));
  assert(!from.header.self_prev || b.self_prev != no_block);
  b.creator = intern(from.header.creator);
  join_lane(b);
  if (b.self_prev != no_block) {
    b.height = blocks_[b.self_prev].height;
    ++blocks_[b.self_prev].children;
  }
  for (const auto p : b.preds) {
    b.height = std::max(b.height, blocks_[p].height);
    ++blocks_[p].children;
  }
  ++b.height;
  merge_pasts(b);
  b.bad = is_ill_formed(b);
  by_id_.emplace(b.id, index);
  lanes_[b.lane].push_back(index);
  blocks_[index] = std::move(b);
  const auto verdict = rules_.judge(*this, index, payload(index), from.bare);
  if (verdict == block_verdict::unauthorised) {
    remove(index);
    return no_block;
  }
  if (verdict == block_verdict::invalid) blocks_[index].bad = true;
  find_byzantine(blocks_[index]);
  return index;
}

void lace_graph::remove(block_index index) {
  rules_.forget(index);
  unlink(index);
  blocks_[index] = placed_block{};
  free_.push_back(index);
}

void lace_graph::unlink(block_index index) {
  auto& b = blocks_[index];
  assert(b.here && b.children == 0 && !b.accepted && lanes_[b.lane].back() == index);
  by_id_.erase(b.id);
  if (b.self_prev != no_block) --blocks_[b.self_prev].children;
  for (const auto p : b.preds) --blocks_[p].children;
  lanes_[b.lane].pop_back();
  if (!lanes_[b.lane].empty()) return;
  free_lanes_.push_back(b.lane);
  auto& lanes = creators_[b.creator].lanes;
  std::erase(lanes, b.lane);
  if (lanes.size() == 1) std::erase(forked_, b.creator);
  if (!lanes.empty() || b.creator + 1 != creators_.size()) return;
  creator_by_id_.erase(creators_.back().id); // the newest: a flood of unauthorised creators leaves nothing behind
  creators_.pop_back();
}

void lace_graph::strip(block_index index) {
  auto& b = blocks_[index];
  const auto whole = decode_block(b.wire);
  assert(whole);
  b.wire = shared_bytes{strip_payload(*whole)};
  b.payload_at = b.payload_size = 0;
  b.bare = true;
}

std::size_t lace_graph::memory() const noexcept {
  std::size_t octets = lane_clock::allocated() + blocks_.size() * sizeof(placed_block);
  for (const auto& b : blocks_) octets += b.wire.size() + 64 + b.preds.capacity() * sizeof(block_index);
  octets += by_id_.size() * (sizeof(block_id) + sizeof(block_index) + 24);
  for (const auto& l : lanes_) octets += sizeof l + l.capacity() * sizeof(block_index);
  return octets + creators_.size() * (2 * sizeof(creator_entry) + 48);
}

} // namespace hanse
