// An event that is larger than an event may be: its body is content of the domain (docs/blocks.md), and what travels as
// the event is the capability. Octets: docs/topics.md. Not the putting and getting (topic_contents.cpp).
#pragma once

#include "hanse/domains/eris.hpp"

namespace hanse {

inline constexpr std::byte event_content_mark{0xc1}; ///< begins no msgpack value: its specification never uses it
inline constexpr std::byte event_content_version{1};
inline constexpr std::size_t event_content_max = 4 * 1024 * 1024; ///< octets of such a body; a guess

/// 68 octets.
inline bytes encode_event_content(const eris_capability& c) {
  bytes body{event_content_mark, event_content_version};
  append(body, encode(c));
  return body;
}

inline bool is_event_content(byte_view body) noexcept {
  return !body.empty() && body.front() == event_content_mark;
}

/// Errors: `bad_version`, those of decode_eris_capability.
inline expected<eris_capability> decode_event_content(byte_view body) {
  if (body.size() < 2 || body[1] != event_content_version) return errc::bad_version;
  return decode_eris_capability(body.subspan(2));
}

} // namespace hanse
