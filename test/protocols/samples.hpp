// What the tests of this layer share: keys by number, sample envelopes and adverts, damage by the bit, seeds.
// Not for other layers' tests.
#pragma once

#include "hanse/protocols/advert.hpp"
#include "hanse/protocols/message_batch.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <initializer_list>
#include <random>

namespace hanse::test {

/// The same key pair for the same number, always.
inline key_pair key(std::uint64_t number) {
  seeded_random random{number};
  return key_pair::generate(random);
}

inline identity id(std::uint64_t number) {
  return key(number).identity();
}

/// A fresh seed, or the one in HANSE_TEST_SEED to replay. A random test shows it with CAPTURE.
inline std::uint64_t fresh_seed() {
  if (const char* given = std::getenv("HANSE_TEST_SEED")) return std::strtoull(given, nullptr, 10);
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

inline bytes octets(std::initializer_list<int> values) {
  bytes out;
  for (int v : values) out.push_back(static_cast<std::byte>(v));
  return out;
}

inline bytes concat(std::initializer_list<byte_view> parts) {
  bytes out;
  for (auto part : parts) append(out, part);
  return out;
}

/// An envelope with every optional field set, of any kind.
inline envelope full_envelope(message_kind kind, std::string_view body = "a body") {
  envelope e;
  e.source = id(1);
  e.destination = id(2);
  e.id = 1'700'000'000'000'001;
  if (kind == message_kind::reply || kind == message_kind::fault) e.in_reply_to = 1'700'000'000'000'000;
  e.kind = kind;
  e.protocol = {"hanse.test", 1, 2};
  e.sent_ms = 1'700'000'000'000;
  e.ttl_ms = 20'000;
  e.routing = {scope_kind::domain, id(3), 128, 250};
  e.transport = {true, true, security_kind::any};
  e.stream = stream_position{1'699'999'999'999, 7, {{id(4), id(2), 5, 6, 1'700'000'000'500}}};
  e.trace.octets.fill(std::byte{0xab});
  e.body = shared_bytes::copy_of(as_byte_view(body));
  return e;
}

/// An envelope with nothing optional.
inline envelope plain_envelope(std::uint64_t number = 1, std::string_view body = "hi") {
  envelope e;
  e.source = id(1);
  e.destination = id(2);
  e.id = number;
  e.protocol = {"t", 1, 0};
  e.sent_ms = 1'700'000'000'000;
  e.body = shared_bytes::copy_of(as_byte_view(body));
  return e;
}

inline constexpr std::array all_kinds{message_kind::tell, message_kind::ask, message_kind::reply, message_kind::fault};

inline node_advert sample_node_advert() {
  return {id(1), 1'700'000'000'000, {{"tls://192.0.2.7:4040", 10}, {"unix:///run/h", 1}}, {{"join", 1, 0}}, "Knoten ä"};
}

inline engine_advert sample_engine_advert() {
  return {id(5), id(1), 3, {{"join", 1, 0}, {"chat.v2", 2, 300}}, "engine"};
}

/// Calls `judge` with every input that differs from `good` in one bit.
template <class Judge>
void for_each_bit_flip(byte_view good, Judge judge) {
  bytes bad = to_bytes(good);
  for (std::size_t i = 0; i < bad.size() * 8; ++i) {
    const auto mask = static_cast<std::byte>(1U << (i % 8));
    bad[i / 8] ^= mask;
    CAPTURE(i);
    judge(byte_view{bad});
    bad[i / 8] ^= mask;
  }
}

/// Calls `judge` with every proper prefix of `good`, and with one octet appended, of every value.
template <class Judge>
void for_each_other_length(byte_view good, Judge judge) {
  for (std::size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    judge(good.first(size));
  }
  bytes longer = to_bytes(good);
  longer.push_back({});
  for (int more = 0; more < 256; ++more) {
    CAPTURE(more);
    longer.back() = static_cast<std::byte>(more);
    judge(byte_view{longer});
  }
}

} // namespace hanse::test
