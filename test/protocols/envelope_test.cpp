// Envelopes: every field there and back, every rule, every single damage; times.
// Not their signatures (message_batch_test.cpp).
#include "protocols/allocations.hpp"
#include "protocols/samples.hpp"

#include <algorithm>
#include <functional>

using namespace hanse;
using namespace hanse::test;

namespace {

errc decode_error(bytes wire) {
  return decode_envelope(shared_bytes{std::move(wire)}).code();
}

/// The elements of an encoded envelope, to be replaced one by one.
std::vector<bytes> elements_of(const envelope& e) {
  const auto wire = encode(e);
  msgpack_reader in{wire};
  in.array_exactly(envelope_field_count);
  std::vector<bytes> elements;
  for (std::size_t i = 0; i < envelope_field_count; ++i) elements.push_back(to_bytes(in.raw()));
  REQUIRE(in.finish());
  return elements;
}

bytes joined(const std::vector<bytes>& elements) {
  msgpack_writer out;
  out.array(elements.size());
  for (const auto& element : elements) out.raw(element);
  return std::move(out).take();
}

/// The places of the fields in the array, as docs/wire.md numbers them.
enum field : std::size_t {
  version,
  source,
  destination,
  message,
  in_reply_to,
  kind,
  protocol,
  sent,
  ttl,
  scope,
  domain,
  trust,
  rtt,
  ordered,
  reliable,
  security,
  stream,
  trace,
  body
};

bytes number(std::uint64_t value) {
  msgpack_writer out;
  out.unsigned_integer(value);
  return std::move(out).take();
}

bytes blob(byte_view value) {
  msgpack_writer out;
  out.blob(value);
  return std::move(out).take();
}

/// What decoding says when one element is replaced.
errc with(const envelope& e, field place, bytes element) {
  auto elements = elements_of(e);
  elements[place] = std::move(element);
  return decode_error(joined(elements));
}

const bytes nil = octets({0xc0});

envelope with_deps(std::vector<causal_dep> deps) {
  auto e = full_envelope(message_kind::tell);
  e.stream->deps = std::move(deps);
  return e;
}

} // namespace

TEST_CASE("an envelope of every kind reads back as it was written") {
  for (auto kind : all_kinds) {
    const auto e = full_envelope(kind);
    const shared_bytes wire{encode(e)};
    const auto back = decode_envelope(wire);
    REQUIRE(back);
    CHECK(*back == e);
    CHECK(source_of(wire.view()).value() == e.source);
  }
  const auto plain = plain_envelope();
  CHECK(*decode_envelope(shared_bytes{encode(plain)}) == plain);
}

TEST_CASE("a decoded body is a slice of the wire") {
  const shared_bytes wire{encode(full_envelope(message_kind::ask))};
  const auto e = decode_envelope(wire);
  const auto part = e->body.view();
  CHECK(part.data() > wire.view().data());
  CHECK(part.data() + part.size() == wire.view().data() + wire.size());
}

TEST_CASE("values at their limits read back") {
  auto e = full_envelope(message_kind::reply);
  e.id = e.in_reply_to = e.sent_ms = wire_number_max;
  e.ttl_ms = ttl_max_ms;
  e.protocol = {std::string(protocol_name_size_max, 'z'), 65535, 65535};
  e.routing.trust_min = 255;
  e.routing.rtt_max_ms = UINT32_MAX;
  e.stream->epoch = e.stream->seq = wire_number_max;
  e.stream->deps.clear();
  for (std::uint64_t seq = 1; seq <= causal_deps_max; ++seq)
    e.stream->deps.push_back({id(4), id(2), wire_number_max, seq, wire_number_max});
  e.body = shared_bytes{bytes(body_size_max)};
  REQUIRE(check(e));
  const shared_bytes wire{encode(e)};
  CHECK(wire.size() <= envelope_size_max);
  CHECK(*decode_envelope(wire) == e);
  e.destination = identity::trusted(identity_kind::composite, std::span<const std::byte, 32>{id(9).octets()});
  CHECK(*decode_envelope(shared_bytes{encode(e)}) == e);
}

