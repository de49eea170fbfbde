// Fragments: round trips in any order, and the bounds of what is kept of unfinished messages.
#include "hanse/crypto/random.hpp"
#include "hanse/transport/fragments.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace hanse;

namespace {

bytes noise(std::size_t size, std::uint64_t seed) {
  seeded_random random{seed};
  bytes out(size);
  random.fill(out);
  return out;
}

} // namespace

TEST_CASE("messages of any size come together again, whatever order their fragments take") {
  seeded_random random{11};
  for (std::size_t size : {1u, 92u, 93u, 94u, 1'000u, 93u * 64u}) {
    CAPTURE(size);
    const auto message = noise(size, size);
    auto pieces = *cut(3, 0x01020304, message, 100);
    CHECK(pieces.size() == (size + 92) / 93);
    for (std::size_t i = pieces.size(); i > 1; --i) std::swap(pieces[i - 1], pieces[random.below(i)]);
    reassembly in;
    std::optional<whole_message> whole;
    for (const auto& p : pieces) {
      CHECK(p.size() <= 100);
      CHECK_FALSE(whole);
      whole = *in.receive(p, 0);
    }
    REQUIRE(whole);
    CHECK(whole->kind == 3);
    CHECK(whole->number == 0x01020304);
    CHECK(whole->octets == message);
    CHECK(in.octets() == 0);
  }
  CHECK(cut(1, 1, {}, 100).code() == errc::bad_value);
  CHECK(cut(1, 1, noise(93 * 64 + 1, 1), 100).code() == errc::too_long);
}

TEST_CASE("a fragment that came before, or that does not fit, changes nothing") {
  const auto message = noise(200, 1);
  const auto pieces = *cut(1, 5, message, 100);
  const auto other_kind = *cut(2, 5, message, 100), other_count = *cut(1, 5, message, 60);
  reassembly in;
  CHECK_FALSE(*in.receive(pieces[0], 0));
  CHECK_FALSE(*in.receive(pieces[0], 0));
  CHECK(in.octets() == 93);
  CHECK(in.receive(other_kind[1], 0).code() == errc::not_canonical);
  CHECK(in.receive(other_count[1], 0).code() == errc::not_canonical);
  CHECK_FALSE(*in.receive(pieces[1], 0));
  CHECK((*in.receive(pieces[2], 0))->octets == message);
}

TEST_CASE("malformed fragments are refused") {
  reassembly in;
  const auto good = cut(1, 5, noise(200, 1), 100)->front();
  for (std::size_t n = 0; n <= fragment_header_size; ++n)
    CHECK(in.receive(byte_view{good}.first(n), 0).code() == errc::truncated);
  bytes bad = good;
  bad[6] = std::byte{0};
  CHECK(in.receive(bad, 0).code() == errc::bad_value);
  bad[6] = std::byte{fragments_max + 1};
  CHECK(in.receive(bad, 0).code() == errc::bad_value);
  bad[5] = bad[6] = std::byte{2};
  CHECK(in.receive(bad, 0).code() == errc::bad_value);
  CHECK(in.partial() == 0);
}

TEST_CASE("unfinished messages are bounded in number, octets and age") {
  reassembly in;
  for (std::uint32_t n = 0; n < 1'000; ++n) {
    (void)in.receive(cut(1, n, noise(200, n), 100)->front(), n / 100);
    CHECK(in.partial() <= partial_messages_max);
  }
  CHECK(in.lost() == 1'000 - partial_messages_max);
  CHECK(in.next_timer());
  in.tick(9 + partial_age_max_ms);
  CHECK(in.partial() == 0);
  CHECK(in.octets() == 0);
  CHECK_FALSE(in.next_timer());
  // 63 of 64 fragments of 40 messages: 3.3 MB at once, were there no bound.
  for (std::uint32_t n = 0; n < 40; ++n) {
    const auto pieces = *cut(1, n, noise(1'300 * 64, n), 1'307);
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i) {
      (void)in.receive(pieces[i], 10'000);
      CHECK(in.octets() <= partial_octets_max);
    }
  }
}
