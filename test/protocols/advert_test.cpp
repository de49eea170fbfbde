// Adverts: there and back, every rule, every single damage, and whose signature counts.
// Not tickets (ticket_test.cpp) and not which advert wins (advert_store_test.cpp).
#include "protocols/samples.hpp"

#include <algorithm>
#include <functional>

using namespace hanse;
using namespace hanse::test;

namespace {

struct parts {
  bytes payload;
  bytes signature;
};

parts split(byte_view wire) {
  msgpack_reader in{wire};
  in.array_exactly(2);
  parts p{to_bytes(in.blob(advert_size_max)), {}};
  p.signature = to_bytes(in.blob(advert_size_max));
  REQUIRE(in.finish());
  return p;
}

bytes joined(byte_view payload, byte_view signature) {
  msgpack_writer out;
  out.array(2);
  out.blob(payload);
  out.blob(signature);
  return std::move(out).take();
}

/// An advert of whatever payload, signed as adverts are: what a hostile owner of a key can make.
bytes signed_payload(byte_view payload, const key_pair& signer) {
  const auto hash = blake2b_256({as_byte_view("hanse-advert-v1"), payload});
  return joined(payload, encode(message_signature{sign_single(signer, hash)}));
}

/// A node advert whose fields are written by `change` in place of the sample's: those at and after `from`.
struct fields {
  std::size_t count = 7;
  std::string_view kind = "node-advert";
  std::uint64_t format = 1;
  bytes node = to_bytes(id(1).wire());
  std::uint64_t version = 5;
  std::vector<std::pair<std::string, std::uint64_t>> addresses{{"tls://h:1", 1}};
  std::vector<protocol_id> protocols{{"join", 1, 0}};
  std::string name = "n";
};

errc error_with(const std::function<void(fields&)>& change) {
  fields f;
  change(f);
  msgpack_writer out;
  out.array(f.count);
  out.text(f.kind);
  out.unsigned_integer(f.format);
  out.blob(f.node);
  out.unsigned_integer(f.version);
  out.array(f.addresses.size());
  for (const auto& [address, weight] : f.addresses) {
    out.array(2);
    out.text(address);
    out.unsigned_integer(weight);
  }
  out.array(f.protocols.size());
  for (const auto& p : f.protocols) write(out, p);
  out.text(f.name);
  for (std::size_t i = 7; i < f.count; ++i) out.nil();
  return decode_node_advert(signed_payload(out.view(), key(1))).code();
}

node_advert changed(const std::function<void(node_advert&)>& change) {
  auto advert = sample_node_advert();
  change(advert);
  return advert;
}

composite_descriptor group() {
  return make_composite(2, {{id(1)}, {id(2)}, {id(3)}}).value();
}

} // namespace

TEST_CASE("a node advert reads back as it was signed") {
  const auto advert = sign(sample_node_advert(), key(1));
  CHECK(advert.value == sample_node_advert());
  const auto back = decode_node_advert(advert.wire);
  REQUIRE(back);
  CHECK(back->value == advert.value);
  CHECK(equal(back->wire, advert.wire));
}

TEST_CASE("an engine advert reads back as it was signed") {
  const auto advert = sign(sample_engine_advert(), key(5));
  const auto back = decode_engine_advert(advert.wire);
  REQUIRE(back);
  CHECK(back->value == sample_engine_advert());
  CHECK(equal(back->wire, advert.wire));
}

TEST_CASE("the largest adverts fit") {
  auto advert = sample_node_advert();
  advert.version = wire_number_max;
  advert.name = std::string(advert_name_size_max, 'n');
  advert.addresses.assign(advert_addresses_max, {std::string(transport_address_size_max, 'a'), 65535});
  advert.protocols.assign(24, {std::string(50, 'p'), 65535, 65535});
  REQUIRE(check(advert));
  const auto wire = sign(advert, key(1)).wire;
  CHECK(wire.size() <= advert_size_max);
  CHECK(decode_node_advert(wire)->value == advert);
  advert.protocols.resize(protocol_count_max, advert.protocols[0]);
  CHECK(check(advert).code() == errc::too_long); // each part is in range, the whole is not
  node_advert empty{id(1), 0, {}, {}, ""};
  CHECK(decode_node_advert(sign(empty, key(1)).wire)->value == empty);
}

