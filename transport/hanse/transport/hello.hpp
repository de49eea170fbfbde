// The first and the last frame of a link: hello (who speaks what) and bye (why the link ends).
// Not the handshake of the channel (secure_session.hpp); both travel inside it. Layout: docs/wire.md "Frames and
// links".
#pragma once

#include "hanse/protocols/advert.hpp"

namespace hanse {

inline constexpr std::uint16_t hello_version = 1;
inline constexpr std::size_t bye_text_max = 256; ///< octets; longer texts are cut
inline constexpr std::string_view link_protocol_name = "link";

/// The link protocol of this build.
inline const protocol_id link_protocol{std::string{link_protocol_name}, 1, 0};

/// What a side says first.
struct hello {
  std::vector<protocol_id> protocols; ///< link protocols it speaks, at most protocol_count_max
  bytes advert;                       ///< its signed node advert, or empty
  std::uint64_t id_floor = 0;         ///< it never sends message ids at or below this one any more (replay protection)
  std::uint64_t life = 0;             ///< a random nonce of this run of the node: another one means it restarted
  friend bool operator==(const hello&, const hello&) = default;
};

bytes encode(const hello& h);

/// Errors: those of msgpack_reader, `too_long` (hello_size_max), `bad_version`.
expected<hello> decode_hello(byte_view wire);

/// Why a side ends the link.
struct bye {
  errc code = errc::link_closed;
  std::string text; ///< printable ASCII
};

/// The payload of a bye frame.
bytes encode_bye(const error& why);

/// A code that this build does not know, or `none`, reads as `link_closed`. Unprintable characters become '?'.
/// Errors: those of msgpack_reader.
expected<bye> decode_bye(byte_view wire);

} // namespace hanse
