// Stand-ins for signatures of events: a keyed hash in the place of Ed25519, the same trees and proofs. For simulations
// of many nodes; what a stand-in signs nobody can make without it.
#pragma once

#include "hanse/crypto/internal/merkle.hpp"
#include "hanse/protocols/topic_event.hpp"

namespace hanse::test {

inline signature_octets stand_in(const identity& publisher, std::size_t count, const digest& root) {
  const std::array size{static_cast<std::byte>(count >> 8), static_cast<std::byte>(count)};
  const auto mac = blake2b_256({as_byte_view("a secret of the test"), publisher.wire(), size, root.view()});
  signature_octets out{};
  std::copy(mac.octets.begin(), mac.octets.end(), out.begin());
  return out;
}

class cheap_signer final : public event_signer {
public:
  cheap_signer(const identity& publisher, std::uint64_t seed) : publisher_(publisher), random_(seed) {}
  const identity& publisher() const noexcept override { return publisher_; }
  message_signature sign_one(const digest& id) override { return {stand_in(publisher_, 1, id)}; }
  signed_batch sign_many(std::span<const digest> ids) override {
    signed_batch batch;
    batch.salts.resize(ids.size());
    random_.fill(std::as_writable_bytes(std::span{batch.salts}));
    batch.root = internal::merkle_tree{ids, batch.salts}.root();
    batch.signature = stand_in(publisher_, ids.size(), batch.root);
    return batch;
  }

private:
  identity publisher_;
  seeded_random random_;
};

class cheap_verifier final : public event_verifier {
public:
  std::uint64_t verified = 0; ///< how often it was asked

  expected<unit> verify_one(const identity& publisher, const digest& id, const message_signature& sig) override {
    ++verified;
    if (const auto* single = std::get_if<signature_octets>(&sig.value)) return check(*single, publisher, 1, id);
    const auto* proof = std::get_if<batch_proof>(&sig.value);
    if (!proof || proof->path.size() != internal::merkle_path_length(proof->count, proof->index))
      return errc::bad_signature;
    const auto root =
        internal::merkle_root_of(internal::merkle_leaf(proof->salt, id), proof->count, proof->index, proof->path);
    return check(proof->signature, publisher, proof->count, root);
  }
  expected<unit> verify_many(const identity& publisher, std::span<const digest> ids, std::span<const batch_salt> salts,
                             const signature_octets& sig) override {
    ++verified;
    return check(sig, publisher, ids.size(), internal::merkle_tree{ids, salts}.root());
  }

private:
  static expected<unit> check(const signature_octets& sig, const identity& publisher, std::size_t count,
                              const digest& root) {
    if (sig == stand_in(publisher, count, root)) return ok();
    return errc::bad_signature;
  }
};

/// An identity that looks like a key; nobody has its secret.
inline identity fake_identity(std::uint64_t n) {
  const auto hash = blake2b_256(as_byte_view(std::to_string(n)));
  return identity::trusted(identity_kind::individual, hash.octets);
}

} // namespace hanse::test
