// The link machine: one authenticated connection to one node. Session + frames + hello + heartbeats + measurement.
// Not a socket, not a clock, and not the choice among links (pool.hpp). Design section 6.
//
// Life: start -> handshake of the session -> both send hello -> *up* once the far side's hello is in -> closed.
// Use: hand every octet that arrives to `received`, perform the effects, call `tick` at `next_timer`.
#pragma once

#include "hanse/protocols/envelope.hpp"
#include "hanse/transport/framing.hpp"
#include "hanse/transport/hello.hpp"
#include "hanse/transport/link_metrics.hpp"
#include "hanse/transport/secure_session.hpp"

namespace hanse {

struct link_config {
  hello ours;                                   ///< an advert with which it is over hello_size_max is left out
  identity self;                                ///< a link to oneself is refused (`wrong_peer`)
  std::optional<identity> expected_peer;        ///< anyone else is refused (`wrong_peer`)
  time_ms handshake_ms = 10'000;                ///< from start to up, else `timed_out` (brief)
  time_ms frame_ms = 10'000;                    ///< for a frame or record that has begun, else `timed_out` (brief)
  time_ms ping_ms = 5'000;                      ///< silence before a ping (brief)
  time_ms dead_ms = 15'000;                     ///< silence before the link is `timed_out` (brief)
  time_ms measure_ms = 30'000;                  ///< between pings on a busy link; a guess
  time_ms stall_ms = 60'000;                    ///< pending output without any written, before `timed_out`; a guess
  time_ms drain_ms = 5'000;                     ///< `finish` waits for the far side's bye; a guess
  std::size_t pending_max = 2 * frame_size_max; ///< octets encrypted or queued and not yet written; a frame must fit
};

/// The far side as it introduced itself.
struct link_up {
  identity peer;
  hello theirs;
  protocol_id spoken;           ///< the link protocol both speak
  bool advert_left_out = false; ///< ours did not fit the hello: send it with `send_adverts`
};

/// What to do after a call, in this order: deliver `up`, `adverts`, `data`; write `output`; if `closed`, close the
/// stream once `output` is written. Calls append; the caller clears.
struct link_effects {
  bytes output;                      ///< for the far side; report it with `written`
  std::vector<shared_bytes> data;    ///< payloads of data frames, slices of one buffer per chunk
  std::vector<shared_bytes> adverts; ///< payloads of adverts frames
  std::optional<link_up> up;         ///< once
  std::optional<error> closed;       ///< once; nothing happens after it

  void clear();
};

enum class link_state : std::uint8_t {
  idle,      ///< before `start`
  handshake, ///< until the far side's hello
  up,
  draining, ///< `finish` was called: sends nothing, still delivers, until the far side's bye
  closed,
};

/// A link. Not thread-safe, not copyable. No call throws for what a peer sent. Times are of any clock that does not
/// jump; they are compared with each other only.
class link {
public:
  /// `random` is used by the constructor only (it makes pings hard to guess).
  link(link_role role, std::unique_ptr<secure_session> session, link_config config, random_source& random);

  /// Begins, at the time the stream is open.
  void start(time_ms now, link_effects& fx);

  /// Octets from the stream, any number; how much is buffered is bounded by the chunk and one frame.
  /// Closes with: `handshake_failed`, `wrong_peer`, `weak_key` (session); `unauthenticated` (another frame before
  /// hello), `unsupported_version`, `bad_version` (hello); `too_long`, `bad_type`, `bad_value` and those of
  /// msgpack_reader (malformed frames); `decryption_failed`; `link_closed`, or what the far side's bye says.
  void received(byte_view octets, time_ms now, link_effects& fx);

  /// Adds a frame; it is encrypted with others in full records, the rest by `flush`. Nothing is sent on errors:
  /// `unauthenticated` (not up yet), `link_closed`, `too_long` (frame_payload_max), `bad_value` (empty), `queue_full`
  /// (over `writable_budget`).
  expected<unit> send_data(byte_view payload, link_effects& fx);
  expected<unit> send_data_parts(std::span<const byte_view> payload, link_effects& fx); ///< one after the other
  expected<unit> send_adverts(byte_view payload, link_effects& fx);

