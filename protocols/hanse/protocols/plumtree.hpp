// "plumtree/1": payloads run down a spanning tree of the overlay, announcements along its other links, and a link of
// the second kind becomes one of the first where a payload is late. Over HyParView (hyparview.hpp). Source: Leitão,
// Pereira, Rodrigues, "Epidemic broadcast trees" (SRDS 2007). Beyond the paper: neighbours are scored, queues to slow
// ones are bounded, and timers follow the measured round trips.
//
// Slow peers: what is for a peer whose link takes no more waits, up to `queue_octets_max` and
// `queue_announcements_max`. Beyond that the oldest announcements go first; then the oldest payloads become
// announcements. Nobody else waits.
//
// Scores: a neighbour that sends `invalid_max` invalid payloads, or does not send what it announced when it is asked
// (`broken_max` times, and at least eight times as often as it does), is no neighbour any more for `ban_ms`.
#pragma once

#include "hanse/crypto/hash.hpp"
#include "hanse/protocols/hyparview.hpp"

#include <deque>

namespace hanse {

/// Guesses unless a source is named.
struct plumtree_config {
  hyparview_config overlay;
  std::uint32_t optimisation_hops = 7;              ///< the paper's threshold
  std::uint32_t announce_ms = 10;                   ///< announcements are collected for so long
  std::uint32_t rtt_initial_ms = 200;               ///< until measured
  std::uint32_t graft_rtts = 10, graft_min_ms = 60; ///< from an announcement to the first graft
  std::uint32_t regraft_min_ms = 40;                ///< to the next one: one and a half round trips, at least this
  std::size_t seen_max = 32'768;                    ///< payloads remembered
  std::size_t cache_max = 2048;                     ///< payloads kept for grafts
  std::size_t cache_octets_max = 32 * 1024 * 1024;
  std::size_t missing_max = 8192; ///< announced payloads that have not come; of one neighbour an eighth
  std::size_t queue_octets_max = 8 * 1024 * 1024;
  std::size_t queue_announcements_max = 4096;
  std::uint64_t graft_octets_per_second = 8 << 20; ///< answered to each neighbour; as many at once
  std::uint32_t invalid_max = 3;
  std::uint32_t broken_max = 12;
};

class plumtree final : public dissemination {
public:
  explicit plumtree(const dissemination_context& context, const plumtree_config& config = {});

  void members_changed(const std::vector<identity>& members, time_ms now, dissemination_effects& out) override;
  void peer_down(const identity& peer, time_ms now, dissemination_effects& out) override;
  void peer_writable(const identity& peer, bool writable, time_ms now, dissemination_effects& out) override;
  void broadcast(const shared_bytes& payload, time_ms now, dissemination_effects& out) override;
  expected<unit> receive(const identity& from, byte_view body, time_ms now, dissemination_effects& out) override;
  void flush(time_ms now, dissemination_effects& out) override;
  void tick(time_ms now, dissemination_effects& out) override;
  std::optional<time_ms> next_timer() const override;
  std::vector<identity> neighbours() const override;
  dissemination_stats stats() const override { return stats_; }
  std::vector<identity> eager() const override;
  const hyparview& overlay() const noexcept { return overlay_; }

private:
  struct announcement {
    digest id;
    std::uint32_t hop = 0;
  };
  struct payload_entry {
    digest id;
    std::uint32_t hop = 0;
    shared_bytes payload;
  };
  struct peer {
    bool eager = true;
    bool writable = true;
    std::deque<payload_entry> payloads;
    std::size_t octets = 0;
    std::deque<announcement> announcements;
    std::uint32_t invalid = 0, broken = 0, kept = 0;
    std::size_t missing = 0; ///< entries of missing_ that it announced first
    std::uint64_t credit = 0;
    time_ms credit_at = 0;
  };
  struct seen_entry {
    std::uint32_t hop = 0;
    shared_bytes payload; ///< empty: not kept (any more)
  };
  struct missing_entry {
    std::vector<std::pair<identity, std::uint32_t>> announcers; ///< not asked yet, with their hops; at most 8
    std::optional<identity> asked;
    identity first; ///< who announced it first: it counts for that neighbour's share of the table
    time_ms due = 0;
  };

  expected<unit> receive_payloads(const identity& from, msgpack_reader& in, time_ms now, dissemination_effects& out);
  expected<unit> receive_announcements(const identity& from, msgpack_reader& in, time_ms now);
  expected<unit> receive_grafts(const identity& from, msgpack_reader& in, time_ms now);
  void take(const identity& from, std::uint32_t hop, shared_bytes payload, time_ms now, dissemination_effects& out);
  void forward(const digest& id, std::uint32_t hop, const shared_bytes& payload, const identity& but, time_ms now);
  void remember(const digest& id, std::uint32_t hop, const shared_bytes& payload);
  void optimise(const identity& from, std::uint32_t hop, const missing_entry& m, dissemination_effects& out);
  void queue_payload(peer& p, const digest& id, std::uint32_t hop, const shared_bytes& payload);
  void queue_announcement(peer& p, const digest& id, std::uint32_t hop);
  void send_queued(const identity& to, peer& p, bool announcements, dissemination_effects& out);
  void send_announcements(const identity& to, peer& p, dissemination_effects& out);
  void graft(const identity& to, const std::vector<digest>& ids, dissemination_effects& out);
  void prune(const identity& to, dissemination_effects& out);
  using missing_table = std::map<digest, missing_entry>;
  missing_table::iterator forget_missing(missing_table::iterator at);
  void ask_for_missing(time_ms now, dissemination_effects& out);
  void broke_promise(const identity& id, time_ms now, dissemination_effects& out);
  void score_out(const identity& id, const error& why, time_ms now, dissemination_effects& out);
  void view_changed(time_ms now, dissemination_effects& out);

  dissemination_context context_;
  plumtree_config config_;
  hyparview overlay_;
  std::map<identity, peer> peers_; ///< the overlay's neighbours
  std::map<digest, seen_entry> seen_;
  std::deque<digest> seen_order_;
  std::deque<digest> cached_; ///< of seen_, those with a payload
  std::size_t cached_octets_ = 0;
  missing_table missing_;
  time_ms missing_due_ = UINT64_MAX; ///< not later than the first due one
  std::optional<time_ms> announce_at_;
  dissemination_stats stats_;
};

} // namespace hanse
