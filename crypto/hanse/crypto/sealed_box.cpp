// Sealed boxes for Ed25519 identities: key conversion by libsodium, the rest is internal/hpke.hpp.
// Not a place for keys: the converted secret is wiped before the call returns.
#include "hanse/crypto/sealed_box.hpp"

#include "hanse/crypto/internal/hpke.hpp"
#include "hanse/crypto/internal/sodium.hpp"

#include <algorithm>

namespace hanse {

namespace {

expected<unit> check_sizes(byte_view info, byte_view aad, std::size_t box_size) {
  if (info.size() > sealed_box_context_max || aad.size() > sealed_box_context_max) return errc::too_long;
  if (box_size > sealed_box_size_max) return errc::too_long;
  return ok();
}

std::span<const std::byte, 32> first_32(const secret_bytes& secret) {
  return byte_view{secret}.first<32>();
}

secret_bytes to_x25519(const key_pair& key) {
  return key.with_seed([](std::span<const std::byte, 32> seed) {
    secret_bytes ed25519(crypto_sign_SECRETKEYBYTES); // seed and public key, of which only the seed is read
    std::ranges::copy(seed, ed25519.begin());
    secret_bytes x25519(32);
    crypto_sign_ed25519_sk_to_curve25519(as_octets(std::span<std::byte>{x25519}), as_octets(byte_view{ed25519}));
    return x25519;
  });
}

} // namespace

expected<bytes> seal(const identity& recipient, byte_view info, byte_view aad, byte_view plaintext,
                     random_source& random) {
  if (recipient.kind() != identity_kind::individual)
    return error{errc::bad_type, "only an individual identity has a key to seal for"};
  if (plaintext.size() > sealed_box_size_max) return errc::too_long;
  HANSE_CHECK(check_sizes(info, aad, plaintext.size() + sealed_box_overhead));
  internal::ensure_sodium();
  std::array<std::byte, 32> recipient_key{};
  if (crypto_sign_ed25519_pk_to_curve25519(as_octets(std::span{recipient_key}),
                                           as_octets(byte_view{recipient.octets()})) != 0)
    return errc::weak_key;
  secret_bytes ephemeral(32);
  random.fill(ephemeral);
  HANSE_TRY(const auto context, internal::hpke_setup_sender(recipient_key, info, first_32(ephemeral)));
  HANSE_TRY(const auto ciphertext, internal::hpke_seal(context, aad, plaintext));
  bytes box = to_bytes(context.enc);
  append(box, ciphertext);
  return box;
}

expected<bytes> open(const key_pair& recipient, byte_view info, byte_view aad, byte_view box) {
  if (box.size() < sealed_box_overhead) return errc::truncated;
  HANSE_CHECK(check_sizes(info, aad, box.size()));
  const auto secret = to_x25519(recipient);
  const auto context = internal::hpke_setup_recipient(box.first<32>(), first_32(secret), info);
  if (!context) return context.code() == errc::weak_key ? errc::decryption_failed : context.code();
  return internal::hpke_open(*context, aad, box.subspan(32));
}

} // namespace hanse
