// Where a block store keeps blocks and leases: an interface of small operations, and the one in memory, for tests and
// the simulator. Not the policy (block_store.hpp decides what is kept); SQLite's is actors' block_database.hpp.
#pragma once

#include "hanse/crypto/hash.hpp"
#include "hanse/protocols/envelope.hpp"

#include <map>
#include <optional>
#include <set>

namespace hanse {

/// A domain's claim that a block be kept until then.
struct block_lease {
  digest block;
  identity domain;
  time_ms until = 0;
  friend bool operator==(const block_lease&, const block_lease&) = default;
};

/// What is known of a block without reading it.
struct block_info {
  digest name;
  std::uint32_t size = 0;
  bool bad = false; ///< in quarantine: it was found to be damaged, and is not served
  friend bool operator==(const block_info&, const block_info&) = default;
};

/// How much a domain holds by its leases.
struct domain_usage {
  std::uint64_t blocks = 0;
  std::uint64_t octets = 0;
};

/// Reads see earlier writes at once; writes become durable together, in `commit`. One owner. Every call may fail with
/// `io_error`; after the first such failure every call does, for what is durable is then no longer known.
class block_table {
public:
  virtual ~block_table() = default;

  virtual expected<unit> commit() = 0;

  /// Writes a block, over an old one of this name (which then is no longer bad).
  virtual expected<unit> put(const digest& name, byte_view octets) = 0;
  virtual expected<std::optional<bytes>> get(const digest& name) = 0; ///< bad ones, too
  virtual expected<std::optional<block_info>> find(const digest& name) = 0;
  virtual expected<unit> mark_bad(const digest& name) = 0;
  virtual expected<unit> remove(const digest& name) = 0;
  /// The next blocks in the order of their names; all from the first without `after`.
  virtual expected<std::vector<block_info>> blocks_after(const std::optional<digest>& after, std::size_t count) = 0;

  virtual expected<unit> lease(const block_lease& l) = 0; ///< sets or changes it
  virtual expected<unit> release(const digest& name, const identity& domain) = 0;
  virtual expected<std::vector<block_lease>> leases_of(const digest& name) = 0;
  /// The leases that end up to `until`, the earliest first.
  virtual expected<std::vector<block_lease>> leases_until(time_ms until, std::size_t count) = 0;
  virtual expected<std::map<identity, domain_usage>> usage() = 0;
};

/// Everything in memory, nothing ever fails. For tests and the simulator. `crash` forgets what was not committed.
class memory_block_table final : public block_table {
public:
  expected<unit> commit() override;
  expected<unit> put(const digest& name, byte_view octets) override;
  expected<std::optional<bytes>> get(const digest& name) override;
  expected<std::optional<block_info>> find(const digest& name) override;
  expected<unit> mark_bad(const digest& name) override;
  expected<unit> remove(const digest& name) override;
  expected<std::vector<block_info>> blocks_after(const std::optional<digest>& after, std::size_t count) override;
  expected<unit> lease(const block_lease& l) override;
  expected<unit> release(const digest& name, const identity& domain) override;
  expected<std::vector<block_lease>> leases_of(const digest& name) override;
  expected<std::vector<block_lease>> leases_until(time_ms until, std::size_t count) override;
  expected<std::map<identity, domain_usage>> usage() override;

  void crash();                                    ///< back to the last commit
  void damage(const digest& name, std::size_t at); ///< flips a bit of what is kept, as a disk might
  std::uint64_t commits() const noexcept { return commits_; }

private:
  struct entry {
    std::shared_ptr<const bytes> octets;
    bool bad = false;
  };
  struct state {
    std::map<digest, entry> blocks;
    std::map<std::pair<digest, identity>, time_ms> leases;
    std::set<std::tuple<time_ms, digest, identity>> ends;
  };
  void note_block(const digest& name);
  void note_lease(const digest& name, const identity& domain);
  void set_lease(const digest& name, const identity& domain, std::optional<time_ms> until);

  state now_;
  std::map<digest, std::optional<entry>> old_blocks_; // what a crash brings back
  std::map<std::pair<digest, identity>, std::optional<time_ms>> old_leases_;
  std::uint64_t commits_ = 0;
};

} // namespace hanse