  /// Encrypts what `send_…` left. Call after each burst.
  void flush(time_ms now, link_effects& fx);

  /// Reports that `count` octets of output went out to the operating system.
  void written(std::size_t count, time_ms now);

  /// Says whether the caller goes on reading from the stream. While it does not (back pressure), silence and unfinished
  /// frames are not held against the far side; pings still go out, so that it sees us alive.
  void set_reading(bool reading, time_ms now);

  /// Octets of payload that `send_…` takes now; 0 when none. A frame that is larger than this is refused.
  std::size_t writable_budget() const noexcept;

  /// Octets of output (and of plaintext waiting for `flush`) that were not reported as written.
  std::size_t pending() const noexcept { return unwritten_ + plain_.size(); }

  /// Says bye and closes at once. What the far side has under way to us is lost; use `finish` if that matters.
  void close(const error& why, link_effects& fx);

  /// Says bye, then goes on delivering until the far side's bye has come: nothing is lost in either direction.
  void finish(const error& why, time_ms now, link_effects& fx);

  /// The stream ended or broke without a word.
  void disconnected(const error& why, link_effects& fx);

  /// Call at `next_timer` or later; calls too early do nothing.
  void tick(time_ms now, link_effects& fx);

  /// When `tick` has something to do; UINT64_MAX: never.
  time_ms next_timer() const noexcept;

  link_state state() const noexcept { return state_; }
  link_role role() const noexcept { return role_; }
  const identity& peer() const noexcept { return session_->peer(); }
  const link_metrics& metrics() const noexcept { return metrics_; }
  const secure_session& session() const noexcept { return *session_; }

private:
  bool pump(byte_view& octets, link_effects& fx);
  void on_established(link_effects& fx);
  void on_frames(link_effects& fx);
  void on_frame(const frame_view& f, link_effects& fx);
  void on_first_frame(const frame_view& f, link_effects& fx);
  void on_hello(byte_view payload, link_effects& fx);
  void on_payload(byte_view payload, std::vector<shared_bytes>& into, link_effects& fx);
  void on_ping(byte_view payload, link_effects& fx);
  void on_pong(byte_view payload);
  void on_bye(byte_view payload, link_effects& fx);
  void send_ping(link_effects& fx);
  expected<unit> send_frame(frame_kind kind, std::span<const byte_view> payload, link_effects& fx);
  void put(frame_kind kind, byte_view payload, link_effects& fx);
  void put_parts(frame_kind kind, std::span<const byte_view> payload, std::size_t size, link_effects& fx);
  void put_plain(byte_view octets, link_effects& fx);
  void encrypt(byte_view plaintext, link_effects& fx);
  void encrypt_pending(link_effects& fx);
  void refuse(const error& why, link_effects& fx);
  void end(const error& why, link_effects& fx);
  void account(std::size_t output_before, const link_effects& fx);
  void note_partial();
  time_ms ping_at() const noexcept;
  std::optional<error> overdue() const;

  link_role role_;
  link_state state_ = link_state::idle;
  std::unique_ptr<secure_session> session_;
  link_config config_;
  frame_reader reader_;
  bytes plain_; // frames not yet encrypted, less than one record
  std::size_t unwritten_ = 0;
  time_ms now_ = 0; // of the latest call that told it
  time_ms started_ = 0;
  time_ms last_input_ = 0;               // when plaintext came in
  std::optional<time_ms> partial_since_; // when the frame or record that is under way began
  time_ms last_ping_ = 0;
  time_ms last_written_ = 0; // progress of the output, or when it began to wait
  time_ms drain_until_ = 0;
  error drain_why_;
  std::uint64_t ping_seed_;
  std::optional<std::uint64_t> ping_out_; // the nonce of the unanswered ping
  bool reading_ = true;
  link_metrics metrics_;
};

} // namespace hanse
