// ERIS read capabilities: octets and URN. See eris.hpp.
#include "hanse/domains/eris.hpp"

#include "hanse/crypto/bech32m.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::string_view prefix = "urn:eris:";
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"; // RFC 4648 section 6

} // namespace

bytes encode(const eris_capability& c) {
  bytes out;
  out.reserve(eris_capability_size);
  out.push_back(static_cast<std::byte>(c.block_size));
  out.push_back(static_cast<std::byte>(c.level));
  append(out, c.root.reference.view());
  append(out, c.root.key);
  return out;
}

expected<eris_capability> decode_eris_capability(byte_view wire) {
  if (wire.size() < eris_capability_size) return errc::truncated;
  if (wire.size() > eris_capability_size) return errc::trailing_bytes;
  eris_capability c;
  c.block_size = static_cast<eris_block_size>(wire[0]);
  if (c.block_size != eris_block_size::small && c.block_size != eris_block_size::large)
    return error{errc::bad_value, "ERIS block size"};
  c.level = static_cast<std::uint8_t>(wire[1]);
  if (c.level > eris_level_max(c.block_size)) return error{errc::too_deep, "ERIS level"};
  std::ranges::copy(wire.subspan(2, 32), c.root.reference.octets.begin());
  std::ranges::copy(wire.subspan(34, 32), c.root.key.begin());
  return c;
}

std::string to_urn(const eris_capability& c) {
  std::string text{prefix};
  for (const auto group : to_groups(encode(c))) text.push_back(alphabet[group]);
  return text;
}

expected<eris_capability> parse_eris_urn(std::string_view text) {
  if (!text.starts_with(prefix)) return error{errc::bad_value, "expected urn:eris:…"};
  text.remove_prefix(prefix.size());
  if (text.size() > 2 * eris_capability_size) return errc::trailing_bytes;
  std::vector<std::uint8_t> groups;
  for (const char c : text) {
    const auto at = alphabet.find(c);
    if (at == std::string_view::npos) return error{errc::bad_value, "a character that is not of base 32"};
    groups.push_back(static_cast<std::uint8_t>(at));
  }
  HANSE_TRY(const auto wire, from_groups(groups));
  return decode_eris_capability(wire);
}

} // namespace hanse
