// The way through an ERIS tree, and the decoder on top of it. See eris.hpp.
#include "hanse/domains/eris.hpp"

#include "hanse/crypto/chacha20.hpp"

#include <algorithm>

namespace hanse {

namespace {

bool all_zero(byte_view octets) noexcept {
  return std::ranges::all_of(octets, [](std::byte b) { return b == std::byte{0}; });
}

/// Leaves below a full node of `level`.
std::uint64_t leaves_below(eris_block_size size, std::uint8_t level) noexcept {
  const auto bits = level * (size == eris_block_size::small ? 4u : 9u); // log2 of the arity
  return std::uint64_t{1} << bits;
}

expected<unit> check_block(const digest& reference, byte_view block, eris_block_size size, block_check check) {
  if (check == block_check::hash && blake2b_256(block) != reference)
    return error{errc::bad_checksum, "not the block that was asked for"};
  if (block.size() != octets_of(size)) return error{errc::bad_value, "a block of another size"};
  return ok();
}

} // namespace

eris_walk::eris_walk(const eris_capability& c, std::uint64_t first_leaf, std::uint64_t size_max)
    : size_(c.block_size), skip_(first_leaf), size_max_(size_max), current_(eris_node{c.root, c.level, true}) {
  assert(c.level <= eris_level_max(c.block_size));
}

expected<unit> eris_walk::enter(byte_view block, block_check check) {
  assert(current_ && current_->level > 0);
  const auto node = *current_;
  HANSE_CHECK(check_block(node.pair.reference, block, size_, check));
  frame f{bytes(block.size()), 0, 0, node.level, node.last};
  chacha20_xor(f.pairs, block, node.pair.key, node.level);
  if (blake2b_256(f.pairs).octets != node.pair.key) return error{errc::decryption_failed, "ERIS key or level"};
  const byte_view pairs{f.pairs};
  const auto arity = arity_of(size_);
  while (f.count < arity && !all_zero(pairs.subspan(f.count * eris_pair_size, eris_pair_size))) ++f.count;
  if (!all_zero(pairs.subspan(f.count * eris_pair_size))) return error{errc::not_canonical, "a gap in an ERIS node"};
  if (f.count == 0 || (!node.last && f.count < arity) || (path_.empty() && f.count < 2))
    return error{errc::not_canonical, "an ERIS node with too few references"};
  const auto below = leaves_below(size_, static_cast<std::uint8_t>(node.level - 1));
  // the root alone says how much there is at least, since all but the last nodes are full
  if (path_.empty() && (f.count - 1) * below > size_max_ / octets_of(size_))
    return error{errc::too_long, "content above the limit"};
  f.index = static_cast<std::size_t>(std::min<std::uint64_t>(skip_ / below, f.count));
  skip_ -= f.index * below;
  if (f.index == f.count) return error{errc::bad_value, "an offset behind the end"};
  path_.push_back(std::move(f));
  take_current();
  return ok();
}

void eris_walk::take_current() {
  const auto& f = path_.back();
  const auto* at = f.pairs.data() + f.index * eris_pair_size;
  current_.emplace();
  std::copy_n(at, 32, current_->pair.reference.octets.begin());
  std::copy_n(at + 32, 32, current_->pair.key.begin());
  current_->level = static_cast<std::uint8_t>(f.level - 1);
  current_->last = f.last && f.index + 1 == f.count;
}

void eris_walk::next() {
  current_.reset();
  while (!path_.empty() && ++path_.back().index == path_.back().count) path_.pop_back();
  if (!path_.empty()) take_current();
}

eris_decoder::eris_decoder(const eris_capability& c, const eris_decoder_config& config)
    : walk_(c, config.offset / octets_of(c.block_size), config.size_max), config_(config),
      skip_(static_cast<std::size_t>(c.level == 0 ? config.offset : config.offset % octets_of(c.block_size))) {
  assert(config_.ahead_max > 0);
  refill();
}

void eris_decoder::refill() {
  while (leaves_.size() < config_.ahead_max && walk_.current() && walk_.current()->level == 0) {
    leaves_.push_back(*walk_.current());
    walk_.next();
  }
}

std::vector<digest> eris_decoder::wanted() const {
  std::vector<digest> result;
  result.reserve(leaves_.size() + 1);
  for (const auto& leaf : leaves_) result.push_back(leaf.pair.reference);
  if (inner()) result.push_back(*inner());
  return result;
}

const digest* eris_decoder::next() const noexcept {
  if (!leaves_.empty()) return &leaves_.front().pair.reference;
  return walk_.current() ? &walk_.current()->pair.reference : nullptr;
}

const digest* eris_decoder::inner() const noexcept {
  return walk_.current() && walk_.current()->level > 0 ? &walk_.current()->pair.reference : nullptr;
}

bool eris_decoder::takes(const digest& reference) const noexcept {
  if (!leaves_.empty() && leaves_.front().pair.reference == reference) return true;
  return inner() && *inner() == reference;
}

expected<unit> eris_decoder::provide(const digest& reference, byte_view block, const eris_content_sink& out,
                                     block_check check) {
  assert(takes(reference));
  if (!leaves_.empty() && leaves_.front().pair.reference == reference) {
    HANSE_CHECK(leaf(block, out, check));
  } else {
    HANSE_CHECK(walk_.enter(block, check));
  }
  refill();
  return ok();
}

expected<unit> eris_decoder::leaf(byte_view block, const eris_content_sink& out, block_check check) {
  const auto& node = leaves_.front();
  HANSE_CHECK(check_block(node.pair.reference, block, walk_.block_size(), check));
  plain_.resize(block.size());
  chacha20_xor(plain_, block, node.pair.key, 0);
  byte_view content{plain_};
  if (node.last) {
    while (!content.empty() && content.back() == std::byte{0}) content = content.first(content.size() - 1);
    if (content.empty() || content.back() != std::byte{0x80}) return error{errc::bad_value, "no padding at the end"};
    content = content.first(content.size() - 1);
  }
  if (skip_ > content.size()) return error{errc::bad_value, "an offset behind the end"};
  content = content.subspan(skip_);
  skip_ = 0;
  content_size_ += content.size();
  leaves_.pop_front();
  if (!content.empty()) out(content);
  return ok();
}

} // namespace hanse
