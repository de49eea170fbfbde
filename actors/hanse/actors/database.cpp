// SQLite behind database.hpp. See https://www.sqlite.org/wal.html and pragma synchronous for what FULL promises.
#include "hanse/actors/database.hpp"

#include <sqlite3.h>

namespace hanse {

namespace {

constexpr int schema_version = 1;
constexpr int application_id = 0x48616e73; // "Hans": tells our files from others (pragma application_id)

void bind_text(sqlite3_stmt* s, int index, std::string_view text) {
  sqlite3_bind_text(s, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

void bind_blob(sqlite3_stmt* s, int index, byte_view octets) {
  // a null pointer would bind NULL
  sqlite3_bind_blob(s, index, octets.empty() ? "" : static_cast<const void*>(octets.data()),
                    static_cast<int>(octets.size()), SQLITE_STATIC);
}

byte_view column(sqlite3_stmt* s, int index) {
  return {static_cast<const std::byte*>(sqlite3_column_blob(s, index)),
          static_cast<std::size_t>(sqlite3_column_bytes(s, index))};
}

} // namespace

void database::close_db::operator()(sqlite3* db) const noexcept {
  sqlite3_close_v2(db);
}

void database::finalize::operator()(sqlite3_stmt* s) const noexcept {
  sqlite3_finalize(s);
}

error database::failure(std::string_view doing) {
  auto text = std::string{doing} + ": " + sqlite3_errmsg(db_.get());
  if (sqlite3_errcode(db_.get()) == SQLITE_BUSY) text += " (is another node running on this data directory?)";
  poison_ = error{errc::io_error, std::move(text)};
  return *poison_;
}

expected<unit> database::execute(const char* sql) {
  if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return failure(sql);
  return ok();
}

expected<database> database::open(const std::filesystem::path& file) {
  sqlite3* raw = nullptr;
  auto status =
      sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  database db{raw};
  if (status != SQLITE_OK) return error{errc::io_error, "cannot open " + file.string() + ": " + sqlite3_errstr(status)};
  sqlite3_busy_timeout(raw, 1000); // a node that is just stopping on the same directory
  if (auto done = db.prepare(); !done)
    return error{errc::io_error, "cannot use " + file.string() + ": " + done.error().detail};
  return db;
}

expected<unit> database::prepare() {
  HANSE_CHECK(execute("PRAGMA locking_mode=EXCLUSIVE"));
  HANSE_CHECK(execute("PRAGMA journal_mode=WAL"));
  HANSE_CHECK(execute("PRAGMA synchronous=FULL"));
  sqlite3_stmt* raw = nullptr;
  int version = 0;
  if (sqlite3_prepare_v2(db_.get(), "PRAGMA user_version", -1, &raw, nullptr) != SQLITE_OK)
    return failure("read version");
  statement read{raw};
  if (sqlite3_step(raw) == SQLITE_ROW) version = sqlite3_column_int(raw, 0);
  read.reset();
  if (version > schema_version) return error{errc::bad_version, "written by a newer version of Hanse"};
  if (version == 0) {
    auto sql = "BEGIN IMMEDIATE; CREATE TABLE entry(tab TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, "
               "PRIMARY KEY(tab, key)) WITHOUT ROWID; PRAGMA application_id=" +
               std::to_string(application_id) + "; PRAGMA user_version=" + std::to_string(schema_version) + "; COMMIT";
    HANSE_CHECK(execute(sql.c_str()));
  }
  auto make = [this](statement& s, const char* sql) -> expected<unit> {
    sqlite3_stmt* p = nullptr;
    if (sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &p, nullptr) != SQLITE_OK)
      return failure(sql);
    s.reset(p);
    return ok();
  };
  HANSE_CHECK(make(put_, "INSERT INTO entry(tab, key, value) VALUES(?1, ?2, ?3) "
                         "ON CONFLICT(tab, key) DO UPDATE SET value = excluded.value"));
  HANSE_CHECK(make(erase_, "DELETE FROM entry WHERE tab = ?1 AND key = ?2"));
  return make(load_, "SELECT key, value FROM entry WHERE tab = ?1 ORDER BY key");
}

expected<unit> database::apply(const record& r) {
  auto* s = r.value.empty() ? erase_.get() : put_.get();
  bind_text(s, 1, r.table);
  bind_blob(s, 2, r.key);
  if (!r.value.empty()) bind_blob(s, 3, r.value);
  auto status = sqlite3_step(s);
  sqlite3_reset(s);
  if (status != SQLITE_DONE) return failure("write");
  return ok();
}

expected<unit> database::write(const std::vector<record>& records) {
  if (poison_) return *poison_;
  HANSE_CHECK(execute("BEGIN IMMEDIATE"));
  for (auto& r : records) HANSE_CHECK(apply(r));
  return execute("COMMIT");
}

expected<std::vector<record>> database::load(std::string_view table) {
  if (poison_) return *poison_;
  std::vector<record> result;
  auto* s = load_.get();
  bind_text(s, 1, table);
  int status;
  while ((status = sqlite3_step(s)) == SQLITE_ROW)
    result.push_back({std::string{table}, to_bytes(column(s, 0)), to_bytes(column(s, 1))});
  sqlite3_reset(s);
  if (status != SQLITE_DONE) return failure("read");
  return result;
}

} // namespace hanse
