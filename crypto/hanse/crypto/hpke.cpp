// HPKE base mode composed of OpenSSL's X25519, HKDF and ChaCha20-Poly1305 (OpenSSL 3.0 has no HPKE of its own).
// Not the conversion from Ed25519 identities (sealed_box.cpp). Section numbers are RFC 9180's.
#include "hanse/crypto/internal/hpke.hpp"

#include "hanse/crypto/internal/evp.hpp"

#include <algorithm>

namespace hanse::internal {

namespace {

using namespace std::string_view_literals;

constexpr auto version_label = "HPKE-v1"sv;
constexpr auto kem_suite = "KEM\x00\x20"sv;                   // DHKEM(X25519, HKDF-SHA256), 4.1
constexpr auto hpke_suite = "HPKE\x00\x20\x00\x01\x00\x03"sv; // and HKDF-SHA256, ChaCha20-Poly1305, 5.1
constexpr std::size_t tag_size = 16;

/// HKDF-Extract or HKDF-Expand with SHA-256.
expected<secret_bytes> hkdf(int mode, const char* other_name, byte_view other, byte_view key, std::size_t size) {
  char hash_name[] = "SHA256";
  const std::array params{
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash_name, 0),
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      octets_param(OSSL_KDF_PARAM_KEY, key),
      octets_param(other_name, other),
      OSSL_PARAM_construct_end(),
  };
  secret_bytes out(size);
  if (!derive("HKDF", params.data(), out)) return error{errc::internal, "HKDF failed"};
  return out;
}

secret_bytes join(std::initializer_list<byte_view> parts) {
  secret_bytes out;
  for (auto part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

/// Section 4.
expected<secret_bytes> labeled_extract(std::string_view suite, byte_view salt, std::string_view label, byte_view ikm) {
  const auto labeled_ikm = join({as_byte_view(version_label), as_byte_view(suite), as_byte_view(label), ikm});
  // RFC 5869: no salt is a salt of zeros, which some versions of OpenSSL 3 insist on being given.
  constexpr std::array<std::byte, 32> no_salt{};
  return hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, OSSL_KDF_PARAM_SALT, salt.empty() ? no_salt : salt, labeled_ikm, 32);
}

/// Section 4; `size` is below 256.
expected<secret_bytes> labeled_expand(std::string_view suite, byte_view prk, std::string_view label, byte_view info,
                                      std::size_t size) {
  const std::array length{std::byte{0}, static_cast<std::byte>(size)};
  const auto labeled_info = join({length, as_byte_view(version_label), as_byte_view(suite), as_byte_view(label), info});
  return hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, OSSL_KDF_PARAM_INFO, labeled_info, prk, size);
}

/// The Diffie-Hellman value. OpenSSL refuses the all-zero one, as section 7.1.4 demands. Error: `weak_key`.
expected<secret_bytes> dh(x25519_key secret, x25519_key public_key) {
  const pkey_ptr ours{EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, as_octets(byte_view{secret}), 32)};
  const pkey_ptr theirs{EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, as_octets(byte_view{public_key}), 32)};
  const pkey_context context{ours ? EVP_PKEY_CTX_new(ours.get(), nullptr) : nullptr};
  if (!theirs || !context || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), theirs.get()) != 1)
    return errc::internal;
  secret_bytes value(32);
  std::size_t size = value.size();
  if (EVP_PKEY_derive(context.get(), as_octets(std::span<std::byte>{value}), &size) != 1) {
    ERR_clear_error();
    return errc::weak_key;
  }
  return value;
}

/// ExtractAndExpand (4.1), then KeySchedule for base mode (5.1).
expected<hpke_context> schedule(byte_view dh_value, x25519_key enc, x25519_key recipient_public, byte_view info) {
  hpke_context out;
  std::ranges::copy(enc, out.enc.begin());
  HANSE_TRY(const auto eae_prk, labeled_extract(kem_suite, {}, "eae_prk", dh_value));
  const auto kem_context = join({enc, recipient_public});
  HANSE_TRY(out.shared_secret, labeled_expand(kem_suite, eae_prk, "shared_secret", kem_context, 32));

  constexpr std::array mode_base{std::byte{0}};
  HANSE_TRY(const auto psk_id_hash, labeled_extract(hpke_suite, {}, "psk_id_hash", {}));
  HANSE_TRY(const auto info_hash, labeled_extract(hpke_suite, {}, "info_hash", info));
  const auto context = join({mode_base, psk_id_hash, info_hash});
  HANSE_TRY(const auto secret, labeled_extract(hpke_suite, out.shared_secret, "secret", {}));
  HANSE_TRY(out.key, labeled_expand(hpke_suite, secret, "key", context, 32));
  HANSE_TRY(const auto nonce, labeled_expand(hpke_suite, secret, "base_nonce", context, out.nonce.size()));
  std::ranges::copy(nonce, out.nonce.begin());
  return out;
}

} // namespace

