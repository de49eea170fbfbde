// The archive of a topic at a node that keeps it: events in the order in which they were delivered, in segments that
// are content of the topic's domain (eris.hpp), for who joins later. Start here; archive_reader.hpp is the other side.
// Not the store of what is missing now (causal_multicast.hpp keeps the latest events for that), and nothing to be
// believed: a segment holds signed parcels. Sans-IO. Design section 9 ("fetched from … store"); docs/topics.md.
#pragma once

#include "hanse/domains/eris.hpp"
#include "hanse/protocols/causal_multicast.hpp"
#include "hanse/protocols/peer_message.hpp"

#include <deque>
#include <map>

namespace hanse {

inline constexpr std::size_t archive_segment_max =
    700 * 1024;                                           ///< octets: one parcel of the largest size, and its frame
inline constexpr std::size_t archive_segments_max = 2048; ///< of a topic at a node; the oldest go
inline constexpr std::size_t archive_segment_events_max = 1024;
inline constexpr std::uint32_t topic_history_max = 1'000'000; ///< events that a subscriber may ask for; a guess

/// Bounds and times. Guesses.
struct topic_archive_config {
  std::size_t segment_octets = 256 * 1024; ///< of parcels; one that is larger is a segment of its own
  std::size_t segment_events = archive_segment_events_max;
  std::uint32_t seal_ms = 600'000;                   ///< a segment that does not get full is sealed then
  std::uint64_t keep_ms = 400ull * 24 * 3600 * 1000; ///< the longest lease of a block (block_store.hpp)
  std::size_t unsealed_max = 32;                     ///< segments on their way to the store; then events are lost
  std::size_t marks_max = 8192;                      ///< chains that it remembers having archived
  std::uint32_t answer_every_ms = 250;               ///< to one node
  std::size_t asking_max = 256;                      ///< nodes that wait for an answer, or had one just now
};

/// Events of a segment, in their order: `count` events of parcel `parcel`, from `first` on.
struct archive_run {
  std::uint32_t parcel = 0, first = 0, count = 0;
  friend bool operator==(const archive_run&, const archive_run&) = default;
};

struct archive_segment {
  std::vector<shared_bytes> parcels;
  std::vector<archive_run> runs;
};

/// Octets of a segment: docs/topics.md.
bytes encode_archive_segment(const identity& topic, const archive_segment& segment);

/// Reads structure alone: parcels are not. Errors: those of msgpack_reader, `bad_version`, `bad_value` (another topic,
/// a run outside of what there can be).
expected<archive_segment> decode_archive_segment(const identity& topic, const shared_bytes& wire);

/// A segment that is in the store.
struct archive_entry {
  std::uint32_t events = 0; ///< in it; 1..archive_segment_events_max
  eris_capability content;
  friend bool operator==(const archive_entry&, const archive_entry&) = default;
};

/// A wish to know where the latest `count` events are.
struct archive_ask {
  std::uint32_t count = 0;
};

/// Where they are: the segments, oldest first, and those that are in none yet.
struct archive_answer {
  std::vector<archive_entry> entries;
  shared_bytes tail; ///< a segment; empty: nothing
  std::uint32_t tail_events = 0;
  std::uint64_t events() const noexcept;
};

using archive_message = std::variant<archive_ask, archive_answer>;
bytes encode(const archive_message& message);
/// Errors: those of msgpack_reader and decode_eris_capability, `bad_version`, `bad_type` (an unknown kind),
/// `bad_value`.
expected<archive_message> decode_archive_message(byte_view wire);

/// Put these octets into the domain's blocks, then call `stored` or `refused`.
struct archive_store {
  bytes segment;
  time_ms until = 0;
};

/// Make durable; an empty value: remove. For `restore` in the next life.
struct archive_write {
  bytes key, value;
};

/// The answer to `from`'s ask.
struct archive_reply {
  identity to;
  bytes body;
};

using archive_effect = std::variant<archive_store, archive_write, archive_reply>;
using archive_effects = std::vector<archive_effect>;

struct topic_archive_stats {
  std::uint64_t events = 0, octets = 0;   ///< in segments that are kept; octets of their content
  std::size_t segments = 0, unsealed = 0; ///< unsealed: events
  std::uint64_t lost = 0;                 ///< events that the store refused
};

/// One topic's archive. Not thread-safe; `now` is the wall clock. One segment is stored at a time.
class topic_archive {
public:
  explicit topic_archive(const identity& topic, const topic_archive_config& config = {});

  /// A pair that an earlier life wrote, in any order, before all else. Errors: `bad_value` and those of reading.
  expected<unit> restore(byte_view key, byte_view value);

  /// The next event, or join, in the order of delivery. What is archived already is left out.
  void add(const topic_event& event, const parcel_place& where, time_ms now, archive_effects& out);

  /// Answers when all that was added before can be read by the one who asks. Errors: `rate_limited`, `queue_full`.
  expected<unit> ask(const identity& from, const archive_ask& what, time_ms now, archive_effects& out);

  void stored(const eris_capability& content, time_ms now, archive_effects& out);
  void refused(time_ms now, archive_effects& out);

  /// Seals what there is, full or not: the node stops.
  void seal(time_ms now, archive_effects& out);

  /// Ends it: nothing is left for `restore`.
  void forget(archive_effects& out);

  /// Nothing is on its way to the store, nor waits for that.
  bool settled() const noexcept { return sealed_.empty(); }

  void tick(time_ms now, archive_effects& out);
  std::optional<time_ms> next_timer() const;
  topic_archive_stats stats() const;

private:
  struct open_segment {
    std::vector<std::shared_ptr<const event_parcel>> parcels;
    std::vector<archive_run> runs;
    std::size_t octets = 0;
    std::uint32_t events = 0;
    time_ms since = 0;
    std::map<chain_key, std::uint64_t> marks;
  };
  struct kept_segment {
    archive_entry entry;
    std::uint64_t octets = 0;
    time_ms until = 0;
  };
  struct asker {
    std::uint32_t count = 0;
    bool waits = false;
    time_ms answered = 0;
  };

  bytes encoded(const open_segment& s) const;
  bytes key_of(std::uint64_t number) const;
  void close(time_ms now, archive_effects& out);
  void store_next(time_ms now, archive_effects& out);
  void answer_all(time_ms now, archive_effects& out);
  void drop_oldest(archive_effects& out);
  void remember(const chain_key& chain, std::uint64_t seq);

  identity topic_;
  topic_archive_config config_;
  std::map<std::uint64_t, kept_segment> kept_; ///< by number, rising
  std::uint64_t last_number_ = 0;
  std::uint64_t kept_events_ = 0, kept_octets_ = 0, lost_ = 0;
  open_segment open_;
  std::deque<open_segment> sealed_; ///< the first one is with the store
  std::size_t stored_octets_ = 0;   ///< of that one
  time_ms stored_until_ = 0;
  std::map<chain_key, std::uint64_t> marks_; ///< archived up to here
  std::map<identity, asker> askers_;
};

} // namespace hanse