TEST_CASE("an envelope goes at the end of a buffer in one allocation") {
  const auto e = full_envelope(message_kind::ask);
  const auto wire = encode(e);
  CHECK(allocations_by([&] { encode(e); }) == 1);
  bytes buffer = octets({1, 2, 3});
  CHECK(encode_to(buffer, e) == wire.size());
  CHECK(equal(byte_view{buffer}.subspan(3), wire));
  CHECK(equal(byte_view{buffer}.first(3), octets({1, 2, 3})));
  bytes roomy;
  roomy.reserve(4096);
  CHECK(allocations_by([&] { encode_to(roomy, e); }) == 0);
  bytes many; // appending stays linear: the buffer grows geometrically
  CHECK(allocations_by([&] {
          for (int i = 0; i < 1000; ++i) encode_to(many, e);
        }) < 20);
}

TEST_CASE("decoding allocates only for the envelope's own lists and names") {
  const shared_bytes wire{encode(plain_envelope())};
  CHECK(allocations_by([&] { CHECK_FALSE(!decode_envelope(wire)); }) == 0);
}

TEST_CASE("every flipped bit of an envelope is refused, or read as what it says and never as the original") {
  for (auto kind : all_kinds) {
    const auto e = full_envelope(kind);
    for_each_bit_flip(encode(e), [&](byte_view bad) {
      const auto other = decode_envelope(shared_bytes::copy_of(bad));
      if (!other) {
        CHECK(other.code() != errc::internal);
        return;
      }
      CHECK(*other != e);
      CHECK(equal(encode(*other), bad));
    });
  }
}

TEST_CASE("every truncation of an envelope and every appended octet is refused") {
  for (auto kind : all_kinds) {
    for_each_other_length(encode(full_envelope(kind)), [&](byte_view bad) {
      const auto code = decode_error(to_bytes(bad));
      CHECK((code == errc::truncated || code == errc::trailing_bytes));
    });
  }
}

TEST_CASE("an element more or fewer, or another version, is refused") {
  auto elements = elements_of(full_envelope(message_kind::tell));
  elements.push_back(nil);
  CHECK(decode_error(joined(elements)) == errc::bad_value);
  elements.resize(envelope_field_count - 1);
  CHECK(decode_error(joined(elements)) == errc::bad_value);
  const auto e = full_envelope(message_kind::tell);
  CHECK(with(e, version, number(0)) == errc::bad_version);
  CHECK(with(e, version, number(2)) == errc::bad_version);
  elements = elements_of(e);
  elements[version] = number(2); // a later version may have more fields
  elements.push_back(nil);
  const auto later = joined(elements);
  CHECK(decode_error(later) == errc::bad_version);
  CHECK(source_of(later).code() == errc::bad_version);
}

TEST_CASE("an identity must be of a known kind and of 33 octets") {
  const auto e = full_envelope(message_kind::tell);
  for (auto place : {source, destination, domain}) {
    CAPTURE(place);
    CHECK(with(e, place, blob(identity{}.wire())) == errc::bad_type);
    bytes other = to_bytes(id(1).wire());
    other[0] = std::byte{3};
    CHECK(with(e, place, blob(other)) == errc::bad_type);
    CHECK(with(e, place, blob(byte_view{other}.first(32))) == errc::bad_value);
    other.push_back({});
    CHECK(with(e, place, blob(other)) == errc::too_long);
  }
  CHECK(with(e, source, nil) == errc::bad_type);
  CHECK(with(e, destination, nil) == errc::bad_type);
}

TEST_CASE("a message has an id, and only answers name what they answer") {
  for (auto kind : all_kinds) {
    const auto e = full_envelope(kind);
    const bool answers = kind == message_kind::reply || kind == message_kind::fault;
    CHECK(with(e, message, number(0)) == errc::bad_value);
    CHECK(with(e, message, number(wire_number_max + 1)) == errc::bad_value);
    CHECK(with(e, in_reply_to, number(answers ? 0 : 5)) == errc::bad_value);
    CHECK(with(e, in_reply_to, number(wire_number_max + 1)) == errc::bad_value);
  }
  CHECK(with(full_envelope(message_kind::tell), field::kind, number(4)) == errc::bad_value);
}

