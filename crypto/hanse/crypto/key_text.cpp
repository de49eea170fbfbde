// The text of a key file; see internal/key_text.hpp and key_file.hpp.
// Not the file system (key_file.cpp), not DER (pkcs8.cpp).
#include "hanse/crypto/internal/key_text.hpp"

#include "hanse/crypto/internal/pkcs8.hpp"
#include "hanse/crypto/internal/sodium.hpp"

namespace hanse::internal {

namespace {

constexpr std::string_view identity_label = "Hanse-Identity: ";
constexpr std::string_view plain_label = "PRIVATE KEY";
constexpr std::string_view encrypted_label = "ENCRYPTED PRIVATE KEY";
constexpr std::size_t line_length = 64; // RFC 7468

void add(secret_bytes& out, std::string_view text) {
  const auto view = as_byte_view(text);
  out.insert(out.end(), view.begin(), view.end());
}

/// The file that holds `der` under `label`, in secret memory because base64 of a plain key is the key.
secret_bytes render(std::string_view id_text, std::string_view label, byte_view der) {
  secret_bytes base64(sodium_base64_encoded_len(der.size(), sodium_base64_VARIANT_ORIGINAL));
  sodium_bin2base64(reinterpret_cast<char*>(base64.data()), base64.size(), as_octets(der), der.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  base64.pop_back(); // the terminating zero

  secret_bytes out;
  out.reserve(512);
  for (auto part : {identity_label, id_text, {"\n-----BEGIN "}, label, {"-----\n"}}) add(out, part);
  for (auto rest = as_text(base64); !rest.empty(); rest.remove_prefix(std::min(line_length, rest.size()))) {
    add(out, rest.substr(0, line_length));
    add(out, "\n");
  }
  for (auto part : {std::string_view{"-----END "}, label, {"-----\n"}}) add(out, part);
  return out;
}

/// What a file claims to hold, before anything is checked but that it is written as we write it.
struct key_text_parts {
  identity id;
  bool encrypted = false;
  secret_bytes der;
};

/// Whether `text` has a frame of `label` at its start; then `body` is what is inside.
bool unframe(std::string_view text, std::string_view label, std::string_view& body) {
  const auto begin = "-----BEGIN " + std::string{label} + "-----\n";
  const auto end = "-----END " + std::string{label} + "-----\n";
  if (!text.starts_with(begin)) return false;
  const auto stop = text.find(end);
  if (stop == std::string_view::npos) return false;
  body = text.substr(begin.size(), stop - begin.size());
  return true;
}

expected<key_text_parts> take_apart(std::string_view text) {
  const error damaged{errc::bad_checksum, "not a key file as this program writes it, or damaged"};
  const auto line_end = text.find('\n');
  if (!text.starts_with(identity_label) || line_end == std::string_view::npos) return damaged;
  const auto id_text = text.substr(identity_label.size(), line_end - identity_label.size());
  const auto id = identity::parse(id_text);
  if (!id || to_string(*id) != id_text) return damaged;

  key_text_parts parts{*id, false, {}};
  std::string_view body;
  if (unframe(text.substr(line_end + 1), encrypted_label, body)) {
    parts.encrypted = true;
  } else if (!unframe(text.substr(line_end + 1), plain_label, body)) {
    return damaged;
  }
  parts.der.resize(body.size());
  std::size_t size = 0;
  if (sodium_base642bin(as_octets(std::span<std::byte>{parts.der}), parts.der.size(), body.data(), body.size(), "\n",
                        &size, nullptr, sodium_base64_VARIANT_ORIGINAL) != 0)
    return damaged;
  parts.der.resize(size);

  // One key has one text: whatever a lenient reader would skip (spaces, line lengths, case) is refused here.
  const auto again = render(id_text, parts.encrypted ? encrypted_label : plain_label, parts.der);
  if (text == as_text(again)) return parts;
  if (text.starts_with(as_text(again))) return errc::trailing_bytes;
  return damaged;
}

expected<secret_bytes> decrypt(byte_view der, const passphrase_source& passphrase) {
  HANSE_TRY(const auto fields, decode_encrypted_pkcs8(der));
  if (!passphrase) return error{errc::wrong_passphrase, "the key file is encrypted"};
  HANSE_TRY(const auto phrase, passphrase());
  HANSE_TRY(const auto plain, decrypt_pkcs8(fields, phrase));
  auto seed = decode_pkcs8(plain);
  if (!seed) return errc::wrong_passphrase; // padding is right by chance once in 256 times
  return seed;
}

} // namespace

expected<secret_bytes> render_key_text(const key_pair& key, std::optional<byte_view> passphrase, unsigned log2_n,
                                       random_source& random) {
  ensure_sodium();
  const auto id_text = to_string(key.identity());
  const auto plain = key.with_seed([](auto seed) { return encode_pkcs8(seed); });
  if (!passphrase) return render(id_text, plain_label, plain);
  if (passphrase->empty() || passphrase->size() > passphrase_size_max)
    return error{errc::bad_value, "a passphrase has 1 to 1024 octets"};
  encrypted_pkcs8 fields;
  fields.log2_n = log2_n;
  random.fill(fields.salt);
  random.fill(fields.iv);
  HANSE_CHECK(encrypt_pkcs8(fields, plain, *passphrase));
  return render(id_text, encrypted_label, encode_encrypted_pkcs8(fields));
}

expected<key_pair> parse_key_text(byte_view text, const passphrase_source& passphrase) {
  ensure_sodium();
  HANSE_TRY(const auto parts, take_apart(as_text(text)));
  HANSE_TRY(const auto seed, parts.encrypted ? decrypt(parts.der, passphrase) : decode_pkcs8(parts.der));
  auto key = key_pair::from_seed(std::span<const std::byte>{seed}.first<32>());
  if (key.identity() == parts.id) return key;
  return parts.encrypted ? errc::wrong_passphrase : errc::bad_checksum;
}

} // namespace hanse::internal
