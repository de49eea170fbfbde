// What every payload of signed messages begins with. Layout: docs/wire.md. Not installed; not for other layers.
#pragma once

#include "hanse/protocols/codec.hpp"
#include "hanse/protocols/message_batch.hpp"

namespace hanse::internal {

inline constexpr std::uint8_t payload_version = 1;

enum class payload_kind : std::uint8_t { alone = 0, batch = 1 };

/// Fields of the whole array.
constexpr std::size_t field_count_of(payload_kind kind) noexcept {
  return kind == payload_kind::alone ? 4 : 5;
}

inline void write_payload_head(msgpack_writer& out, payload_kind kind) {
  out.array(field_count_of(kind));
  out.unsigned_integer(payload_version);
  out.unsigned_integer(static_cast<std::uint8_t>(kind));
}

} // namespace hanse::internal
