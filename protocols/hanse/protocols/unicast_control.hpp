// What the two ends of reliable streams say to each other beside the messages: acks, skips, probes and their answers.
// Not the machine (reliable_unicast.hpp). Bodies of unreliable tells of the protocol "hanse.unicast/1.0" that travel
// between the stream's two engines and are signed like any message. Canonical msgpack arrays; layout: docs/wire.md.
#pragma once

#include "hanse/protocols/codec.hpp"
#include "hanse/protocols/envelope.hpp"

#include <variant>

namespace hanse {

inline constexpr std::uint64_t stream_window_max = 256;       ///< messages in flight in one stream
inline constexpr std::size_t unicast_probe_max = 64;          ///< positions in one probe
inline constexpr std::size_t unicast_control_size_max = 8192; ///< octets of a body

/// The protocol of the bodies below.
const protocol_id& unicast_protocol();

/// A message that is settled otherwise than by being handled well.
struct settled_error {
  std::uint64_t seq = 0;
  errc code = errc::none;
  friend bool operator==(const settled_error&, const settled_error&) = default;
};

/// Destination to source: the state of their stream. A message is *settled* when the destination will do no more about
/// it: it was handled, or is listed in `errors`, or was skipped. It is *held* when it was received.
struct unicast_ack {
  std::uint64_t epoch = 0;
  std::uint64_t settled = 0;         ///< all seq up to this are settled
  std::vector<bool> settled_later;   ///< [i]: settled + 1 + i is settled; last one set, [0] never, at most 256
  std::vector<bool> held;            ///< [i]: settled + 1 + i was received; last one set, at most 256
  std::vector<settled_error> errors; ///< ascending seq, at most 256; repeated while the source may not have seen them
  bool lost = false;                 ///< the destination has messages, but no record of the stream's beginning
  friend bool operator==(const unicast_ack&, const unicast_ack&) = default;
};

/// Source to destination: seq below `floor` are not coming (any more); go on with `floor`.
struct unicast_skip {
  std::uint64_t epoch = 0;
  std::uint64_t floor = 0;
  friend bool operator==(const unicast_skip&, const unicast_skip&) = default;
};

/// A position in a stream to the engine that is asked, or that answers.
struct unicast_mark {
  identity source;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  time_ms expires_ms = 0;
  friend auto operator<=>(const unicast_mark&, const unicast_mark&) = default;
};

/// Any engine to a destination: are these settled with you? Asked about causal dependencies that pile up.
struct unicast_probe {
  std::vector<unicast_mark> marks; ///< strictly ascending, 1..unicast_probe_max
  friend bool operator==(const unicast_probe&, const unicast_probe&) = default;
};

/// The answer: those of the marks that were delivered, or never will be.
struct unicast_settled {
  std::vector<unicast_mark> marks; ///< strictly ascending, at most unicast_probe_max
  friend bool operator==(const unicast_settled&, const unicast_settled&) = default;
};

using unicast_control = std::variant<unicast_ack, unicast_skip, unicast_probe, unicast_settled>;

bytes encode(const unicast_control& body);

/// Errors: those of msgpack_reader, `bad_type`, `too_long`, `not_canonical` (order, trailing zeros), `bad_value`.
expected<unicast_control> decode_unicast_control(byte_view wire);

} // namespace hanse
