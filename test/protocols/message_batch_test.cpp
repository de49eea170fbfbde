// Signed payloads: single, batch, wrapped proofs, composite sources; every single damage; whose messages they are.
// Not the signature's mathematics (test/crypto/signature_test.cpp).
#include "protocols/allocations.hpp"
#include "protocols/samples.hpp"

#include <algorithm>

using namespace hanse;
using namespace hanse::test;

namespace {

bytes sealed(const key_pair& signer, const std::vector<envelope>& messages, std::uint64_t salt_seed = 1) {
  std::vector<bytes> wires;
  for (const auto& e : messages) wires.push_back(encode(e));
  const std::vector<byte_view> views{wires.begin(), wires.end()};
  seeded_random random{salt_seed};
  return seal(signer, views, random);
}

std::vector<envelope> plain_envelopes(std::size_t count) {
  std::vector<envelope> out;
  for (std::size_t i = 1; i <= count; ++i) out.push_back(plain_envelope(i, "body " + std::to_string(i)));
  return out;
}

errc open_error(byte_view payload) {
  return open(shared_bytes::copy_of(payload)).code();
}

/// A group of keys 1..3 of which two act, and an envelope of its.
composite_descriptor group() {
  return make_composite(2, {{id(1)}, {id(2)}, {id(3)}}).value();
}

bytes composite_payload(const envelope& e, std::initializer_list<std::uint64_t> members) {
  const auto message = encode(e);
  composite_signature sig;
  sig.descriptors = {group()};
  for (auto member : members) sig.members.push_back(sign_member(key(member), e.source, blake2b_256(message)));
  std::ranges::sort(sig.members, {}, &member_signature::signer);
  return wrap(message, {sig});
}

} // namespace

TEST_CASE("a sealed message opens as it was, with a proof that stands alone") {
  for (auto kind : all_kinds) {
    const auto e = full_envelope(kind);
    const shared_bytes payload{sealed(key(1), {e})};
    const auto opened = open(payload);
    REQUIRE(opened);
    CHECK(opened->source == id(1));
    CHECK(opened->messages == std::vector{e});
    CHECK(equal(opened->wires.at(0).view(), encode(e)));
    CHECK(opened->root == blake2b_256(encode(e)));
    CHECK(opened->root == root_of(payload).value());
    const auto proof = proof_of(*opened, 0);
    CHECK(verify(id(1), blake2b_256(encode(e)), proof));
    CHECK(proofs_of(*opened) == std::vector{proof});
    CHECK(equal(wrap(opened->wires[0].view(), proof), payload.view()));
  }
}

TEST_CASE("a batch of any size opens as it was, and every message of it travels alone") {
  for (std::size_t count : {2, 3, 4, 5, 8, 9, 100}) {
    CAPTURE(count);
    const auto messages = plain_envelopes(count);
    const shared_bytes payload{sealed(key(1), messages)};
    const auto opened = open(payload);
    REQUIRE(opened);
    CHECK(opened->messages == messages);
    CHECK(opened->root == root_of(payload).value());
    const auto proofs = proofs_of(*opened);
    REQUIRE(proofs.size() == count);
    for (std::size_t i = 0; i < count; ++i) {
      if (i < 9) CHECK(proof_of(*opened, i) == proofs[i]);
      const auto alone = open(shared_bytes{wrap(opened->wires[i].view(), proofs[i])});
      REQUIRE(alone);
      CHECK(alone->messages == std::vector{messages[i]});
      CHECK(proof_of(*alone, 0) == proofs[i]);
    }
  }
}

TEST_CASE("the largest batch opens, one message more does not") {
  const auto messages = plain_envelopes(batch_size_max);
  CHECK(open(shared_bytes{sealed(key(1), messages)})->messages == messages);
  msgpack_writer out;
  out.array(5);
  out.unsigned_integer(1);
  out.unsigned_integer(1);
  out.blob(id(1).wire());
  out.blob(bytes(64));
  out.array(2 * (batch_size_max + 1));
  for (std::size_t i = 0; i <= batch_size_max; ++i) {
    out.blob(bytes(16));
    out.blob(bytes(1));
  }
  CHECK(open_error(out.view()) == errc::too_long);
}

TEST_CASE("the stated overheads hold") {
  for (std::size_t count : {std::size_t{1}, std::size_t{2}, batch_size_max}) {
    const auto messages = plain_envelopes(count);
    std::size_t size = payload_overhead_max + count * payload_overhead_per_message_max;
    for (const auto& e : messages) size += encode(e).size();
    CHECK(sealed(key(1), messages).size() <= size);
  }
  auto e = plain_envelope();
  e.body = shared_bytes{bytes(body_size_max)};
  const shared_bytes payload{sealed(key(1), {e})};
  CHECK(payload.size() <= payload_size_max);
  CHECK(open(payload));
  CHECK(open_error(bytes(payload_size_max + 1)) == errc::too_long);
}

