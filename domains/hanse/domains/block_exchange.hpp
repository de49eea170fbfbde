// `blocks/1`: how members of a domain give each other blocks. Design section 10. One machine per domain of a node: it
// serves, keeps what others put, finds who has what, and fetches from several members at once. Not the store's policy
// (block_store.hpp) and not content (content_transfer.hpp): this layer sees names and octets.
//
// Fetching: a wanted block is asked of members that are known to give; when nobody is left, members are asked, then
// searches go out along topics' trees and as random walks (TTL 8), and whoever has the block says so directly. What is
// under way to a member, asked or put, has a window (answer_window.hpp: LEDBAT, RFC 6298), so that a slow link has no
// long queue. Sources: want/have/don't-have as in Bitswap 1.2, random walks of Lv et al., "Search and replication in
// unstructured peer-to-peer networks" (2002).
//
// A block is hashed before anything else is done with it. Who sends other octets than it says is reported, not used for
// a while, and its part is fetched elsewhere. What is stored is never fetched again, so a crash loses no progress.
#pragma once

#include "hanse/domains/answer_window.hpp"
#include "hanse/domains/block_message.hpp"
#include "hanse/domains/storage_protocol.hpp"

namespace hanse {

/// Bounds and times. Guesses unless a source is named.
struct block_exchange_config {
  identity domain{};
  std::uint8_t serve_trust_min = 64; ///< of members that are served and whose blocks are kept (128 is the default)
  std::uint64_t fetch_lease_ms = 24 * 3600 * 1000; ///< on blocks that were fetched: kept for others and for resuming
  std::size_t members_max = 4096;                  ///< further ones are ignored
  std::size_t trees_max = 256;                     ///< topics along whose trees searches go
  std::size_t wants_max = 8192;                    ///< blocks wanted at once
  std::uint32_t window_initial = 2;    ///< blocks asked of a member and not answered: 64 KiB, 0.3 s of 2 Mbit/s
  std::uint32_t window_max = 256;      ///< 8 MiB
  std::size_t ask_width = 4;           ///< members asked at once whether they have something
  std::size_t walks = 2;               ///< random walks of one search
  std::size_t search_trees = 8;        ///< that one search goes along, drawn among all
  std::size_t tree_width = 8;          ///< neighbours of one tree that a search goes to
  std::uint32_t search_wait_ms = 1000; ///< for answers to one round; doubles with each
  std::uint32_t search_rounds_max = 6; ///< then the block is given up: after about a minute
  std::uint32_t slow_link_octets_per_s = 32 * 1024; ///< assumed of a link until there is an answer
  std::uint32_t rest_ms = 5000;                     ///< that a silent member is not asked, at first
  std::uint64_t penalty_ms = 600'000;               ///< that a liar is not used
  std::size_t serve_names_max = 1024;               ///< names that one member waits for: four windows; above, refused
  std::size_t serve_names_all_max = 16 * 1024;      ///< … all together; above, who waits for more than its share is
  std::size_t serve_octets_step = 4 * 1024 * 1024;  ///< sent to all between two ticks
  std::size_t serve_octets_turn = 256 * 1024;       ///< … to one, before it is another's turn that waits, too
  std::uint32_t asked_names_per_s = 16 * 1024;      ///< looked up for asks of one member: a second of these is 80 ms
  std::size_t early_max = 64;                       ///< requests kept of nodes that are not known as members yet
  std::size_t early_of_one_max = 4;
  std::uint32_t early_ms = 2000;               ///< … so long; who joined is known here within some 50 ms
  std::size_t flood_max = 4096;                ///< dropped names, or searches, in a second: then a member is reported
  std::size_t nonces_max = 4096;               ///< searches remembered
  std::uint32_t searches_per_s = 200;          ///< passed on for one member
  std::size_t pushes_max = 8;                  ///< puts under way to one member
  std::size_t push_octets_initial = 64 * 1024; ///< … together: two blocks
  std::size_t push_octets_max = 4 * message_octets_max;
  std::uint32_t push_tries_max = 5;
  std::size_t recent_max = 256; ///< fetched blocks kept in memory for who waits for them: 8 MiB
  std::size_t acks_max = 256;   ///< puts of others that wait for the commit; above, they are refused
};

/// The machine. The functions of the interface are described there.
class block_exchange final : public storage_protocol {
public:
  /// `store` and `random` must outlive it. `key` is the node's: it signs receipts.
  block_exchange(block_store& store, key_pair key, random_source& random, const block_exchange_config& config);

  void set_member(const identity& node, std::uint8_t trust) override;
  void drop_member(const identity& node, block_effects& out) override;
  void peer_down(const identity& node, time_ms now, block_effects& out) override;
  void set_tree(const identity& topic, std::vector<identity> neighbours) override;
  expected<unit> want(std::span<const digest> names, std::span<const identity> providers, time_ms now,
                      block_effects& out) override;
  void unwant(const digest& name) override;
  std::optional<bytes> take_recent(const digest& name) override;
  expected<unit> push(const identity& to, std::uint64_t token, std::vector<digest> names, time_ms until, time_ms now,
                      block_effects& out) override;
  expected<unit> receive(const identity& from, byte_view body, time_ms now, block_effects& out) override;
  void tick(time_ms now, block_effects& out) override;
  std::optional<time_ms> next_timer() const override;
  std::vector<identity> candidates(time_ms now) override;
  std::size_t push_room(const identity& to) const override;
  const storage_stats& stats() const noexcept override { return stats_; }

