// Reliable causal unicast: every message handled once or its sender told why not; FIFO per stream, causal across
// engines. Not the primitive below (unreliable, unordered envelopes), not multicast. Sans-IO: inputs and `now` in,
// effects out. Sources: retransmission RFC 6298, selective acks RFC 2018; per-message causal dependencies as in Lloyd
// et al., "Don't settle for eventual" (COPS, SOSP 2011); delivery marks before delivery as in broker channels and
// write-ahead logs.
//
// What an ack means: **an acknowledged message has been handled by the destination engine, and no message is handed to
// an engine twice**, across a crash of any node. The receiver makes a mark durable before it hands a message on. What
// was marked but not durably handled when a node died is `in_doubt`: its sender is told so, and it is never delivered
// again.
//
// A stream is (source engine, destination engine) with an *epoch*, newer for every life of the sender: the message id
// of its first message. Messages are numbered 1, 2, … in the order of `send`.
//
// Causality: a message carries as deps what its source has in its causal past, addressed to others, that is not known
// to be delivered: its own unacknowledged messages, and the deps of messages delivered to it. The receiver holds a
// message until the deps addressed to the *same* destination are delivered there, or expired. Deps are captured at
// `send` (later ones could form a cycle), pruned by acks, by expiry, and by asking their destinations (probes) when
// they pile up. A message with more than causal_deps_max waits, it is never sent with a shortened list: an engine with
// more than 32 streams awaiting acks sends as fast as those come in, and one that awaits as many from the dead sends
// nothing until those messages have expired (and clock_skew_max_ms more, if they had been transmitted). Causal order
// spans the life of a node: a crash begins a new causal history for the engines on it.
//
// Time: a message is never delivered after its expires_ms by the clock of the *receiver*, and deps are waited for until
// then by that same clock, so that clock skew shortens or lengthens lives, and never breaks the order.
//
// A destination engine that moves to another node (`destination_moved`): its new node has no marks. Messages that were
// transmitted and not acknowledged become `in_doubt`; those never transmitted go on to the new node in the same stream.
#pragma once

#include "hanse/crypto/random.hpp"
#include "hanse/protocols/durable.hpp"
#include "hanse/protocols/unicast_control.hpp"

namespace hanse {

inline constexpr std::string_view unicast_table = "unicast"; ///< where `unicast_persist` writes go

/// Bounds and times. The defaults are meant to be kept; tests and the simulator narrow them. All are guesses unless a
/// source is named; `stream_window_max` (256 messages) is part of the protocol.
struct reliable_config {
  std::size_t streams_max = 16'384;                  ///< in each direction
  std::size_t window_octets_max = 4 * 1024 * 1024;   ///< of bodies in flight per stream
  std::size_t queue_max = 1024;                      ///< messages per stream, in flight ones included
  std::size_t queue_octets_max = 8 * 1024 * 1024;    ///< the same, of bodies and of dependencies kept with them
  std::size_t node_octets_max = 256 * 1024 * 1024;   ///< the same, over all streams
  std::size_t pending_max = 4096;                    ///< received messages held back, per node
  std::size_t pending_octets_max = 64 * 1024 * 1024; ///< of their bodies
  std::size_t open_max = 16'384;                     ///< delivered and not yet handled, per node
  std::size_t context_max = 1024;                    ///< causal dependencies of one engine; above causal_deps_max
  std::size_t batch_max = 64;                        ///< messages under one commit (design section 11)
  std::uint32_t rto_initial_ms = 1000;               ///< RFC 6298 section 2.1
  std::uint32_t rto_min_ms = 50;
  std::uint32_t rto_max_ms = 5000;
  std::uint32_t ack_delay_ms = 20;      ///< of acks that only say "held"; below rto_min_ms
  std::uint32_t ack_every = 16;         ///< messages: then such an ack is not delayed
  std::uint32_t handled_lazy_ms = 1000; ///< handled marks are written by then, if no commit came by
  std::uint32_t idle_ms = 60'000;       ///< a stream with nothing under way is closed by the sender
};

/// Names a message at its receiver.
struct stream_ref {
  identity source;
  identity destination;
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  friend auto operator<=>(const stream_ref&, const stream_ref&) = default;
};

/// Sign and send this, unreliably. `message->stream` is set. The same object comes again for a retransmission.
struct unicast_transmit {
  std::shared_ptr<const envelope> message;
  bool again = false; ///< a retransmission
};

/// Sign and send a tell of protocol `unicast_protocol()` from `source` (an engine here) to `destination`.
struct unicast_transmit_control {
  identity source;
  identity destination;
  bytes body;
};

/// Commit these writes to table `unicast_table`, all or none, then call `persisted(token)`. Commit in order of tokens.
struct unicast_persist {
  std::uint64_t token = 0; ///< 1, 2, 3, …
  std::vector<key_value_write> writes;
};

/// Hand this to the engine `message.destination` here, in the order of these effects; later call `handled` once.
struct unicast_deliver {
  envelope message;
};

/// The message `id` of `source` has been handled by `destination`.
struct unicast_confirmed {
  identity source;
  identity destination;
  message_id id = 0;
};

/// The message `id` of `source` is given up. Codes: `timed_out` (expired without an ack: it may yet have been handled),
/// `in_doubt`, `expired` (on arrival: nothing was handled), `engine_down`, or what the receiver gave to `handled`.
struct unicast_failed {
  identity source;
  identity destination;
  message_id id = 0;
  error why;
};

/// A received message was discarded after it had been held.
struct unicast_dropped {
  stream_ref message;
  error why;
};

using unicast_effect = std::variant<unicast_transmit, unicast_transmit_control, unicast_persist, unicast_deliver,
                                    unicast_confirmed, unicast_failed, unicast_dropped>;
using unicast_effects = std::vector<unicast_effect>;

/// Whether what a message depends on is carried on by its receiver.
enum class causal_past : std::uint8_t {
  carry,  ///< the rule
  ignore, ///< from sources that are not trusted: forged deps cannot fill the engine's context. The message itself still
          ///< waits for its deps; causal order is not kept for others by way of this message.
};

/// Counters since the start, and sizes now.
struct reliable_stats {
  std::uint64_t sent = 0, transmitted = 0, retransmitted = 0, confirmed = 0, failed = 0; // as sender
  std::uint64_t received = 0, duplicates = 0, refused = 0, delivered = 0, dropped = 0;   // as receiver
  std::uint64_t acks_sent = 0, acks_received = 0, probes_sent = 0;
  std::size_t streams_out = 0, queued = 0, queued_octets = 0;
  std::size_t streams_in = 0, pending = 0, pending_octets = 0, open = 0;
};

/// One machine for all streams from and to the engines of a node. Not thread-safe. Effects are appended to `out`, in
/// the order in which they must be performed. `now` must not go back within a life (wall clock at the start plus a
/// steady clock); it may go back over a restart. Ordinary errors of peers are returned or counted; nothing throws.
///
/// Use: `restore` all pairs of the table; then feed inputs; `flush` at the end of each burst of inputs (it sends acks
/// and closes the commit); `tick` when `next_timer` is due. Reliable messages do not pass through replay_window;
/// check_time and the signature are checked before.
class reliable_unicast {
public:
  /// `random` (for jitter) must outlive the machine.
  explicit reliable_unicast(random_source& random, const reliable_config& config = {});
  ~reliable_unicast();
  reliable_unicast(reliable_unicast&&) noexcept;
  reliable_unicast& operator=(reliable_unicast&&) noexcept;

