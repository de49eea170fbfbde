// The envelope: what every message between nodes says beside its body. Design section 5.
// Not the signature (message_batch.hpp carries it) and not the frame (transport/framing.hpp). Layout: docs/wire.md.
#pragma once

#include "hanse/crypto/hash.hpp"
#include "hanse/crypto/identity.hpp"
#include "hanse/protocols/protocol_id.hpp"
#include "hanse/protocols/shared_bytes.hpp"

#include <optional>

namespace hanse {

inline constexpr std::uint8_t envelope_version = 1;
inline constexpr std::size_t envelope_field_count = 19;       ///< elements of the array that an envelope is
inline constexpr std::size_t envelope_size_max = 1000 * 1024; ///< octets; leaves room for frame and signature in 1 MiB
inline constexpr std::size_t body_size_max = 960 * 1024;      ///< octets
inline constexpr std::uint32_t ttl_max_ms = 3600 * 1000;      ///< an hour: bounds how long replay state must live
inline constexpr std::uint32_t ttl_default_ms = 30 * 1000;
inline constexpr std::uint64_t clock_skew_max_ms = 120 * 1000; ///< design section 5
inline constexpr std::size_t causal_deps_max = 32;             ///< guess: keeps a dependency list under 2.5 KiB

/// Milliseconds since the Unix epoch, from an injected clock. On the wire at most wire_number_max (codec.hpp), and so
/// are ids, epochs and sequence numbers.
using time_ms = std::uint64_t;

/// Unique per source, strictly increasing (see message_clock.hpp): microseconds of the sender's clock, corrected.
using message_id = std::uint64_t;

enum class message_kind : std::uint8_t {
  tell = 0,  ///< one way
  ask = 1,   ///< the sender waits for a reply or a fault
  reply = 2, ///< answers `in_reply_to`
  fault = 3, ///< an error in answer to `in_reply_to`; the body is a `fault_body`
};

/// How far a message may travel.
enum class scope_kind : std::uint8_t { any = 0, local = 1, domain = 2 };

struct routing_preferences {
  scope_kind scope = scope_kind::any;
  identity domain;              ///< set with scope_kind::domain only
  std::uint8_t trust_min = 0;   ///< 0..255; nodes below are no candidates
  std::uint32_t rtt_max_ms = 0; ///< 0: no bound
  friend bool operator==(const routing_preferences&, const routing_preferences&) = default;
};

enum class security_kind : std::uint8_t {
  any = 0,       ///< whatever the transport gives (signed end to end in any case)
  encrypted = 1, ///< an encrypted, authenticated channel with forward secrecy
};

/// What is demanded of the way to the next node, and one wish.
struct transport_preferences {
  bool ordered = false;
  bool reliable = false;
  security_kind security = security_kind::encrypted;
  bool datagrams = false; ///< rather in datagrams than over a link: a wish of the sender, not on the wire
  friend bool operator==(const transport_preferences&, const transport_preferences&) = default;
};

/// Names a delivery in a reliable causal stream; see reliable_unicast.hpp.
struct causal_dep {
  identity source;
  identity destination;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  time_ms expires_ms = 0; ///< from then on nobody waits for it
  friend auto operator<=>(const causal_dep&, const causal_dep&) = default;
};

/// The place of a reliable message in its stream (source, destination).
struct stream_position {
  std::uint64_t epoch = 0;      ///< newer for every life of the sender; older ones are refused
  std::uint64_t seq = 0;        ///< 1, 2, 3, … within the epoch
  std::vector<causal_dep> deps; ///< strictly ascending, at most causal_deps_max
  friend bool operator==(const stream_position&, const stream_position&) = default;
};

/// Identifies one causally related piece of work across nodes; zero: not traced.
struct trace_id {
  std::array<std::byte, 16> octets{};
  friend auto operator<=>(const trace_id&, const trace_id&) = default;
  explicit operator bool() const noexcept { return *this != trace_id{}; }
};

struct envelope {
  identity source;
  identity destination;
  message_id id = 0;
  message_id in_reply_to = 0; ///< 0: none
  message_kind kind = message_kind::tell;
  protocol_id protocol;
  time_ms sent_ms = 0;
  std::uint32_t ttl_ms = ttl_default_ms; ///< 1..ttl_max_ms
  routing_preferences routing;
  transport_preferences transport;
  std::optional<stream_position> stream; ///< present: reliable causal
  trace_id trace;
  shared_bytes body;

  time_ms expires_ms() const noexcept { return sent_ms + ttl_ms; }
  friend bool operator==(const envelope&, const envelope&) = default;
};

/// Whether `e` keeps the rules that a decoder holds it to (besides sizes of names): an id; `in_reply_to` with replies
/// and faults and only there; a domain with scope_kind::domain and only there; times, ttl, stream and body in range.
/// Errors: `bad_value`, `too_long` (body, deps), `not_canonical` (deps not strictly ascending).
expected<unit> check(const envelope& e);

/// The canonical octets, which are what is hashed and signed. Precondition: `check(e)`, and a source, a destination
/// and a protocol name.
bytes encode(const envelope& e);

/// Appends the canonical octets to `out` (no temporary buffer); returns how many.
std::size_t encode_to(bytes& out, const envelope& e);

/// Reads an envelope; its body is a slice of `wire`. The identities' keys are checked where a signature is verified.
/// Errors: those of msgpack_reader, `bad_version`, and those of `check`.
expected<envelope> decode_envelope(const shared_bytes& wire);

/// Reads the source alone, at its fixed place: all that must be known before the signature is verified.
/// Errors: those of msgpack_reader, `bad_version`.
expected<identity> source_of(byte_view wire);

/// Whether the times make sense at `now`: not expired, not from the future, skew of clock_skew_max_ms allowed both
/// ways, so exactly expires_ms() + skew and sent_ms - skew still pass. Errors: `expired`, `clock_skew`.
expected<unit> check_time(const envelope& e, time_ms now);

inline constexpr std::size_t fault_detail_size_max = 512;   ///< octets
inline constexpr std::size_t fault_category_size_max = 128; ///< octets

/// The body of a `message_kind::fault`.
struct fault_body {
  errc code = errc::internal;   ///< never `none`; a number this build does not know is kept
  std::string detail;           ///< at most 512 octets
  std::uint8_t engine_code = 0; ///< the engine's own error code, with errc::engine_error only
  std::string engine_category;  ///< the name of the engine's error enum, at most 128 octets; likewise
  friend bool operator==(const fault_body&, const fault_body&) = default;
};

/// Texts come from anywhere: what is too long is cut at a character, and what is not UTF-8 becomes '?'.
bytes encode(const fault_body& f);

/// Errors: those of msgpack_reader, `bad_version`, `bad_value`.
expected<fault_body> decode_fault(byte_view body);

std::string to_string(const trace_id& t);                 ///< 32 hexadecimal digits
expected<trace_id> parse_trace_id(std::string_view text); ///< errors: `bad_value`

} // namespace hanse
