// A storage receipt: a node's signed word that it keeps certain blocks for a domain until a time. Design section 10.
// Not a proof that it still does: who doubts asks for a block.
#pragma once

#include "hanse/crypto/signature.hpp"
#include "hanse/protocols/envelope.hpp"

namespace hanse {

inline constexpr std::size_t receipt_blocks_max = 64; ///< under one signature: what one message brings
inline constexpr std::size_t receipt_size_max = 4096; ///< octets

/// Names each block, so that it is evidence by itself; for content the block is the root, for a message all in it.
struct storage_receipt {
  identity domain;
  identity storer; ///< an individual: the node
  time_ms until = 0;
  std::vector<digest> blocks; ///< strictly ascending, 1 to receipt_blocks_max
  signature_octets signature{};
  friend bool operator==(const storage_receipt&, const storage_receipt&) = default;
};

/// Fills in storer and signature; sorts the blocks.
storage_receipt sign_receipt(const key_pair& key, const identity& domain, time_ms until, std::vector<digest> blocks);

bytes encode(const storage_receipt& r);

/// Structure and signature. Errors: those of msgpack_reader, `bad_version`, `bad_value`, `not_canonical` (order),
/// `bad_signature`, `bad_type`.
expected<storage_receipt> decode_receipt(byte_view wire);

} // namespace hanse
