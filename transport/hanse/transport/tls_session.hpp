// TLS 1.3 (RFC 8446) as a machine over memory, by OpenSSL: mutual, self-signed Ed25519 certificates whose key is the
// node's identity, one ALPN, no 0-RTT, no tickets, no resumption.
// Not a socket. Handshake randomness is OpenSSL's own, not injected: sessions are not replayable from a seed, which is
// what plain_session.hpp is for.
#pragma once

#include "hanse/crypto/keys.hpp"
#include "hanse/transport/secure_session.hpp"

#include <optional>

namespace hanse {

inline constexpr std::string_view tls_alpn = "hanse/1";
inline constexpr std::size_t tls_record_size = 16 * 1024; ///< octets of plaintext in a full record (RFC 8446 5.1)
inline constexpr std::size_t tls_handshake_input_max = 16 * 1024; ///< octets; a flight of ours is below 1.5 KiB
inline constexpr std::uint64_t tls_rekey_records = 1U
                                                   << 22; ///< records under one key; RFC 8446 5.5 allows 2^24.5 for AES

/// What all sessions of one node share: its certificate and key. Cheap to copy (shared, immutable); thread-safe.
class tls_context {
public:
  /// Makes the certificate in memory. `rekey_records`: after how many records the sending key is changed.
  /// Errors: `internal` (OpenSSL cannot do it).
  static expected<tls_context> make(const key_pair& node, std::uint64_t rekey_records = tls_rekey_records);

  /// A session that dials. With `expected_peer` any other identity is refused (`wrong_peer`) before ours is shown; the
  /// far side learns of it through the alert certificate_unknown, which means just that between Hanse nodes.
  std::unique_ptr<secure_session> dial(const std::optional<identity>& expected_peer) const;

  /// A session for a stream that someone else opened.
  std::unique_ptr<secure_session> accept() const;

  /// The identity that sessions of this context show.
  const identity& self() const noexcept;

  struct impl; ///< private to the implementation

private:
  explicit tls_context(std::shared_ptr<const impl> shared) : shared_(std::move(shared)) {}
  std::shared_ptr<const impl> shared_;
};

} // namespace hanse
