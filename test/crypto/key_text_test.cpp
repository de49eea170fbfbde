// The text of key files: every flipped bit, other keys, and OpenSSL reading what we write.
// scrypt runs at a cost of N = 2 or 2^10 here; key_file_test.cpp has the real one.
#include "helpers.hpp"

#include "hanse/crypto/internal/key_text.hpp"
#include "hanse/crypto/internal/pkcs8.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

using namespace hanse;
using namespace hanse::test;
using hanse::internal::parse_key_text;

namespace {

const std::string phrase = "correct horse";

std::string render(std::optional<std::string_view> passphrase, unsigned log2_n = 1) {
  seeded_random random{3};
  std::optional<byte_view> octets;
  if (passphrase) octets = as_byte_view(*passphrase);
  return std::string{as_text(internal::render_key_text(key(1), octets, log2_n, random).value())};
}

passphrase_source say(std::string text) {
  return [text]() -> expected<secret_bytes> { return to_secret(text); };
}

errc parse_code(std::string_view text) {
  return parse_key_text(as_byte_view(text), say(phrase)).code();
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

using pkey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

/// `other` as PKCS#8 PEM by OpenSSL under our identity line, encrypted (PBKDF2) if a passphrase is given.
std::string openssl_text(EVP_PKEY* other, const char* passphrase) {
  const bio out{BIO_new(BIO_s_mem()), BIO_free};
  REQUIRE(PEM_write_bio_PKCS8PrivateKey(out.get(), other, passphrase ? EVP_aes_256_cbc() : nullptr, passphrase,
                                        passphrase ? static_cast<int>(std::strlen(passphrase)) : 0, nullptr,
                                        nullptr) == 1);
  char* data = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &data);
  return "Hanse-Identity: " + to_string(id(1)) + "\n" + std::string(data, static_cast<std::size_t>(size));
}

} // namespace

TEST_CASE("a plain key comes back from its text, which is a fixed text of four lines") {
  const auto text = render(std::nullopt);
  CHECK(parse_key_text(as_byte_view(text), {})->identity() == id(1));
  const auto first_line = "Hanse-Identity: " + to_string(id(1)) + "\n";
  CHECK(text.starts_with(first_line + "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI"));
  CHECK(text.ends_with("\n-----END PRIVATE KEY-----\n"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);
}

TEST_CASE("an encrypted key comes back with its passphrase and with no other") {
  const auto text = render(phrase);
  const auto octets = as_byte_view(text);
  CHECK(parse_key_text(octets, say(phrase))->identity() == id(1));
  CHECK(parse_key_text(octets, say("Correct horse")).code() == errc::wrong_passphrase);
  CHECK(parse_key_text(octets, say("")).code() == errc::wrong_passphrase);
  CHECK(parse_key_text(octets, say(std::string(100000, 'x'))).code() == errc::wrong_passphrase);
  CHECK(parse_key_text(octets, {}).code() == errc::wrong_passphrase);
  CHECK(parse_key_text(octets, []() -> expected<secret_bytes> { return errc::cancelled; }).code() == errc::cancelled);
}

TEST_CASE("of many wrong passphrases none opens a key, whatever the padding happens to be") {
  const auto text = render(phrase);
  for (int i = 0; i < 2000; ++i)
    CHECK(parse_key_text(as_byte_view(text), say("wrong " + std::to_string(i))).code() == errc::wrong_passphrase);
}

TEST_CASE("no passphrase is asked for when the key is not encrypted") {
  const auto text = render(std::nullopt);
  const auto unwanted = []() -> expected<secret_bytes> {
    FAIL("asked");
    return errc::cancelled;
  };
  CHECK(parse_key_text(as_byte_view(text), unwanted));
}

TEST_CASE("an empty or overlong passphrase is not encrypted with") {
  seeded_random random{3};
  for (std::size_t size : {std::size_t{0}, passphrase_size_max + 1}) {
    const bytes passphrase(size, std::byte{'x'});
    CHECK(internal::render_key_text(key(1), passphrase, 1, random).code() == errc::bad_value);
  }
  CHECK(internal::render_key_text(key(1), bytes(passphrase_size_max, std::byte{'x'}), 1, random));
}

TEST_CASE("a plain key text with any bit flipped, or of another length, is refused") {
  const auto text = render(std::nullopt);
  const auto parses = [](byte_view other) { return parse_key_text(other, {}).has_value(); };
  CHECK(count_accepted_flips(as_byte_view(text), parses) == 0);
  CHECK(count_accepted_lengths(as_byte_view(text), parses) == 0);
}

TEST_CASE("an encrypted key text with any bit flipped, or of another length, is refused") {
  const auto text = render(phrase);
  const auto parses = [](byte_view other) { return parse_key_text(other, say(phrase)).has_value(); };
  CHECK(count_accepted_flips(as_byte_view(text), parses) == 0);
  CHECK(count_accepted_lengths(as_byte_view(text), parses) == 0);
}

TEST_CASE("the identity line has to be that of the key") {
  const auto mine = to_string(id(1));
  const auto group = to_string(identity::trusted(identity_kind::composite, id(1).octets()));
  CHECK(parse_code(replaced(render(std::nullopt), mine, to_string(id(2)))) == errc::bad_checksum);
  CHECK(parse_code(replaced(render(phrase), mine, to_string(id(2)))) == errc::wrong_passphrase);
  CHECK(parse_code(replaced(render(std::nullopt), mine, group)) == errc::bad_checksum);
}

TEST_CASE("the same content written in another way is refused") {
  const auto text = render(std::nullopt);
  auto upper = to_string(id(1));
  for (auto& c : upper) c = static_cast<char>(std::toupper(c));
  CHECK(parse_code(text) == errc::none);
  CHECK(parse_code(replaced(text, to_string(id(1)), upper)) == errc::bad_checksum);
  CHECK(parse_code(replaced(text, "\n-----BEGIN", "\n\n-----BEGIN")) == errc::bad_checksum);
  CHECK(parse_code(replaced(text, "MC4C", "MC\n4C")) == errc::bad_checksum);
  CHECK(parse_code(replaced(text, "MC4C", "MC 4C")) == errc::bad_checksum);
  CHECK(parse_code(replaced(text, "KEY-----\n", "KEY-----\r\n")) == errc::bad_checksum);
  CHECK(parse_code(replaced(text, "-----END PRIVATE", "-----END ENCRYPTED PRIVATE")) == errc::bad_checksum);
  CHECK(parse_code(text.substr(text.find('\n') + 1)) == errc::bad_checksum);
  CHECK(parse_code(" " + text) == errc::bad_checksum);
  CHECK(parse_code(text + "\n") == errc::trailing_bytes);
  CHECK(parse_code(text + text) == errc::trailing_bytes);
  CHECK(parse_code("") == errc::bad_checksum);
}

TEST_CASE("OpenSSL reads both forms as the same Ed25519 key") {
  for (bool encrypted : {false, true}) {
    const auto text = encrypted ? render(phrase, 10) : render(std::nullopt);
    const bio in{BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free};
    const auto password = const_cast<char*>(phrase.c_str());
    const pkey read{PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, encrypted ? password : nullptr), EVP_PKEY_free};
    REQUIRE(read);
    CHECK(EVP_PKEY_get_id(read.get()) == EVP_PKEY_ED25519);
    std::array<std::byte, 32> seed{};
    std::size_t size = seed.size();
    REQUIRE(EVP_PKEY_get_raw_private_key(read.get(), as_octets(std::span{seed}), &size) == 1);
    CHECK(key_pair::from_seed(seed).identity() == id(1));
  }
}

