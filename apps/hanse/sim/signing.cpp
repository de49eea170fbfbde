// See signing.hpp.
#include "hanse/sim/signing.hpp"

#include "hanse/crypto/internal/merkle.hpp"

namespace hanse::sim {

namespace {

using sim_secret = std::array<std::byte, 32>;

signature_octets event_stand_in(const sim_secret& secret, const identity& publisher, std::size_t count,
                                const digest& root) {
  const std::array size{static_cast<std::byte>(count >> 8), static_cast<std::byte>(count)};
  const auto mac = blake2b_256({secret, publisher.wire(), size, root.view()});
  signature_octets out{};
  std::copy(mac.octets.begin(), mac.octets.end(), out.begin());
  return out;
}

/// Production's trees and proofs around a keyed hash in the place of Ed25519.
class stand_in_signer final : public event_signer {
public:
  stand_in_signer(const sim_secret& secret, const identity& publisher, random_source& random)
      : secret_(secret), publisher_(publisher), random_(random) {}

  const identity& publisher() const noexcept override { return publisher_; }
  message_signature sign_one(const digest& id) override { return {event_stand_in(secret_, publisher_, 1, id)}; }
  signed_batch sign_many(std::span<const digest> ids) override {
    signed_batch batch;
    batch.salts.resize(ids.size());
    random_.fill(std::as_writable_bytes(std::span{batch.salts}));
    batch.root = internal::merkle_tree{ids, batch.salts}.root();
    batch.signature = event_stand_in(secret_, publisher_, ids.size(), batch.root);
    return batch;
  }

private:
  sim_secret secret_;
  identity publisher_;
  random_source& random_;
};

class stand_in_verifier final : public event_verifier {
public:
  explicit stand_in_verifier(const sim_secret& secret) : secret_(secret) {}

  expected<unit> verify_one(const identity& publisher, const digest& id, const message_signature& sig) override {
    if (const auto* single = std::get_if<signature_octets>(&sig.value)) return check(*single, publisher, 1, id);
    const auto* proof = std::get_if<batch_proof>(&sig.value);
    if (!proof || proof->path.size() != internal::merkle_path_length(proof->count, proof->index))
      return errc::bad_signature;
    const auto leaf = internal::merkle_leaf(proof->salt, id);
    return check(proof->signature, publisher, proof->count,
                 internal::merkle_root_of(leaf, proof->count, proof->index, proof->path));
  }
  expected<unit> verify_many(const identity& publisher, std::span<const digest> ids, std::span<const batch_salt> salts,
                             const signature_octets& sig) override {
    return check(sig, publisher, ids.size(), internal::merkle_tree{ids, salts}.root());
  }

private:
  expected<unit> check(const signature_octets& sig, const identity& publisher, std::size_t count,
                       const digest& root) const {
    if (sig == event_stand_in(secret_, publisher, count, root)) return ok();
    return errc::bad_signature;
  }

  sim_secret secret_;
};

} // namespace

signing_policy::signing_policy(bool real, std::uint64_t seed) : real_(real) {
  seeded_random{seed}.fill(secret_);
  if (real)
    events_ = std::make_unique<key_event_verifier>();
  else
    events_ = std::make_unique<stand_in_verifier>(secret_);
}

std::unique_ptr<event_signer> signing_policy::make_event_signer(const key_pair& key, random_source& random) const {
  if (real_) return std::make_unique<key_event_signer>(key, random);
  return std::make_unique<stand_in_signer>(secret_, key.identity(), random);
}

signature_octets signing_policy::stand_in(const identity& signer, const digest& message) const {
  const auto mac = blake2b_256({secret_, signer.wire(), message.view()});
  signature_octets out{};
  std::copy(mac.octets.begin(), mac.octets.end(), out.begin());
  return out;
}

bytes signing_policy::seal(const key_pair& key, std::span<const byte_view> messages, random_source& random) const {
  if (real_) return hanse::seal(key, messages, random);
  return wrap(messages[0], message_signature{stand_in(key.identity(), blake2b_256(messages[0]))});
}

expected<opened_payload> signing_policy::open(const shared_bytes& payload) const {
  if (real_) {
    HANSE_TRY(auto opened, hanse::open(payload));
    return opened_payload{opened.source, std::move(opened.messages)};
  }
  HANSE_TRY(auto read, read_payload(payload));
  if (read.messages.size() != 1 || !read.batch.salts.empty()) return errc::bad_signature;
  const auto* signature = std::get_if<signature_octets>(&read.alone.value);
  if (!signature || *signature != stand_in(read.source, read.hashes[0])) return errc::bad_signature;
  HANSE_TRY(auto message, decode_envelope(read.payload.slice(read.messages[0])));
  if (message.source != read.source) return errc::wrong_signer;
  opened_payload out{read.source, {}};
  out.messages.push_back(std::move(message));
  return out;
}

} // namespace hanse::sim
