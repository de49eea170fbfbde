// Where the record boundaries of a TLS stream are (RFC 8446 section 5.1). Private to transport.
// Not a parser of records: their contents pass by.
#pragma once

#include "hanse/crypto/bytes.hpp"

#include <algorithm>

namespace hanse::internal {

/// Follows the record headers of the incoming stream, to know whether a record is under way.
class record_tracker {
public:
  void pass(byte_view octets) noexcept {
    while (!octets.empty()) {
      if (body_left_ == 0) {
        if (header_have_ >= 3) length_ = length_ << 8 | std::to_integer<std::size_t>(octets[0]);
        octets = octets.subspan(1);
        if (++header_have_ < 5) continue;
        body_left_ = length_;
        header_have_ = length_ = 0;
      } else {
        const auto n = std::min(body_left_, octets.size());
        body_left_ -= n;
        octets = octets.subspan(n);
      }
    }
  }
  bool partial() const noexcept { return header_have_ != 0 || body_left_ != 0; }

private:
  std::size_t header_have_ = 0, length_ = 0, body_left_ = 0;
};

} // namespace hanse::internal
