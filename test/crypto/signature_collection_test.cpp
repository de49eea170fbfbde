// Collecting a group's signature: who can sign, which parts count, when it is enough.
// Not the verification of what comes out (composite_signature_test.cpp).
#include "helpers.hpp"

#include "hanse/crypto/signature_collection.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

const auto inner = make_composite(1, {{id(4)}, {id(5)}}).value();
const auto outer = make_composite(2, {{id(1)}, {id(2)}, {identity_of(inner)}}).value();
const auto group = identity_of(outer);
const composite_table table{{identity_of(inner), inner}, {group, outer}};
const auto message = hash_of("a message");

std::vector<member_signature> parts_of(std::initializer_list<std::uint64_t> signers) {
  std::vector<member_signature> parts;
  for (const auto s : signers) parts.push_back(sign_member(key(s), group, message));
  return parts;
}

} // namespace

TEST_CASE("everybody below a group can sign for it, and an individual for itself") {
  std::vector<identity> expected_signers{id(1), id(2), id(4), id(5)};
  std::sort(expected_signers.begin(), expected_signers.end());
  CHECK(signers_for(group, table) == expected_signers);
  CHECK(signers_for(id(1), {}) == std::vector{id(1)});
  CHECK(signers_for(group, {}).empty());
}

TEST_CASE("a part is checked by itself: signer, group and message") {
  const auto part = sign_member(key(1), group, message);
  CHECK(verify_member(part, group, message));
  CHECK_FALSE(verify_member(part, identity_of(inner), message));
  CHECK_FALSE(verify_member(part, group, hash_of("another")));
  CHECK_FALSE(verify_member({id(2), part.signature}, group, message));
  CHECK(verify_member({id(1), sign_single(key(1), message)}, id(1), message)); // an individual signs for itself
}

TEST_CASE("parts in any order make a signature that verifies, with the descriptors that it needs and no others") {
  const auto flat = compose(group, table, message, parts_of({2, 1}));
  REQUIRE(flat);
  CHECK(flat->descriptors.size() == 1);
  CHECK(verify(group, message, {*flat}));
  const auto nested = compose(group, table, message, parts_of({5, 1}));
  REQUIRE(nested);
  CHECK(nested->descriptors.size() == 2);
  CHECK(verify(group, message, {*nested}));
}

TEST_CASE("too few parts, strangers, repeated parts and parts of another message make none") {
  CHECK(compose(group, table, message, {}).code() == errc::threshold_not_met);
  CHECK(compose(group, table, message, parts_of({1})).code() == errc::threshold_not_met);
  CHECK(compose(group, table, message, parts_of({4, 5})).code() == errc::threshold_not_met); // one member's vote
  CHECK(compose(group, table, message, parts_of({1, 2, 9})).code() == errc::wrong_signer);
  CHECK_FALSE(compose(group, table, message, parts_of({1, 1})));
  CHECK(compose(group, table, hash_of("another"), parts_of({1, 2})).code() == errc::bad_signature);
}
