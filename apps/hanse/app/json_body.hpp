// Bodies of engine messages between JSON, which people write, and the canonical msgpack that travels.
// Not the codec itself. Octets have no JSON form of their own: identities become their text, other octets "0x…".
#pragma once

#include "hanse/protocols/codec.hpp"

#include <nlohmann/json_fwd.hpp>

namespace hanse::app {

/// Encodes the text of a JSON array of arguments. A text "0x…" of hexadecimal digits becomes octets.
/// Errors: `bad_value` (no JSON, or no array), `too_deep`, `too_long`.
expected<bytes> encode_json_body(std::string_view text);

/// Decodes a body for display. Errors: those of msgpack_reader.
expected<nlohmann::json> decode_json_body(byte_view body);

} // namespace hanse::app
