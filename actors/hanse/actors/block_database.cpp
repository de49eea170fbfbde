// SQLite behind block_database.hpp. Blocks stand apart from their names, so that looking a name up touches small pages.
#include "hanse/actors/block_database.hpp"

#include <sqlite3.h>

#include <algorithm>

namespace hanse {

namespace {

constexpr int schema_version = 1;
constexpr int application_id = 0x48616e42; // "HanB": a block database, not the node's

// page_size: measured per octet put, 32 KiB takes 80 % of the processor time of 16 KiB and 60 % of that of 8 KiB, for
// 12 % of space; at 64 KiB half of it would be lost. journal_mode: a write-ahead log holds every block before the file
// does, with a sum over it, which takes twice the processor time and twice the disk; a rollback journal only has old
// pages, and new blocks have none. For it a commit waits for the disk three times instead of once.
constexpr const char* settings[] = {
    "PRAGMA page_size=32768",
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA journal_mode=PERSIST",
    "PRAGMA synchronous=FULL",
    "PRAGMA cell_size_check=ON",
    "PRAGMA cache_size=-24576",
    "PRAGMA journal_size_limit=16777216",
};

constexpr const char* schema =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE domain(id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE);"
    "CREATE TABLE octets(id INTEGER PRIMARY KEY, content BLOB NOT NULL);"
    "CREATE TABLE block(name BLOB PRIMARY KEY, size INTEGER NOT NULL, bad INTEGER NOT NULL, octets INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE lease(block BLOB NOT NULL, domain INTEGER NOT NULL, until INTEGER NOT NULL, PRIMARY KEY(block, "
    "domain))"
    " WITHOUT ROWID;"
    "CREATE INDEX lease_until ON lease(until);";

constexpr const char* texts[] = {
    "BEGIN IMMEDIATE",
    "COMMIT",
    "INSERT INTO octets(content) VALUES(?1)",
    "INSERT INTO block(name, size, bad, octets) VALUES(?1, ?2, 0, ?3)",
    "SELECT content FROM octets WHERE id = (SELECT octets FROM block WHERE name = ?1)",
    "SELECT name, size, bad FROM block WHERE name = ?1",
    "UPDATE block SET bad = 1 WHERE name = ?1",
    "DELETE FROM octets WHERE id = (SELECT octets FROM block WHERE name = ?1)",
    "DELETE FROM block WHERE name = ?1",
    "SELECT name, size, bad FROM block ORDER BY name LIMIT ?1",
    "SELECT name, size, bad FROM block WHERE name > ?2 ORDER BY name LIMIT ?1",
    ("INSERT INTO lease(block, domain, until) VALUES(?1, ?2, ?3)"
     " ON CONFLICT(block, domain) DO UPDATE SET until = excluded.until"),
    "DELETE FROM lease WHERE block = ?1 AND domain = ?2",
    "SELECT block, domain, until FROM lease WHERE block = ?1",
    "SELECT block, domain, until FROM lease WHERE until <= ?2 ORDER BY until LIMIT ?1",
    "SELECT domain, count(*), sum(size) FROM lease JOIN block ON block.name = lease.block GROUP BY domain",
    "INSERT INTO domain(name) VALUES(?1)",
};

} // namespace

/// One use of a prepared statement. What comes out of a damaged file is checked like what comes from a peer.
class block_database::query {
public:
  query(block_database& db, statement_id id) : db_(db), s_(db.statements_[id].get()) {}
  ~query() {
    sqlite3_reset(s_);
    sqlite3_clear_bindings(s_);
  }
  query(const query&) = delete;
  query& operator=(const query&) = delete;

  query& blob(int at, byte_view octets) {
    sqlite3_bind_blob(s_, at, octets.empty() ? "" : static_cast<const void*>(octets.data()),
                      static_cast<int>(octets.size()), SQLITE_STATIC);
    return *this;
  }
  query& number(int at, std::uint64_t n) {
    sqlite3_bind_int64(s_, at, static_cast<sqlite3_int64>(n));
    return *this;
  }

  /// True while there is a row.
  expected<bool> step() {
    const auto status = sqlite3_step(s_);
    if (status == SQLITE_ROW) return true;
    if (status == SQLITE_DONE) return false;
    return db_.failure("block database");
  }
  expected<unit> run() {
    HANSE_CHECK(step());
    return ok();
  }
  /// As run; false if there is a row with this key already, which stays.
  expected<bool> insert() {
    const auto status = sqlite3_step(s_);
    if (status == SQLITE_DONE) return true;
    if ((status & 0xff) == SQLITE_CONSTRAINT) return false;
    return db_.failure("block database");
  }

