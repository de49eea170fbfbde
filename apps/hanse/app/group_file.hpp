// A composite identity's descriptor as a readable JSON file, and the identity it hashes to.
// Not the descriptor's octets (crypto/composite.hpp) and nothing secret.
//
//   {"group": "hg1…", "threshold": 2, "members": [{"identity": "hk1…", "weight": 1}, …]}
#pragma once

#include "hanse/crypto/composite.hpp"

#include <filesystem>

namespace hanse::app {

struct group_file {
  identity group; ///< identity_of(descriptor)
  composite_descriptor descriptor;
};

/// The text of a group file.
std::string encode_group_file(const composite_descriptor& descriptor);

/// Reads and checks: the identity that it states must be that of the descriptor.
/// Errors: `bad_config` for the form, `wrong_signer` if the identity is another, and those of `make_composite`.
expected<group_file> parse_group_file(std::string_view text, const std::filesystem::path& file);

/// Reads "ID" or "ID:WEIGHT". Errors: those of identity::parse, `bad_value` for the weight.
expected<composite_member> parse_member(std::string_view text);

} // namespace hanse::app
