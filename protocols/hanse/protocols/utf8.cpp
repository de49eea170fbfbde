// Well-formed UTF-8, as declared in codec.hpp: the rule of RFC 3629, with a fast path for ASCII.
// Not normalisation and not rules for names.
#include "hanse/protocols/codec.hpp"

namespace hanse {

namespace {

/// The most significant bit of every octet of a word: set where a text is not ASCII.
constexpr std::uint64_t not_ascii = 0x8080'8080'8080'8080;

/// The length of the well-formed UTF-8 sequence that `s` begins with, which is not ASCII; 0 if there is none.
std::size_t utf8_sequence(const unsigned char* s, std::size_t left) noexcept {
  const auto follows = [&](std::size_t i) { return (s[i] & 0xc0) == 0x80; };
  const unsigned first = s[0];
  if (first >= 0xc2 && first <= 0xdf) return left >= 2 && follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (left < 3 || !follows(1) || !follows(2)) return 0;
    if (first == 0xe0 && s[1] < 0xa0) return 0; // overlong
    if (first == 0xed && s[1] > 0x9f) return 0; // surrogate
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (left < 4 || !follows(1) || !follows(2) || !follows(3)) return 0;
    if (first == 0xf0 && s[1] < 0x90) return 0; // overlong
    if (first == 0xf4 && s[1] > 0x8f) return 0; // above U+10FFFF
    return 4;
  }
  return 0;
}

} // namespace

bool is_utf8(std::string_view text) noexcept {
  const auto* s = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t i = 0;
  while (i < text.size()) {
    if (text.size() - i >= 8) {
      std::uint64_t word;
      std::memcpy(&word, s + i, 8);
      if ((word & not_ascii) == 0) {
        i += 8;
        continue;
      }
    }
    if (s[i] < 0x80) {
      ++i;
      continue;
    }
    const auto size = utf8_sequence(s + i, text.size() - i);
    if (size == 0) return false;
    i += size;
  }
  return true;
}

} // namespace hanse
