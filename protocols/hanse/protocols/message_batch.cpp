// Payloads: the octets around signed messages. Every cost that grows with a peer's input is bounded before it is paid:
// counts by the octets that are there, hashing by their number, decoding of envelopes by a signature that holds.
// Not the signature's mathematics (crypto/signature.hpp). Layout: docs/wire.md.
#include "hanse/protocols/message_batch.hpp"

#include "hanse/protocols/internal/payload_head.hpp"
#include "hanse/protocols/internal/wire_fields.hpp"

#include <algorithm>

namespace hanse {

namespace {

using internal::payload_kind;
using internal::write_payload_head;

/// Names a batch of several in `root`; no message begins like this.
constexpr std::string_view root_context = "hanse-payload-v1";

/// The fields that both kinds begin with. Returns the number of fields of the whole array.
std::size_t read_head(msgpack_reader& in, payload_kind& kind) {
  const auto count = in.array(field_count_of(payload_kind::batch));
  if (in.unsigned_integer() != internal::payload_version) in.fail(errc::bad_version);
  kind = internal::read_enum<payload_kind>(in, payload_kind::batch);
  if (count != field_count_of(kind)) in.fail(errc::bad_value);
  return count;
}

expected<unit> read_alone(msgpack_reader& in, unopened_batch& payload) {
  const auto message = in.blob(envelope_size_max);
  const auto signature = in.blob(message_signature_size_max);
  HANSE_CHECK(in.finish());
  HANSE_TRY(payload.source, source_of(message));
  HANSE_TRY(payload.alone, decode_message_signature(signature));
  payload.messages = {message};
  payload.hashes = {blake2b_256(message)};
  payload.root = payload.hashes[0];
  return ok();
}

/// Salts and messages take turns in one array.
void read_messages(msgpack_reader& in, unopened_batch& payload) {
  const auto items = in.array(2 * batch_size_max);
  if (in.good() && (items < 4 || items % 2 != 0)) in.fail(errc::bad_value); // one message has its own kind
  if (!in.good()) return;
  payload.messages.reserve(items / 2);
  payload.batch.salts.reserve(items / 2);
  for (std::size_t i = 0; i < items && in.good(); i += 2) {
    batch_salt salt{};
    std::ranges::copy(in.blob_exactly(salt.size()), salt.begin());
    payload.batch.salts.push_back(salt);
    payload.messages.push_back(in.blob(envelope_size_max));
  }
}

expected<unit> read_batch(msgpack_reader& in, unopened_batch& payload) {
  payload.source = internal::read_identity(in);
  std::ranges::copy(in.blob_exactly(payload.batch.signature.size()), payload.batch.signature.begin());
  read_messages(in, payload);
  HANSE_CHECK(in.finish());
  payload.hashes.reserve(payload.messages.size());
  for (const auto message : payload.messages) payload.hashes.push_back(blake2b_256(message));
  payload.root = blake2b_256({as_byte_view(root_context), std::as_bytes(std::span{payload.hashes})});
  return ok();
}

static_assert(sizeof(digest) == digest::size_bytes, "the hashes are hashed as they lie in memory");

bytes buffer_for(std::size_t size) {
  bytes buffer;
  buffer.reserve(size);
  return buffer;
}

bytes seal_batch(const key_pair& key, std::span<const byte_view> messages, random_source& random) {
  std::vector<digest> hashes;
  hashes.reserve(messages.size());
  std::size_t size = payload_overhead_max;
  for (const auto message : messages) {
    hashes.push_back(blake2b_256(message));
    size += message.size() + payload_overhead_per_message_max;
  }
  const auto batch = sign_batch(key, hashes, random);
  msgpack_writer out{buffer_for(size)};
  write_payload_head(out, payload_kind::batch);
  out.blob(key.identity().wire());
  out.blob(batch.signature);
  out.array(2 * messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    out.blob(batch.salts[i]);
    out.blob(messages[i]);
  }
  return std::move(out).take();
}

} // namespace

bytes wrap(byte_view message, const message_signature& proof) {
  const auto signature = encode(proof);
  msgpack_writer out{buffer_for(payload_overhead_max + message.size() + signature.size())};
  write_payload_head(out, payload_kind::alone);
  out.blob(message);
  out.blob(signature);
  return std::move(out).take();
}

bytes seal(const key_pair& key, std::span<const byte_view> messages, random_source& random) {
  assert(!messages.empty() && messages.size() <= batch_size_max);
  if (messages.size() > 1) return seal_batch(key, messages, random);
  return wrap(messages[0], message_signature{sign_single(key, blake2b_256(messages[0]))});
}

expected<unopened_batch> read_payload(const shared_bytes& payload) {
  msgpack_reader in{payload.view(), payload_size_max};
  payload_kind kind{};
  read_head(in, kind);
  if (!in.good()) return in.finish().error();
  expected<unopened_batch> result{unopened_batch{}};
  result->payload = payload;
  HANSE_CHECK(kind == payload_kind::alone ? read_alone(in, *result) : read_batch(in, *result));
  return result;
}

expected<opened_batch> open(unopened_batch&& payload) {
  const bool alone = payload.batch.salts.empty();
  if (!alone && payload.source.kind() != identity_kind::individual)
    return error{errc::bad_type, "a batch is signed by one key"};
  HANSE_CHECK(alone ? verify(payload.source, payload.hashes[0], payload.alone)
                    : verify_batch(payload.source, payload.hashes, payload.batch.salts, payload.batch.signature));
  expected<opened_batch> result{opened_batch{}};
  result->messages.reserve(payload.messages.size());
  result->wires.reserve(payload.messages.size());
  for (const auto message : payload.messages) {
    auto wire = payload.payload.slice(message);
    HANSE_TRY(auto decoded, decode_envelope(wire));
    if (decoded.source != payload.source) return error{errc::wrong_signer, "source of a message in a batch"};
    result->messages.push_back(std::move(decoded));
    result->wires.push_back(std::move(wire));
  }
  result->source = payload.source;
  result->root = payload.root;
  result->hashes = std::move(payload.hashes);
  result->batch = std::move(payload.batch);
  result->alone = std::move(payload.alone);
  return result;
}

expected<opened_batch> open(const shared_bytes& payload) {
  HANSE_TRY(auto unopened, read_payload(payload));
  return open(std::move(unopened));
}

expected<digest> root_of(const shared_bytes& payload) {
  HANSE_TRY(const auto unopened, read_payload(payload));
  return unopened.root;
}

message_signature proof_of(const opened_batch& opened, std::size_t index) {
  if (opened.batch.salts.empty()) return opened.alone;
  return {prove(opened.batch, opened.hashes, index)};
}

std::vector<message_signature> proofs_of(const opened_batch& opened) {
  if (opened.batch.salts.empty()) return {opened.alone};
  std::vector<message_signature> proofs;
  for (auto& proof : prove_all(opened.batch, opened.hashes)) proofs.push_back({std::move(proof)});
  return proofs;
}

} // namespace hanse
