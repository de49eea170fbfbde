// Hexadecimal. Not constant-time: for public octets, never for secrets.
#include "hanse/crypto/bytes.hpp"

namespace hanse {

namespace {

/// The value of a hexadecimal digit, or -1.
int digit_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

} // namespace

std::string to_hex(byte_view view) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(view.size() * 2);
  for (auto octet : view) {
    auto value = std::to_integer<unsigned>(octet);
    text.push_back(digits[value >> 4]);
    text.push_back(digits[value & 15]);
  }
  return text;
}

expected<bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return error{errc::bad_value, "an odd number of hexadecimal digits"};
  bytes out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    auto high = digit_value(text[i]);
    auto low = digit_value(text[i + 1]);
    if (high < 0 || low < 0) return error{errc::bad_value, "not a hexadecimal digit"};
    out.push_back(static_cast<std::byte>(high << 4 | low));
  }
  return out;
}

} // namespace hanse
