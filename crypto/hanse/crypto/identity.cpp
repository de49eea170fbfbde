// Identities: wire form and text form. Not the meaning of a group's hash (composite.cpp).
#include "hanse/crypto/identity.hpp"

#include "hanse/crypto/bech32m.hpp"
#include "hanse/crypto/keys.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::string_view prefix_of(identity_kind kind) {
  return kind == identity_kind::individual ? "hk" : "hg";
}

bool is_wire_kind(std::byte kind) {
  return kind == static_cast<std::byte>(identity_kind::individual) ||
         kind == static_cast<std::byte>(identity_kind::composite);
}

} // namespace

identity identity::trusted(identity_kind kind, std::span<const std::byte, 32> octets) noexcept {
  identity id;
  id.wire_[0] = static_cast<std::byte>(kind);
  std::ranges::copy(octets, id.wire_.begin() + 1);
  return id;
}

expected<identity> identity::decode_unchecked(byte_view wire) {
  if (wire.size() < size_bytes) return errc::truncated;
  if (wire.size() > size_bytes) return errc::trailing_bytes;
  if (!is_wire_kind(wire[0])) return error{errc::bad_type, "not a kind of identity"};
  return trusted(static_cast<identity_kind>(wire[0]), wire.subspan(1).first<32>());
}

expected<identity> identity::decode(byte_view wire) {
  HANSE_TRY(auto id, decode_unchecked(wire));
  if (id.kind() == identity_kind::individual) HANSE_CHECK(check_public_key(id.octets()));
  return id;
}

expected<identity> identity::parse(std::string_view text) {
  HANSE_TRY(const auto decoded, decode_bech32m(text));
  for (auto kind : {identity_kind::individual, identity_kind::composite}) {
    if (decoded.prefix != prefix_of(kind)) continue;
    HANSE_TRY(const auto octets, from_groups(decoded.groups));
    if (octets.size() != 32) return error{errc::bad_value, "an identity has 32 octets"};
    bytes wire{static_cast<std::byte>(kind)};
    append(wire, octets);
    return decode(wire);
  }
  return error{errc::bad_value, "an identity begins with hk1 or hg1"};
}

std::string to_string(const identity& id) {
  if (id.is_none()) return "none";
  return encode_bech32m(prefix_of(id.kind()), to_groups(id.octets()));
}

std::string to_short_string(const identity& id) {
  if (id.is_none()) return "none";
  return to_string(id).substr(0, 10) + "…";
}

} // namespace hanse
