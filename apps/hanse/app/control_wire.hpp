// The control protocol's lines: newline-delimited JSON over a unix socket. Described in docs/control.md.
// Not the commands themselves (control_dispatch.hpp).
//
//   request   {"command": "ping", "destination": "echo"}
//   reply     {"done": true, "ok": true, "result": {…}}   or   {"done": true, "ok": false, "error": {code, detail}}
//   progress  {"done": false, …} lines may come before; a client that does not know them skips them
#pragma once

#include "hanse/app/control_backend.hpp"

#include <optional>

namespace hanse::app {

inline constexpr std::size_t control_line_max = 2 << 20; ///< octets: a body of 960 KiB as JSON and some
inline constexpr std::size_t control_clients_max = 16;   ///< connections at once; a guess, they are all this user's

/// The last line of a reply.
std::string encode_reply(const control_result& result);

/// What a reply line says; nothing for a progress line. Errors: the one in the reply, or `bad_value` for no reply.
std::optional<control_result> decode_reply(const std::string& line);

/// {"code": "no_route", "detail": "…"}.
nlohmann::json to_json(const error& e);

/// The code called `name`, or `errc::internal`.
errc errc_of(std::string_view name) noexcept;

} // namespace hanse::app
