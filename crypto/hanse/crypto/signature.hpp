// Signatures over messages: individual, in a batch (Merkle inclusion proof), or by a composite identity.
// Not the raw Ed25519 primitive (keys.hpp). Design section 5, "Batch signatures"; tree of RFC 6962 section 2.1.
//
//   leaf      = H(0x00 ‖ context ‖ salt ‖ H(message))      context = 16 octets, see signature.cpp
//   node      = H(0x01 ‖ left ‖ right)                     split of RFC 6962
//   batch sig = Ed25519(batch context ‖ signer ‖ n as u32 BE ‖ root)
//   single    = Ed25519(single context ‖ signer ‖ H(message))   a context of its own
#pragma once

#include "hanse/crypto/composite.hpp"
#include "hanse/crypto/hash.hpp"
#include "hanse/crypto/keys.hpp"

#include <map>
#include <optional>

namespace hanse {

/// The most messages under one batch signature.
inline constexpr std::size_t batch_size_max = 1024;

/// The longest inclusion path: log2 of `batch_size_max`.
inline constexpr std::size_t batch_path_max = 10;

/// Blinds a leaf, so that a path tells nothing about guessable neighbours.
using batch_salt = std::array<std::byte, 16>;

/// Signs one message by itself.
signature_octets sign_single(const key_pair& key, const digest& message_hash);
bool verify_single(const identity& signer, const digest& message_hash, const signature_octets& sig) noexcept;

/// A signed batch, before it is taken apart.
struct signed_batch {
  std::vector<batch_salt> salts; ///< one per message
  digest root;
  signature_octets signature;
};

/// Signs 2..batch_size_max messages, given by their hashes, at once. Precondition: the size is in range.
signed_batch sign_batch(const key_pair& key, std::span<const digest> message_hashes, random_source& random);

/// Verifies a whole batch: recomputes the root from every message, one Ed25519 verification.
/// Errors: `bad_value` (count out of range, salts and hashes differ in number), `bad_signature`.
expected<unit> verify_batch(const identity& signer, std::span<const digest> message_hashes,
                            std::span<const batch_salt> salts, const signature_octets& sig);

/// What a message of a batch needs when it travels alone.
struct batch_proof {
  std::uint32_t count = 0; ///< messages in the batch, 2..batch_size_max
  std::uint32_t index = 0; ///< of this message, below count
  batch_salt salt{};
  std::vector<digest> path; ///< from the leaf's sibling upwards; its length follows from count and index
  signature_octets signature{};

  friend bool operator==(const batch_proof&, const batch_proof&) = default;
};

/// The proof of message `index` of a batch. Precondition: index < message_hashes.size() == batch.salts.size().
batch_proof prove(const signed_batch& batch, std::span<const digest> message_hashes, std::size_t index);

/// The proofs of all messages of a batch, by index: one tree for all, O(n log n). Precondition: as for `prove`.
std::vector<batch_proof> prove_all(const signed_batch& batch, std::span<const digest> message_hashes);

/// Verifies one message by its inclusion path.
/// Errors: `bad_value` (count, index or path length), `bad_signature`.
expected<unit> verify_proof(const identity& signer, const digest& message_hash, const batch_proof& proof);

/// A detached signature of one message: by itself, by a batch proof, or by the members of a composite identity.
/// The octet form is bounded by `message_signature_size_max` and decoded before anything is allocated from it.
struct message_signature;

/// One member's part of a composite signature: a path of member identities is not needed, the descriptor tells.
struct member_signature {
  identity signer; ///< an individual member, at any depth
  signature_octets signature{};
  friend bool operator==(const member_signature&, const member_signature&) = default;
};

/// Signatures by members of a composite identity, strictly ascending by signer, with the descriptors needed to check
/// them (the root's and those of nested groups on the way).
struct composite_signature {
  std::vector<composite_descriptor> descriptors; ///< each used, ascending by identity; at most composite_leaves_max
  std::vector<member_signature> members;         ///< at most composite_leaves_max
  friend bool operator==(const composite_signature&, const composite_signature&) = default;
};

/// Verifies that members reaching the threshold, recursively, signed the message (each by `sign_single`'s construction
/// with the composite identity as the signer field, so that a part cannot be lifted into another group's signature).
/// A nested group nobody signed for has no descriptor here: it counts as not reached, and as one leaf. A descriptor is
/// used if a signer is below it. Precondition: each descriptor is valid (make_composite or a decoder made it).
/// Errors: `wrong_signer` (no descriptor hashes to `signer`, or a signer is no member), `bad_type` (a part by a group),
/// `bad_signature`, `threshold_not_met`, `not_canonical` (order, duplicates, unused descriptors), `too_deep`,
/// `too_long`.
expected<unit> verify_composite(const identity& signer, const digest& message_hash, const composite_signature& sig);

/// One member's part. `on_behalf_of` is the composite identity.
member_signature sign_member(const key_pair& key, const identity& on_behalf_of, const digest& message_hash);

struct message_signature {
  std::variant<signature_octets, batch_proof, composite_signature> value;
  friend bool operator==(const message_signature&, const message_signature&) = default;
};

/// The largest octet form of a message signature. A composite of 64 leaves dominates.
inline constexpr std::size_t message_signature_size_max = 64 * 1024;

/// The octet form, numbers big-endian, nothing between the fields and nothing optional:
///
///   single     1 | signature 64
///   batch      2 | count u16 (2..1024) | index u16 (< count) | salt 16 | path | signature 64
///              path: the siblings from the leaf upwards, 32 octets each; how many follows from count and index
///   composite  3 | descriptors u8 (1..64) | descriptors x (length u16 | octets, see composite.hpp)
///                | parts u8 (1..64) | parts x (Ed25519 key 32 | signature 64), keys strictly ascending
///
/// Every field has one encoding, so what decodes re-encodes to the same octets.
/// Precondition: the numbers are in the ranges above (as sign_batch, prove and decode_message_signature leave them).
bytes encode(const message_signature& sig);

/// Keys are not checked here: `verify` refuses weak ones, as with identity::decode_unchecked.
/// Errors: `truncated`, `trailing_bytes`, `bad_type` (form), `bad_value` (counts, index), `too_long`, `not_canonical`,
/// and `bad_version` of a descriptor.
expected<message_signature> decode_message_signature(byte_view wire);

/// Verifies `sig` over `message_hash` by `signer`, whatever the form. An individual identity takes a single signature
/// or a batch proof, a composite one a composite signature. Errors: `bad_type` (the form does not fit the identity),
/// and those of verify_proof and verify_composite.
expected<unit> verify(const identity& signer, const digest& message_hash, const message_signature& sig);

} // namespace hanse
