// Errors, octets, hashes and random sources. Known hashes are the output of coreutils' `b2sum -l 256`,
// known random octets that of `openssl enc -chacha20`.
#include "helpers.hpp"

#include "hanse/crypto/secret_bytes.hpp"

#include <set>

using namespace hanse;
using namespace hanse::test;

TEST_CASE("every error code has a name of its own, and other numbers are unknown") {
  std::set<std::string_view> names;
  int known = 0;
  for (int number = 0; number < 256; ++number) {
    const auto octet = static_cast<std::uint8_t>(number);
    const auto name = to_string(static_cast<errc>(octet));
    CHECK((name != "unknown") == is_known_errc(octet));
    if (!is_known_errc(octet)) continue;
    ++known;
    names.insert(name);
  }
  CHECK(static_cast<int>(names.size()) == known);
  CHECK(known == 10 + 8 + 12 + 13 + 9);
  CHECK(to_string(errc::none) == "none");
  CHECK(to_string(errc::decryption_failed) == "decryption_failed");
  CHECK(to_string(errc::in_doubt) == "in_doubt");
  CHECK(to_string(errc::duplicate_link) == "duplicate_link");
  CHECK(to_string(errc::internal) == "internal");
}

TEST_CASE("an error reads as its code and its detail") {
  CHECK(to_string(error{errc::expired}) == "expired");
  CHECK(to_string(error{errc::io_error, "disk full"}) == "io_error: disk full");
}

TEST_CASE("expected holds a value or an error, and the macros hand errors on") {
  const auto half = [](int n) -> expected<int> {
    if (n % 2 != 0) return error{errc::bad_value, "odd"};
    return n / 2;
  };
  const auto quarter = [&](int n) -> expected<int> {
    HANSE_TRY(const auto h, half(n));
    HANSE_CHECK(half(h));
    return half(h);
  };
  CHECK(*quarter(12) == 3);
  CHECK(quarter(12).code() == errc::none);
  CHECK(quarter(6).code() == errc::bad_value);
  CHECK(quarter(5).error().detail == "odd");
}

TEST_CASE("hexadecimal is read back, in either case, and nothing else is read") {
  bytes all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<std::byte>(i));
  CHECK(to_hex(all).substr(0, 8) == "00010203");
  CHECK(from_hex(to_hex(all)).value() == all);
  CHECK(from_hex("aBfF").value() == unhex("abff"));
  for (auto bad : {"a", "0g", "g0", "0x", " 0", "00 ", "/0", ":0", "@0", "`0"}) {
    CAPTURE(bad);
    CHECK(from_hex(bad).code() == errc::bad_value);
  }
}

TEST_CASE("BLAKE2b-256 gives the known digests, in one part or in several") {
  CHECK(to_hex(hash_of("").view()) == "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
  CHECK(to_hex(hash_of("abc").view()) == "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
  bytes all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<std::byte>(i));
  CHECK(to_hex(blake2b_256(all).view()) == "39a7eb9fedc19aabc83425c6755dd90e6f9d0c804964a1f4aaeea3b9fb599835");
  const byte_view view = all;
  CHECK(blake2b_256({view.first(100), view.subspan(100, 0), view.subspan(100)}) == blake2b_256(all));
}

TEST_CASE("a seeded source gives the same octets everywhere, however they are asked for") {
  seeded_random once{1};
  bytes stream(1024);
  once.fill(stream);
  const auto block = [&](std::size_t i) { return to_hex(byte_view{stream}.subspan(i * 512, 32)); };
  CHECK(block(0) == "c5d30a7ce1ec119378c84f487d775a8542f13ece238a9455e8229e888de85bbd");
  CHECK(block(1) == "e61f1002d068a0328b71da43e674ecd7cd84552b00ddd301bd1d153d0c809ddc");

  seeded_random piecewise{1};
  bytes pieces;
  for (std::size_t size = 0; pieces.size() < stream.size(); ++size) {
    bytes piece(std::min(size, stream.size() - pieces.size()));
    piecewise.fill(piece);
    append(pieces, piece);
  }
  CHECK(pieces == stream);
  CHECK(seeded_random{1}.next_u64() == 0xc5d30a7ce1ec1193);
  CHECK(seeded_random{2}.next_u64() != seeded_random{1}.next_u64());
}

TEST_CASE("the system source does not repeat itself") {
  system_random random;
  CHECK(random.next_u64() != random.next_u64());
}

namespace {

/// Gives the numbers it was made with.
class scripted_random final : public random_source {
public:
  explicit scripted_random(std::vector<std::uint64_t> numbers) : numbers_(std::move(numbers)) {}
  void fill(std::span<std::byte> out) override {
    REQUIRE(out.size() == 8);
    REQUIRE(next_ < numbers_.size());
    for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<std::byte>(numbers_[next_] >> (56 - 8 * i));
    ++next_;
  }

private:
  std::vector<std::uint64_t> numbers_;
  std::size_t next_ = 0;
};

} // namespace

TEST_CASE("a number below a bound is in range, and the values that would bias it are drawn again") {
  seeded_random random{7};
  for (std::uint64_t bound : {1ULL, 2ULL, 3ULL, 1000ULL, 1ULL << 63, ~0ULL})
    for (int i = 0; i < 100; ++i) CHECK(random.below(bound) < bound);
  // 2^64 mod 3 = 1: only the value 0 is over.
  CHECK(scripted_random{{0, 5}}.below(3) == 2);
  CHECK(scripted_random{{1}}.below(3) == 1);
}

TEST_CASE("wiping leaves zeros") {
  auto secret = to_secret("passphrase");
  CHECK(as_text(secret) == "passphrase");
  wipe(secret);
  CHECK(equal(secret, bytes(10)));
}
