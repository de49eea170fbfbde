// The block store of a node: which blocks are kept, for whom, how long, and that none of them is wrong. Design sections
// 10 and 11. A pure machine over a block_table; not the fetching from others (block_exchange.hpp).
//
// A block is kept while some domain holds a *lease* on it. Each domain has a quota. What is read is hashed again: a
// damaged block goes into quarantine and is never served; its leases stay, so that a good copy can be put in its place.
// Writes are committed in groups; **nothing may be acknowledged before the commit of its batch.**
#pragma once

#include "hanse/domains/block_table.hpp"
#include "hanse/domains/eris.hpp"

namespace hanse {

inline constexpr std::size_t stored_block_size_max = 32 * 1024; ///< octets: the larger block of ERIS

/// Bounds and times. Guesses unless a source is named.
struct block_store_config {
  std::uint64_t quota_octets = 16ull << 30;               ///< of each domain, unless set_quota says otherwise
  std::size_t domains_max = 256;                          ///< with leases here
  std::uint64_t lease_max_ms = 400ull * 24 * 3600 * 1000; ///< longer ones are cut to it; put with lease_forever is not
  std::uint64_t lease_grace_ms = 3600 * 1000;             ///< kept after its end, should our clock be ahead by an hour
  std::size_t commit_items_max = 64;                      ///< awaited writes under one commit (design section 11)
  std::uint32_t commit_ms = 5;                      ///< that an awaited write waits for others (design section 11)
  std::size_t commit_octets_max = 16 * 1024 * 1024; ///< written and not committed, awaited or not
  std::uint32_t gc_every_ms = 10'000;               ///< a look for leases that ended
  std::size_t gc_step_max = 256;                    ///< leases ended in one step; more follow at once
  std::uint32_t scrub_every_ms = 1000;              ///< a step of the scrub
  std::size_t scrub_step_max = 32;                  ///< blocks read in it: 1 MiB/s, so 32 GiB in nine hours
  std::uint32_t scrub_pass_ms = 3600 * 1000;        ///< least time from the begin of one pass to that of the next
  digest scrub_start{}; ///< where the scrub begins: random, or restarts keep it from the rest
};

/// A lease without an end, for what this node itself wants to keep.
inline constexpr time_ms lease_forever = wire_number_max;

/// Counters since the start, and sizes now.
struct block_store_stats {
  std::uint64_t puts = 0, put_octets = 0, known = 0; ///< known: puts of what was there already
  std::uint64_t gets = 0, hits = 0, refused = 0;     ///< refused: puts
  std::uint64_t corrupt = 0, scrubbed = 0, scrub_passes = 0, expired = 0, removed = 0, commits = 0;
  std::map<identity, domain_usage> usage;
};

/// The store. Not thread-safe. `now` is the wall clock (leases outlive restarts).
/// An error `io_error` from any call is final: stop, report it, and acknowledge nothing more.
class block_store {
public:
  /// `table` must outlive it. Error: `io_error`.
  static expected<block_store> open(block_table& table, const block_store_config& config = {});

  void set_quota(const identity& domain, std::uint64_t octets) { quotas_[domain] = octets; }

  /// Keeps a block for `domain` until then at least (an earlier lease that is longer stays). Returns the end of the
  /// lease. Errors, with nothing kept: `bad_checksum` (not the block of this name), `too_long`, `expired` (`until` has
  /// passed), `table_full` (quota or domains_max), `io_error`.
  expected<time_ms> put(const identity& domain, const digest& name, byte_view octets, time_ms until, time_ms now,
                        block_check check = block_check::hash);

  /// A lease on a block that is here. Errors: `not_found`, and those of put.
  expected<time_ms> extend(const identity& domain, const digest& name, time_ms until, time_ms now);

  /// Ends a domain's lease. The block goes with the last one.
  expected<unit> release(const identity& domain, const digest& name);

  /// The block, hashed again; nothing if it is not here or turns out to be damaged (then it is in take_lost, too).
  expected<std::optional<bytes>> get(const digest& name);

  /// Whether it is here and not known to be damaged; it is not read.
  expected<bool> has(const digest& name);

  /// The number of the batch that writes go into now. A write is durable once `committed()` has reached the number that
  /// `batch()` had after it.
  std::uint64_t batch() const noexcept { return batch_; }
  std::uint64_t committed() const noexcept { return batch_ - 1; }

  /// Somebody waits for the commit of this batch: it comes within commit_ms.
  void await_commit(time_ms now);

  /// Whether to call `commit` now: enough waits, long enough, or a lot is written.
  bool commit_due(time_ms now) const noexcept;
  expected<unit> commit();

  /// Commits if due, and ends leases, removes blocks, scrubs, each in a bounded step.
  expected<unit> tick(time_ms now);
  std::optional<time_ms> next_timer() const;

  /// Reads and checks up to `count` blocks from where the scrub is; true when it came round. For `block verify`.
  expected<bool> scrub(std::size_t count);

  /// Ends all leases that are over and commits; how many. For `block gc`; tick does it by itself.
  expected<std::uint64_t> collect(time_ms now);

  /// Damaged blocks found since the last call that leases of this domain hold, at most `count`: fetch and put them
  /// again. What is left, or cannot be fetched, is told again.
  std::vector<digest> take_lost(const identity& domain, std::size_t count = SIZE_MAX);

  expected<std::vector<block_info>> list(const std::optional<digest>& after, std::size_t count) {
    return table_->blocks_after(after, count);
  }
  expected<std::vector<block_lease>> leases_of(const digest& name) { return table_->leases_of(name); }
  const block_store_stats& stats() const noexcept { return stats_; }

private:
  block_store(block_table& table, const block_store_config& config);
  expected<time_ms> hold(const identity& domain, const digest& name, std::size_t size, bool is_here, time_ms until,
                         time_ms now);
  expected<unit> end_lease(const block_lease& l);
  expected<std::size_t> end_some_leases(time_ms now);
  expected<unit> quarantine(const digest& name);
  expected<unit> miss(const digest& name);
  void found_again(const digest& name);
  void wrote(std::size_t octets) noexcept;

  block_table* table_;
  block_store_config config_;
  std::map<identity, std::uint64_t> quotas_;
  block_store_stats stats_;
  std::uint64_t batch_ = 1;
  std::size_t written_octets_ = 0, awaited_ = 0;
  bool dirty_ = false;
  time_ms awaited_since_ = 0;
  time_ms gc_at_ = 0, scrub_at_ = 0;
  time_ms scrub_began_ = 0;     ///< this pass
  bool scrub_has_read_ = false; ///< in this pass
  std::optional<digest> scrub_cursor_;
  std::map<identity, std::set<digest>> lost_; ///< by the domains that hold them; at most lost_max each
};

} // namespace hanse
