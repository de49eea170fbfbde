// Frames: how a byte stream is cut into typed messages. Layout: u32 length (BE, of the payload) | u8 kind | payload.
// Not what the payloads mean (hello.hpp, protocols/message_batch.hpp). Design section 5; docs/wire.md "Frames and
// links".
#pragma once

#include "hanse/protocols/shared_bytes.hpp"

#include <optional>

namespace hanse {

inline constexpr std::size_t frame_header_size = 5;                 ///< octets
inline constexpr std::size_t frame_size_max = 1024 * 1024;          ///< octets, header included (design section 5)
inline constexpr std::size_t frame_size_max_unauthenticated = 4096; ///< before the far side's hello (design section 5)
inline constexpr std::size_t frame_payload_max = frame_size_max - frame_header_size;
inline constexpr std::size_t hello_size_max = frame_size_max_unauthenticated - frame_header_size;

/// What a frame is. An unknown kind closes the link (`bad_type`): new kinds come with a new version of the link
/// protocol, which the hello negotiates, so that one side never guesses.
enum class frame_kind : std::uint8_t {
  hello = 1,   ///< first frame of each side, see hello.hpp
  data = 2,    ///< one payload of protocols/message_batch.hpp, never empty
  adverts = 3, ///< signed adverts, opaque here
  ping = 4,    ///< 8 octets to be returned
  pong = 5,    ///< the 8 octets of a ping
  bye = 6,     ///< last frame of each side: why the link ends, see hello.hpp
};

/// The five octets before a payload. Precondition: `payload_size` <= frame_payload_max.
std::array<std::byte, frame_header_size> frame_header(frame_kind kind, std::size_t payload_size) noexcept;

/// Appends a whole frame. Precondition: payload.size() <= frame_payload_max.
void append_frame(bytes& out, frame_kind kind, byte_view payload);

/// A complete frame; the payload is borrowed from the reader.
struct frame_view {
  frame_kind kind{};
  byte_view payload;
};

/// Cuts a stream into frames. Octets are written into the reader's own buffer (`prepare`, `commit`); payloads are
/// borrowed from it and, where they must live on, `share`d: all payloads of one chunk share one allocation.
/// Linear: each octet is moved once at most, whatever the chunk sizes. The length is checked as soon as the header is
/// there, and memory grows with what has arrived, never with what was announced.
class frame_reader {
public:
  /// `limit`: octets of the largest frame, header included.
  explicit frame_reader(std::size_t limit = frame_size_max_unauthenticated) noexcept : limit_(limit) {}

  /// Changes the largest frame, from the next frame on.
  void set_limit(std::size_t limit) noexcept { limit_ = limit; }

  /// Room for up to `size` octets behind what is buffered. Valid until the next call of any member.
  /// Precondition: `next` has returned nothing since the last `commit`, or nothing was shared since.
  std::span<std::byte> prepare(std::size_t size);

  /// Says that the first `size` octets of the room were filled. Precondition: size <= the size given to `prepare`.
  void commit(std::size_t size);

  /// The next complete frame; nothing when more octets are needed. The payload is valid until `next` returns nothing.
  /// Errors (sticky): `too_long` (over the limit), `bad_type` (unknown kind).
  expected<std::optional<frame_view>> next();

  /// The payload `view` of the last frame, for keeps: a slice of the chunk.
  shared_bytes share(byte_view view);

  /// Octets buffered that are not part of a frame returned yet.
  std::size_t buffered() const noexcept { return view().size() - read_; }

private:
  byte_view view() const noexcept { return frozen_.empty() ? byte_view{filling_.data(), filled_} : frozen_.view(); }
  void compact();

  std::size_t limit_;
  std::size_t read_ = 0;   // octets of the buffer that were returned as frames
  std::size_t filled_ = 0; // octets of filling_ that hold data
  bytes filling_;          // where octets arrive; becomes frozen_ when a payload is shared
  shared_bytes frozen_;
  std::optional<error> failed_;
};

} // namespace hanse
