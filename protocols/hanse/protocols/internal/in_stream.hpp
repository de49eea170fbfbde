// One reliable stream at its receiver: which messages are held, being marked, delivered, settled; and its durable
// record. Data with small invariants of its own; reliable_receiver.cpp moves it. Not installed.
#pragma once

#include "hanse/protocols/internal/stream_key.hpp"
#include "hanse/protocols/reliable_unicast.hpp"

#include <map>

namespace hanse::internal {

enum class in_state : std::uint8_t {
  none,      ///< not received
  held,      ///< received; waits for earlier ones or for its deps
  marking,   ///< released; its mark is being committed
  delivered, ///< handed to the engine
  settled,   ///< nothing more will happen to it
};

/// What survives a crash: everything up to `mark` was released; of that, `open` was not known to be handled.
struct stream_record {
  std::uint64_t epoch = 0;
  std::uint64_t mark = 0;
  time_ms retain_until_ms = 0;       ///< messages up to the mark could be replayed until then
  std::vector<std::uint64_t> open;   ///< ascending, within stream_window_max below the mark
  std::vector<settled_error> errors; ///< the same
  friend bool operator==(const stream_record&, const stream_record&) = default;
};

bytes encode_record(const stream_record& r);
expected<stream_record> decode_record(byte_view value);
bytes encode_record_key(const stream_key& key);
expected<stream_key> decode_record_key(byte_view key);

struct in_stream : timed {
  stream_key key;
  std::uint64_t epoch = 0;
  std::uint64_t next = 1;                                     ///< the next seq to release
  std::uint64_t settled = 0;                                  ///< all up to this are settled
  std::uint64_t highest = 0;                                  ///< the highest seq received
  std::map<std::uint64_t, envelope> pending;                  ///< held, by seq
  std::vector<settled_error> errors;                          ///< ascending; those that the sender may not have seen
  std::set<std::pair<std::uint64_t, std::uint64_t>> old_open; ///< (epoch, seq) being handled for ended epochs

  // what is durable, for answers to probes
  std::uint64_t durable_epoch = 0;
  std::uint64_t durable_next = 1;

  time_ms retain_until_ms = 0;
  time_ms wake_at = 0;       ///< when the head has to be looked at again; 0: not by time
  time_ms ack_at = 0;        ///< when a delayed ack is due; 0: none
  std::uint32_t unacked = 0; ///< received since the last ack
  bool ack_now = false;
  bool ack_queued = false;              ///< in the receiver's list for `flush`
  bool dirty_queued = false;            ///< in the receiver's list for the next commit
  bool stalled = false;                 ///< its head waits for room, not for a dependency
  std::optional<stream_key> waiting_on; ///< the stream that its head depends on
  bool began = false;                   ///< its beginning is known: seq 1, a skip, or a record
  bool of_earlier_life = false;         ///< restored; retain_until_ms is of the clock of then

  in_state state(std::uint64_t seq) const noexcept;
  void set_state(std::uint64_t seq, in_state s) noexcept { slots_[seq % stream_window_max] = s; }

  /// Whether seq lies in the window that slots exist for: (settled, settled + stream_window_max].
  bool in_window(std::uint64_t seq) const noexcept { return seq > settled && seq - settled <= stream_window_max; }

  /// Settles seq, with an error unless it is errc::none, and moves `settled` on. Precondition: in_window(seq).
  void settle(std::uint64_t seq, errc code);

  /// Begins another life of the sender: forgets the slots. Pending messages are the caller's to take out before.
  void restart(std::uint64_t new_epoch);

  /// Takes up a record after a crash; what was open is in doubt.
  void restore(const stream_record& r);

  stream_record record() const;

  /// The state to be told to the sender. Drops errors that it must have seen by now.
  unicast_ack make_ack();

  bool idle() const noexcept;

private:
  std::array<in_state, stream_window_max> slots_{};
};

} // namespace hanse::internal