TEST_CASE("times are in range") {
  const auto e = full_envelope(message_kind::tell);
  CHECK(with(e, sent, number(wire_number_max + 1)) == errc::bad_value);
  CHECK(with(e, sent, number(UINT64_MAX)) == errc::bad_value);
  CHECK(with(e, ttl, number(0)) == errc::bad_value);
  CHECK(with(e, ttl, number(ttl_max_ms)) == errc::none);
  CHECK(with(e, ttl, number(ttl_max_ms + 1)) == errc::bad_value);
}

TEST_CASE("a domain is given with the scope domain and only there") {
  const auto e = full_envelope(message_kind::tell);
  CHECK(with(e, domain, nil) == errc::bad_value);
  CHECK(with(e, scope, number(0)) == errc::bad_value);
  CHECK(with(e, scope, number(1)) == errc::bad_value);
  CHECK(with(e, scope, number(3)) == errc::bad_value);
  CHECK(with(plain_envelope(), domain, blob(id(3).wire())) == errc::bad_value);
  CHECK(with(plain_envelope(), scope, number(2)) == errc::bad_value);
  CHECK(with(plain_envelope(), scope, number(1)) == errc::none);
  CHECK(with(plain_envelope(), scope, number(3)) == errc::bad_value);
}

TEST_CASE("preferences are in range") {
  const auto e = full_envelope(message_kind::tell);
  CHECK(with(e, trust, number(256)) == errc::bad_value);
  CHECK(with(e, rtt, number(std::uint64_t{1} << 32)) == errc::bad_value);
  CHECK(with(e, ordered, number(1)) == errc::bad_type);
  CHECK(with(e, reliable, nil) == errc::bad_type);
  CHECK(with(e, security, number(2)) == errc::bad_value);
}

TEST_CASE("the wish for datagrams stays with the sender") {
  auto e = full_envelope(message_kind::tell);
  const auto wire = encode(e);
  e.transport.datagrams = true;
  CHECK(encode(e) == wire);
}

TEST_CASE("no trace is written as nil, not as zeros") {
  const auto e = full_envelope(message_kind::tell);
  CHECK(with(e, trace, blob(bytes(16))) == errc::not_canonical);
  CHECK(with(e, trace, blob(bytes(15, std::byte{1}))) == errc::bad_value);
  CHECK(with(e, trace, nil) == errc::none);
}

TEST_CASE("a stream's dependencies ascend strictly and are bounded") {
  const causal_dep a{id(4), id(2), 5, 6, 7};
  auto b = a;
  b.seq = 7;
  CHECK(check(with_deps({a, b})));
  CHECK(check(with_deps({b, a})).code() == errc::not_canonical);
  CHECK(check(with_deps({a, a})).code() == errc::not_canonical);
  CHECK(check(with_deps(std::vector<causal_dep>(causal_deps_max + 1, a))).code() == errc::too_long);

  const auto stream_of = [](std::uint64_t seq, const std::vector<causal_dep>& deps) {
    msgpack_writer out;
    out.array(3);
    out.unsigned_integer(1);
    out.unsigned_integer(seq);
    out.array(deps.size());
    for (const auto& dep : deps) {
      out.array(5);
      out.blob(dep.source.wire());
      out.blob(dep.destination.wire());
      out.unsigned_integer(dep.epoch);
      out.unsigned_integer(dep.seq);
      out.unsigned_integer(dep.expires_ms);
    }
    return std::move(out).take();
  };
  const auto e = full_envelope(message_kind::tell);
  CHECK(with(e, stream, stream_of(1, {a, b})) == errc::none);
  CHECK(with(e, stream, stream_of(1, {b, a})) == errc::not_canonical);
  CHECK(with(e, stream, stream_of(1, {a, a})) == errc::not_canonical);
  CHECK(with(e, stream, stream_of(0, {})) == errc::bad_value);
  b.seq = 0;
  CHECK(with(e, stream, stream_of(1, {b})) == errc::bad_value);
  b = a;
  b.expires_ms = wire_number_max + 1;
  CHECK(with(e, stream, stream_of(1, {b})) == errc::bad_value);
  std::vector<causal_dep> many;
  for (std::uint64_t seq = 1; seq <= causal_deps_max + 1; ++seq) many.push_back({id(4), id(2), 1, seq, 1});
  CHECK(with(e, stream, stream_of(1, many)) == errc::too_long);
  CHECK(with(e, stream, nil) == errc::none);
  CHECK(with(e, stream, number(1)) == errc::bad_type);
}

