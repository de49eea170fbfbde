// The database: what was written is there after reopening, in order, and two owners are refused.
#include "hanse/actors/database.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

using namespace hanse;

namespace {

struct temporary_file {
  std::filesystem::path path;
  temporary_file() {
    char name[] = "/tmp/hanse-database-XXXXXX";
    REQUIRE(mkdtemp(name));
    path = std::filesystem::path{name} / "node.db";
  }
  ~temporary_file() { std::filesystem::remove_all(path.parent_path()); }
};

record make(std::string table, std::string key, std::string value) {
  return {std::move(table), to_bytes(key), to_bytes(value)};
}

} // namespace

TEST_CASE("records outlive the database object, ordered by key, each table by itself") {
  temporary_file f;
  {
    auto db = database::open(f.path);
    REQUIRE_MESSAGE(db, to_string(db ? error{} : db.error()));
    REQUIRE(db->write({make("a", "2", "two"), make("a", "1", "one"), make("b", "1", "other")}));
    REQUIRE(db->write({make("a", "2", "zwei")}));
  }
  auto db = database::open(f.path);
  REQUIRE(db);
  auto a = db->load("a");
  REQUIRE(a);
  REQUIRE(a->size() == 2);
  CHECK(as_text((*a)[0].value) == "one");
  CHECK(as_text((*a)[1].value) == "zwei");
  CHECK(db->load("b")->size() == 1);
  CHECK(db->load("c")->empty());
}

TEST_CASE("an empty value removes the key") {
  temporary_file f;
  auto db = database::open(f.path);
  REQUIRE(db);
  REQUIRE(db->write({make("a", "1", "one")}));
  REQUIRE(db->write({make("a", "1", "")}));
  CHECK(db->load("a")->empty());
}

TEST_CASE("a second owner of the same file is refused in words") {
  temporary_file f;
  auto first = database::open(f.path);
  REQUIRE(first);
  REQUIRE(first->write({make("a", "1", "one")}));
  auto second = database::open(f.path);
  REQUIRE_FALSE(second);
  CHECK(second.error() == errc::io_error);
  CHECK(second.error().detail.find("another node") != std::string::npos);
}

TEST_CASE("a file that is no database is refused") {
  temporary_file f;
  {
    auto* out = std::fopen(f.path.c_str(), "w");
    std::fputs("this is not a database, however long it may be, and it never was one", out);
    std::fclose(out);
  }
  CHECK(database::open(f.path).code() == errc::io_error);
}
