// The operations that members write into a domain's blocklace, and their octets. Design section 8, "Membership map".
// Not their meaning (membership_map.hpp). An operation is a block's payload: `[kind, version, time, …]`.
#pragma once

#include "hanse/crypto/hash.hpp"
#include "hanse/domains/permissions.hpp"
#include "hanse/protocols/envelope.hpp"

namespace hanse {

inline constexpr std::size_t map_text_max = 256;               ///< octets of a free key; a guess
inline constexpr std::size_t map_value_max = 16 * 1024;        ///< octets of a value; a guess
inline constexpr std::size_t map_advert_max = 48 * 1024;       ///< octets of a DomainAdvert; below block_payload_max
inline constexpr std::size_t checkpoint_signature_max = 16384; ///< octets; some 64 parts and their descriptors

/// What a value is filed under: a member, or free text.
using map_key = std::variant<identity, std::string>;

/// The numbers are on the wire.
enum class map_op_kind : std::uint8_t {
  none = 0, ///< no operation; never on the wire
  configure = 1,
  add = 2,
  put = 3,
  remove = 4,
  revoke = 5,
  ack = 6,
  checkpoint = 7,
};

/// One operation. Fields that its kind does not have are empty.
struct map_op {
  map_op_kind kind = map_op_kind::ack;
  time_ms at_ms = 0;                 ///< the author's clock, for display only
  map_key key;                       ///< add, revoke: a member; put: text; remove: either
  member_level level = level_lowest; ///< add
  bytes value;                       ///< add, put: the value; configure: the signed advert
  std::uint64_t version = 0;         ///< checkpoint: 1, 2, …
  digest state;                      ///< checkpoint: membership_map::state_hash of its past
  bytes archive;                     ///< checkpoint: an encoded eris_capability, or nothing
  bytes signature;                   ///< checkpoint: encoded message_signature of the domain

  friend bool operator==(const map_op&, const map_op&) = default;
};

map_op configure_op(bytes signed_advert, time_ms at);
map_op add_op(const identity& member, member_level level, bytes value, time_ms at);
map_op put_op(std::string key, bytes value, time_ms at);
map_op remove_op(map_key key, time_ms at);
map_op revoke_op(const identity& member, time_ms at);
map_op ack_op(time_ms at);

/// What the domain signs for a checkpoint: a hash of context, domain, version, state and archive.
digest checkpoint_statement(const identity& domain, std::uint64_t version, const digest& state, byte_view archive);

bytes encode(const map_op& op);

/// Errors: those of msgpack_reader, `bad_version`, `bad_value` (an empty or overlong key, a group as member), those of
/// decode_eris_capability.
expected<map_op> decode_map_op(byte_view wire);

/// The value of an Add or Put, or the advert of a Configure, which decode_map_op has accepted before: what it checked
/// is not checked again (a member's key costs as much as a signature). A view into `wire`; empty for others.
byte_view value_in(byte_view wire);

} // namespace hanse
