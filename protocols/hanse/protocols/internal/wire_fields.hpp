// Fields that several structures on the wire share: identities, enumerations, versions.
// Not installed; not for other layers.
#pragma once

#include "hanse/crypto/identity.hpp"
#include "hanse/protocols/codec.hpp"

#include <type_traits>

namespace hanse::internal {

/// 33 octets, kind and length checked only; whoever verifies a signature checks the key.
inline identity read_identity(msgpack_reader& in) {
  const auto octets = in.blob_exactly(identity::size_bytes);
  if (!in.good()) return {};
  auto id = identity::decode_unchecked(octets);
  if (id) return *id;
  in.fail(id.error());
  return {};
}

/// 33 octets with the key checked, for structures that are kept and used as addresses.
inline identity read_checked_identity(msgpack_reader& in) {
  const auto octets = in.blob_exactly(identity::size_bytes);
  if (!in.good()) return {};
  auto id = identity::decode(octets);
  if (id) return *id;
  in.fail(id.error());
  return {};
}

/// Begins a positional array whose first field is the version. The version is judged before the number of fields, so
/// that a later version with more fields is `bad_version`.
inline void read_versioned_array(msgpack_reader& in, std::size_t field_count, std::uint64_t version) {
  const auto found = in.array(codec_tokens_max);
  if (in.unsigned_integer() != version) in.fail(errc::bad_version);
  if (found != field_count) in.fail(errc::bad_value);
}

/// An enumeration whose values are 0..last.
template <class Enum>
Enum read_enum(msgpack_reader& in, Enum last) {
  using number = std::underlying_type_t<Enum>;
  return static_cast<Enum>(static_cast<number>(in.unsigned_integer(static_cast<number>(last))));
}

} // namespace hanse::internal
