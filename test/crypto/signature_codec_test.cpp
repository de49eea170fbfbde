// The octet form of message signatures: layout, flips, lengths, and what fits which identity.
#include "helpers.hpp"

#include <algorithm>

using namespace hanse;
using namespace hanse::test;

namespace {

const digest hash = hash_of("message 4");

message_signature single() {
  return {sign_single(key(1), hash)};
}

std::vector<digest> messages(std::size_t count) {
  std::vector<digest> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(hash_of("message " + std::to_string(i)));
  return out;
}

message_signature batch(std::size_t count) {
  seeded_random random{5};
  const auto hashes = messages(count);
  return {prove(sign_batch(key(1), hashes, random), hashes, 4)};
}

struct group_case {
  composite_descriptor inner = make_composite(1, {{id(1), 1}, {id(2), 1}}).value();
  composite_descriptor outer = make_composite(2, {{identity_of(inner), 1}, {id(3), 2}, {id(4), 1}}).value();
  identity address = identity_of(outer);

  message_signature signature() const {
    composite_signature sig{{inner, outer}, {}};
    for (auto number : {2, 3, 4})
      sig.members.push_back(sign_member(key(static_cast<std::uint64_t>(number)), address, hash));
    std::ranges::sort(sig.descriptors, {}, identity_of);
    std::ranges::sort(sig.members, {}, &member_signature::signer);
    return {sig};
  }
};

std::size_t accepted_flips(const identity& signer, const message_signature& sig) {
  REQUIRE(verify(signer, hash, sig));
  const auto wire = encode(sig);
  return count_accepted_flips(wire, [&](byte_view flipped) {
    const auto other = decode_message_signature(flipped);
    if (!other) return false;
    CHECK(equal(encode(*other), flipped));
    return verify(signer, hash, *other).has_value();
  });
}

std::size_t accepted_lengths(const message_signature& sig) {
  return count_accepted_lengths(encode(sig),
                                [](byte_view other) { return decode_message_signature(other).has_value(); });
}

errc decode_code(std::string_view hex) {
  return decode_message_signature(unhex(hex)).code();
}

} // namespace

TEST_CASE("each form has the documented octets and comes back from them") {
  const auto one = single();
  CHECK(to_hex(encode(one)) == "01" + to_hex(std::get<signature_octets>(one.value)));
  CHECK(decode_message_signature(encode(one)).value() == one);

  const auto many = batch(11);
  const auto& proof = std::get<batch_proof>(many.value);
  auto hex = "02000b0004" + to_hex(proof.salt);
  for (const auto& sibling : proof.path) hex += to_hex(sibling.view());
  CHECK(to_hex(encode(many)) == hex + to_hex(proof.signature));
  CHECK(decode_message_signature(encode(many)).value() == many);

  const auto together = group_case{}.signature();
  const auto& parts = std::get<composite_signature>(together.value);
  hex = "0302";
  for (const auto& descriptor : parts.descriptors) {
    const auto octets = encode(descriptor);
    hex += to_hex(std::array{std::byte{0}, static_cast<std::byte>(octets.size())}) + to_hex(octets);
  }
  hex += "03";
  for (const auto& part : parts.members) hex += to_hex(part.signer.octets()) + to_hex(part.signature);
  CHECK(to_hex(encode(together)) == hex);
  CHECK(decode_message_signature(encode(together)).value() == together);
}

TEST_CASE("a signature of any form with any bit flipped is refused") {
  CHECK(accepted_flips(id(1), single()) == 0);
  CHECK(accepted_flips(id(1), batch(5)) == 0);
  CHECK(accepted_flips(id(1), batch(11)) == 0);
  CHECK(accepted_flips(id(1), batch(1024)) == 0);
  CHECK(accepted_flips(group_case{}.address, group_case{}.signature()) == 0);
}

TEST_CASE("a signature of any form of another length is refused") {
  CHECK(accepted_lengths(single()) == 0);
  CHECK(accepted_lengths(batch(5)) == 0);
  CHECK(accepted_lengths(batch(1024)) == 0);
  CHECK(accepted_lengths(group_case{}.signature()) == 0);
}

TEST_CASE("octets that claim too much are refused before they are read") {
  CHECK(decode_code("") == errc::truncated);
  CHECK(decode_code("00") == errc::bad_type);
  CHECK(decode_code("04") == errc::bad_type);
  CHECK(decode_code("02"
                    "0001"
                    "0000") == errc::bad_value);
  CHECK(decode_code("02"
                    "0401"
                    "0000") == errc::bad_value);
  CHECK(decode_code("02"
                    "0008"
                    "0008") == errc::bad_value);
  CHECK(decode_code("02"
                    "0400"
                    "0000") == errc::truncated);
  CHECK(decode_code("03"
                    "00") == errc::bad_value);
  CHECK(decode_code("03"
                    "41") == errc::too_long);
  CHECK(decode_code("03"
                    "01"
                    "ffff") == errc::truncated);
  CHECK(decode_code("03"
                    "01"
                    "0000") == errc::truncated);
  CHECK(decode_message_signature(bytes(message_signature_size_max + 1)).code() == errc::too_long);
  CHECK(decode_message_signature(bytes(message_signature_size_max)).code() == errc::bad_type);
}

TEST_CASE("the counts of a composite signature are bounded and its keys ascend") {
  const auto g = make_composite(1, {{id(1), 1}}).value();
  const auto descriptor = encode(g);
  const auto head =
      "0301" + to_hex(std::array{std::byte{0}, static_cast<std::byte>(descriptor.size())}) + to_hex(descriptor);
  const auto part = to_hex(id(1).octets()) + std::string(128, '0');
  CHECK(decode_code(head + "01" + part) == errc::none);
  CHECK(decode_code(head + "00") == errc::bad_value);
  CHECK(decode_code(head + "41" + part) == errc::too_long);
  CHECK(decode_code(head + "02" + part) == errc::truncated);
  CHECK(decode_code(head + "02" + part + part) == errc::not_canonical);
  CHECK(decode_code(head + "01" + part + "00") == errc::trailing_bytes);
}

TEST_CASE("descriptors inside a signature are read strictly, but for the keys, which verification checks") {
  std::array<std::byte, 32> zero{};
  const auto weak = identity::trusted(identity_kind::individual, zero);
  const auto g = make_composite(1, {{weak, 1}, {id(1), 1}}).value();
  message_signature sig{composite_signature{{g}, {sign_member(key(1), identity_of(g), hash)}}};
  CHECK(decode_composite(encode(g)).code() == errc::weak_key);
  CHECK(decode_message_signature(encode(sig)).value() == sig);
  CHECK(verify(identity_of(g), hash, sig));
  auto& parts = std::get<composite_signature>(sig.value);
  std::swap(parts.descriptors[0].members[0], parts.descriptors[0].members[1]);
  CHECK(decode_message_signature(encode(sig)).code() == errc::not_canonical);
}

TEST_CASE("a form fits its kind of identity only") {
  const group_case g;
  CHECK(verify(id(1), hash, single()));
  CHECK(verify(id(1), hash, batch(5)));
  CHECK(verify(g.address, hash, g.signature()));
  CHECK(verify(g.address, hash, single()).code() == errc::bad_type);
  CHECK(verify(g.address, hash, batch(5)).code() == errc::bad_type);
  CHECK(verify(id(1), hash, g.signature()).code() == errc::bad_type);
  CHECK_FALSE(verify(identity{}, hash, single()));
  CHECK_FALSE(verify(id(2), hash, single()));
  CHECK_FALSE(verify(id(1), hash_of("another"), single()));
}
