// The names of the error codes. Not the codes themselves (error.hpp).
// The table is indexed by number, so that a number from a peer is looked up without a cast to the enum.
#include "hanse/crypto/error.hpp"

#include <array>

namespace hanse {

namespace {

using code_names = std::array<std::string_view, 256>;

constexpr void name_decoding_and_crypto(code_names& names) {
  names[0] = "none";
  names[1] = "truncated";
  names[2] = "trailing_bytes";
  names[3] = "not_canonical";
  names[4] = "too_long";
  names[5] = "too_deep";
  names[6] = "bad_type";
  names[7] = "bad_value";
  names[8] = "bad_checksum";
  names[9] = "bad_version";
  names[20] = "weak_key";
  names[21] = "bad_signature";
  names[22] = "wrong_signer";
  names[23] = "threshold_not_met";
  names[24] = "wrong_passphrase";
  names[25] = "bad_permissions";
  names[26] = "decryption_failed";
  names[27] = "bad_proof";
}

constexpr void name_messages_and_routing(code_names& names) {
  names[40] = "expired";
  names[41] = "clock_skew";
  names[42] = "replayed";
  names[43] = "not_hosted";
  names[44] = "wrong_recipient";
  names[45] = "hop_limit";
  names[46] = "unsupported_protocol";
  names[47] = "unsupported_version";
  names[48] = "schema_mismatch";
  names[49] = "stale";
  names[50] = "in_doubt";
  names[51] = "rate_limited";
  names[60] = "no_route";
  names[61] = "no_address";
  names[62] = "untrusted";
  names[63] = "constraint";
  names[64] = "unreachable";
  names[65] = "wrong_peer";
  names[66] = "handshake_failed";
  names[67] = "unauthenticated";
  names[68] = "link_closed";
  names[69] = "timed_out";
  names[70] = "queue_full";
  names[71] = "table_full";
  names[72] = "duplicate_link";
}

constexpr void name_engines_and_programs(code_names& names) {
  names[80] = "engine_down";
  names[81] = "engine_error";
  names[82] = "not_found";
  names[83] = "already_exists";
  names[84] = "permission_denied";
  names[85] = "bad_config";
  names[86] = "io_error";
  names[87] = "cancelled";
  names[88] = "internal";
}

constexpr code_names all_names() {
  code_names names{};
  name_decoding_and_crypto(names);
  name_messages_and_routing(names);
  name_engines_and_programs(names);
  return names;
}

constexpr code_names names = all_names();

} // namespace

std::string_view to_string(errc code) noexcept {
  auto name = names[static_cast<std::uint8_t>(code)];
  return name.empty() ? std::string_view{"unknown"} : name;
}

bool is_known_errc(std::uint8_t number) noexcept {
  return !names[number].empty();
}

std::string to_string(const error& e) {
  std::string text{to_string(e.code)};
  if (!e.detail.empty()) text.append(": ").append(e.detail);
  return text;
}

} // namespace hanse