TEST_CASE("keys of other kinds and keys encrypted in other ways are refused by type") {
  const pkey x25519{EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"), EVP_PKEY_free};
  const pkey p256{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), EVP_PKEY_free};
  CHECK(parse_code(openssl_text(x25519.get(), nullptr)) == errc::bad_type);
  CHECK(parse_code(openssl_text(p256.get(), nullptr)) == errc::bad_type);
  CHECK(parse_code(openssl_text(x25519.get(), phrase.c_str())) == errc::bad_type);

  const auto seed = key(1).with_seed([](byte_view view) { return to_bytes(view); });
  const pkey ours{EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, as_octets(byte_view{seed}), 32),
                  EVP_PKEY_free};
  CHECK(parse_code(openssl_text(ours.get(), nullptr)) == errc::none); // the very text that we write
  CHECK(parse_code(openssl_text(ours.get(), phrase.c_str())) == errc::bad_type);
}

TEST_CASE("a key of another kind inside our encryption is refused as a wrong passphrase is") {
  internal::encrypted_pkcs8 fields;
  fields.log2_n = 1;
  auto plain = to_bytes(key(1).with_seed([](auto seed) { return internal::encode_pkcs8(seed); }));
  plain[11] ^= std::byte{0x1e}; // 1.3.101.112 becomes 1.3.101.110, X25519
  REQUIRE(internal::encrypt_pkcs8(fields, plain, as_byte_view(phrase)));
  const auto der = internal::decrypt_pkcs8(fields, as_byte_view(phrase));
  REQUIRE(der);
  CHECK(equal(*der, plain));
  CHECK(internal::decode_pkcs8(*der).code() == errc::bad_type);
}

TEST_CASE("a file that demands more than 1 GiB of scrypt is refused before any is spent") {
  internal::encrypted_pkcs8 fields;
  for (unsigned log2_n : {15U, 20U, 21U, 40U, 62U}) {
    fields.log2_n = log2_n;
    const auto read = internal::decode_encrypted_pkcs8(internal::encode_encrypted_pkcs8(fields));
    CHECK(read.code() == (log2_n <= 20 ? errc::none : errc::bad_value));
    if (read) CHECK(read->log2_n == log2_n);
  }
}
