// Events, parcels, proofs of forks and topic adverts: octets and signatures.
#include "hanse/protocols/topic_advert.hpp"
#include "hanse/protocols/topic_event.hpp"

#include <doctest/doctest.h>

using namespace hanse;

namespace {

key_pair key_of(int n) {
  std::array<std::byte, 32> seed;
  seed.fill(static_cast<std::byte>(n));
  return key_pair::from_seed(seed);
}

topic_event sample(int n, std::uint64_t seq = 1) {
  topic_event e;
  e.topic = key_of(99).identity();
  e.chain = {key_of(n).identity(), 7};
  e.seq = seq;
  if (seq > 1) e.previous = blake2b_256(as_byte_view("before"));
  e.published_ms = 1'700'000'000'000;
  e.body = shared_bytes{to_bytes("body " + std::to_string(seq))};
  return e;
}

struct bundle {
  std::vector<bytes> wires;
  std::vector<byte_view> views;
  std::vector<digest> ids;
};

bundle bundle_of(const std::vector<topic_event>& events) {
  bundle b;
  for (const auto& e : events) b.wires.push_back(encode(e));
  for (const auto& w : b.wires) {
    b.views.push_back(w);
    b.ids.push_back(event_id(w));
  }
  return b;
}

event_parcel parcel_of(int n, const std::vector<topic_event>& events) {
  static seeded_random random{1};
  key_event_signer signer{key_of(n), random};
  const auto b = bundle_of(events);
  return seal_parcel(signer, b.views, b.ids);
}

} // namespace

TEST_CASE("topic event: what is written is read, and re-encodes to the same octets") {
  auto e = sample(1, 5);
  e.deps = {{{key_of(2).identity(), 1}, 3, blake2b_256(as_byte_view("x"))}};
  e.seen = {{{key_of(3).identity(), 0}, 9}};
  const shared_bytes wire{encode(e)};
  const auto read = decode_event(wire);
  REQUIRE(read);
  CHECK(*read == e);
  CHECK(encode(*read) == to_bytes(wire.view()));
  for (std::size_t n = 0; n < wire.size(); ++n) CHECK_FALSE(decode_event(wire.slice(wire.view().first(n))));
}

TEST_CASE("topic event: contradictory fields are refused") {
  const auto refused = [](topic_event e) { return !decode_event(shared_bytes{encode(e)}); };
  auto e = sample(1, 2);
  CHECK_FALSE(refused(e));
  e.previous.reset();
  CHECK(refused(e)); // seq 2 comes after something
  e = sample(1, 1);
  e.previous = digest{};
  CHECK(refused(e)); // seq 1 does not
  e = sample(1, 0);
  CHECK(refused(e));
  e = sample(1);
  e.deps = {{e.chain, 1, {}}};
  CHECK(refused(e)); // a dependency on the own chain
  e = sample(1);
  e.deps = {{{key_of(3).identity(), 2}, 1, {}}, {{key_of(3).identity(), 1}, 1, {}}};
  CHECK(refused(e)); // order
  e = sample(1);
  e.mode = event_mode::join;
  CHECK(refused(e)); // a body
  e = sample(1);
  e.mode = event_mode::unreliable;
  CHECK_FALSE(refused(e));
  e.seen = {{{key_of(3).identity(), 1}, 1}};
  CHECK(refused(e));
  e = sample(1);
  for (int i = 1; i <= 16; ++i) e.deps.push_back({{e.topic, static_cast<std::uint64_t>(i)}, 1, {}});
  CHECK(refused(e)); // 15 and the own previous are 16
}

TEST_CASE("parcel: a burst has one signature, and each of its events stands alone with its proof") {
  key_event_verifier verifier;
  std::vector<topic_event> events;
  for (std::uint64_t i = 1; i <= 7; ++i) events.push_back(sample(1, i));
  const auto sealed = parcel_of(1, events);
  const auto read = read_parcel(sealed.wire);
  REQUIRE(read);
  CHECK(read->publisher == key_of(1).identity());
  CHECK(read->ids == sealed.ids);
  CHECK(verify_parcel(*read, verifier));
  for (std::size_t i = 0; i < 7; ++i) {
    CHECK(equal(read->events[i], sealed.events[i]));
    const auto alone = read_parcel(shared_bytes{parcel_alone(sealed, i)});
    REQUIRE(alone);
    CHECK(alone->ids == std::vector{sealed.ids[i]});
    CHECK(verify_parcel(*alone, verifier));
    CHECK(parcel_alone(*alone, 0) == parcel_alone(sealed, i)); // travels on as it came
  }
}

