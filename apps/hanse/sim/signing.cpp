// See signing.hpp.
#include "hanse/sim/signing.hpp"

namespace hanse::sim {

signing_policy::signing_policy(bool real, std::uint64_t seed) : real_(real) {
  seeded_random{seed}.fill(secret_);
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