  const identity& domain() const noexcept { return config_.domain; }
  std::size_t wanted() const noexcept { return wants_.size(); }

private:
  struct flight {
    time_ms sent = 0;
    std::uint64_t ahead = 0; ///< under way then, itself among them
  };
  struct push_under_way {
    std::uint64_t token = 0;
    std::vector<digest> names;
    time_ms until = 0, begun = 0, sent = 0;
    std::uint64_t octets = 0, ahead = 0; ///< as in flight
    std::uint32_t tries = 0;
  };
  struct member {
    std::uint8_t trust = 0;
    // as one who gives
    std::map<digest, flight> flights;
    answer_window window; ///< of blocks
    bool gives = false;   ///< it has delivered, or said that it has something
    std::uint32_t failures = 0;
    time_ms asked = 0, heard = 0, idle_until = 0, punished_until = 0;
    // as one who keeps
    std::map<std::uint64_t, push_under_way> pushes;
    std::uint64_t pushed_octets = 0; ///< of these
    time_ms push_heard = 0;
    answer_window push_window; ///< of octets
    // as one who asks
    std::deque<digest> queue;
    std::set<digest> queued;
    std::uint64_t dropped = 0;
    time_ms second = 0;
    std::uint32_t searches = 0;
    std::uint64_t asked_names = 0;
  };
  /// A request that came before we knew its sender as a member.
  struct early_request {
    identity from;
    bytes body;
    time_ms until = 0;
  };
  struct wanted_block {
    std::uint64_t order = 0;
    std::uint32_t wishes = 1;     ///< calls of `want` that were not taken back
    std::optional<identity> from; ///< asked there
    std::set<identity> has;       ///< said so
    std::set<identity> lacks;     ///< said so, or did not answer; forgotten with each round
    bool timed_out = false;       ///< at somebody: an answer may be to an earlier request
    std::uint32_t round = 0;
    time_ms round_ends = 0;
  };
  struct pending_ack {
    std::uint64_t batch;
    identity to;
    std::uint64_t id;
    errc code;
    time_ms until;
    std::vector<digest> names;
  };
  using members = std::map<identity, member>;

  // block_exchange.cpp
  bool usable(const member& m, time_ms now) const noexcept;
  void draw(std::vector<identity>& from, std::size_t count);
  std::vector<identity> some_members(std::size_t count, const std::set<identity>& except);
  std::vector<identity> along(const identity& topic, const std::set<identity>& except);
  void misbehaved(const identity& node, error why, time_ms now, block_effects& out);
  void end_pushes(const identity& node, member& m, block_effects& out);
  void fail(const error& why, block_effects& out);
  void send(const identity& to, const block_message& m, block_effects& out);
  expected<unit> hold(const identity& from, byte_view body, time_ms now);
  void hear_early(time_ms now, block_effects& out);

  // block_fetch.cpp
  void forget(const digest& name);
  expected<unit> on(const identity& from, const blocks_answer& m, time_ms now, block_effects& out);
  expected<unit> on(const identity& from, const blocks_presence& m, time_ms now, block_effects& out);
  void remember(const named_block& b);
  void delivered(member& m, const digest& name, const wanted_block& w, time_ms now);
  void land(wanted_block& w, const digest& name);
  void arrived(const digest& name, const identity& from, block_effects& out);
  void give_up_flights(member& m, const identity& who);
  void time_out(time_ms now, block_effects& out);
  void pump(time_ms now, block_effects& out);
  bool fill(const identity& who, member& m, time_ms now, block_effects& out);
  bool somebody_may_give(const wanted_block& w, time_ms now) const;
  void look_around(time_ms now, block_effects& out);
  void ask_fresh(time_ms now, block_effects& out);
  void search(const std::vector<digest>& names, bool far, time_ms now, block_effects& out);

  // block_serve.cpp
  expected<unit> on(const identity& from, const blocks_get& m, time_ms now, block_effects& out);
  expected<unit> on(const identity& from, const blocks_ask& m, time_ms now, block_effects& out);
  expected<unit> on(const identity& from, const blocks_search& m, time_ms now, block_effects& out);
  expected<unit> on(const identity& from, const blocks_put& m, time_ms now, block_effects& out);
  expected<unit> on(const identity& from, const blocks_stored& m, time_ms now, block_effects& out);
  member& asking(const identity& from, time_ms now);
  bool has_room(const member& who) const noexcept;
  void forget_queue(const identity& who, member& m);
  void serve(block_effects& out);
  std::size_t serve_one(const identity& to, std::size_t octets_max, block_effects& out);
  void acknowledge(block_effects& out);
  expected<blocks_put> read_push(std::uint64_t id, const push_under_way& p, std::vector<bytes>& kept);
  void time_out_pushes(const identity& who, member& m, time_ms now, block_effects& out);
  expected<std::vector<digest>> split_present(const std::vector<digest>& names, std::vector<digest>& missing);

  key_pair key_;
  random_source* random_;
  block_exchange_config config_;
  members members_;
  std::map<identity, std::vector<identity>> trees_; ///< neighbours, by topic
  std::map<digest, wanted_block> wants_;
  std::map<std::uint64_t, digest> open_; ///< wanted and not asked of anybody, in the order of need
  std::uint64_t next_order_ = 1, next_push_ = 1;
  std::map<digest, bytes> recent_;
  std::deque<digest> recent_order_; ///< may name what was taken
  std::deque<pending_ack> acks_;
  std::set<std::uint64_t> nonces_;
  std::deque<std::uint64_t> nonce_order_;
  std::set<identity> waiting_;    ///< members with a queue
  std::size_t waiting_names_ = 0; ///< in all their queues
  std::size_t served_octets_ = 0; ///< since the last tick
  std::optional<identity> served_last_;
  std::deque<early_request> early_;
  std::vector<identity> fresh_; ///< members that are new since the last tick; at most ask_width
  storage_stats stats_;
  bool failed_ = false;
  time_ms ticked_ = 0;
};

} // namespace hanse