  /// Takes back one pair of table `unicast_table`, before anything else. Errors: those of msgpack_reader, `bad_value`,
  /// `table_full`.
  expected<unit> restore(byte_view key, byte_view value);

  // --- as sender ---

  /// Takes a message of an engine here; `stream` is filled in. Ends in one `unicast_confirmed` or `unicast_failed`.
  /// Preconditions of the message: id is from message_clock, body and ttl within their maxima.
  /// Errors, with nothing taken: `queue_full` (the stream's, the node's, or the engine's context), `table_full`
  /// (streams_max), `expired`.
  expected<unit> send(envelope message, time_ms now, unicast_effects& out);

  /// Links: while a destination is unreachable its streams wait; when it is reachable again (the default), what was not
  /// received is sent at once.
  void destination_unreachable(const identity& destination, time_ms now);
  void destination_reachable(const identity& destination, time_ms now, unicast_effects& out);

  /// `destination` is hosted by another node from now on; see the top of this file.
  void destination_moved(const identity& destination, time_ms now, unicast_effects& out);

  /// Nobody runs `destination` (a fault from its node said so): fails all that waits for it with `why`.
  void destination_failed(const identity& destination, const error& why, time_ms now, unicast_effects& out);

  // --- as receiver ---

  /// Takes a message for an engine that is hosted here. Errors (nothing was held; no ack is owed unless stated):
  /// `bad_value` (no stream position, seq 0, or a dep on itself), `replayed` (an older epoch), `clock_skew` (an epoch
  /// from the future), `expired` (an ack says so), `table_full` (streams_max), `queue_full` (beyond the window, or too
  /// much pending: the sender will retry). A duplicate is success.
  expected<unit> receive(envelope message, time_ms now, unicast_effects& out, causal_past past = causal_past::carry);

  /// As `receive`, for a message that this node will not hand on (its sender may not reach the engine). When its turn
  /// in the stream has come it is settled with `why`, and what follows it goes on; before that nothing is held. `why`
  /// is not errc::none. Errors: those of `receive`.
  expected<unit> refuse(const envelope& message, errc why, time_ms now, unicast_effects& out);

  /// The commit of `unicast_persist` with this token, and all before it, is durable. Unknown tokens are ignored.
  void persisted(std::uint64_t token, time_ms now, unicast_effects& out);

  /// The engine is done with a delivered message: `errc::none`, or the error that its sender shall be told. Unknown
  /// references (an older epoch, told twice) are ignored.
  void handled(const stream_ref& message, errc result, time_ms now, unicast_effects& out);

  // --- both ---

  /// Takes the body of a control message from `source` to the engine `destination` here.
  /// Errors: those of decode_unicast_control; bodies that fit no stream are ignored.
  expected<unit> receive_control(const identity& source, const identity& destination, byte_view body, time_ms now,
                                 unicast_effects& out);

  /// The engine does not run here any more: what it was sending fails with `engine_down`, what it held back is dropped,
  /// what it was handling is `in_doubt`. Its marks stay until they have expired, should it come back.
  void engine_removed(const identity& engine, time_ms now, unicast_effects& out);

  /// The end of a burst: sends the acks that are due and closes the open commit.
  void flush(time_ms now, unicast_effects& out);

  /// Does what is due at `now`: retransmissions, expiries, delayed acks, probes; then as `flush`.
  void tick(time_ms now, unicast_effects& out);

  /// When `tick` is due next; empty: not until another input. May be early, never late.
  std::optional<time_ms> next_timer() const;

  /// For a local message that is handed over at once beside this machine: the causal past of `from` becomes the past
  /// of `to` as well. False, with nothing done, while a dependency addressed to `to` is not delivered yet: then send it
  /// through the machine instead.
  bool pass_context(const identity& from, const identity& to, time_ms now);

  reliable_stats stats() const;

private:
  class impl;
  std::unique_ptr<impl> impl_;
};

} // namespace hanse
