// ERIS 1.0 (Encoding for Robust Immutable Storage, https://eris.codeberg.page/spec): content of any size as encrypted
// blocks of one size and a short capability to read it. Streaming both ways with constant memory: one block per level.
// Not a store (block_store.hpp) and not the fetching of blocks (block_exchange.hpp). Blocks are named by the
// BLAKE2b-256 of their octets, so who stores them needs no key; the capability is the key: who has it can read.
#pragma once

#include "hanse/crypto/hash.hpp"
#include "hanse/crypto/random.hpp"

#include <deque>
#include <functional>
#include <optional>

namespace hanse {

/// The two block sizes of the specification; the value is the base 2 logarithm and goes into the capability.
enum class eris_block_size : std::uint8_t {
  small = 10, ///< 1 KiB, recommended below 16 KiB of content
  large = 15, ///< 32 KiB
};

constexpr std::size_t octets_of(eris_block_size s) noexcept {
  return std::size_t{1} << static_cast<unsigned>(s);
}

/// What the specification recommends for content of `size` octets: small below 16 KiB (ERIS 1.0 section 2.1).
constexpr eris_block_size recommended_block_size(std::uint64_t size) noexcept {
  return size < 16 * 1024 ? eris_block_size::small : eris_block_size::large;
}

inline constexpr std::size_t eris_pair_size = 64;       ///< octets of a reference and a key in an inner node
inline constexpr std::size_t eris_capability_size = 66; ///< octets

/// References in one inner node.
constexpr std::size_t arity_of(eris_block_size s) noexcept {
  return octets_of(s) / eris_pair_size;
}

/// The highest level that content below 2^63 octets needs; what claims more is refused before anything is fetched.
constexpr std::uint8_t eris_level_max(eris_block_size s) noexcept {
  return s == eris_block_size::small ? 13 : 5;
}

/// A key of ChaCha20, or a convergence secret.
using eris_key = std::array<std::byte, 32>;

/// The same content under the same secret gives the same blocks; zeros: whoever guesses the content recognises it.
inline constexpr eris_key eris_null_secret{};

/// A node of the tree: where its block is, and the key that opens it.
struct eris_pair {
  digest reference;
  eris_key key{};
  friend bool operator==(const eris_pair&, const eris_pair&) = default;
};

/// What is needed to read content. A secret: not for logs.
struct eris_capability {
  eris_block_size block_size = eris_block_size::large;
  std::uint8_t level = 0; ///< of the root; 0: the root is the content's only block
  eris_pair root;
  friend bool operator==(const eris_capability&, const eris_capability&) = default;
};

/// 66 octets: block size, level, reference, key.
bytes encode(const eris_capability& c);

/// Errors: `truncated`, `trailing_bytes`, `bad_value` (no such block size), `too_deep` (above eris_level_max).
expected<eris_capability> decode_eris_capability(byte_view wire);

/// `urn:eris:` and 106 characters of base 32 (RFC 4648, no padding).
std::string to_urn(const eris_capability& c);

/// Errors: those of decode_eris_capability, `bad_value` (prefix, character), `not_canonical` (spare bits).
expected<eris_capability> parse_eris_urn(std::string_view text);

/// Takes a block that the encoder made. The view is valid during the call. An error stops the encoder.
using eris_block_sink = std::function<expected<unit>(const digest& reference, byte_view block)>;

/// Makes a leaf of `content`, which fills a block: encrypts it into `block`, of the same size or the same memory.
/// Leaves do not depend on each other, so several may be made at once, in any order.
eris_pair make_eris_leaf(const eris_key& convergence_secret, byte_view content, std::span<std::byte> block) noexcept;

/// Encodes a stream. Memory: a block for the content and one per level above, so below 224 KiB. Blocks come children
/// first; equal blocks come again. Not thread-safe.
class eris_encoder {
public:
  eris_encoder(eris_block_size size, const eris_key& convergence_secret, eris_block_sink sink);

  /// Takes more content, as much as you like. Errors: the sink's; after one the encoder only returns it.
  expected<unit> update(byte_view content);

  /// The next content, as a leaf that make_eris_leaf made under the same secret; its block is the caller's to keep, and
  /// does not come to the sink. Precondition: all content so far fills blocks. Errors: as of update.
  expected<unit> add_leaf(const eris_pair& leaf);

  /// Ends the content. Call once. Errors: the sink's.
  expected<eris_capability> finish();

