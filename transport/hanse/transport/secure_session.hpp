// A secure session: plaintext in, ciphertext out, and the other way round, over any reliable byte stream.
// Not a socket and not frames. Implementations: tls_session.hpp (the real one), plain_session.hpp (simulation only).
#pragma once

#include "hanse/crypto/identity.hpp"

#include <memory>

namespace hanse {

/// Which side opened the byte stream.
enum class link_role : std::uint8_t { dialer, acceptor };

enum class session_state : std::uint8_t {
  handshaking, ///< nobody is authenticated yet
  established, ///< the far side's identity is known to us; in TLS 1.3 a dialer gets here before it was judged itself
  closed,      ///< by either side or by an error; nothing goes in or out any more
};

/// A session machine. Every function appends what must go to the wire to `output`, also when it returns an error
/// (an alert, then): the caller sends `output` always, and closes after an error. Errors are sticky. Not thread-safe.
class secure_session {
public:
  virtual ~secure_session() = default;

  /// Begins: a dialer's first flight. Call once, before anything else.
  virtual expected<unit> start(bytes& output) = 0;

  /// Takes octets of the stream from the front of `input` (shrinking it) and writes plaintext into `plaintext`.
  /// Returns how many octets were written; call again until it returns 0 with `input` empty. Before the session is
  /// established nothing is written, and no more than a bounded number of octets is taken in (`too_long`).
  /// Errors: `handshake_failed`, `weak_key`, `wrong_peer`, `too_long`; once established `decryption_failed` (altered
  /// or out of place), `link_closed` (the far side closed or refused), `bad_value` (protocol abuse).
  virtual expected<std::size_t> receive(byte_view& input, std::span<std::byte> plaintext, bytes& output) = 0;

  /// Encrypts all of `plaintext`. Efficient from 16 KiB upwards, so coalesce.
  /// Errors: `unauthenticated` (not established), `link_closed`, `internal`.
  virtual expected<unit> send(byte_view plaintext, bytes& output) = 0;

  /// Tells the far side that nothing follows, and closes. No effect when closed.
  virtual void shutdown(bytes& output) = 0;

  virtual session_state state() const noexcept = 0;

  /// The far side; none before the session is established.
  virtual const identity& peer() const noexcept = 0;

  /// Whether part of a record has arrived and the rest has not.
  virtual bool partial() const noexcept = 0;

  /// Fills `out` with a secret that both sides, and nobody else, derive from this session (RFC 8446 section 7.5).
  /// Errors: `unauthenticated` (not established), `internal`.
  virtual expected<unit> export_secret(std::string_view label, byte_view context, std::span<std::byte> out) const = 0;

  /// The cipher suite, for reports; empty before it is known.
  virtual std::string_view cipher() const noexcept = 0;
};

/// What names this one session to protocols that run inside it: 32 octets that both sides derive and that no other
/// session has, so that a proof made for one cannot be used in another (RFC 9266, "tls-exporter").
/// Errors: those of export_secret.
inline expected<std::array<std::byte, 32>> channel_binding(const secure_session& session) {
  std::array<std::byte, 32> out{};
  HANSE_CHECK(
      session.export_secret("EXPORTER-Channel-Binding", {}, out)); // label and empty context: RFC 9266 section 2
  return out;
}

} // namespace hanse
