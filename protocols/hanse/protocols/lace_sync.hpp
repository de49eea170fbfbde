// How blocks travel between the members of a domain: new ones at once to all, the rest by comparing what each has.
// Not acceptance (blocklace.hpp). Sans-IO; delivery may lose, repeat and reorder. Design section 8; docs/blocklace.md.
//
// Comparing costs what differs: a root hash over the tips of all creators; if it differs, a hash per bucket of
// creators; then the tips {creator: [seq, id]} of the buckets that differ; then the blocks above them, both ways, in
// the order of acceptance. Only the acknowledged part is compared: it is what honest nodes agree on, so quiet domains
// agree on the root. Blocks that point at unknown ones make this node ask for those by id (want).
//
// Who lacks much that a checkpoint covers is told where an archive of it is (docs/blocklace.md, "Archives"): what the
// archive holds comes from elsewhere, and this machine knows it only as octets that say so, its voucher.
#pragma once

#include "hanse/crypto/random.hpp"
#include "hanse/protocols/blocklace.hpp"
#include "hanse/protocols/envelope.hpp"
#include "hanse/protocols/peer_message.hpp"

namespace hanse {

/// Bounds and times; guesses.
struct lace_sync_config {
  std::size_t message_octets_max = 256 * 1024;     ///< of blocks in one message; below body_size_max
  std::size_t answer_octets_max = 1024 * 1024;     ///< of blocks in answer to one message
  std::size_t peer_octets_per_s = 4 * 1024 * 1024; ///< answers to one peer, on average; twice that at once
  std::size_t want_ids_max = 256;                  ///< in one message
  std::size_t wants_max = 4096;                    ///< ids asked for and not here yet
  std::uint32_t want_again_ms = 2000;
  std::uint32_t want_tries_max = 4;
  std::uint32_t busy_ms = 1000;            ///< between comparisons while something changes
  std::uint32_t idle_ms = 10'000;          ///< between comparisons else
  std::size_t archive_blocks = 256;        ///< who lacks so many that an archive has is told of it instead
  std::uint32_t archive_again_ms = 60'000; ///< after one was taken or failed, this node takes blocks for so long
};

struct lace_sync_stats {
  std::uint64_t roots = 0, equal_roots = 0, blocks_sent = 0, octets_sent = 0, wants_sent = 0, throttled = 0, bad = 0;
  std::uint64_t archives_named = 0;
};

/// A peer says that what this node lacks is in an archive; `voucher` is to be checked by who knows what it says.
struct archive_offer {
  identity from;
  bytes voucher;
};

/// The machine. Not thread-safe. The lace and `random` must outlive it. Messages are appended to `send`, what the lace
/// says to `lace_out`; after every call the caller gives lace_publish and lace_missing back to `publish` and `missing`,
/// and says `changed` when the acknowledged part changed.
class lace_sync {
public:
  lace_sync(blocklace& lace, random_source& random, const lace_sync_config& config = {});

  /// Whom to speak with: the other members, and contacts who are known to be (an introducer).
  void set_peers(std::vector<identity> peers);

  /// A body from an authenticated member. Errors: those of msgpack_reader, `bad_type` (an unknown kind): it did
  /// nothing.
  expected<unit> receive(const identity& from, byte_view body, time_ms now, std::vector<peer_message>& send,
                         lace_effects& lace_out);

  void publish(const lace_publish& own, time_ms now, std::vector<peer_message>& send);
  void missing(const lace_missing& what, time_ms now, std::vector<peer_message>& send);
  void changed(time_ms now);

  /// Compares with `peer` now: a link to it came up, or it joined.
  void compare(const identity& peer, time_ms now, std::vector<peer_message>& send);

  void tick(time_ms now, std::vector<peer_message>& send);
  std::optional<time_ms> next_timer() const;

  // --- archives ---

  /// What this block covers is in an archive; no_block: there is none.
  void set_archive(block_index covers, bytes voucher);

  /// Whether this node could get one.
  void take_archives(bool can) noexcept { takes_archives_ = can; }

  /// The offer that came last, once. Until `archive_done` no other is heard, and nothing is asked for: it may be in it.
  std::optional<archive_offer> take_offer() noexcept { return std::exchange(offer_, std::nullopt); }

  /// It was taken, or could not be: compare again.
  void archive_done(time_ms now) noexcept { archive_after_ms_ = now + config_.archive_again_ms; }

  const lace_sync_stats& stats() const noexcept { return stats_; }

  /// Of the acknowledged part; equal at two nodes iff they have the same.
  digest root();

private:
  struct tip {
    std::uint64_t seq;
    block_id id;
    friend auto operator<=>(const tip&, const tip&) = default;
  };
  using tips = std::vector<tip>;
  struct want {
    time_ms asked_ms = 0;
    std::uint32_t tries = 0;
  };
  struct budget {
    std::size_t octets = 0;
    time_ms since_ms = 0;
  };

  void refresh();
  tips tips_of(creator_index c) const;
  std::vector<digest> bucket_hashes(unsigned log2_count) const;
  void on_root(const identity& from, msgpack_reader& in, std::vector<peer_message>& send);
  void on_buckets(const identity& from, msgpack_reader& in, time_ms now, std::vector<peer_message>& send);
  expected<unit> on_vector(const identity& from, msgpack_reader& in, time_ms now, std::vector<peer_message>& send);
  void on_want(const identity& from, msgpack_reader& in, time_ms now, std::vector<peer_message>& send);
  void on_blocks(const identity& from, msgpack_reader& in, time_ms now, std::vector<peer_message>& send,
                 lace_effects& lace_out);
  void on_archive(const identity& from, msgpack_reader& in, time_ms now);
  bool hears_archives(time_ms now) const noexcept { return takes_archives_ && now >= archive_after_ms_; }
  bool waits_for_archive() const noexcept { return archive_after_ms_ == UINT64_MAX; }
  bool is_for_archive(const std::vector<block_index>& lacking) const;
  void on_tip_ask(const identity& from, std::vector<peer_message>& send);
  void on_tip(const identity& from, msgpack_reader& in, lace_effects& lace_out);
  void send_vector(const identity& to, unsigned log2_count, const std::vector<bool>& buckets, bool wants_reply,
                   time_ms now, std::vector<peer_message>& send);
  void collect_above(creator_index c, const tips& theirs, std::vector<block_index>& lacking) const;
  void send_blocks(const identity& to, std::vector<block_index> blocks, time_ms now, std::vector<peer_message>& send);
  std::size_t allowance(const identity& peer, time_ms now);
  void spend(const identity& peer, std::size_t octets);
  void send_root(const identity& to, std::vector<peer_message>& send);
  void ask_tips(std::vector<peer_message>& send);
  void retry_wants(time_ms now, std::vector<peer_message>& send);
  void send_wants(const identity& to, const std::vector<block_id>& ids, std::vector<peer_message>& send);

  blocklace& lace_;
  random_source& random_;
  lace_sync_config config_;
  std::vector<identity> peers_;
  bool is_stale_ = true;
  digest root_;
  std::map<identity, tips> vector_; ///< of the acknowledged part
  std::map<block_id, want> wants_;
  std::map<identity, budget> budgets_;
  time_ms next_compare_ms_ = 0;
  time_ms busy_until_ms_ = 0;
  time_ms next_ask_ms_ = 0;
  block_index archive_covers_ = no_block; ///< what is in the archive is in its past
  bytes archive_voucher_;
  bool takes_archives_ = false;
  time_ms archive_after_ms_ = 0; ///< offers are heard from then on
  std::optional<archive_offer> offer_;
  lace_sync_stats stats_;
};

} // namespace hanse