expected<std::array<std::byte, 32>> x25519_public(x25519_key secret) {
  const pkey_ptr key{EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, as_octets(byte_view{secret}), 32)};
  std::array<std::byte, 32> out{};
  std::size_t size = out.size();
  if (!key || EVP_PKEY_get_raw_public_key(key.get(), as_octets(std::span{out}), &size) != 1) return errc::internal;
  return out;
}

expected<hpke_context> hpke_setup_sender(x25519_key recipient_public, byte_view info, x25519_key ephemeral_secret) {
  HANSE_TRY(const auto enc, x25519_public(ephemeral_secret));
  HANSE_TRY(const auto value, dh(ephemeral_secret, recipient_public));
  return schedule(value, enc, recipient_public, info);
}

expected<hpke_context> hpke_setup_recipient(x25519_key enc, x25519_key recipient_secret, byte_view info) {
  HANSE_TRY(const auto recipient_public, x25519_public(recipient_secret));
  HANSE_TRY(const auto value, dh(recipient_secret, enc));
  return schedule(value, enc, recipient_public, info);
}

expected<bytes> hpke_seal(const hpke_context& context, byte_view aad, byte_view plaintext) {
  const cipher_context cipher{EVP_CIPHER_CTX_new()};
  bytes out(plaintext.size() + tag_size);
  auto* octets = as_octets(std::span<std::byte>{out});
  int length = 0;
  const bool done =
      cipher &&
      EVP_EncryptInit_ex2(cipher.get(), EVP_chacha20_poly1305(), as_octets(byte_view{context.key}),
                          as_octets(byte_view{context.nonce}), nullptr) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &length, as_octets(aad), static_cast<int>(aad.size())) == 1 &&
      EVP_EncryptUpdate(cipher.get(), octets, &length, as_octets(plaintext), static_cast<int>(plaintext.size())) == 1 &&
      EVP_EncryptFinal_ex(cipher.get(), octets + plaintext.size(), &length) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag_size), octets + plaintext.size()) ==
          1;
  if (!done) return error{errc::internal, "ChaCha20-Poly1305 failed"};
  return out;
}

expected<bytes> hpke_open(const hpke_context& context, byte_view aad, byte_view ciphertext) {
  if (ciphertext.size() < tag_size) return errc::truncated;
  const auto body = ciphertext.first(ciphertext.size() - tag_size);
  std::array<std::byte, tag_size> tag{};
  std::ranges::copy(ciphertext.last(tag_size), tag.begin());

  const cipher_context cipher{EVP_CIPHER_CTX_new()};
  bytes out(body.size());
  auto* octets = as_octets(std::span<std::byte>{out});
  int length = 0;
  const bool ready =
      cipher &&
      EVP_DecryptInit_ex2(cipher.get(), EVP_chacha20_poly1305(), as_octets(byte_view{context.key}),
                          as_octets(byte_view{context.nonce}), nullptr) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag_size), tag.data()) == 1;
  if (!ready) return errc::internal;
  const bool opened =
      EVP_DecryptUpdate(cipher.get(), nullptr, &length, as_octets(aad), static_cast<int>(aad.size())) == 1 &&
      EVP_DecryptUpdate(cipher.get(), octets, &length, as_octets(body), static_cast<int>(body.size())) == 1 &&
      EVP_DecryptFinal_ex(cipher.get(), octets + body.size(), &length) == 1;
  if (!opened) {
    ERR_clear_error();
    wipe(out); // unauthenticated plaintext
    return errc::decryption_failed;
  }
  return out;
}

} // namespace hanse::internal
