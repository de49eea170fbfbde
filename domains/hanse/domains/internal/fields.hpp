// Fields that several structures of domains share on the wire: identities, nonces, heads of bodies, names for people.
// Not installed; not for other layers.
#pragma once

#include "hanse/crypto/identity.hpp"
#include "hanse/protocols/codec.hpp"

#include <algorithm>

namespace hanse::internal {

/// 33 octets with the key checked: domains, members and introducers are kept and used as addresses.
inline identity read_address(msgpack_reader& in) {
  const auto octets = in.blob_exactly(identity::size_bytes);
  if (!in.good()) return {};
  auto id = identity::decode(octets);
  if (id) return *id;
  in.fail(id.error());
  return {};
}

/// Exactly `Size` octets.
template <std::size_t Size>
std::array<std::byte, Size> read_octets(msgpack_reader& in) {
  std::array<std::byte, Size> out{};
  const auto octets = in.blob_exactly(Size);
  if (in.good()) std::ranges::copy(octets, out.begin());
  return out;
}

/// Whether `text` is UTF-8 without control characters (U+0000..U+001F, U+007F..U+009F).
inline bool is_plain_text(std::string_view text) noexcept {
  if (!is_utf8(text)) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) return false;
    if (c == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0) return false;
  }
  return true;
}

} // namespace hanse::internal
