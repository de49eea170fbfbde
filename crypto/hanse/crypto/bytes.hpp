// Bytes and hexadecimal: the vocabulary types for octets, shared by every layer.
// Not an encoding of structured data (protocols/codec.hpp) and not a secret container (secret_bytes.hpp).
#pragma once

#include "hanse/crypto/error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hanse {

/// An owned sequence of octets.
using bytes = std::vector<std::byte>;

/// A borrowed sequence of octets; never outlives the call it is passed to unless stated.
using byte_view = std::span<const std::byte>;

/// The octets of `text`, borrowed.
inline byte_view as_byte_view(std::string_view text) noexcept {
  return std::as_bytes(std::span{text.data(), text.size()});
}

/// `view` read as characters, borrowed.
inline std::string_view as_text(byte_view view) noexcept {
  return {reinterpret_cast<const char*>(view.data()), view.size()};
}

/// `view` as the octet pointer that C libraries take.
inline const std::uint8_t* as_octets(byte_view view) noexcept {
  return reinterpret_cast<const std::uint8_t*>(view.data());
}

template <std::size_t Extent>
std::uint8_t* as_octets(std::span<std::byte, Extent> view) noexcept {
  return reinterpret_cast<std::uint8_t*>(view.data());
}

/// A copy of `view`.
inline bytes to_bytes(byte_view view) {
  return {view.begin(), view.end()};
}

inline bytes to_bytes(std::string_view text) {
  return to_bytes(as_byte_view(text));
}

/// Appends a copy of `more`, which is not a part of `out`.
inline void append(bytes& out, byte_view more) {
  const auto size = out.size(); // not insert(): GCC 12 sees overflows in it that are not there
  out.resize(size + more.size());
  if (!more.empty()) std::memcpy(out.data() + size, more.data(), more.size());
}

inline bool equal(byte_view a, byte_view b) noexcept {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

/// Lower-case hexadecimal, two digits an octet.
std::string to_hex(byte_view view);

/// Reads lower- or upper-case hexadecimal. Errors: `bad_value` for an odd length or another character.
expected<bytes> from_hex(std::string_view text);

} // namespace hanse
