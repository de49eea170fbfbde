// Bech32m after the reference algorithm of BIP-173 with the constant of BIP-350.
// Not error correction: a damaged text is refused, never repaired.
#include "hanse/crypto/bech32m.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::string_view alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"; // BIP-173
constexpr std::uint32_t bech32m_constant = 0x2bc830a3;                    // BIP-350
constexpr std::size_t checksum_length = 6;
constexpr std::size_t prefix_length_max = 83; // BIP-173

constexpr std::array<std::int8_t, 128> make_group_values() {
  std::array<std::int8_t, 128> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    values[static_cast<std::size_t>(alphabet[i])] = static_cast<std::int8_t>(i);
  return values;
}

constexpr auto group_values = make_group_values();

/// One step of the BCH code: multiplies the remainder by x and adds `group`.
constexpr std::uint32_t polymod_step(std::uint32_t remainder, std::uint32_t group) {
  constexpr std::array<std::uint32_t, 5> generator{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
  const auto top = remainder >> 25;
  remainder = (remainder & 0x1ffffff) << 5 ^ group;
  for (std::size_t i = 0; i < generator.size(); ++i)
    if ((top >> i & 1) != 0) remainder ^= generator[i];
  return remainder;
}

/// The remainder after the expanded prefix and `groups`.
std::uint32_t polymod(std::string_view prefix, std::span<const std::uint8_t> groups) {
  std::uint32_t remainder = 1;
  for (auto c : prefix) remainder = polymod_step(remainder, static_cast<unsigned char>(c) >> 5);
  remainder = polymod_step(remainder, 0);
  for (auto c : prefix) remainder = polymod_step(remainder, static_cast<unsigned char>(c) & 31);
  for (auto group : groups) remainder = polymod_step(remainder, group);
  return remainder;
}

bool is_upper(char c) noexcept {
  return c >= 'A' && c <= 'Z';
}

bool is_lower(char c) noexcept {
  return c >= 'a' && c <= 'z';
}

char to_lower(char c) noexcept {
  return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
}

} // namespace

std::string encode_bech32m(std::string_view prefix, std::span<const std::uint8_t> groups) {
  assert(!prefix.empty() && prefix.size() <= prefix_length_max && std::ranges::none_of(prefix, is_upper));
  auto remainder = polymod(prefix, groups);
  for (std::size_t i = 0; i < checksum_length; ++i) remainder = polymod_step(remainder, 0);
  remainder ^= bech32m_constant;

  std::string text{prefix};
  text.reserve(prefix.size() + 1 + groups.size() + checksum_length);
  text.push_back('1');
  for (auto group : groups) text.push_back(alphabet[group & 31U]);
  for (std::size_t i = 0; i < checksum_length; ++i)
    text.push_back(alphabet[remainder >> (5 * (checksum_length - 1 - i)) & 31]);
  return text;
}

expected<bech32m_text> decode_bech32m(std::string_view text, std::size_t length_max) {
  if (text.size() > length_max) return errc::too_long;
  if (!std::ranges::all_of(text, [](char c) { return c >= '!' && c <= '~'; }))
    return error{errc::bad_value, "a character that bech32m does not have"};
  if (std::ranges::any_of(text, is_upper) && std::ranges::any_of(text, is_lower))
    return error{errc::bad_value, "upper and lower case mixed"};
  const auto separator = text.rfind('1');
  if (separator == std::string_view::npos || separator == 0 || separator > prefix_length_max)
    return error{errc::bad_value, "no prefix before the last 1"};
  if (text.size() - separator - 1 < checksum_length) return error{errc::bad_value, "too short for its checksum"};

  bech32m_text out;
  for (auto c : text.substr(0, separator)) out.prefix.push_back(to_lower(c));
  out.groups.reserve(text.size() - separator - 1);
  for (auto c : text.substr(separator + 1)) {
    const auto group = group_values[static_cast<std::size_t>(to_lower(c))];
    if (group < 0) return error{errc::bad_value, "a character that bech32m does not have"};
    out.groups.push_back(static_cast<std::uint8_t>(group));
  }
  if (polymod(out.prefix, out.groups) != bech32m_constant) return errc::bad_checksum;
  out.groups.erase(out.groups.end() - static_cast<std::ptrdiff_t>(checksum_length), out.groups.end());
  return out;
}

std::vector<std::uint8_t> to_groups(byte_view data) {
  std::vector<std::uint8_t> groups;
  groups.reserve((data.size() * 8 + 4) / 5);
  std::uint32_t pending = 0;
  unsigned bits = 0;
  for (auto octet : data) {
    pending = (pending << 8 | std::to_integer<std::uint32_t>(octet)) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) groups.push_back(pending >> (bits - 5) & 31);
  }
  if (bits > 0) groups.push_back(pending << (5 - bits) & 31);
  return groups;
}

expected<bytes> from_groups(std::span<const std::uint8_t> groups) {
  bytes out;
  out.reserve(groups.size() * 5 / 8);
  std::uint32_t pending = 0;
  unsigned bits = 0;
  for (auto group : groups) {
    if (group > 31) return error{errc::bad_value, "a group of more than 5 bits"};
    pending = (pending << 5 | group) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<std::byte>(pending >> bits & 0xff));
    }
  }
  if (bits >= 5 || (pending & ((1U << bits) - 1)) != 0) return errc::not_canonical;
  return out;
}

} // namespace hanse
