// The frame reader and writer. Not the meaning of frames. Layout: docs/wire.md "Frames and links".
#include "hanse/transport/framing.hpp"

#include <algorithm>

namespace hanse {

namespace {

// An empty reader keeps this much memory for the next octets; 1,000 idle links must stay small.
constexpr std::size_t kept_capacity = 4096;

std::size_t read_u32(byte_view v) noexcept {
  const auto* p = as_octets(v);
  return std::size_t{p[0]} << 24 | std::size_t{p[1]} << 16 | std::size_t{p[2]} << 8 | p[3];
}

bool is_known(std::uint8_t kind) noexcept {
  return kind >= static_cast<std::uint8_t>(frame_kind::hello) && kind <= static_cast<std::uint8_t>(frame_kind::bye);
}

} // namespace

std::array<std::byte, frame_header_size> frame_header(frame_kind kind, std::size_t n) noexcept {
  const auto octet = [](std::size_t x) { return static_cast<std::byte>(x & 0xff); };
  return {octet(n >> 24), octet(n >> 16), octet(n >> 8), octet(n), static_cast<std::byte>(kind)};
}

void append_frame(bytes& out, frame_kind kind, byte_view payload) {
  append(out, frame_header(kind, payload.size()));
  append(out, payload);
}

// Moves the octets that are left to the front of a buffer that is ours alone. Called when a chunk is used up: what is
// left is part of one frame that began in the last chunk, so an octet is moved once at most.
void frame_reader::compact() {
  if (read_ == 0 && frozen_.empty()) return;
  const byte_view rest = view().subspan(read_);
  if (!frozen_.empty()) {
    filling_ = to_bytes(rest);
    frozen_ = {};
  } else if (!rest.empty()) {
    std::memmove(filling_.data(), rest.data(), rest.size());
  } else if (filling_.size() > kept_capacity) {
    filling_ = bytes{};
  }
  filled_ = rest.size();
  read_ = 0;
}

std::span<std::byte> frame_reader::prepare(std::size_t size) {
  compact();
  if (filling_.size() < filled_ + size) {
    // Doubles, so that a long frame in many small chunks stays linear; never more than what is there asks for.
    if (filling_.capacity() < filled_ + size) filling_.reserve(std::max(filled_ + size, 2 * filled_));
    filling_.resize(filled_ + size);
  }
  return std::span{filling_}.subspan(filled_, size);
}

void frame_reader::commit(std::size_t size) {
  filled_ += size;
}

expected<std::optional<frame_view>> frame_reader::next() {
  if (failed_) return *failed_;
  const byte_view rest = view().subspan(read_);
  if (rest.size() < frame_header_size) {
    compact();
    return std::optional<frame_view>{};
  }
  const std::size_t length = read_u32(rest);
  const auto kind = std::to_integer<std::uint8_t>(rest[4]);
  if (length > limit_ - frame_header_size) {
    failed_ = error{errc::too_long, "frame of " + std::to_string(length) + " octets"};
    return *failed_;
  }
  if (!is_known(kind)) {
    failed_ = error{errc::bad_type, "unknown frame kind " + std::to_string(kind)};
    return *failed_;
  }
  if (rest.size() - frame_header_size < length) {
    compact();
    return std::optional<frame_view>{};
  }
  read_ += frame_header_size + length;
  return std::optional{frame_view{static_cast<frame_kind>(kind), rest.subspan(frame_header_size, length)}};
}

shared_bytes frame_reader::share(byte_view payload) {
  if (frozen_.empty()) {
    // Moving a vector keeps its octets where they are, so views into it stay valid.
    filling_.resize(filled_);
    frozen_ = shared_bytes{std::move(filling_)};
    filling_ = bytes{};
    filled_ = 0;
  }
  return frozen_.slice(payload);
}

} // namespace hanse
