// The directory behind spool://, and two nodes' machines that share nothing but such a directory.
#include "hanse/actors/spool_directory.hpp"
#include "hanse/transport/spool.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <unistd.h>

using namespace hanse;

namespace {

struct temporary_directory {
  temporary_directory() {
    static int count = 0;
    path = std::filesystem::temp_directory_path() /
           ("hanse-spool-" + std::to_string(getpid()) + "-" + std::to_string(++count));
  }
  ~temporary_directory() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

key_pair key_of(std::uint64_t n) {
  seeded_random random{n};
  return key_pair::generate(random);
}

/// What a spool engine does with the inbox's effects, without an actor; returns the payloads.
std::vector<bundle> import(spool_inbox& inbox, const spool_directory& dir, time_ms now) {
  std::vector<bundle> got;
  std::vector<spool_effect> todo, next;
  inbox.scanned(*dir.list(spool_files_max), now, todo);
  for (; !todo.empty(); todo = std::exchange(next, {}))
    for (auto& effect : todo) {
      if (auto* r = std::get_if<spool_read>(&effect)) {
        if (auto octets = dir.read(r->name, bundle_size_max))
          inbox.content(r->name, *octets, now, next);
        else
          inbox.unreadable(r->name);
      }
      if (auto* p = std::get_if<spool_persist>(&effect)) inbox.persisted(p->name, now, next);
      if (auto* d = std::get_if<spool_deliver>(&effect)) {
        got.push_back(d->content);
        inbox.handled(d->name, next);
      }
      if (auto* r = std::get_if<spool_remove>(&effect)) CHECK(dir.remove(r->name));
    }
  return got;
}

} // namespace

TEST_CASE("two nodes that share only a directory exchange bundles both ways; a courier copies the files") {
  temporary_directory at_a, at_b;
  const auto a = *spool_directory::open(at_a.path), b = *spool_directory::open(at_b.path);
  seeded_random random{1};
  const time_ms now = 1'000'000'000;
  const auto bundle_ab = *make_bundle(key_of(1), key_of(2).identity(), as_byte_view("to b"), now, 60'000, random);
  REQUIRE(a.write(to_string(bundle_ab.name), bundle_ab.octets));
  const auto carry = [](const spool_directory& from, const spool_directory& to) {
    const auto names = *from.list(100);
    for (const auto& name : names) std::filesystem::copy(from.path() / name, to.path() / name);
  };
  carry(a, b);
  spool_inbox inbox_a{key_of(1)}, inbox_b{key_of(2)};
  auto got = import(inbox_b, b, now);
  REQUIRE(got.size() == 1);
  CHECK(as_text(got[0].payload) == "to b");
  CHECK(b.list(100)->empty());
  CHECK(import(inbox_a, a, now).empty()); // not for a: stays
  CHECK(a.list(100)->size() == 1);
  const auto bundle_ba = *make_bundle(key_of(2), key_of(1).identity(), as_byte_view("to a"), now, 60'000, random);
  REQUIRE(b.write(to_string(bundle_ba.name), bundle_ba.octets));
  carry(b, a);
  got = import(inbox_a, a, now);
  REQUIRE(got.size() == 1);
  CHECK(got[0].sender == key_of(2).identity());
  carry(a, b); // the courier comes round again with the old one
  CHECK(import(inbox_b, b, now).empty());
}

TEST_CASE("a file is there whole or not at all, and only names within the directory are taken") {
  temporary_directory t;
  const auto dir = *spool_directory::open(t.path);
  REQUIRE(dir.write("x.bundle", as_byte_view("first")));
  REQUIRE(dir.write("x.bundle", as_byte_view("second")));
  CHECK(as_text(*dir.read("x.bundle", 100)) == "second");
  CHECK(dir.read("x.bundle", 5).code() == errc::too_long);
  CHECK(dir.read("y.bundle", 5).code() == errc::not_found);
  for (const char* bad : {"", ".", "..", "../x", "a/b", ".hidden"}) {
    CHECK(dir.write(bad, {}).code() == errc::bad_value);
    CHECK(dir.read(bad, 1).code() == errc::bad_value);
    CHECK(dir.remove(bad).code() == errc::bad_value);
  }
  std::ofstream{t.path / "z.bundle.part"} << "half";
  std::filesystem::create_symlink("/etc/hostname", t.path / "link.bundle");
  std::filesystem::create_directory(t.path / "sub");
  CHECK(*dir.list(100) == std::vector<std::string>{"x.bundle"});
  CHECK(dir.read("link.bundle", 1'000).code() == errc::bad_type);
  CHECK(dir.read("sub", 1'000).code() == errc::bad_type);
  REQUIRE(dir.remove("x.bundle"));
  CHECK(dir.remove("x.bundle"));
  CHECK(spool_directory::open(t.path / "z.bundle.part").code() == errc::bad_config);
}
