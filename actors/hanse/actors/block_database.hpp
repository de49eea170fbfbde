// The block table in an SQLite file of its own, beside the node's database. Rollback journal, synchronous=FULL,
// exclusive. Design section 11. Not an actor and not thread-safe: one owner, in a thread that may wait for the disk.
#pragma once

#include "hanse/domains/block_table.hpp"

#include <filesystem>
#include <memory>

struct sqlite3;
struct sqlite3_stmt;

namespace hanse {

/// An open block database. After the first I/O error every call fails with it.
class block_database final : public block_table {
public:
  /// Opens or creates. `vfs` names a registered SQLite VFS (tests inject faults by one); null: the system's.
  /// Errors: `io_error` (cannot open, not a block database of Hanse, or open in another process; the detail says
  /// which), `bad_version`.
  static expected<std::unique_ptr<block_database>> open(const std::filesystem::path& file, const char* vfs = nullptr);
  ~block_database() override;

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

private:
  struct close_db {
    void operator()(sqlite3* db) const noexcept;
  };
  struct finalize {
    void operator()(sqlite3_stmt* s) const noexcept;
  };
  class query; // a statement in use: binds, steps, resets
  enum statement_id : std::size_t {
    begin,
    commit_,
    put_data,
    put_block,
    get_data,
    find_block,
    bad_block,
    drop_data,
    drop_block,
    list_all,
    list_after,
    put_lease,
    drop_lease,
    leases_block,
    leases_end,
    usage_all,
    add_domain,
    statement_count
  };

  explicit block_database(sqlite3* db);
  expected<unit> prepare();
  expected<unit> execute(const char* sql);
  expected<unit> start_writing();
  expected<std::int64_t> number_of(const identity& domain);
  expected<std::vector<block_info>> read_infos(query& q);
  expected<std::vector<block_lease>> read_leases(query& q);
  error failure(std::string_view doing);

  std::unique_ptr<sqlite3, close_db> db_;
  std::array<std::unique_ptr<sqlite3_stmt, finalize>, statement_count> statements_;
  bool writing_ = false;
  std::map<identity, std::int64_t> domains_; // small: block_store bounds it
  std::map<std::int64_t, identity> domain_names_;
  std::optional<error> poison_;
};

} // namespace hanse
