// DomainAdverts: there and back, every single damage, whose signature counts, groups with too few and with strangers.
// Not the rules for fields (domain_config_test.cpp) and not which version wins (domain_advert_store_test.cpp).
#include "domains/samples.hpp"

#include "hanse/crypto/bech32m.hpp"
#include "hanse/domains/internal/domain_payload.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

bytes joined(byte_view payload, byte_view signature) {
  msgpack_writer out;
  out.array(2);
  out.blob(payload);
  out.blob(signature);
  return std::move(out).take();
}

/// An advert of whatever payload, signed as adverts are: what a hostile owner can make.
bytes signed_payload(byte_view payload, const key_pair& signer) {
  const auto hash = blake2b_256({as_byte_view("hanse-domain-advert-v1"), payload});
  return joined(payload, encode(message_signature{sign_single(signer, hash)}));
}

domain_config of_group(const composite_descriptor& group) {
  auto c = sample_config();
  c.domain = identity_of(group);
  return c;
}

} // namespace

TEST_CASE("a domain's advert reads back as it was signed") {
  for (const auto& c : {sample_config(), full_config()}) {
    const auto advert = sign(c, key(1));
    const auto back = decode_domain_advert(advert.wire);
    REQUIRE(back);
    CHECK(back->value == c);
    CHECK(equal(back->wire, advert.wire));
  }
}

TEST_CASE("every flipped bit of a domain's advert is refused") {
  auto c = full_config();
  c.introducers.resize(1);
  c.instances.resize(1);
  for_each_bit_flip(sign(c, key(1)).wire, [](byte_view bad) { CHECK_FALSE(decode_domain_advert(bad)); });
}

TEST_CASE("every truncation of a domain's advert and every appended octet is refused") {
  for_each_other_length(sign(full_config(), key(1)).wire,
                        [](byte_view bad) { CHECK_FALSE(decode_domain_advert(bad)); });
}

TEST_CASE("only its owner signs a domain's advert, and under its own context") {
  const auto payload = internal::payload_of(sample_config());
  CHECK(decode_domain_advert(signed_payload(payload, key(1))));
  CHECK(decode_domain_advert(signed_payload(payload, key(2))).code() == errc::bad_signature);
  CHECK(decode_domain_advert(signed_payload(payload, key(11))).code() == errc::bad_signature); // nor an introducer
  for (std::string_view other : {"", "hanse-advert-v1"}) {
    const auto hash = blake2b_256({as_byte_view(other), payload});
    CHECK(decode_domain_advert(joined(payload, encode(message_signature{sign_single(key(1), hash)}))).code() ==
          errc::bad_signature);
  }
  CHECK(decode_domain_advert(node_advert_of(1).wire).code() == errc::bad_type);
  CHECK_FALSE(decode_node_advert(sign(sample_config(), key(1)).wire));
}

TEST_CASE("what an owner signs is still held to the rules") {
  const auto code = [](auto change) {
    auto c = full_config();
    change(c);
    return decode_domain_advert(signed_payload(internal::payload_of(c), key(1))).code();
  };
  CHECK(code([](auto&) {}) == errc::none);
  CHECK(code([](auto& c) { c.version = 0; }) == errc::bad_value);
  CHECK(code([](auto& c) { c.own_stacks = false; }) == errc::bad_value);
  CHECK(code([](auto& c) { c.name = "\n"; }) == errc::bad_value);
  CHECK(code([](auto& c) { c.auth = static_cast<auth_mechanism>(2); }) == errc::bad_value);
  CHECK(code([](auto& c) { c.join_level = 1; }) == errc::bad_value);
  CHECK(code([](auto& c) { c.introducers[0].node = id(99); }) == errc::wrong_signer);
  CHECK(code([](auto& c) { c.introducers[0].advert.back() ^= std::byte{1}; }) == errc::bad_signature);
  CHECK(code([](auto& c) { c.instances[0].introducers[0].advert.back() ^= std::byte{1}; }) == errc::bad_signature);
  CHECK(code([](auto& c) { c.instances[1].name.clear(); }) == errc::bad_value);
  CHECK(code([](auto& c) {
          for (int i = 0; i < 65; ++i) c.stack.storage.parameters["k" + std::to_string(i)] = std::string(256, 'v');
        }) == errc::too_long);
}

TEST_CASE("a later format is named, whatever its fields") {
  msgpack_writer out;
  out.array(13);
  out.text("domain-advert");
  out.unsigned_integer(2);
  for (int i = 0; i < 11; ++i) out.nil();
  CHECK(decode_domain_advert(signed_payload(out.view(), key(1))).code() == errc::bad_version);
}

TEST_CASE("parameters out of order are not canonical") {
  auto payload = internal::payload_of(sample_config());
  const auto at = as_text(payload).find("active");
  REQUIRE(at != std::string::npos);
  payload[at] = std::byte{'z'}; // "zctive" before "passive"
  CHECK(decode_domain_advert(signed_payload(payload, key(1))).code() == errc::not_canonical);
}

