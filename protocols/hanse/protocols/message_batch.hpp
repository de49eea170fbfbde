// The signed payload of a `data` frame: one message with its signature, or a batch of one source under one signature.
// Not the tree itself (crypto/signature.hpp) and not framing. Layout: docs/wire.md.
#pragma once

#include "hanse/crypto/signature.hpp"
#include "hanse/protocols/envelope.hpp"

namespace hanse {

inline constexpr std::size_t payload_size_max = codec_size_max - 1024;  ///< octets; the rest of 1 MiB is the frame's
inline constexpr std::size_t payload_overhead_max = 112;                ///< octets of a batch beside its messages
inline constexpr std::size_t payload_overhead_per_message_max = 17 + 5; ///< octets a batch adds to each: salt, length

/// A message as received: the octets that were signed, and how to prove them to a third party.
struct signed_message {
  hanse::envelope envelope;
  shared_bytes wire;       ///< the signed octets
  message_signature proof; ///< stands alone: forwarding needs nothing else
};

/// The octets of one payload, all messages by `key`, 1..batch_size_max of them, each the octets of an envelope whose
/// source is `key.identity()`. One message gets a single signature, more get a batch signature.
/// Precondition: with the overheads above, the messages fit payload_size_max.
bytes seal(const key_pair& key, std::span<const byte_view> messages, random_source& random);

/// A payload that carries one message with a proof that stands alone (forwarding, composite sources).
bytes wrap(byte_view message, const message_signature& proof);

/// A payload that was read but not verified. Everything in it is the peer's claim: what is remembered about it before
/// `open` lets anyone make us refuse the real one.
struct unopened_batch {
  shared_bytes payload;
  identity source;                 ///< the claimed signer
  std::vector<byte_view> messages; ///< within `payload`
  std::vector<digest> hashes;      ///< of the messages
  digest root;                     ///< see opened_batch
  signed_batch batch;              ///< salts and signature of a batch (its root is not set); no salts: one message
  message_signature alone;         ///< the signature of the only message
};

/// What came out of a payload. `wires` and bodies are slices of the payload; proofs are made on demand.
struct opened_batch {
  identity source;
  std::vector<envelope> messages;
  std::vector<shared_bytes> wires;
  digest root; ///< names what the payload says, whatever its salts: the hash of the only message, or the hash of the
               ///< hashes of all. Equal for a payload that is replayed whole
  std::vector<digest> hashes; ///< of the messages
  signed_batch batch;         ///< as in unopened_batch
  message_signature alone;    ///< as in unopened_batch
};

/// Reads structure, hashes and signer of a payload; verifies nothing. The duplicate check comes between this and
/// `open`. Errors: those of msgpack_reader and decode_message_signature, `bad_version`, `too_long`, `bad_value`.
expected<unopened_batch> read_payload(const shared_bytes& payload);

/// Verifies: one source for all, one signature verification. The signature is verified before any envelope is decoded;
/// every envelope must decode and be of the signer.
/// Errors: those of decode_envelope, `bad_signature`, `wrong_signer`, `too_long`, `threshold_not_met` and all else that
/// `verify` (crypto/signature.hpp) says of a proof that does not fit.
expected<opened_batch> open(unopened_batch&& payload);

/// Both steps at once.
expected<opened_batch> open(const shared_bytes& payload);

/// The root alone, nothing verified; for duplicate checks before the signature.
expected<digest> root_of(const shared_bytes& payload);

/// The proof of message `index` that stands alone. Costs the whole tree: for several messages take `proofs_of`.
/// Precondition: index < opened.messages.size().
message_signature proof_of(const opened_batch& opened, std::size_t index);

/// The proofs of all messages, by index.
std::vector<message_signature> proofs_of(const opened_batch& opened);

} // namespace hanse