TEST_CASE("parcel: an altered octet anywhere is refused") {
  key_event_verifier verifier;
  for (const auto& sealed : {parcel_of(1, {sample(1)}), parcel_of(1, {sample(1, 1), sample(1, 2)})}) {
    for (std::size_t i = 0; i < sealed.wire.size(); ++i) {
      auto octets = to_bytes(sealed.wire.view());
      octets[i] ^= std::byte{1};
      const auto read = read_parcel(shared_bytes{octets});
      CHECK_FALSE((read && verify_parcel(*read, verifier)));
    }
  }
}

TEST_CASE("parcel: an event signed by somebody else than its publisher does not verify") {
  key_event_verifier verifier;
  const auto read = read_parcel(parcel_of(2, {sample(1)}).wire);
  REQUIRE(read);
  CHECK(verify_parcel(*read, verifier).code() == errc::bad_signature);
}

TEST_CASE("fork proof: two signed events for one place prove it, anything less does not") {
  key_event_verifier verifier;
  auto other = sample(1, 3);
  other.body = shared_bytes{to_bytes("something else")};
  auto a = parcel_alone(parcel_of(1, {sample(1, 3)}), 0), b = parcel_alone(parcel_of(1, {other}), 0);
  if (event_id(encode(other)) < event_id(encode(sample(1, 3)))) std::swap(a, b);
  const auto proof = decode_fork_proof(encode(fork_proof{a, b}), verifier);
  REQUIRE(proof);
  CHECK(forked_event(*proof)->chain == sample(1).chain);
  CHECK_FALSE(decode_fork_proof(encode(fork_proof{b, a}), verifier));
  CHECK_FALSE(decode_fork_proof(encode(fork_proof{a, a}), verifier));
  const auto later = parcel_alone(parcel_of(1, {sample(1, 4)}), 0);
  CHECK_FALSE(decode_fork_proof(encode(fork_proof{a, later}), verifier));
  CHECK_FALSE(decode_fork_proof(encode(fork_proof{later, a}), verifier));
  const auto forged = parcel_alone(parcel_of(2, {other}), 0);
  CHECK_FALSE(decode_fork_proof(encode(fork_proof{a, forged}), verifier));
  CHECK_FALSE(decode_fork_proof(encode(fork_proof{forged, a}), verifier));
}

TEST_CASE("topic advert: signed by the topic, read strictly") {
  topic_advert a;
  a.topic = key_of(5).identity();
  a.version = 3;
  a.domain = key_of(6).identity();
  a.name = "weather";
  a.tags = {"north", "rain"};
  a.publishers = {key_of(1).identity(), key_of(2).identity()};
  std::sort(a.publishers.begin(), a.publishers.end());
  REQUIRE(check(a));
  const auto signed_advert = sign(a, key_of(5));
  const auto read = decode_topic_advert(signed_advert.wire);
  REQUIRE(read);
  CHECK(read->value == a);
  for (std::size_t i = 0; i < signed_advert.wire.size(); ++i) {
    auto octets = signed_advert.wire;
    octets[i] ^= std::byte{1};
    CHECK_FALSE(decode_topic_advert(octets));
  }
  CHECK(may_publish(a, key_of(1).identity(), false));
  CHECK_FALSE(may_publish(a, key_of(3).identity(), true));
  a.publishers.clear();
  CHECK(may_publish(a, key_of(3).identity(), true));
  CHECK_FALSE(may_publish(a, key_of(3).identity(), false));
  a.tags = {"rain", "north"};
  CHECK(check(a).code() == errc::not_canonical);
  a.tags = {"No"};
  CHECK(check(a).code() == errc::bad_value);
}

TEST_CASE("topic advert: a composite topic is signed by enough of its members") {
  std::vector<composite_member> members;
  for (int i = 1; i <= 3; ++i) members.push_back({key_of(i).identity(), 1});
  const auto group = *make_composite(2, members);
  topic_advert a;
  a.topic = identity_of(group);
  a.domain = key_of(6).identity();
  const auto hash = hash_to_sign(a);
  composite_signature sig;
  sig.descriptors = {group};
  sig.members = {sign_member(key_of(1), a.topic, hash), sign_member(key_of(2), a.topic, hash)};
  std::sort(sig.members.begin(), sig.members.end(), [](auto& x, auto& y) { return x.signer < y.signer; });
  CHECK(decode_topic_advert(attach(a, message_signature{sig}).wire));
  sig.members.pop_back();
  CHECK(decode_topic_advert(attach(a, message_signature{sig}).wire).code() == errc::threshold_not_met);
}