TEST_CASE("a group owns a domain: members that reach the threshold sign its advert") {
  const auto c = of_group(two_of_three());
  const auto advert = attach(c, signed_by(c, {two_of_three()}, {1, 3}));
  REQUIRE(advert);
  CHECK(advert->value == c);
  CHECK(decode_domain_advert(advert->wire)->value == c);
  CHECK(attach(c, signed_by(c, {two_of_three()}, {1, 2, 3})));
  CHECK(attach(c, signed_by(c, {two_of_three()}, {1})).code() == errc::threshold_not_met);
  CHECK(attach(c, signed_by(c, {two_of_three()}, {1, 4})).code() == errc::wrong_signer);
  CHECK(attach(c, signed_by(c, {two_of_three()}, {1, 2, 4})).code() == errc::wrong_signer);
  CHECK(attach(c, {sign_single(key(1), hash_to_sign(c))}).code() == errc::bad_type);
  const auto easy = make_composite(1, {{id(1)}, {id(2)}, {id(3)}}).value(); // the same members, a lower threshold
  CHECK(attach(c, signed_by(c, {easy}, {1})).code() == errc::wrong_signer);
}

TEST_CASE("a member's signature of one version, or for another group, is none of the next") {
  const auto c = of_group(two_of_three());
  auto next = c;
  ++next.version;
  CHECK(attach(next, signed_by(c, {two_of_three()}, {1, 2})).code() == errc::bad_signature);
  auto other = c;
  other.domain = identity_of(make_composite(2, {{id(1)}, {id(2)}}).value());
  auto mixed = std::get<composite_signature>(signed_by(c, {two_of_three()}, {1, 2}).value);
  mixed.members[0] = sign_member(key(1), other.domain, hash_to_sign(c));
  mixed.members[1] = sign_member(key(2), other.domain, hash_to_sign(c));
  std::ranges::sort(mixed.members, {}, &member_signature::signer);
  CHECK(attach(c, {mixed}).code() == errc::bad_signature);
}

TEST_CASE("every flipped bit and truncation of a group's advert is refused") {
  auto c = of_group(two_of_three());
  c.introducers.resize(1);
  const auto wire = attach(c, signed_by(c, {two_of_three()}, {2, 3})).value().wire;
  for_each_bit_flip(wire, [](byte_view bad) { CHECK_FALSE(decode_domain_advert(bad)); });
  for_each_other_length(wire, [](byte_view bad) { CHECK_FALSE(decode_domain_advert(bad)); });
}

TEST_CASE("groups nest, and a group of 64 members with a full configuration fits") {
  const auto inner = make_composite(2, {{id(4)}, {id(5)}}).value();
  const auto outer = make_composite(2, {{id(1)}, {identity_of(inner)}}).value();
  auto c = of_group(outer);
  CHECK(attach(c, signed_by(c, {outer, inner}, {1, 4, 5})));
  CHECK(attach(c, signed_by(c, {outer, inner}, {1, 4})).code() == errc::threshold_not_met);

  std::vector<composite_member> members;
  for (std::uint64_t i = 100; i < 164; ++i) members.push_back({id(i)});
  const auto large = make_composite(64, members).value();
  c.domain = identity_of(large);
  for (int i = 0; i < 32; ++i) c.stack.membership.parameters["k" + std::to_string(i)] = std::string(256, 'v');
  for (int i = 0; i < 24; ++i) c.stack.storage.parameters["k" + std::to_string(i)] = std::string(256, 'v');
  composite_signature sig{{large}, {}};
  for (std::uint64_t i = 100; i < 164; ++i) sig.members.push_back(sign_member(key(i), c.domain, hash_to_sign(c)));
  std::ranges::sort(sig.members, {}, &member_signature::signer);
  const auto advert = attach(c, {sig});
  REQUIRE(advert);
  CHECK(advert->wire.size() <= domain_advert_size_max);
  CHECK(parse_domain_ticket(to_ticket(*advert))->value == c);
}

TEST_CASE("a domain's ticket reads back, in upper case too, and no damage passes") {
  auto c = sample_config();
  c.introducers.resize(1);
  const auto advert = sign(c, key(1));
  const auto text = to_ticket(advert);
  CHECK(text.starts_with("hdomain1"));
  CHECK(parse_domain_ticket(text)->value == c);
  auto upper = text;
  std::ranges::transform(upper, upper.begin(), [](unsigned char x) { return std::toupper(x); });
  CHECK(parse_domain_ticket(upper)->value == c);
  const auto refused = [](byte_view bad) { CHECK_FALSE(parse_domain_ticket(as_text(bad))); };
  for_each_bit_flip(as_byte_view(text), refused);
  for_each_other_length(as_byte_view(text), refused);
  CHECK(parse_domain_ticket(to_ticket(node_advert_of(11))).code() == errc::bad_value);
  CHECK(parse_domain_ticket(std::string(domain_ticket_size_max + 1, 'q')).code() == errc::too_long);
  CHECK(parse_domain_ticket(encode_bech32m("hdomain", to_groups(node_advert_of(11).wire))).code() == errc::bad_type);
}
