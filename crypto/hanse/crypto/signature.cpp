// Single and batch signatures, and the choice of verifier by form. Formulas in signature.hpp.
// Not composite signatures (composite_signature.cpp), not the octet form (signature_codec.cpp).
#include "hanse/crypto/signature.hpp"

#include "hanse/crypto/internal/contexts.hpp"
#include "hanse/crypto/internal/merkle.hpp"
#include "hanse/crypto/internal/reader.hpp"
#include "hanse/crypto/internal/single.hpp"

#include <bit>

namespace hanse {

namespace {

static_assert(batch_size_max == std::size_t{1} << batch_path_max);

/// What a batch signature signs: context, signer, count as u32 BE, root.
bytes batch_statement(const identity& signer, std::size_t count, const digest& root) {
  bytes statement = to_bytes(internal::batch_context);
  statement.reserve(statement.size() + identity::size_bytes + 4 + digest::size_bytes);
  append(statement, signer.wire());
  internal::append_number<4>(statement, static_cast<std::uint32_t>(count));
  append(statement, root.view());
  return statement;
}

bool is_batch_size(std::size_t count) {
  return count >= 2 && count <= batch_size_max;
}

batch_proof proof_from(const internal::merkle_tree& tree, const signed_batch& batch, std::size_t index) {
  batch_proof proof;
  proof.count = static_cast<std::uint32_t>(batch.salts.size());
  proof.index = static_cast<std::uint32_t>(index);
  proof.salt = batch.salts[index];
  proof.path = tree.path(index);
  proof.signature = batch.signature;
  return proof;
}

} // namespace

internal::single_statement internal::statement_of(const identity& signer, const digest& message_hash) noexcept {
  single_statement statement;
  auto out = std::ranges::copy(as_byte_view(single_context), statement.begin()).out;
  out = std::ranges::copy(signer.wire(), out).out;
  std::ranges::copy(message_hash.view(), out);
  return statement;
}

signature_octets sign_single(const key_pair& key, const digest& message_hash) {
  return key.sign_octets(internal::statement_of(key.identity(), message_hash));
}

bool verify_single(const identity& signer, const digest& message_hash, const signature_octets& sig) noexcept {
  return verify_octets(signer, internal::statement_of(signer, message_hash), sig);
}

signed_batch sign_batch(const key_pair& key, std::span<const digest> message_hashes, random_source& random) {
  assert(is_batch_size(message_hashes.size()));
  signed_batch batch;
  batch.salts.resize(message_hashes.size());
  random.fill(std::as_writable_bytes(std::span{batch.salts}));
  batch.root = internal::merkle_tree{message_hashes, batch.salts}.root();
  batch.signature = key.sign_octets(batch_statement(key.identity(), message_hashes.size(), batch.root));
  return batch;
}

expected<unit> verify_batch(const identity& signer, std::span<const digest> message_hashes,
                            std::span<const batch_salt> salts, const signature_octets& sig) {
  if (!is_batch_size(message_hashes.size())) return error{errc::bad_value, "batch size out of range"};
  if (salts.size() != message_hashes.size()) return error{errc::bad_value, "not one salt for each message"};
  const internal::merkle_tree tree{message_hashes, salts};
  if (!verify_octets(signer, batch_statement(signer, message_hashes.size(), tree.root()), sig))
    return errc::bad_signature;
  return ok();
}

batch_proof prove(const signed_batch& batch, std::span<const digest> message_hashes, std::size_t index) {
  assert(index < message_hashes.size() && message_hashes.size() == batch.salts.size());
  return proof_from(internal::merkle_tree{message_hashes, batch.salts}, batch, index);
}

std::vector<batch_proof> prove_all(const signed_batch& batch, std::span<const digest> message_hashes) {
  assert(message_hashes.size() == batch.salts.size());
  const internal::merkle_tree tree{message_hashes, batch.salts};
  std::vector<batch_proof> proofs;
  proofs.reserve(message_hashes.size());
  for (std::size_t i = 0; i < message_hashes.size(); ++i) proofs.push_back(proof_from(tree, batch, i));
  return proofs;
}

expected<unit> verify_proof(const identity& signer, const digest& message_hash, const batch_proof& proof) {
  if (!is_batch_size(proof.count)) return error{errc::bad_value, "batch size out of range"};
  if (proof.index >= proof.count) return error{errc::bad_value, "batch index out of range"};
  if (proof.path.size() != internal::merkle_path_length(proof.count, proof.index))
    return error{errc::bad_value, "inclusion path of another length"};
  const auto leaf = internal::merkle_leaf(proof.salt, message_hash);
  const auto root = internal::merkle_root_of(leaf, proof.count, proof.index, proof.path);
  if (!verify_octets(signer, batch_statement(signer, proof.count, root), proof.signature)) return errc::bad_signature;
  return ok();
}

expected<unit> verify(const identity& signer, const digest& message_hash, const message_signature& sig) {
  if (signer.kind() == identity_kind::composite) {
    if (const auto* parts = std::get_if<composite_signature>(&sig.value))
      return verify_composite(signer, message_hash, *parts);
    return error{errc::bad_type, "a composite identity needs a composite signature"};
  }
  if (const auto* single = std::get_if<signature_octets>(&sig.value)) {
    if (!verify_single(signer, message_hash, *single)) return errc::bad_signature;
    return ok();
  }
  if (const auto* proof = std::get_if<batch_proof>(&sig.value)) return verify_proof(signer, message_hash, *proof);
  return error{errc::bad_type, "a composite signature needs a composite identity"};
}

} // namespace hanse