  std::uint64_t content_size() const noexcept { return content_size_; }

private:
  expected<unit> leaf(byte_view content);
  expected<unit> add(std::size_t level, const eris_pair& pair);
  expected<unit> node(std::size_t level);
  expected<unit> note(expected<unit> result);

  eris_block_size size_;
  eris_key secret_;
  eris_block_sink sink_;
  bytes pending_;             // content of a block that is not full
  bytes cipher_;              // one block, reused
  std::vector<bytes> levels_; // [n]: the pairs of nodes of level n that have no parent yet
  std::uint64_t content_size_ = 0;
  std::optional<error> failed_;
};

/// Whether somebody has already compared a block with its reference: the store does when it reads.
enum class block_check : std::uint8_t { hash, trusted };

/// A node met on the way through a tree.
struct eris_node {
  eris_pair pair;
  std::uint8_t level = 0;
  bool last = true; ///< the last one of its level: it may be filled in part, and the content's end is in it
};

/// Goes through a tree in the order of its content, every inner node before what is below it. Levels only fall, so
/// there are no loops; every inner node but the last of its level must be full, as encoders make it. Memory: a block
/// per level.
class eris_walk {
public:
  /// Starts at the leaf `first_leaf`; the inner nodes on the way there are met all the same.
  explicit eris_walk(const eris_capability& c, std::uint64_t first_leaf = 0, std::uint64_t size_max = UINT64_MAX);

  /// The node to go on with; null at the end.
  const eris_node* current() const noexcept { return current_ ? &*current_ : nullptr; }

  /// Goes below the current node, an inner one, with its block. Errors: `bad_checksum` (another block: try again with
  /// another copy; nothing has changed), and for good, since the capability is damaged or forged: `bad_value` (size),
  /// `decryption_failed` (key or level), `not_canonical` (shape), `too_long` (above `size_max`).
  expected<unit> enter(byte_view block, block_check check = block_check::hash);

  /// Goes on behind the current node, a leaf or (to leave out what is below) an inner one.
  void next();

  eris_block_size block_size() const noexcept { return size_; }

private:
  struct frame {
    bytes pairs;
    std::size_t count, index;
    std::uint8_t level; // of the node that the pairs are in
    bool last;
  };
  void take_current();

  eris_block_size size_;
  std::uint64_t skip_, size_max_;
  std::vector<frame> path_;
  std::optional<eris_node> current_;
};

/// Bounds of a decoder.
struct eris_decoder_config {
  std::size_t ahead_max = 64;          ///< leaves that are named in advance, so that they can be fetched
  std::uint64_t size_max = 1ull << 40; ///< octets of content, 1 TiB; a guess. A small tree can claim 2^60 of zeros
  std::uint64_t offset = 0;            ///< where to begin in the content
};

/// Takes a part of the content, in order. The view is valid during the call.
using eris_content_sink = std::function<void(byte_view content)>;

/// Decodes a stream, driven by its caller: ask what it wants, fetch that however you like, provide it.
/// Memory: a block, one per level, and `ahead_max` pairs.
class eris_decoder {
public:
  explicit eris_decoder(const eris_capability& c, const eris_decoder_config& config = {});

  /// References known to be needed, in the order of need; the first is needed now. The same may come twice (equal
  /// blocks). Empty only when it is done.
  std::vector<digest> wanted() const;

  /// The first one that is wanted; null when it is done.
  const digest* next() const noexcept;

  /// The inner node that leads on behind the known leaves: provide it early, and more leaves are known. Null: none.
  const digest* inner() const noexcept;

  /// Whether `provide` takes this one now: the next leaf, or the inner node that leads on behind the known leaves.
  bool takes(const digest& reference) const noexcept;

  /// Takes a block for which `takes` says yes. Errors: those of eris_walk::enter; `bad_value` where a leaf has no
  /// padding or `config.offset` is behind the end. After all but `bad_checksum` the content cannot be read.
  expected<unit> provide(const digest& reference, byte_view block, const eris_content_sink& out,
                         block_check check = block_check::hash);

  bool done() const noexcept { return leaves_.empty() && !walk_.current(); }
  std::uint64_t content_size() const noexcept { return content_size_; } ///< octets that came out so far

private:
  expected<unit> leaf(byte_view block, const eris_content_sink& out, block_check check);
  void refill();

  eris_walk walk_;
  eris_decoder_config config_;
  std::deque<eris_node> leaves_;
  bytes plain_;
  std::uint64_t content_size_ = 0;
  std::size_t skip_; // octets of the first leaf
};

} // namespace hanse
