// HyParView: a partial view of a topic's nodes, of which each talks to a few, so that all stay connected when many die
// at once. Source: Leitão, Pereira, Rodrigues, "HyParView: a membership protocol for reliable gossip-based broadcast"
// (DSN 2007). Not dissemination (plumtree.hpp). Three things differ from the paper: messages may get lost, so pings
// find dead neighbours and half-open views; nodes are only believed to exist if they are members of the topic, which
// the host knows; and as it knows all of them, one whose passive view ran dry asks any member.
#pragma once

#include "hanse/protocols/dissemination.hpp"

#include <set>

namespace hanse {

/// Numbers without a note are the paper's, which scaled them for 10,000 nodes.
struct hyparview_config {
  std::size_t active_max = 5;
  std::size_t passive_max = 30;
  std::uint32_t arwl = 6; ///< hops of a forwarded join
  std::uint32_t prwl = 3; ///< after so many of them less, it enters a passive view
  std::uint32_t shuffle_ms = 60'000;
  std::size_t shuffle_active = 3, shuffle_passive = 4; ///< of a shuffle; with the sender itself 8
  std::uint32_t ping_ms = 3000;                        ///< a guess; three unanswered ones are a dead neighbour
  std::uint32_t ask_timeout_ms = 1000;                 ///< a guess
  std::uint32_t ask_again_ms = 10'000; ///< a guess: between attempts of a node that has half of its neighbours
  std::size_t asked_max = 3;           ///< a guess: at the same time
  std::uint64_t ban_ms = 600'000;      ///< a guess: a node that was scored out is no neighbour for so long
};

/// The first kind of message that is HyParView's; those below are the dissemination protocol's.
inline constexpr std::uint64_t hyparview_kind_first = 16;

class hyparview {
public:
  hyparview(const identity& self, random_source& random, const hyparview_config& config = {})
      : self_(self), random_(random), config_(config) {}

  void members_changed(const std::vector<identity>& members, time_ms now, dissemination_effects& out);

  /// The link to a node broke: it is no neighbour any more, if it was.
  void peer_down(const identity& peer, time_ms now, dissemination_effects& out);

  /// No neighbour for `ban_ms`, now or later.
  void ban(const identity& peer, time_ms now, dissemination_effects& out);
  bool is_banned(const identity& peer, time_ms now) const;

  /// A body whose kind is hyparview_kind_first or above. Errors: those of msgpack_reader, `bad_type`, `bad_version`.
  expected<unit> receive(const identity& from, byte_view body, time_ms now, dissemination_effects& out);

  /// Something else came from `from`: it lives. If it is no neighbour, it is told so (no more often than a ping's
  /// time).
  void heard(const identity& from, time_ms now, dissemination_effects& out);

  void tick(time_ms now, dissemination_effects& out);
  std::optional<time_ms> next_timer() const;

  struct neighbour {
    time_ms heard_ms = 0;
    time_ms ping_at = 0;
    time_ms pinged_ms = 0;    ///< 0: no ping is under way
    std::uint32_t rtt_ms = 0; ///< smoothed as in RFC 6298; 0: not measured yet
  };
  const std::map<identity, neighbour>& active() const noexcept { return active_; }
  const std::set<identity>& passive() const noexcept { return passive_; }

  /// Changes of the active view since the last call: true for a new neighbour.
  std::vector<std::pair<identity, bool>> take_changes() { return std::exchange(changes_, {}); }

  /// The mean over the neighbours, or `otherwise`.
  std::uint32_t rtt_ms(std::uint32_t otherwise) const;

private:
  enum class kind : std::uint8_t;
  void send(const identity& to, kind k, dissemination_effects& out);
  void send_forward_join(const identity& to, const identity& joiner, std::uint32_t ttl, dissemination_effects& out);
  void send_nodes(const identity& to, kind k, const identity& origin, std::uint32_t ttl,
                  const std::vector<identity>& nodes, dissemination_effects& out);
  void add_active(const identity& peer, time_ms now, dissemination_effects& out);
  void remove_active(const identity& peer, bool keep_passive);
  void add_passive(const identity& peer);
  void on_join(const identity& from, time_ms now, dissemination_effects& out);
  void on_forward_join(const identity& from, const identity& joiner, std::uint32_t ttl, time_ms now,
                       dissemination_effects& out);
  void on_neighbour(const identity& from, bool urgent, time_ms now, dissemination_effects& out);
  void on_shuffle(const identity& from, const identity& origin, std::uint32_t ttl, const std::vector<identity>& nodes,
                  time_ms now, dissemination_effects& out);
  void shuffle(dissemination_effects& out);
  void check_neighbours(time_ms now, dissemination_effects& out);
  void look_for_more(time_ms now, dissemination_effects& out);
  bool is_member(const identity& node) const;
  std::optional<identity> any_active(const identity& but, const identity& nor);
  std::vector<identity> some_of(std::vector<identity> nodes, std::size_t count);

  identity self_;
  random_source& random_;
  hyparview_config config_;
  std::vector<identity> members_; ///< ascending, without this node
  std::map<identity, neighbour> active_;
  std::set<identity> passive_;
  std::map<identity, time_ms> asked_;  ///< to be neighbours, and until when
  std::map<identity, time_ms> banned_; ///< until when; of members
  std::map<identity, time_ms> told_;   ///< when a node was told that it is no neighbour; of members
  std::vector<std::pair<identity, bool>> changes_;
  std::optional<time_ms> look_at_;
  std::optional<time_ms> shuffle_at_;
};

} // namespace hanse
