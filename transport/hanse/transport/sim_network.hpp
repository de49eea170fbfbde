// The simulated network behind mem://: byte streams and datagrams between named hosts in virtual time.
// Not real I/O; everything follows from the seed and the calls. Design section 13.
#pragma once

#include "hanse/crypto/random.hpp"
#include "hanse/protocols/envelope.hpp"

#include <deque>
#include <map>
#include <optional>
#include <set>

namespace hanse {

/// One end of a stream. Never reused. 0: none.
using endpoint_id = std::uint64_t;

/// How a path between two hosts behaves. Probabilities in permille.
struct sim_path {
  time_ms latency_min = 1;
  time_ms latency_max = 10;         ///< uniform between the two
  std::uint32_t spike_permille = 0; ///< this many deliveries take `spike_ms` longer
  time_ms spike_ms = 0;
  std::uint32_t loss_permille = 0;      ///< datagrams only; streams are reliable
  std::uint32_t duplicate_permille = 0; ///< datagrams only
  std::uint32_t split_permille = 0;     ///< stream chunks that arrive in two pieces
  std::uint64_t octets_per_second = 0;  ///< of each direction of each stream; 0: no bound
};

/// What happened at an end.
struct sim_event {
  enum class kind : std::uint8_t {
    connected, ///< the stream that `endpoint` dialled is open
    accepted,  ///< a stream to `host`; `endpoint` is the accepting end, `from` the dialling host
    data,      ///< `octets` arrived at `endpoint`
    closed,    ///< the far end closed, or the stream was reset (`why`); nothing follows
    datagram,  ///< `octets` arrived at `host` from `from`
  };
  kind what{};
  time_ms at = 0;
  endpoint_id endpoint = 0;
  std::string host; ///< where it happened
  std::string from;
  bytes octets;
  error why;
};

/// The network. Streams are reliable and ordered with delay; different streams reorder among each other. A blocked path
/// (partition, clog) holds what is under way; streams across a path blocked for `reset_after_ms` are reset at both
/// ends.
class sim_network {
public:
  explicit sim_network(std::uint64_t seed, sim_path everywhere = {}, time_ms reset_after_ms = 20'000);

  /// Changes the path from one host to another, this direction only; for what is sent from now on.
  void set_path(const std::string& from, const std::string& to, const sim_path& path);

  void listen(const std::string& host);
  /// Dials to `host` are refused from now on; its streams stay.
  void stop_listening(const std::string& host);

  /// Opens a stream. The dialling end gets `connected`, or `closed` (`unreachable`) when nobody listens there.
  endpoint_id connect(const std::string& from, const std::string& to, time_ms now);

  /// Errors: `link_closed` when this end is closed.
  expected<unit> send(endpoint_id endpoint, byte_view octets, time_ms now);

  /// Ends the stream after what was sent; the far end gets `closed` after the rest of the data. No event here.
  void close(endpoint_id endpoint, time_ms now);

  /// Breaks the stream: both ends get `closed` (`link_closed`), data under way is lost.
  void reset(endpoint_id endpoint, time_ms now);

  /// Breaks every stream of a host and stops its listening, silently for itself: it has crashed.
  void crash(const std::string& host, time_ms now);

  void send_datagram(const std::string& from, const std::string& to, byte_view octets, time_ms now);

  /// Blocks the paths from every host of `a` to every host of `b`, and back unless `one_way`.
  void partition(const std::set<std::string>& a, const std::set<std::string>& b, bool one_way, time_ms now);
  /// Blocks one direction of one path until `until`.
  void clog(const std::string& from, const std::string& to, time_ms until, time_ms now);
  /// Lifts all partitions and clogs.
  void heal(time_ms now);

  /// When something happens next; UINT64_MAX: never.
  time_ms next_event_time() const noexcept;

  /// Everything that happened up to `now`, in order. Precondition: `now` never decreases over all calls.
  std::vector<sim_event> advance(time_ms now);

  std::size_t open_streams() const noexcept { return streams_.size(); }

private:
  enum class item_kind : std::uint8_t { syn, accepted, refused, data, fin, rst };
  struct item {
    item_kind what{};
    time_ms at = 0;
    bytes octets;
  };
  using path_key = std::pair<std::string, std::string>; // from, to
  struct direction {                                    // from one end to the other
    path_key path;
    std::deque<item> under_way;
    time_ms last_at = 0;                  // of the latest item: a stream keeps its order
    time_ms busy_until = 0;               // with what was sent before, where the path has a bandwidth
    std::optional<time_ms> blocked_since; // when the first item was held up
  };
  struct stream {
    std::array<direction, 2> ways; // [0] from the dialling end, [1] from the accepting one
    std::array<bool, 2> open{true, false};
  };
  struct agenda_entry {
    enum class kind : std::uint8_t { way, datagram, unblock, reset_check } what{};
    endpoint_id sender = 0; // of way and reset_check
    path_key path;          // of datagram
    bytes octets;
  };
  using event_key = std::pair<time_ms, std::uint64_t>; // time, then order of scheduling

  const sim_path& path_of(const path_key& path) const;
  time_ms latency(const sim_path& path);
  bool blocked(const path_key& path, time_ms now) const;
  stream* find(endpoint_id endpoint);
  void put(endpoint_id sender, item_kind what, bytes octets, time_ms now);
  void schedule(time_ms at, agenda_entry entry);
  void run(agenda_entry& entry, time_ms now, std::vector<sim_event>& out);
  void run_way(endpoint_id sender, time_ms now, std::vector<sim_event>& out);
  void deliver(endpoint_id sender, item what, time_ms now, std::vector<sim_event>& out);
  void end_at(endpoint_id endpoint, const error& why, time_ms now, std::vector<sim_event>& out);
  void check_reset(endpoint_id sender, time_ms now, std::vector<sim_event>& out);
  void release(time_ms now);

  seeded_random random_;
  sim_path everywhere_;
  time_ms reset_after_ms_;
  std::map<path_key, sim_path> paths_;
  std::map<path_key, time_ms> blocks_; // until when; UINT64_MAX: until healed
  std::set<std::string> listeners_;
  std::map<endpoint_id, stream> streams_; // by the dialling end, which is even; the accepting end is one more
  std::map<event_key, agenda_entry> agenda_;
  std::vector<sim_event> pending_; // of calls between two `advance`
  endpoint_id next_endpoint_ = 2;
  std::uint64_t next_seq_ = 1;
};

} // namespace hanse
