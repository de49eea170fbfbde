// Self-signed, versioned advertisements that bind addresses of different layers (spec "Addressing"), and tickets.
// Not where they are kept (advert_store.hpp). Layout: docs/wire.md.
#pragma once

#include "hanse/crypto/signature.hpp"
#include "hanse/protocols/protocol_id.hpp"

namespace hanse {

inline constexpr std::size_t advert_size_max = 4096; ///< octets, signature included; fits a frame before authentication
inline constexpr std::size_t advert_addresses_max = 8;
inline constexpr std::size_t transport_address_size_max = 256; ///< octets of one address
inline constexpr std::size_t advert_name_size_max = 64;        ///< octets
inline constexpr std::size_t ticket_size_max = 8192;           ///< characters
inline constexpr std::string_view ticket_prefix = "hticket";

struct weighted_address {
  std::string address;      ///< "tls://host:port", "unix:///path", …; see transport/address.hpp
  std::uint16_t weight = 1; ///< larger is preferred
  friend bool operator==(const weighted_address&, const weighted_address&) = default;
};

/// Binds a node to its transport addresses; signed by the node.
struct node_advert {
  identity node;
  std::uint64_t version = 0; ///< highest wins; nodes use milliseconds since the epoch, or the last version + 1
  std::vector<weighted_address> addresses;
  std::vector<protocol_id> protocols; ///< what the node itself speaks
  std::string name;                   ///< for people, at most 64 octets, never trusted
  friend bool operator==(const node_advert&, const node_advert&) = default;
};

/// Binds an engine to the node that hosts it; signed by the engine.
struct engine_advert {
  identity engine;
  identity node;
  std::uint64_t version = 0; ///< highest wins: how an engine moves
  std::vector<protocol_id> protocols;
  std::string name; ///< for people, at most 64 octets, never trusted
  friend bool operator==(const engine_advert&, const engine_advert&) = default;
};

/// An advert with its signed octets, which is what is stored and passed on.
template <class Advert>
struct signed_advert {
  Advert value;
  bytes wire; ///< payload and signature, at most advert_size_max
};
using signed_node_advert = signed_advert<node_advert>;
using signed_engine_advert = signed_advert<engine_advert>;

/// Whether an advert of these fields may be signed, and all that a decoder asks of them: identities set, 1..256
/// printable ASCII characters in an address (no spaces), counts and sizes within their maxima, a version of at most
/// wire_number_max, a name in UTF-8 without control characters. For what comes from configuration.
/// Errors: `bad_value`, `too_long` (also: with a signature of one key it would be over advert_size_max).
expected<unit> check(const node_advert& advert);
expected<unit> check(const engine_advert& advert);

/// Signs. Precondition: key.identity() is the advertised identity; `check(advert)`.
signed_node_advert sign(const node_advert& advert, const key_pair& key);
signed_engine_advert sign(const engine_advert& advert, const key_pair& key);

/// Reads and verifies, strictly (keys are checked, addresses must be printable ASCII). An engine may be composite, with
/// a signature to match; a node is an individual, as its key is in its certificate.
/// Errors: those of msgpack_reader, `bad_version`, `bad_value`, `weak_key`, `bad_signature`, `bad_type`, and those of a
/// signature's form and of verify (crypto/signature.hpp).
expected<signed_node_advert> decode_node_advert(byte_view wire);
expected<signed_engine_advert> decode_engine_advert(byte_view wire);

/// For a composite engine: what its members sign (sign_member), and the advert with the signature put together of it.
/// Precondition: `check(advert)`; the result is within advert_size_max.
digest hash_to_sign(const engine_advert& advert);
signed_engine_advert attach(const engine_advert& advert, const message_signature& signature);

inline constexpr std::size_t adverts_in_frame_max = 128; ///< 512 KiB of adverts at most

/// The payload of an adverts frame: an array of 1..adverts_in_frame_max signed adverts.
bytes encode_adverts(std::span<const bytes> wires);

/// Errors: those of msgpack_reader. The adverts themselves are not looked at.
expected<std::vector<bytes>> decode_adverts(byte_view payload);

/// A pasteable node advert: bech32m with the prefix `hticket`.
std::string to_ticket(const signed_node_advert& advert);

/// Reads and verifies. All upper case is read as well (QR codes).
/// Errors: `bad_checksum`, `bad_value`, `too_long`, `not_canonical` and those of decode_node_advert.
expected<signed_node_advert> parse_ticket(std::string_view text);

} // namespace hanse
