// Versioned protocol identifiers, "name/major.minor", and the negotiation between what two sides speak.
// Not the registry of engines. Same major = compatible: the lower minor of both sides is spoken.
#pragma once

#include "hanse/protocols/codec.hpp"

#include <compare>

namespace hanse {

inline constexpr std::size_t protocol_name_size_max = 64; ///< octets: [a-z0-9] then [a-z0-9._-]
inline constexpr std::size_t protocol_count_max = 64;     ///< protocols one engine or node advertises

struct protocol_id {
  std::string name;
  std::uint16_t major = 1;
  std::uint16_t minor = 0;

  friend auto operator<=>(const protocol_id&, const protocol_id&) = default;
};

/// "name/major.minor".
std::string to_string(const protocol_id& p);

/// Reads "name/1" or "name/1.2". Errors: `bad_value`, `too_long`.
expected<protocol_id> parse_protocol_id(std::string_view text);

/// Whether `name` keeps the rules above.
bool is_protocol_name(std::string_view name) noexcept;

/// What to speak with someone who offers `theirs`, given what we offer (several majors of one name may stand side by
/// side): the highest common major of that name, with the lower minor.
/// Errors: `unsupported_protocol` (no such name), `unsupported_version` (no common major; detail names ours).
expected<protocol_id> negotiate(const std::vector<protocol_id>& ours, const protocol_id& theirs);
expected<protocol_id> negotiate(const std::vector<protocol_id>& ours, const std::vector<protocol_id>& theirs,
                                std::string_view name);

void write(msgpack_writer& out, const protocol_id& p);
protocol_id read_protocol_id(msgpack_reader& in);

} // namespace hanse