TEST_CASE("bodies and wires are slices of the payload") {
  const shared_bytes payload{sealed(key(1), plain_envelopes(3))};
  const auto opened = open(payload);
  REQUIRE(opened);
  for (const auto& wire : opened->wires) {
    CHECK(wire.view().data() >= payload.view().data());
    CHECK(wire.view().data() + wire.size() <= payload.view().data() + payload.size());
  }
  CHECK(opened->messages[1].body.view().data() > opened->wires[1].view().data());
}

TEST_CASE("opening a batch allocates per batch, not per message") {
  const shared_bytes small{sealed(key(1), plain_envelopes(4))};
  const shared_bytes large{sealed(key(1), plain_envelopes(512))};
  const auto count_for = [](const shared_bytes& payload) {
    return allocations_by([&] {
      if (!open(payload)) std::abort();
    });
  };
  const auto few = count_for(small);
  const auto many = count_for(large);
  CHECK(many <= few + 16); // the tree may take one for each of its levels
}

TEST_CASE("every flipped bit of a single payload is refused, for every kind") {
  for (auto kind : all_kinds) {
    for_each_bit_flip(sealed(key(1), {full_envelope(kind)}), [](byte_view bad) {
      const auto code = open_error(bad);
      CHECK(code != errc::none);
      CHECK(code != errc::internal);
    });
  }
}

TEST_CASE("every flipped bit of a batch payload is refused") {
  std::vector<envelope> messages;
  for (auto kind : all_kinds) messages.push_back(full_envelope(kind));
  for_each_bit_flip(sealed(key(1), messages), [](byte_view bad) {
    const auto code = open_error(bad);
    CHECK(code != errc::none);
    CHECK(code != errc::internal);
  });
}

TEST_CASE("every flipped bit of a message with a batch proof, and of one by a group, is refused") {
  const auto opened = open(shared_bytes{sealed(key(1), plain_envelopes(5))});
  REQUIRE(opened);
  const auto refused = [](byte_view bad) { CHECK(open_error(bad) != errc::none); };
  for_each_bit_flip(wrap(opened->wires[3].view(), proof_of(*opened, 3)), refused);
  auto e = plain_envelope();
  e.source = identity_of(group());
  for_each_bit_flip(composite_payload(e, {1, 3}), refused);
}

TEST_CASE("every truncation of a payload and every appended octet is refused") {
  const auto refused = [](byte_view bad) {
    const auto code = open_error(bad);
    CHECK((code == errc::truncated || code == errc::trailing_bytes));
  };
  for (auto kind : all_kinds) for_each_other_length(sealed(key(1), {full_envelope(kind)}), refused);
  for_each_other_length(sealed(key(1), plain_envelopes(3)), refused);
}

TEST_CASE("a signature is checked before any envelope is decoded") {
  const std::array<bytes, 2> garbage{octets({0xc1}), octets({0xc1, 0xc1})};
  const std::array<byte_view, 2> views{garbage[0], garbage[1]};
  seeded_random random{1};
  bytes payload = seal(key(1), views, random);
  CHECK(open_error(payload) == errc::bad_type); // the signature holds, the envelope does not decode
  payload.back() ^= std::byte{1};
  CHECK(open_error(payload) == errc::bad_signature); // the envelope would not decode, but that was not looked at
  auto e = full_envelope(message_kind::tell);
  auto message = encode(e);
  message.back() ^= std::byte{1};
  message.push_back({}); // trailing: decode_envelope would say so
  CHECK(open_error(wrap(message, {sign_single(key(2), blake2b_256(message))})) == errc::bad_signature);
}

TEST_CASE("a message of another source in a batch is refused") {
  auto messages = plain_envelopes(3);
  messages[2].source = id(2);
  CHECK(open_error(sealed(key(1), messages)) == errc::wrong_signer);
  CHECK(open_error(sealed(key(2), plain_envelopes(3))) == errc::wrong_signer);
}

TEST_CASE("a single message by another key than its source's is refused") {
  CHECK(open_error(sealed(key(2), {plain_envelope()})) == errc::bad_signature);
}

