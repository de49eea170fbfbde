// PKCS#8 for Ed25519 keys; see internal/pkcs8.hpp.
// OpenSSL's own PBES2 writer is not used because its scrypt stops just below 32 MiB, which N = 2^15 needs in full.
#include "hanse/crypto/internal/pkcs8.hpp"

#include "hanse/crypto/internal/evp.hpp"
#include "hanse/crypto/internal/key_text.hpp"

#include <algorithm>

namespace hanse::internal {

namespace {

constexpr std::uint64_t scrypt_r = 8;
constexpr std::uint64_t scrypt_p = 1;

/// PrivateKeyInfo of RFC 8410 section 7 up to the seed: version 0, id-Ed25519, an octet string in an octet string.
constexpr std::string_view plain_head{"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20", 16};
static_assert(plain_head.size() + 32 == pkcs8_size);

constexpr std::string_view oid_pbes2{"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d", 11};
constexpr std::string_view oid_scrypt{"\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x04\x0b", 11};
constexpr std::string_view oid_aes_256_cbc{"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2a", 11};

constexpr std::byte tag_integer{0x02};
constexpr std::byte tag_octets{0x04};
constexpr std::byte tag_sequence{0x30};

/// A DER element; `content` is below 256 octets here.
bytes element(std::byte tag, std::initializer_list<byte_view> parts) {
  bytes content;
  for (auto part : parts) append(content, part);
  bytes out{tag};
  assert(content.size() < 256);
  if (content.size() >= 128) out.push_back(std::byte{0x81});
  out.push_back(static_cast<std::byte>(content.size()));
  append(out, content);
  return out;
}

/// A positive DER integer.
bytes integer(std::uint64_t value) {
  bytes content;
  do {
    content.insert(content.begin(), static_cast<std::byte>(value & 0xff));
    value >>= 8;
  } while (value > 0);
  if ((content.front() & std::byte{0x80}) != std::byte{0}) content.insert(content.begin(), std::byte{0});
  return element(tag_integer, {content});
}

expected<secret_bytes> scrypt_key(const encrypted_pkcs8& fields, byte_view passphrase) {
  std::uint64_t n = std::uint64_t{1} << fields.log2_n;
  std::uint64_t r = scrypt_r;
  std::uint64_t p = scrypt_p;
  std::uint64_t memory_max = 128 * r * (n + p + 1) + 1024 * 1024; // what RFC 7914 needs, and some slack
  const std::array params{
      octets_param(OSSL_KDF_PARAM_PASSWORD, passphrase),
      octets_param(OSSL_KDF_PARAM_SALT, fields.salt),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_R, &r),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_P, &p),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory_max),
      OSSL_PARAM_construct_end(),
  };
  secret_bytes key(32);
  if (!derive("SCRYPT", params.data(), key)) return error{errc::internal, "scrypt failed (out of memory?)"};
  return key;
}

} // namespace

secret_bytes encode_pkcs8(std::span<const std::byte, 32> seed) {
  auto der = to_secret(plain_head);
  der.insert(der.end(), seed.begin(), seed.end());
  return der;
}

expected<secret_bytes> decode_pkcs8(byte_view der) {
  if (der.size() != pkcs8_size || as_text(der.first(plain_head.size())) != plain_head)
    return error{errc::bad_type, "not an Ed25519 private key"};
  const auto seed = der.subspan(plain_head.size());
  return secret_bytes{seed.begin(), seed.end()};
}

bytes encode_encrypted_pkcs8(const encrypted_pkcs8& fields) {
  const auto scrypt_params =
      element(tag_sequence, {element(tag_octets, {fields.salt}), integer(std::uint64_t{1} << fields.log2_n),
                             integer(scrypt_r), integer(scrypt_p)});
  const auto kdf = element(tag_sequence, {as_byte_view(oid_scrypt), scrypt_params});
  const auto cipher = element(tag_sequence, {as_byte_view(oid_aes_256_cbc), element(tag_octets, {fields.iv})});
  const auto algorithm = element(tag_sequence, {as_byte_view(oid_pbes2), element(tag_sequence, {kdf, cipher})});
  return element(tag_sequence, {algorithm, element(tag_octets, {fields.ciphertext})});
}

