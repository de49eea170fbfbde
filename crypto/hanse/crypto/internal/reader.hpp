// Reads fixed-size fields from received octets without ever passing their end. Big-endian numbers.
// Not the codec of protocols/: for the few binary forms of this layer.
#pragma once

#include "hanse/crypto/bytes.hpp"

#include <algorithm>

namespace hanse::internal {

class reader {
public:
  explicit reader(byte_view rest) : rest_(rest) {}

  /// The next `count` octets, borrowed. Error: `truncated`.
  expected<byte_view> take(std::size_t count) {
    if (rest_.size() < count) return errc::truncated;
    auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  /// The next `Size` octets as an array. Error: `truncated`.
  template <std::size_t Size>
  expected<std::array<std::byte, Size>> take_array() {
    HANSE_TRY(const auto taken, take(Size));
    std::array<std::byte, Size> out;
    std::ranges::copy(taken, out.begin());
    return out;
  }

  /// The next big-endian number of `Size` octets (1..4). Error: `truncated`.
  template <std::size_t Size>
  expected<std::uint32_t> take_number() {
    HANSE_TRY(const auto taken, take(Size));
    std::uint32_t value = 0;
    for (auto octet : taken) value = value << 8 | std::to_integer<std::uint32_t>(octet);
    return value;
  }

  /// Error: `trailing_bytes` unless everything was read.
  expected<unit> finish() const {
    if (!rest_.empty()) return errc::trailing_bytes;
    return ok();
  }

private:
  byte_view rest_;
};

/// Appends `value` as a big-endian number of `Size` octets.
template <std::size_t Size>
void append_number(bytes& out, std::uint32_t value) {
  for (std::size_t i = Size; i > 0; --i) out.push_back(static_cast<std::byte>(value >> (8 * (i - 1)) & 0xff));
}

} // namespace hanse::internal
