// An identity: who a message is from or to. 33 octets on the wire: a kind and an Ed25519 key or a descriptor hash.
// Not a key (keys.hpp) and not the descriptor behind a group (composite.hpp). Text form: bech32m (BIP-350).
#pragma once

#include "hanse/crypto/bytes.hpp"

#include <compare>
#include <functional>

namespace hanse {

/// What the 32 octets of an identity are.
enum class identity_kind : std::uint8_t {
  none = 0,       ///< no identity; never valid on the wire
  individual = 1, ///< an Ed25519 public key, text prefix `hk`
  composite = 2,  ///< the hash of a composite descriptor, text prefix `hg`
};

/// A cryptographic address. Default-constructed: none.
class identity {
public:
  static constexpr std::size_t size_bytes = 33;

  identity() = default;

  /// For code that has checked the octets already (a loaded key, a computed hash). Peer input goes through `decode`.
  static identity trusted(identity_kind kind, std::span<const std::byte, 32> octets) noexcept;

  /// Reads the 33 octets of the wire form.
  /// Errors: `truncated`, `trailing_bytes`, `bad_type` (kind), `weak_key` (an individual key that is no canonical point
  /// of the prime-order group). The octets of a composite are an opaque hash.
  static expected<identity> decode(byte_view wire);

  /// Reads the wire form but looks at the kind and the length only: for the envelope decoder, where the full check
  /// would cost about as much as the signature. The key is checked where it is used: `verify` refuses small-order and
  /// non-canonical keys itself, so nothing signed by one is ever accepted. What is not found then is a key outside the
  /// prime-order group: it lets only its owner sign, and `decode` (adverts, files, configuration) refuses it.
  /// Errors: `truncated`, `trailing_bytes`, `bad_type`.
  static expected<identity> decode_unchecked(byte_view wire);

  /// Reads `hk1…` or `hg1…`. All upper case is read as well (QR codes).
  /// Errors: `bad_value`, `bad_checksum`, `not_canonical`, `weak_key`, `too_long`.
  static expected<identity> parse(std::string_view text);

  identity_kind kind() const noexcept { return static_cast<identity_kind>(wire_[0]); }
  bool is_none() const noexcept { return kind() == identity_kind::none; }
  explicit operator bool() const noexcept { return !is_none(); }

  /// The wire form: kind, then the 32 octets.
  byte_view wire() const noexcept { return wire_; }

  /// The key or the hash, without the kind.
  std::span<const std::byte, 32> octets() const noexcept { return std::span<const std::byte, 33>{wire_}.subspan<1>(); }

  friend auto operator<=>(const identity&, const identity&) = default;

private:
  std::array<std::byte, size_bytes> wire_{};
};

/// Bech32m text, `hk1…` or `hg1…`; "none" for no identity.
std::string to_string(const identity& id);

/// The first 10 characters of the text form and "…", for tables and logs; never parsed back.
std::string to_short_string(const identity& id);

} // namespace hanse

template <>
struct std::hash<hanse::identity> {
  std::size_t operator()(const hanse::identity& id) const noexcept {
    std::size_t h; // the octets are a key or a hash: any 8 of them are well spread
    std::memcpy(&h, id.octets().data(), sizeof h);
    return h;
  }
};