expected<encrypted_pkcs8> decode_encrypted_pkcs8(byte_view der) {
  // Only the size of N varies: the salt is at a constant place from the start, the IV and ciphertext from the end.
  // Before the salt are the headers of five sequences (the outermost of 3 octets), two object ids and a string header.
  constexpr std::size_t salt_at = 3 + 4 * 2 + oid_pbes2.size() + oid_scrypt.size() + 2;
  constexpr std::size_t ciphertext_header = 2;
  encrypted_pkcs8 fields;
  if (der.size() < salt_at + fields.salt.size() + fields.iv.size() + ciphertext_header + pkcs8_encrypted_size)
    return errc::bad_type;
  std::ranges::copy(der.subspan(salt_at, fields.salt.size()), fields.salt.begin());
  const auto tail = der.last(fields.iv.size() + ciphertext_header + pkcs8_encrypted_size);
  std::ranges::copy(tail.first(fields.iv.size()), fields.iv.begin());
  std::ranges::copy(tail.last(pkcs8_encrypted_size), fields.ciphertext.begin());
  for (fields.log2_n = 1; fields.log2_n < 63; ++fields.log2_n) {
    if (!equal(encode_encrypted_pkcs8(fields), der)) continue;
    if (fields.log2_n > key_file_scrypt_log2_n_max) return error{errc::bad_value, "the scrypt cost is too high"};
    return fields;
  }
  return error{errc::bad_type, "not an Ed25519 private key encrypted by scrypt and AES-256-CBC"};
}

expected<unit> encrypt_pkcs8(encrypted_pkcs8& fields, byte_view plain, byte_view passphrase) {
  assert(plain.size() == pkcs8_size);
  HANSE_TRY(const auto key, scrypt_key(fields, passphrase));
  const cipher_context context{EVP_CIPHER_CTX_new()};
  int length = 0;
  int last = 0;
  auto* out = as_octets(std::span{fields.ciphertext});
  const bool done =
      context &&
      EVP_EncryptInit_ex2(context.get(), EVP_aes_256_cbc(), as_octets(byte_view{key}), as_octets(byte_view{fields.iv}),
                          nullptr) == 1 &&
      EVP_EncryptUpdate(context.get(), out, &length, as_octets(plain), static_cast<int>(plain.size())) == 1 &&
      EVP_EncryptFinal_ex(context.get(), out + length, &last) == 1;
  if (!done || static_cast<std::size_t>(length + last) != fields.ciphertext.size()) return errc::internal;
  return ok();
}

expected<secret_bytes> decrypt_pkcs8(const encrypted_pkcs8& fields, byte_view passphrase) {
  HANSE_TRY(const auto key, scrypt_key(fields, passphrase));
  const cipher_context context{EVP_CIPHER_CTX_new()};
  secret_bytes plain(fields.ciphertext.size() + 16);
  int length = 0;
  int last = 0;
  auto* out = as_octets(std::span<std::byte>{plain});
  const bool ready = context && EVP_DecryptInit_ex2(context.get(), EVP_aes_256_cbc(), as_octets(byte_view{key}),
                                                    as_octets(byte_view{fields.iv}), nullptr) == 1;
  if (!ready) return errc::internal;
  const bool done = EVP_DecryptUpdate(context.get(), out, &length, as_octets(byte_view{fields.ciphertext}),
                                      static_cast<int>(fields.ciphertext.size())) == 1 &&
                    EVP_DecryptFinal_ex(context.get(), out + length, &last) == 1;
  if (!done) {
    ERR_clear_error(); // bad padding is left in the thread's queue, where a later TLS call would find it
    return errc::wrong_passphrase;
  }
  plain.resize(static_cast<std::size_t>(length + last));
  return plain;
}

} // namespace hanse::internal