TEST_CASE("a stream that promises many dependencies allocates little") {
  msgpack_writer out;
  out.array(3);
  out.unsigned_integer(1);
  out.unsigned_integer(1);
  out.array(50'000);
  for (int i = 0; i < 50'000; ++i) out.nil();
  auto elements = elements_of(full_envelope(message_kind::tell));
  elements[stream] = std::move(out).take();
  const shared_bytes wire{joined(elements)};
  CHECK(octets_allocated_by([&] { CHECK_FALSE(decode_envelope(wire)); }) < 64 * 1024);
}

TEST_CASE("a body and an envelope over their sizes are too long") {
  CHECK(with(full_envelope(message_kind::tell), body, blob(bytes(body_size_max + 1))) == errc::too_long);
  CHECK(with(full_envelope(message_kind::tell), body, blob(bytes(envelope_size_max))) == errc::too_long);
  CHECK(with(full_envelope(message_kind::tell), body, octets({0xa0})) == errc::bad_type);
}

TEST_CASE("check names the rule that a sender breaks") {
  const auto broken = [](const std::function<void(envelope&)>& change) {
    auto e = full_envelope(message_kind::tell);
    change(e);
    return check(e).code();
  };
  CHECK(broken([](auto&) {}) == errc::none);
  CHECK(broken([](auto& e) { e.id = 0; }) == errc::bad_value);
  CHECK(broken([](auto& e) { e.in_reply_to = 1; }) == errc::bad_value);
  CHECK(broken([](auto& e) { e.kind = message_kind::reply; }) == errc::bad_value);
  CHECK(broken([](auto& e) { e.sent_ms = UINT64_MAX; }) == errc::bad_value);
  CHECK(broken([](auto& e) { e.ttl_ms = 0; }) == errc::bad_value);
  CHECK(broken([](auto& e) { e.ttl_ms = ttl_max_ms + 1; }) == errc::bad_value);
  CHECK(broken([](auto& e) { e.routing.scope = scope_kind::any; }) == errc::bad_value);
  CHECK(broken([](auto& e) { e.routing.domain = {}; }) == errc::bad_value);
  CHECK(broken([](auto& e) { e.stream->seq = 0; }) == errc::bad_value);
  CHECK(broken([](auto& e) { e.stream->epoch = UINT64_MAX; }) == errc::bad_value);
  CHECK(broken([](auto& e) { e.body = shared_bytes{bytes(body_size_max + 1)}; }) == errc::too_long);
}

TEST_CASE("a message is in time within the allowed skew, to the millisecond") {
  auto e = plain_envelope();
  e.sent_ms = 1'000'000;
  e.ttl_ms = 500;
  CHECK(check_time(e, 1'000'000));
  CHECK(check_time(e, e.expires_ms() + clock_skew_max_ms));
  CHECK(check_time(e, e.expires_ms() + clock_skew_max_ms + 1).code() == errc::expired);
  CHECK(check_time(e, e.sent_ms - clock_skew_max_ms));
  CHECK(check_time(e, e.sent_ms - clock_skew_max_ms - 1).code() == errc::clock_skew);
  e.sent_ms = wire_number_max;
  CHECK(check_time(e, 0).code() == errc::clock_skew);
  e.sent_ms = 0;
  CHECK(check_time(e, UINT64_MAX).code() == errc::expired);
  CHECK(check_time(e, 0));
}
