// DTLS 1.2 (RFC 6347) as a machine over memory, by OpenSSL: mutual, pinned to the nodes' Ed25519 identities, one suite
// (ECDHE on X25519, ECDSA, ChaCha20-Poly1305: forward secret, AEAD), stateless cookies, no resumption, no
// renegotiation. 1.2 because OpenSSL 3.0 has no DTLS 1.3. Not a socket; not messages larger than a datagram
// (fragments.hpp).
//
// OpenSSL 3.0 takes Ed25519 keys in TLS 1.2 but not in DTLS 1.2. So the handshake is signed by a P-256 key made for it,
// whose certificate the node's identity has signed; the self-signed certificate of TLS follows it in the chain.
//
// Time is the caller's: OpenSSL reads its own clock to retransmit, so its timer is set out of reach and the last flight
// is sent again from here, octet for octet. To the far side that is a datagram that the network delivered twice, which
// DTLS lives with by design; the side that has finished answers a repeated flight with its own last one.
// Replays: OpenSSL's window of 64 records per epoch (RFC 6347 section 4.1.2.6), which cannot be switched off.
#pragma once

#include "hanse/crypto/keys.hpp"
#include "hanse/protocols/envelope.hpp"
#include "hanse/transport/secure_session.hpp"

#include <optional>

namespace hanse {

inline constexpr std::string_view dtls_alpn = "hanse-datagram/1";
inline constexpr std::size_t dtls_datagram_max = 1200; ///< octets of a UDP payload that every IPv6 path carries
inline constexpr std::size_t dtls_overhead = 29;       ///< octets of a record: header 13, tag 16 (RFC 7905)
inline constexpr std::size_t dtls_message_max = dtls_datagram_max - dtls_overhead; ///< octets of one `send`
inline constexpr std::size_t dtls_handshake_input_max =
    64 * 1024;                                         ///< octets, repetitions included; a flight is 1.5 KiB
inline constexpr time_ms dtls_handshake_ms = 10'000;   ///< from start to established, else `timed_out`
inline constexpr time_ms dtls_retransmit_min_ms = 250; ///< first wait; doubles. RFC 6347 says 1 s; a guess for now
inline constexpr time_ms dtls_retransmit_max_ms = 4'000;
inline constexpr time_ms dtls_cookie_ms = 30'000; ///< a cookie is good for at least this, and at most twice as long
inline constexpr unsigned dtls_answers_max = 16;  ///< repeated last flights, per session

/// What to do after a call. Calls append; the caller sends `datagrams` also after an error.
struct dtls_effects {
  std::vector<bytes> datagrams; ///< for the far side, each at most dtls_datagram_max octets
  std::vector<bytes> messages;  ///< plaintext from the far side, one a record
  void clear();
};

/// One DTLS session with one far side. Errors are sticky. Not thread-safe.
class dtls_session {
public:
  virtual ~dtls_session() = default;

  /// Begins; a dialer's hello. Once, before anything else. What a listener returns is started already.
  virtual expected<unit> start(time_ms now, dtls_effects& fx) = 0;

  /// One datagram. Garbage, replays and what was altered are dropped without a word. Errors: `handshake_failed`,
  /// `weak_key`, `wrong_peer`, `too_long` (dtls_handshake_input_max); once established `link_closed`.
  /// Whoever can write to the path can break a handshake, which DTLS does not authenticate until its end: dial again.
  virtual expected<unit> receive(byte_view datagram, time_ms now, dtls_effects& fx) = 0;

  /// One record, one datagram. Errors: `unauthenticated` (not established), `link_closed`,
  /// `too_long` (dtls_message_max), `bad_value` (empty).
  virtual expected<unit> send(byte_view message, dtls_effects& fx) = 0;

  /// Tells the far side that nothing follows, and closes. The word may be lost.
  virtual void shutdown(dtls_effects& fx) = 0;

  /// Call at `next_timer` or later. Errors: `timed_out` (dtls_handshake_ms).
  virtual expected<unit> tick(time_ms now, dtls_effects& fx) = 0;
  virtual std::optional<time_ms> next_timer() const = 0;

  virtual session_state state() const noexcept = 0;
  /// The far side; none before the session is established. In DTLS 1.2 each side is then sure that the other accepted
  /// it.
  virtual const identity& peer() const noexcept = 0;
  /// RFC 5705, with the extended master secret (RFC 7627). Errors: `unauthenticated`, `internal`.
  virtual expected<unit> export_secret(std::string_view label, byte_view context, std::span<std::byte> out) const = 0;
  virtual std::string_view cipher() const noexcept = 0;
};

/// What all sessions of one node share: its certificate and key. Cheap to copy (shared, immutable); thread-safe.
class dtls_context {
public:
  /// Errors: `internal` (OpenSSL cannot do it).
  static expected<dtls_context> make(const key_pair& node);

  /// With `expected_peer` any other identity is refused (`wrong_peer`) before ours is shown.
  std::unique_ptr<dtls_session> dial(const std::optional<identity>& expected_peer) const;

  const identity& self() const noexcept;

  struct impl; ///< private to the implementation

private:
  friend class dtls_listener;
  explicit dtls_context(std::shared_ptr<const impl> shared) : shared_(std::move(shared)) {}
  std::shared_ptr<const impl> shared_;
};

/// Answers hellos of strangers and keeps nothing of them: a cookie, an HMAC-SHA256 of the source address under a secret
/// that changes every dtls_cookie_ms, must come back from there before a session is made. Its answer is never larger
/// than the datagram that it answers, so that it is of no use against a forged source address.
class dtls_listener {
public:
  /// `random` must outlive the listener; the secrets come from it.
  dtls_listener(dtls_context context, random_source& random);
  ~dtls_listener();

  /// A datagram that belongs to no session. `source` names its sender (address and port, in any fixed form).
  /// A session if it is a hello with a good cookie, else null; `fx` gets what is to be sent to `source`.
  std::unique_ptr<dtls_session> receive(byte_view source, byte_view datagram, time_ms now, dtls_effects& fx);

private:
  struct state;
  std::unique_ptr<state> state_;
};

/// Whether a datagram begins with a client hello: what a known source sends when it has restarted.
bool is_dtls_hello(byte_view datagram) noexcept;

} // namespace hanse