  byte_view blob_at(int at) const {
    const auto* start =
        static_cast<const std::byte*>(sqlite3_column_blob(s_, at)); // before column_bytes, as SQLite asks
    return {start, static_cast<std::size_t>(sqlite3_column_bytes(s_, at))};
  }
  std::uint64_t number_at(int at) const { return static_cast<std::uint64_t>(sqlite3_column_int64(s_, at)); }

  expected<digest> digest_at(int at) const {
    const auto octets = blob_at(at);
    digest d;
    if (octets.size() != d.octets.size()) return db_.failure("damaged block database: name");
    std::ranges::copy(octets, d.octets.begin());
    return d;
  }

private:
  block_database& db_;
  sqlite3_stmt* s_;
};

void block_database::close_db::operator()(sqlite3* db) const noexcept {
  sqlite3_close_v2(db);
}

void block_database::finalize::operator()(sqlite3_stmt* s) const noexcept {
  sqlite3_finalize(s);
}

block_database::block_database(sqlite3* db) : db_(db) {}

block_database::~block_database() = default; // what is not committed is rolled back

error block_database::failure(std::string_view doing) {
  auto text = std::string{doing} + ": " + sqlite3_errmsg(db_.get());
  if (sqlite3_errcode(db_.get()) == SQLITE_BUSY) text += " (is another node running on this data directory?)";
  poison_ = error{errc::io_error, std::move(text)};
  return *poison_;
}

expected<unit> block_database::execute(const char* sql) {
  if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return failure(sql);
  return ok();
}

expected<std::unique_ptr<block_database>> block_database::open(const std::filesystem::path& file, const char* vfs) {
  sqlite3* raw = nullptr;
  const auto status =
      sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs);
  std::unique_ptr<block_database> db{new block_database{raw}};
  if (status != SQLITE_OK) return error{errc::io_error, "cannot open " + file.string() + ": " + sqlite3_errstr(status)};
  sqlite3_busy_timeout(raw, 1000); // a node that is just stopping on the same directory
  if (auto done = db->prepare(); !done)
    return error{done.error().code, "cannot use " + file.string() + ": " + done.error().detail};
  return db;
}

expected<unit> block_database::prepare() {
  for (const auto* setting : settings) HANSE_CHECK(execute(setting));
  const auto read_number = [this](const char* pragma) -> expected<int> {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(db_.get(), pragma, -1, &raw, nullptr) != SQLITE_OK) return failure(pragma);
    const std::unique_ptr<sqlite3_stmt, finalize> s{raw};
    if (sqlite3_step(raw) != SQLITE_ROW) return failure(pragma);
    return sqlite3_column_int(raw, 0);
  };
  HANSE_TRY(const auto version, read_number("PRAGMA user_version"));
  HANSE_TRY(const auto application, read_number("PRAGMA application_id"));
  if (version > schema_version) return error{errc::bad_version, "written by a newer version of Hanse"};
  if (version == 0) {
    const auto sql = std::string{schema} + "PRAGMA application_id=" + std::to_string(application_id) +
                     "; PRAGMA user_version=" + std::to_string(schema_version) + "; COMMIT";
    HANSE_CHECK(execute(sql.c_str()));
  } else if (application != application_id) {
    return error{errc::io_error, "not a block database"};
  }
  static_assert(std::size(texts) == statement_count);
  for (std::size_t i = 0; i < statement_count; ++i) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v3(db_.get(), texts[i], -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK)
      return failure(texts[i]);
    statements_[i].reset(raw);
  }
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(db_.get(), "SELECT id, name FROM domain", -1, &raw, nullptr) != SQLITE_OK)
    return failure("read domains");
  const std::unique_ptr<sqlite3_stmt, finalize> rows{raw};
  int status;
  while ((status = sqlite3_step(raw)) == SQLITE_ROW) {
    const auto* start = static_cast<const std::byte*>(sqlite3_column_blob(raw, 1));
    const auto name = identity::decode_unchecked({start, static_cast<std::size_t>(sqlite3_column_bytes(raw, 1))});
    if (!name) return failure("damaged block database: domain");
    domains_[*name] = sqlite3_column_int64(raw, 0);
    domain_names_[sqlite3_column_int64(raw, 0)] = *name;
  }
  return status == SQLITE_DONE ? ok() : failure("read domains");
}

expected<unit> block_database::start_writing() {
  if (poison_) return *poison_;
  if (writing_) return ok();
  HANSE_CHECK(query(*this, begin).run());
  writing_ = true;
  return ok();
}

expected<unit> block_database::commit() {
  if (poison_) return *poison_;
  if (!writing_) return ok();
  HANSE_CHECK(query(*this, commit_).run());
  writing_ = false;
  return ok();
}