TEST_CASE("an advert at the size limit is accepted by check exactly when its octets fit") {
  auto advert = sample_node_advert();
  advert.addresses.assign(advert_addresses_max, {std::string(transport_address_size_max, 'a'), 65535});
  advert.protocols.assign(36, {std::string(40, 'p'), 65535, 65535});
  advert.name.clear();
  REQUIRE(check(advert));
  while (check(advert)) advert.protocols.push_back({"p", 1, 0});
  REQUIRE(advert.protocols.size() < protocol_count_max);
  advert.protocols.pop_back();
  std::size_t largest = 0;
  for (; check(advert); advert.name += 'n') {
    const auto wire = sign(advert, key(1)).wire;
    CHECK(decode_node_advert(wire));
    largest = wire.size();
  }
  CHECK(largest == advert_size_max);
}

TEST_CASE("every flipped bit of an advert is refused") {
  for_each_bit_flip(sign(sample_node_advert(), key(1)).wire, [](byte_view bad) {
    CHECK_FALSE(decode_node_advert(bad));
    CHECK_FALSE(decode_engine_advert(bad));
  });
  for_each_bit_flip(sign(sample_engine_advert(), key(5)).wire, [](byte_view bad) {
    CHECK_FALSE(decode_engine_advert(bad));
    CHECK_FALSE(decode_node_advert(bad));
  });
}

TEST_CASE("every truncation of an advert and every appended octet is refused") {
  for_each_other_length(sign(sample_node_advert(), key(1)).wire,
                        [](byte_view bad) { CHECK_FALSE(decode_node_advert(bad)); });
  for_each_other_length(sign(sample_engine_advert(), key(5)).wire,
                        [](byte_view bad) { CHECK_FALSE(decode_engine_advert(bad)); });
}

TEST_CASE("one kind of advert is not the other") {
  CHECK(decode_engine_advert(sign(sample_node_advert(), key(1)).wire).code() == errc::bad_type);
  CHECK(decode_node_advert(sign(sample_engine_advert(), key(5)).wire).code() == errc::bad_type);
}

TEST_CASE("only the advertised identity signs its advert") {
  const auto payload = split(sign(sample_node_advert(), key(1)).wire).payload;
  CHECK(decode_node_advert(signed_payload(payload, key(1))));
  CHECK(decode_node_advert(signed_payload(payload, key(2))).code() == errc::bad_signature);
  const auto engine = split(sign(sample_engine_advert(), key(5)).wire).payload;
  CHECK(decode_engine_advert(signed_payload(engine, key(1))).code() == errc::bad_signature); // nor the node for it
}

TEST_CASE("a message's signature is none of an advert") {
  const auto payload = split(sign(sample_node_advert(), key(1)).wire).payload;
  const auto as_message = encode(message_signature{sign_single(key(1), blake2b_256(payload))});
  CHECK(decode_node_advert(joined(payload, as_message)).code() == errc::bad_signature);
}

TEST_CASE("fields of a signed advert are still held to the rules") {
  CHECK(error_with([](auto&) {}) == errc::none);
  CHECK(error_with([](auto& f) { f.count = 8; }) == errc::bad_value);
  CHECK(error_with([](auto& f) { f.kind = "node-adverT"; }) == errc::bad_type);
  CHECK(error_with([](auto& f) { f.format = 2; }) == errc::bad_version);
  CHECK(error_with([](auto& f) { f.format = 2, f.count = 8; }) == errc::bad_version);
  CHECK(error_with([](auto& f) { f.version = wire_number_max + 1; }) == errc::bad_value);
  CHECK(error_with([](auto& f) { f.addresses.resize(advert_addresses_max + 1, f.addresses[0]); }) == errc::too_long);
  CHECK(error_with([](auto& f) { f.addresses[0].first.assign(transport_address_size_max + 1, 'a'); }) ==
        errc::too_long);
  CHECK(error_with([](auto& f) { f.addresses[0].first = ""; }) == errc::bad_value);
  CHECK(error_with([](auto& f) { f.addresses[0].first = "tls://a b"; }) == errc::bad_value);
  CHECK(error_with([](auto& f) { f.addresses[0].first = "tls://a\x7f"; }) == errc::bad_value);
  CHECK(error_with([](auto& f) { f.addresses[0].first = "tls://ä"; }) == errc::bad_value);
  CHECK(error_with([](auto& f) { f.addresses[0].first = std::string{"a\0b", 3}; }) == errc::bad_value);
  CHECK(error_with([](auto& f) { f.addresses[0].second = 65536; }) == errc::bad_value);
  CHECK(error_with([](auto& f) { f.protocols.resize(protocol_count_max + 1, f.protocols[0]); }) == errc::too_long);
  CHECK(error_with([](auto& f) { f.name.assign(advert_name_size_max + 1, 'n'); }) == errc::too_long);
}

