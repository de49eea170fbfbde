// Identities: text and wire form, and the keys that are refused.
// The points were computed from the curve equation of RFC 8032, independently of the library under test.
#include "helpers.hpp"

#include "hanse/crypto/bech32m.hpp"

#include <unordered_set>

using namespace hanse;
using namespace hanse::test;

namespace {

/// Every encoding of a point of order 1, 2, 4 or 8, canonical or not, that has 32 octets.
constexpr std::array small_order_keys{
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};

constexpr std::array other_bad_keys{
    // y = p + 3 and p + 18, which are on the curve and not of small order, but not below p
    "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    // y = 2 is not on the curve
    "0200000000000000000000000000000000000000000000000000000000000000",
    // the public key of RFC 8032 test 1 plus a point of order 8: outside the prime-order group
    "3b5b475c4b82dd1572799fc546f4c6c03e478c6654aa4c7f945b347ea32af60d",
};

identity individual(std::string_view hex) {
  return identity::trusted(identity_kind::individual, unhex_array<32>(hex));
}

} // namespace

TEST_CASE("an identity comes back from its text and from its wire form") {
  const auto group = identity::trusted(identity_kind::composite, hash_of("a group").octets);
  for (const auto& each : {id(1), id(2), group}) {
    CHECK(identity::parse(to_string(each)).value() == each);
    CHECK(identity::decode(each.wire()).value() == each);
    CHECK(identity::decode_unchecked(each.wire()).value() == each);
    CHECK(to_string(each).size() == 61);
    CHECK(to_short_string(each) == to_string(each).substr(0, 10) + "…");
  }
  CHECK(to_string(id(1)).starts_with("hk1"));
  CHECK(to_string(group).starts_with("hg1"));
  CHECK(id(1) != id(2));
  CHECK(std::unordered_set<identity>{id(1), id(2), id(1)}.size() == 2);
}

TEST_CASE("no identity is written as none and cannot be read") {
  const identity none;
  CHECK(none.is_none());
  CHECK(to_string(none) == "none");
  CHECK(to_short_string(none) == "none");
  CHECK_FALSE(identity::parse("none"));
  CHECK(identity::decode(none.wire()).code() == errc::bad_type);
  CHECK(identity::decode_unchecked(none.wire()).code() == errc::bad_type);
}

TEST_CASE("text with any bit flipped, or of another length, is refused") {
  const auto group = identity::trusted(identity_kind::composite, hash_of("a group").octets);
  for (const auto& each : {id(1), group}) {
    const auto parses = [](byte_view text) { return identity::parse(as_text(text)).has_value(); };
    CHECK(count_accepted_flips(as_byte_view(to_string(each)), parses) == 0);
    CHECK(count_accepted_lengths(as_byte_view(to_string(each)), parses) == 0);
  }
}

TEST_CASE("text in upper case is read, other prefixes and sizes are not") {
  auto upper = to_string(id(1));
  for (auto& c : upper) c = static_cast<char>(std::toupper(c));
  CHECK(identity::parse(upper).value() == id(1));
  const auto groups = to_groups(id(1).octets());
  CHECK(identity::parse(encode_bech32m("hx", groups)).code() == errc::bad_value);
  CHECK(identity::parse(encode_bech32m("h", groups)).code() == errc::bad_value);
  CHECK(identity::parse(encode_bech32m("hk", to_groups(id(1).octets().first(31)))).code() == errc::bad_value);
  CHECK(identity::parse(encode_bech32m("hg", to_groups(id(1).wire()))).code() == errc::bad_value);
  auto unfilled = groups;
  REQUIRE(unfilled.size() == 52);
  unfilled[51] |= 1;
  CHECK(identity::parse(encode_bech32m("hk", unfilled)).code() == errc::not_canonical);
  CHECK(identity::parse(std::string(91, 'q')).code() == errc::too_long);
}

TEST_CASE("a wire form with any bit flipped is refused or is another identity") {
  CHECK(count_accepted_flips(id(1).wire(), [](byte_view wire) {
          const auto other = identity::decode(wire);
          return other && *other == id(1);
        }) == 0);
  CHECK(count_accepted_lengths(id(1).wire(), [](byte_view wire) { return identity::decode(wire).has_value(); }) == 0);
  CHECK(count_accepted_lengths(id(1).wire(),
                               [](byte_view wire) { return identity::decode_unchecked(wire).has_value(); }) == 0);
  CHECK(identity::decode(id(1).wire().first(32)).code() == errc::truncated);
  for (int kind = 0; kind < 256; ++kind) {
    std::array<std::byte, identity::size_bytes> wire{};
    wire[0] = static_cast<std::byte>(kind);
    CHECK(identity::decode_unchecked(wire).has_value() == (kind == 1 || kind == 2));
  }
}

TEST_CASE("keys of small order, not canonical, off the curve or outside the main group are refused") {
  const auto refused = [](const char* hex) {
    CAPTURE(hex);
    const auto weak = individual(hex);
    CHECK(check_public_key(weak.octets()).code() == errc::weak_key);
    CHECK(identity::decode(weak.wire()).code() == errc::weak_key);
    CHECK(identity::parse(to_string(weak)).code() == errc::weak_key);
    CHECK(identity::decode_unchecked(weak.wire()).value() == weak);
  };
  for (auto hex : small_order_keys) refused(hex);
  for (auto hex : other_bad_keys) refused(hex);
  CHECK(check_public_key(id(1).octets()));
}

TEST_CASE("the hash of a group is not taken for a key") {
  const auto group = identity::trusted(identity_kind::composite, unhex_array<32>(small_order_keys[0]));
  CHECK(identity::decode(group.wire()).value() == group);
}

TEST_CASE("verification itself refuses small-order and non-canonical keys") {
  // With the neutral element as the key A, R = 5B and S = 5 satisfy S·B = R + h·A for every message.
  signature_octets forged{};
  const auto r = unhex("edc876d6831fd2105d0b4389ca2e283166469289146e2ce06faefe98b22548df");
  std::copy(r.begin(), r.end(), forged.begin());
  forged[32] = std::byte{5};
  for (auto hex : small_order_keys) {
    CAPTURE(hex);
    CHECK_FALSE(verify_octets(individual(hex), as_byte_view("any message"), forged));
    CHECK_FALSE(verify_octets(individual(hex), as_byte_view("another message"), forged));
  }
  for (auto hex : other_bad_keys) CHECK_FALSE(verify_octets(individual(hex), as_byte_view("any message"), forged));
}
