// Ed25519 keys: the vectors of RFC 8032 section 7.1, and what a signature must not allow.
#include "helpers.hpp"

using namespace hanse;
using namespace hanse::test;

TEST_CASE("tests 1 to 3 of RFC 8032 give the known keys and signatures") {
  struct vector {
    const char *seed, *public_key, *message, *signature;
  };
  for (const auto& v : {
           vector{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
                  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                  "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
           vector{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                  "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
                  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                  "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
           vector{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                  "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
                  "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                  "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
       }) {
    const auto key = key_pair::from_seed(unhex_array<32>(v.seed));
    CHECK(to_hex(key.identity().octets()) == v.public_key);
    CHECK(to_hex(key.sign_octets(unhex(v.message))) == v.signature);
    CHECK(verify_octets(key.identity(), unhex(v.message), unhex_array<64>(v.signature)));
    key.with_seed([&](byte_view seed) { CHECK(to_hex(seed) == v.seed); });
  }
}

TEST_CASE("a key pair is made from the given randomness, and a copy is the same key") {
  CHECK(id(1) == id(1));
  CHECK(id(1) != id(2));
  const auto copy = key(1);
  CHECK(copy.identity() == id(1));
  CHECK(id(1).kind() == identity_kind::individual);
}

TEST_CASE("a signature with any bit flipped, over another message or by another key, does not verify") {
  const auto message = to_bytes("pay 5 shillings");
  const auto sig = key(1).sign_octets(message);
  CHECK(verify_octets(id(1), message, sig));
  CHECK_FALSE(verify_octets(id(2), message, sig));
  CHECK(count_accepted_flips(message, [&](byte_view other) { return verify_octets(id(1), other, sig); }) == 0);
  CHECK(count_accepted_flips(sig, [&](byte_view other) {
          signature_octets flipped;
          std::copy(other.begin(), other.end(), flipped.begin());
          return verify_octets(id(1), message, flipped);
        }) == 0);
}

TEST_CASE("the second form of a signature, with S plus the group order, is refused") {
  const auto order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  auto sig = key(1).sign_octets(as_byte_view("message"));
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += std::to_integer<unsigned>(sig[32 + i]) + std::to_integer<unsigned>(order[i]);
    sig[32 + i] = static_cast<std::byte>(carry & 0xff);
    carry >>= 8;
  }
  CHECK(carry == 0);
  CHECK_FALSE(verify_octets(id(1), as_byte_view("message"), sig));
}

TEST_CASE("only an individual identity verifies") {
  const auto sig = key(1).sign_octets(as_byte_view("message"));
  CHECK_FALSE(verify_octets(identity::trusted(identity_kind::composite, id(1).octets()), as_byte_view("message"), sig));
  CHECK_FALSE(verify_octets(identity{}, as_byte_view("message"), sig));
}