TEST_CASE("a name has no control characters") {
  CHECK(error_with([](auto& f) { f.name = "Bürö 😀 ÿ"; }) == errc::none);
  CHECK(error_with([](auto& f) { f.name = "\xc2\xa0"; }) == errc::none); // the first after the controls
  for (std::string_view name : {"\n", "a\x1b[2J", "\x7f", "\xc2\x80", "a\xc2\x9f"}) {
    CHECK(error_with([&](auto& f) { f.name = name; }) == errc::bad_value);
    CHECK(check(changed([&](auto& a) { a.name = name; })).code() == errc::bad_value);
  }
  CHECK(check(changed([](auto& a) { a.name = "\xff"; })).code() == errc::bad_value);
  CHECK(check(changed([](auto& a) { a.name = "\xc2"; })).code() == errc::bad_value);
}

TEST_CASE("a weak key is refused as an identity") {
  CHECK(error_with([](auto& f) {
          f.node.assign(33, std::byte{0});
          f.node[0] = std::byte{1};
        }) == errc::weak_key);
  CHECK(error_with([](auto& f) {
          f.node.assign(33, std::byte{0});
          f.node[0] = f.node[1] = std::byte{1};
        }) == errc::weak_key);
  CHECK(error_with([](auto& f) { f.node[0] = std::byte{0}; }) == errc::bad_type);
}

TEST_CASE("check names the rule that a configuration breaks") {
  CHECK(check(sample_node_advert()));
  CHECK(check(changed([](auto& a) { a.node = {}; })).code() == errc::bad_type);
  CHECK(check(changed([](auto& a) { a.node = identity_of(group()); })).code() == errc::bad_type);
  CHECK(check(changed([](auto& a) { a.version = UINT64_MAX; })).code() == errc::bad_value);
  CHECK(check(changed([](auto& a) { a.addresses.resize(9, {"x", 1}); })).code() == errc::too_long);
  CHECK(check(changed([](auto& a) { a.addresses[0].address.clear(); })).code() == errc::bad_value);
  CHECK(check(changed([](auto& a) { a.addresses[0].address.assign(257, 'a'); })).code() == errc::too_long);
  CHECK(check(changed([](auto& a) { a.protocols[0].name = "No"; })).code() == errc::bad_value);
  CHECK(check(changed([](auto& a) { a.protocols.resize(65, {"p", 1, 0}); })).code() == errc::too_long);
  CHECK(check(changed([](auto& a) { a.name.assign(65, 'n'); })).code() == errc::too_long);
  auto engine = sample_engine_advert();
  CHECK(check(engine));
  engine.node = {};
  CHECK(check(engine).code() == errc::bad_type);
  engine = sample_engine_advert();
  engine.engine = {};
  CHECK(check(engine).code() == errc::bad_value);
}

TEST_CASE("an engine's identity may be a group, whose members sign its advert") {
  auto advert = sample_engine_advert();
  advert.engine = identity_of(group());
  const auto sign_by = [&](std::initializer_list<std::uint64_t> members) {
    composite_signature sig;
    sig.descriptors = {group()};
    for (auto member : members) sig.members.push_back(sign_member(key(member), advert.engine, hash_to_sign(advert)));
    std::ranges::sort(sig.members, {}, &member_signature::signer);
    return attach(advert, {sig});
  };
  const auto back = decode_engine_advert(sign_by({1, 2}).wire);
  REQUIRE(back);
  CHECK(back->value == advert);
  CHECK(decode_engine_advert(sign_by({1}).wire).code() == errc::threshold_not_met);
  for_each_bit_flip(sign_by({2, 3}).wire, [](byte_view bad) { CHECK_FALSE(decode_engine_advert(bad)); });
}

TEST_CASE("an advert over the size limit is too long") {
  const auto p = split(sign(sample_node_advert(), key(1)).wire);
  CHECK(decode_node_advert(joined(p.payload, bytes(advert_size_max))).code() == errc::too_long);
}
