// Sealed boxes: the vector of RFC 9180 A.2.1, and what must not open.
#include "helpers.hpp"

#include "hanse/crypto/internal/hpke.hpp"
#include "hanse/crypto/sealed_box.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

// RFC 9180 A.2.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305, base mode.
const auto rfc_info = unhex("4f6465206f6e2061204772656369616e2055726e");
const auto rfc_ephemeral = unhex_array<32>("f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600");
const auto rfc_recipient = unhex_array<32>("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb");
const auto rfc_recipient_public = unhex_array<32>("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a");
const auto rfc_enc = unhex_array<32>("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a");
const auto rfc_plaintext = unhex("4265617574792069732074727574682c20747275746820626561757479");
const auto rfc_aad = unhex("436f756e742d30");
const auto rfc_ciphertext =
    unhex("1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28");

const auto info = to_bytes("hanse-test");
const auto aad = to_bytes("header");
const auto secret = to_bytes("the plan");

bytes box_for(const identity& recipient, byte_view plaintext = secret) {
  seeded_random random{8};
  return seal(recipient, info, aad, plaintext, random).value();
}

} // namespace

TEST_CASE("the sender of RFC 9180 A.2.1 derives the published values") {
  CHECK(to_hex(internal::x25519_public(rfc_recipient).value()) == to_hex(rfc_recipient_public));
  const auto context = internal::hpke_setup_sender(rfc_recipient_public, rfc_info, rfc_ephemeral);
  REQUIRE(context);
  CHECK(to_hex(context->enc) == to_hex(rfc_enc));
  CHECK(to_hex(context->shared_secret) == "0bbe78490412b4bbea4812666f7916932b828bba79942424abb65244930d69a7");
  CHECK(to_hex(context->key) == "ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91");
  CHECK(to_hex(context->nonce) == "5c4d98150661b848853b547f");
  CHECK(to_hex(internal::hpke_seal(*context, rfc_aad, rfc_plaintext).value()) == to_hex(rfc_ciphertext));
}

TEST_CASE("the recipient of RFC 9180 A.2.1 derives the same and opens the message") {
  const auto context = internal::hpke_setup_recipient(rfc_enc, rfc_recipient, rfc_info);
  REQUIRE(context);
  CHECK(to_hex(context->shared_secret) == "0bbe78490412b4bbea4812666f7916932b828bba79942424abb65244930d69a7");
  CHECK(to_hex(context->nonce) == "5c4d98150661b848853b547f");
  CHECK(internal::hpke_open(*context, rfc_aad, rfc_ciphertext).value() == rfc_plaintext);
  CHECK(internal::hpke_open(*context, rfc_aad, byte_view{rfc_ciphertext}.first(15)).code() == errc::truncated);
  CHECK(internal::hpke_open(*context, rfc_aad, {}).code() == errc::truncated);
}

TEST_CASE("a box opens for the identity it was sealed for, whatever its size") {
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1000}, sealed_box_size_max - 48}) {
    const bytes plaintext(size, std::byte{7});
    const auto box = box_for(id(1), plaintext);
    CHECK(box.size() == size + sealed_box_overhead);
    CHECK(open(key(1), info, aad, box).value() == plaintext);
  }
}

TEST_CASE("a box does not open for another key, another purpose or another header") {
  const auto box = box_for(id(1));
  CHECK(open(key(2), info, aad, box).code() == errc::decryption_failed);
  CHECK(open(key(1), to_bytes("other"), aad, box).code() == errc::decryption_failed);
  CHECK(open(key(1), info, to_bytes("other"), box).code() == errc::decryption_failed);
  CHECK(open(key(1), info, {}, box).code() == errc::decryption_failed);
  CHECK(open(key(1), aad, info, box).code() == errc::decryption_failed);
}

TEST_CASE("a box with any bit flipped, or of another length, does not open") {
  const auto box = box_for(id(1));
  const auto opens = [](byte_view other) { return open(key(1), info, aad, other).has_value(); };
  CHECK(count_accepted_flips(box, opens) == 0);
  CHECK(count_accepted_lengths(box, opens) == 0);
  CHECK(open(key(1), info, aad, byte_view{box}.first(47)).code() == errc::truncated);
  CHECK(open(key(1), info, aad, byte_view{box}.first(48)).code() == errc::decryption_failed);
}

TEST_CASE("every box has an ephemeral key of its own") {
  seeded_random random{8};
  const auto first = seal(id(1), info, aad, secret, random).value();
  const auto second = seal(id(1), info, aad, secret, random).value();
  CHECK(first != second);
  CHECK_FALSE(equal(byte_view{first}.first(32), byte_view{second}.first(32)));
}

TEST_CASE("ephemeral keys that make the shared point zero are refused") {
  // Points of small order on Curve25519, RFC 7748 section 6.1: u = 0 and u = 1.
  for (auto hex : {"00", "01"}) {
    const auto zero = unhex_array<32>(hex + std::string(62, '0'));
    CHECK(internal::hpke_setup_recipient(zero, rfc_recipient, rfc_info).code() == errc::weak_key);
    CHECK(internal::hpke_setup_sender(zero, rfc_info, rfc_ephemeral).code() == errc::weak_key);
    auto box = box_for(id(1));
    std::copy(zero.begin(), zero.end(), box.begin());
    CHECK(open(key(1), info, aad, box).code() == errc::decryption_failed);
  }
}

TEST_CASE("nothing is sealed for a group, for nobody or for a weak key") {
  seeded_random random{8};
  const auto group = identity::trusted(identity_kind::composite, id(1).octets());
  CHECK(seal(group, info, aad, secret, random).code() == errc::bad_type);
  CHECK(seal(identity{}, info, aad, secret, random).code() == errc::bad_type);
  // Order 1, order 4, y not below p, and outside the main group: see identity_test.cpp.
  for (auto hex : {"0100000000000000000000000000000000000000000000000000000000000000",
                   "0000000000000000000000000000000000000000000000000000000000000000",
                   "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                   "3b5b475c4b82dd1572799fc546f4c6c03e478c6654aa4c7f945b347ea32af60d"}) {
    const auto weak = identity::trusted(identity_kind::individual, unhex_array<32>(hex));
    CHECK(seal(weak, info, aad, secret, random).code() == errc::weak_key);
  }
}

TEST_CASE("sizes are bounded on both sides") {
  seeded_random random{8};
  const bytes long_context(sealed_box_context_max + 1);
  const byte_view longest = byte_view{long_context}.first(sealed_box_context_max);
  const auto box = seal(id(1), longest, longest, secret, random);
  REQUIRE(box);
  CHECK(open(key(1), longest, longest, *box).value() == secret);
  CHECK(seal(id(1), long_context, aad, secret, random).code() == errc::too_long);
  CHECK(seal(id(1), info, long_context, secret, random).code() == errc::too_long);
  CHECK(seal(id(1), info, aad, bytes(sealed_box_size_max - 47), random).code() == errc::too_long);
  CHECK(open(key(1), long_context, aad, *box).code() == errc::too_long);
  CHECK(open(key(1), info, long_context, *box).code() == errc::too_long);
  CHECK(open(key(1), info, aad, bytes(sealed_box_size_max + 1)).code() == errc::too_long);
}
