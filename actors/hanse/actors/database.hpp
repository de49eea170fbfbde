// Durable key-value tables over one SQLite file: WAL, synchronous=FULL, exclusive. Not an actor (storage_engine is) and
// not thread-safe: one owner. Design section 11.
#pragma once

#include "hanse/actors/messages.hpp"

#include <filesystem>
#include <memory>

struct sqlite3;
struct sqlite3_stmt;

namespace hanse {

/// An open database. After the first I/O error every call fails with it: what is durable is no longer known.
class database {
public:
  /// Opens or creates. Errors: `io_error` (cannot open, not a Hanse database, or open in another process; the detail
  /// says which).
  static expected<database> open(const std::filesystem::path& file);

  database(database&&) noexcept = default;
  database& operator=(database&&) noexcept = default;

  /// Writes all records in one transaction; durable when it returns. Error: `io_error`.
  expected<unit> write(const std::vector<record>& records);

  /// All records of a table, ascending by key. Error: `io_error`.
  expected<std::vector<record>> load(std::string_view table);

private:
  struct close_db {
    void operator()(sqlite3* db) const noexcept;
  };
  struct finalize {
    void operator()(sqlite3_stmt* s) const noexcept;
  };
  using statement = std::unique_ptr<sqlite3_stmt, finalize>;

  explicit database(sqlite3* db) : db_(db) {}
  expected<unit> prepare();
  expected<unit> execute(const char* sql);
  expected<unit> apply(const record& r);
  error failure(std::string_view doing);

  std::unique_ptr<sqlite3, close_db> db_;
  statement put_, erase_, load_;
  std::optional<error> poison_;
};

} // namespace hanse
