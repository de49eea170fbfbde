// Blocks of a blocklace: header, signature, payload; their octets, ids and signatures; proof of an equivocation.
// Not the rules between blocks (lace_graph.hpp) and not who accepts them (blocklace.hpp). docs/blocklace.md has the
// octets. Source: Almeida & Shapiro, "The Blocklace" (arXiv 2402.08068); design section 8.
#pragma once

#include "hanse/crypto/signature.hpp"
#include "hanse/protocols/codec.hpp"
#include "hanse/protocols/shared_bytes.hpp"

namespace hanse {

/// The name of a block: BLAKE2b-256 of its header's octets.
using block_id = digest;

inline constexpr std::string_view block_context =
    "hanse-block-v1";                                       ///< begins every header: nothing else hashes to an id
inline constexpr std::size_t block_preds_max = 64;          ///< besides the own predecessor; a guess
inline constexpr std::size_t block_payload_max = 64 * 1024; ///< octets; a guess: the largest DomainAdvert and more
inline constexpr std::size_t block_header_max = 4096;       ///< octets; 64 pointers take 2176 of them
inline constexpr std::size_t block_size_max = block_payload_max + block_header_max + 128;

/// What the creator signs. All fields are in the octets that the id hashes.
struct block_header {
  identity domain;                   ///< a block means nothing in another one
  identity creator;                  ///< an individual
  std::uint64_t seq = 0;             ///< 1, 2, … of the creator
  std::optional<block_id> self_prev; ///< the creator's block before; none for seq 1 and only there
  std::vector<block_id> preds;       ///< other blocks, strictly ascending, without self_prev
  digest payload_hash;               ///< BLAKE2b-256 of the payload

  friend bool operator==(const block_header&, const block_header&) = default;
};

bytes encode(const block_header& header);

/// Errors: those of msgpack_reader, `bad_version` (context), `bad_value` (seq, self_prev, a group as creator, order of
/// the pointers). The creator's key is checked where the signature is.
expected<block_header> decode_block_header(byte_view wire);

inline block_id id_of(byte_view header_octets) noexcept {
  return blake2b_256(header_octets);
}

/// A block and its octets.
struct block {
  block_id id;
  block_header header;
  signature_octets signature{};
  shared_bytes wire;       ///< `[header bin, signature bin 64, payload bin]`
  byte_view header_octets; ///< within wire
  byte_view payload;       ///< within wire; empty if bare
  bool bare = false;       ///< the payload was dropped by compaction: nil in its place
};

/// Signs a new block. Preconditions: the bounds above, preds strictly ascending.
block make_block(const key_pair& creator, block_header header, byte_view payload);

/// The octets without the payload.
bytes strip_payload(const block& b);

/// Reads structure, hash of the payload and bounds; not the signature. Errors: those of msgpack_reader and
/// decode_block_header, `bad_checksum` (the payload is not the one of the header).
expected<block> decode_block(shared_bytes wire);

/// Whether the creator signed the header.
bool verify_signature(const block& b) noexcept;

/// Two signed headers of one creator and one seq: nobody honest signs both.
struct equivocation_proof {
  bytes first, second; ///< header octets, ascending by id
  signature_octets first_signature{}, second_signature{};
  friend bool operator==(const equivocation_proof&, const equivocation_proof&) = default;
};

/// From two blocks with equal domain, creator and seq.
equivocation_proof prove_equivocation(const block& a, const block& b);

/// `["hanse-fork-v1", header, signature, header, signature]`.
bytes encode(const equivocation_proof& proof);

/// Errors: those of msgpack_reader, `bad_version`.
expected<equivocation_proof> decode_equivocation_proof(byte_view wire);

/// The equivocator. Errors: those of decode_block_header, `bad_value` (equal ids or descending, another creator, seq or
/// domain), `bad_signature`.
expected<identity> verify(const equivocation_proof& proof, const identity& domain);

} // namespace hanse

template <>
struct std::hash<hanse::digest> {
  std::size_t operator()(const hanse::digest& d) const noexcept {
    std::size_t h;
    std::memcpy(&h, d.octets.data(), sizeof h);
    return h;
  }
};