TEST_CASE("a signature does not serve another form, message or context") {
  const auto one = encode(plain_envelope(1));
  const auto two = encode(plain_envelope(2));
  const auto hash = blake2b_256(one);
  CHECK(open(shared_bytes{wrap(one, {sign_single(key(1), hash)})}));
  CHECK(open_error(wrap(two, {sign_single(key(1), hash)})) == errc::bad_signature);
  CHECK(open_error(wrap(one, {key(1).sign_octets(one)})) == errc::bad_signature);
  CHECK(open_error(wrap(one, {key(1).sign_octets(hash.view())})) == errc::bad_signature);
  const auto opened = open(shared_bytes{sealed(key(1), plain_envelopes(2))});
  CHECK(open_error(wrap(one, proof_of(*opened, 1))) == errc::bad_signature);
  const auto advert = sign(sample_node_advert(), key(1));
  msgpack_reader in{advert.wire};
  in.array_exactly(2);
  const auto payload = in.blob(advert_size_max);
  const auto signature = decode_message_signature(in.blob(advert_size_max)).value();
  CHECK(open_error(wrap(payload, signature)) != errc::none);
  CHECK_FALSE(verify(id(1), blake2b_256(payload), signature)); // an advert's signature is none of a message
}

TEST_CASE("messages of a batch cannot be dropped, repeated or put in another order") {
  const auto messages = plain_envelopes(4);
  const auto read = read_payload(shared_bytes{sealed(key(1), messages)}).value();
  const auto with_order = [&](std::vector<std::size_t> order) {
    auto other = read;
    other.messages.clear();
    other.hashes.clear();
    other.batch.salts.clear();
    for (auto i : order) {
      other.messages.push_back(read.messages[i]);
      other.hashes.push_back(read.hashes[i]);
      other.batch.salts.push_back(read.batch.salts[i]);
    }
    return open(std::move(other)).code();
  };
  CHECK(with_order({0, 1, 2, 3}) == errc::none);
  CHECK(with_order({0, 1, 2}) == errc::bad_signature);
  CHECK(with_order({0, 1, 3, 2}) == errc::bad_signature);
  CHECK(with_order({0, 1, 2, 3, 3}) == errc::bad_signature);
}

TEST_CASE("a message of a group opens when enough members signed it") {
  auto e = plain_envelope();
  e.source = identity_of(group());
  const auto opened = open(shared_bytes{composite_payload(e, {1, 3})});
  REQUIRE(opened);
  CHECK(opened->source == e.source);
  CHECK(opened->messages == std::vector{e});
  CHECK(open_error(composite_payload(e, {2})) == errc::threshold_not_met);
  CHECK(open_error(composite_payload(e, {1, 4})) == errc::wrong_signer);
  CHECK(open_error(wrap(encode(e), {sign_single(key(1), blake2b_256(encode(e)))})) == errc::bad_type);
}

TEST_CASE("a batch has one key as its signer") {
  auto read = read_payload(shared_bytes{sealed(key(1), plain_envelopes(2))}).value();
  read.source = identity_of(group());
  CHECK(open(std::move(read)).code() == errc::bad_type);
}

TEST_CASE("the root names the messages whatever the salts, and differs when they do") {
  const auto three = plain_envelopes(3);
  const auto root = root_of(shared_bytes{sealed(key(1), three, 1)}).value();
  CHECK(root == root_of(shared_bytes{sealed(key(1), three, 2)}).value());
  CHECK(root != root_of(shared_bytes{sealed(key(1), plain_envelopes(2), 1)}).value());
  auto other = three;
  std::swap(other[0], other[1]);
  CHECK(root != root_of(shared_bytes{sealed(key(1), other, 1)}).value());
}

TEST_CASE("another version or kind of payload is refused, and so is a batch of one") {
  const auto payload = [](int version, int kind, std::size_t items) {
    msgpack_writer out;
    out.array(kind == 0 ? 4 : 5);
    out.unsigned_integer(version);
    out.unsigned_integer(kind);
    out.blob(id(1).wire());
    out.blob(bytes(64));
    out.array(items);
    for (std::size_t i = 0; i < items; ++i) out.blob(bytes(16));
    return open_error(out.view());
  };
  CHECK(payload(1, 1, 4) == errc::bad_signature);
  CHECK(payload(2, 1, 4) == errc::bad_version);
  CHECK(payload(0, 1, 4) == errc::bad_version);
  CHECK(payload(1, 2, 4) == errc::bad_value);
  CHECK(payload(1, 1, 2) == errc::bad_value);
  CHECK(payload(1, 1, 0) == errc::bad_value);
  CHECK(payload(1, 1, 5) == errc::bad_value);
}

TEST_CASE("a payload that promises much allocates little") {
  msgpack_writer out;
  out.array(5);
  out.unsigned_integer(1);
  out.unsigned_integer(1);
  out.blob(id(1).wire());
  out.blob(bytes(64));
  const auto head = std::move(out).take();
  for (const auto& bomb :
       {octets({0xdd, 0xff, 0xff, 0xff, 0xff}), octets({0xdc, 0x08, 0x00}), octets({0xdc, 0xff, 0xff})}) {
    const shared_bytes payload{concat({head, bomb})};
    errc code{};
    CHECK(octets_allocated_by([&] { code = open(payload).code(); }) < 64 * 1024);
    CHECK((code == errc::truncated || code == errc::too_long));
  }
}