expected<std::int64_t> block_database::number_of(const identity& domain) {
  if (const auto known = domains_.find(domain); known != domains_.end()) return known->second;
  HANSE_CHECK(query(*this, add_domain).blob(1, domain.wire()).run());
  const auto number = static_cast<std::int64_t>(sqlite3_last_insert_rowid(db_.get()));
  domains_[domain] = number;
  domain_names_[number] = domain;
  return number;
}

expected<unit> block_database::put(const digest& name, byte_view octets) {
  HANSE_CHECK(start_writing());
  HANSE_CHECK(query(*this, put_data).blob(1, octets).run());
  const auto id = static_cast<std::uint64_t>(sqlite3_last_insert_rowid(db_.get()));
  const auto insert = [&] {
    return query(*this, put_block).blob(1, name.view()).number(2, octets.size()).number(3, id).insert();
  };
  HANSE_TRY(const auto fresh, insert());
  if (fresh) return ok();
  HANSE_CHECK(remove(name)); // a bad one
  HANSE_TRY(const auto replaced, insert());
  if (!replaced) return failure("damaged block database: a block that is there and is not");
  return ok();
}

expected<unit> block_database::remove(const digest& name) {
  HANSE_CHECK(start_writing());
  HANSE_CHECK(query(*this, drop_data).blob(1, name.view()).run());
  return query(*this, drop_block).blob(1, name.view()).run();
}

expected<std::optional<bytes>> block_database::get(const digest& name) {
  if (poison_) return *poison_;
  query q{*this, get_data};
  HANSE_TRY(const auto found, q.blob(1, name.view()).step());
  if (!found) return std::optional<bytes>{};
  return std::optional<bytes>{to_bytes(q.blob_at(0))};
}

expected<std::vector<block_info>> block_database::read_infos(query& q) {
  std::vector<block_info> result;
  for (;;) {
    HANSE_TRY(const auto more, q.step());
    if (!more) return result;
    HANSE_TRY(const auto name, q.digest_at(0));
    result.push_back({name, static_cast<std::uint32_t>(q.number_at(1)), q.number_at(2) != 0});
  }
}

expected<std::optional<block_info>> block_database::find(const digest& name) {
  if (poison_) return *poison_;
  query q{*this, find_block};
  HANSE_TRY(const auto rows, read_infos(q.blob(1, name.view())));
  return rows.empty() ? std::optional<block_info>{} : std::optional{rows[0]};
}

expected<unit> block_database::mark_bad(const digest& name) {
  HANSE_CHECK(start_writing());
  return query(*this, bad_block).blob(1, name.view()).run();
}

expected<std::vector<block_info>> block_database::blocks_after(const std::optional<digest>& after, std::size_t count) {
  if (poison_) return *poison_;
  query q{*this, after ? list_after : list_all};
  if (after) q.blob(2, after->view());
  return read_infos(q.number(1, count));
}

expected<unit> block_database::lease(const block_lease& l) {
  HANSE_CHECK(start_writing());
  HANSE_TRY(const auto domain, number_of(l.domain));
  return query(*this, put_lease)
      .blob(1, l.block.view())
      .number(2, static_cast<std::uint64_t>(domain))
      .number(3, l.until)
      .run();
}

expected<unit> block_database::release(const digest& name, const identity& domain) {
  HANSE_CHECK(start_writing());
  HANSE_TRY(const auto number, number_of(domain));
  return query(*this, drop_lease).blob(1, name.view()).number(2, static_cast<std::uint64_t>(number)).run();
}

expected<std::vector<block_lease>> block_database::read_leases(query& q) {
  std::vector<block_lease> result;
  for (;;) {
    HANSE_TRY(const auto more, q.step());
    if (!more) return result;
    HANSE_TRY(const auto name, q.digest_at(0));
    const auto domain = domain_names_.find(static_cast<std::int64_t>(q.number_at(1)));
    if (domain == domain_names_.end()) return failure("damaged block database: lease");
    result.push_back({name, domain->second, q.number_at(2)});
  }
}

expected<std::vector<block_lease>> block_database::leases_of(const digest& name) {
  if (poison_) return *poison_;
  query q{*this, leases_block};
  return read_leases(q.blob(1, name.view()));
}

expected<std::vector<block_lease>> block_database::leases_until(time_ms until, std::size_t count) {
  if (poison_) return *poison_;
  query q{*this, leases_end};
  return read_leases(q.number(1, count).number(2, until));
}

expected<std::map<identity, domain_usage>> block_database::usage() {
  if (poison_) return *poison_;
  std::map<identity, domain_usage> result;
  query q{*this, usage_all};
  for (;;) {
    HANSE_TRY(const auto more, q.step());
    if (!more) return result;
    const auto domain = domain_names_.find(static_cast<std::int64_t>(q.number_at(0)));
    if (domain == domain_names_.end()) return failure("damaged block database: lease");
    result[domain->second] = {q.number_at(1), q.number_at(2)};
  }
}

} // namespace hanse
