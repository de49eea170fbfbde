// MACs: the keyed hash of RFC 7693, key derivation, comparison; and the private files that secrets are kept in.
// Not what is proven with a MAC (test/domains/join_proof_test.cpp) and not key files (key_file_test.cpp).
#include "helpers.hpp"

#include "hanse/crypto/mac.hpp"
#include "hanse/crypto/private_file.hpp"

#include <fstream>

#include <sys/stat.h>

using namespace hanse;
using namespace hanse::test;
namespace fs = std::filesystem;

TEST_CASE("a MAC depends on its key, its context and every bit of its parts, and not on how they are cut") {
  const auto k = mac_key::derive("context", as_byte_view("secret"));
  const auto m = mac(k, {as_byte_view("one "), as_byte_view("two")});
  CHECK(m == mac(k, {as_byte_view("one two")}));
  CHECK(m != mac(mac_key::derive("context", as_byte_view("Secret")), {as_byte_view("one two")}));
  CHECK(m != mac(mac_key::derive("Context", as_byte_view("secret")), {as_byte_view("one two")}));
  CHECK(count_accepted_flips(as_byte_view("one two"), [&](byte_view other) { return mac(k, {other}) == m; }) == 0);
  CHECK(count_accepted_lengths(as_byte_view("one two"), [&](byte_view other) { return mac(k, {other}) == m; }) == 0);
}

TEST_CASE("a MAC is keyed BLAKE2b-256, a derived key is BLAKE2b-256 of context and secret") {
  const auto k = mac_key::derive("a", as_byte_view("b"));
  CHECK(equal(k.view(), hash_of("ab").view()));
  // python3: hashlib.blake2b(b"abc", key=hashlib.blake2b(b"ab", digest_size=32).digest(), digest_size=32).hexdigest()
  CHECK(to_hex(mac(k, {as_byte_view("abc")})) == "7ae75fe3a472857ea9b303b147d457c1f58326c46bbdcbb5a1246d1e8a3ad880");
  CHECK(to_hex(mac(k, {as_byte_view("abc")})) != to_hex(hash_of("abc").view())); // the key is in it
}

TEST_CASE("comparison in constant time compares") {
  CHECK(equal_constant_time({}, {}));
  CHECK(equal_constant_time(as_byte_view("abc"), as_byte_view("abc")));
  CHECK_FALSE(equal_constant_time(as_byte_view("abc"), as_byte_view("abd")));
  CHECK_FALSE(equal_constant_time(as_byte_view("abc"), as_byte_view("ab")));
  CHECK_FALSE(equal_constant_time(as_byte_view(""), as_byte_view("a")));
}

TEST_CASE("a private file is for its owner only, is not overwritten, and is replaced whole") {
  auto name = (fs::temp_directory_path() / "hanse-private-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const fs::path folder = name;
  const auto file = folder / "secret";
  seeded_random random{1};
  REQUIRE(write_private_file(file, as_byte_view("first"), random));
  CHECK(write_private_file(file, as_byte_view("second"), random).code() == errc::already_exists);
  CHECK(as_text(read_private_file(file, 5).value()) == "first");
  CHECK(read_private_file(file, 4).code() == errc::too_long);
  CHECK(read_private_file(folder / "missing", 5).code() == errc::not_found);
  CHECK(read_private_file(folder, 5).code() == errc::bad_value);
  REQUIRE(replace_private_file(file, as_byte_view("third"), random));
  CHECK(as_text(read_private_file(file, 5).value()) == "third");
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  CHECK(std::distance(fs::directory_iterator{folder}, fs::directory_iterator{}) == 1); // no temporary file
  CHECK(write_private_file(folder / "no" / "x", as_byte_view("x"), random).code() == errc::io_error);
  for (mode_t extra : {0040, 0020, 0010, 0004, 0002, 0001}) {
    REQUIRE(::chmod(file.c_str(), 0600 | extra) == 0);
    CHECK(read_private_file(file, 5).code() == errc::bad_permissions);
  }
  fs::remove_all(folder);
}
