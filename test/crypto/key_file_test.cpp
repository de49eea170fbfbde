// Key files on disk: permissions, never overwriting, sizes, and the real scrypt cost.
#include "helpers.hpp"

#include "hanse/crypto/internal/key_text.hpp"

#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

using namespace hanse;
using namespace hanse::test;
namespace fs = std::filesystem;

namespace {

/// An empty folder, removed at the end.
class temporary_folder {
public:
  temporary_folder() {
    auto name = (fs::temp_directory_path() / "hanse-key-file-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~temporary_folder() { fs::remove_all(path_); }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;

  fs::path operator/(std::string_view name) const { return path_ / name; }
  std::size_t size() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator{path_}, fs::directory_iterator{}));
  }

private:
  fs::path path_;
};

passphrase_source say(std::string text) {
  return [text]() -> expected<secret_bytes> { return to_secret(text); };
}

void write(const fs::path& path, std::string_view text, mode_t mode = 0600) {
  std::ofstream{path, std::ios::binary} << text;
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}

std::string content(const fs::path& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

mode_t mode_of(const fs::path& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

} // namespace

TEST_CASE("a key is written for its owner only, and comes back") {
  const temporary_folder folder;
  seeded_random random{1};
  REQUIRE(write_key_file(folder / "plain", key(1), std::nullopt, random));
  REQUIRE(write_key_file(folder / "secret", key(2), as_byte_view("phrase"), random));
  CHECK(folder.size() == 2); // and no temporary file
  CHECK(mode_of(folder / "plain") == 0600);
  CHECK(mode_of(folder / "secret") == 0600);
  CHECK(load_key_file(folder / "plain")->identity() == id(1));
  CHECK(load_key_file(folder / "secret", say("phrase"))->identity() == id(2));
  CHECK(load_key_file(folder / "secret", say("guess")).code() == errc::wrong_passphrase);
  CHECK(load_key_file(folder / "secret").code() == errc::wrong_passphrase);
  CHECK(content(folder / "secret").find("ENCRYPTED") != std::string::npos);
}

TEST_CASE("an encrypted file costs N = 2^15 or more to try a passphrase on") {
  CHECK(internal::key_file_scrypt_log2_n >= 15);
  const temporary_folder folder;
  seeded_random random{1};
  REQUIRE(write_key_file(folder / "key", key(1), as_byte_view("phrase"), random));
  // The same randomness in the same order gives the same file, at that cost only.
  seeded_random same{1};
  const auto text =
      internal::render_key_text(key(1), as_byte_view("phrase"), internal::key_file_scrypt_log2_n, same).value();
  CHECK(content(folder / "key") == as_text(text));
}

TEST_CASE("a file that exists is never overwritten") {
  const temporary_folder folder;
  seeded_random random{1};
  write(folder / "key", "something else");
  CHECK(write_key_file(folder / "key", key(1), std::nullopt, random).code() == errc::already_exists);
  CHECK(content(folder / "key") == "something else");
  fs::create_symlink(folder / "nowhere", folder / "link");
  CHECK(write_key_file(folder / "link", key(1), std::nullopt, random).code() == errc::already_exists);
  CHECK_FALSE(fs::exists(folder / "nowhere"));
  CHECK(folder.size() == 2);
}

TEST_CASE("a key is not written with an empty passphrase or where there is no folder") {
  const temporary_folder folder;
  seeded_random random{1};
  CHECK(write_key_file(folder / "key", key(1), byte_view{}, random).code() == errc::bad_value);
  CHECK(write_key_file(folder / "no/key", key(1), std::nullopt, random).code() == errc::io_error);
  CHECK(folder.size() == 0);
}

TEST_CASE("a file that group or others can access in any way is refused") {
  const temporary_folder folder;
  seeded_random random{1};
  REQUIRE(write_key_file(folder / "key", key(1), std::nullopt, random));
  for (mode_t extra : {0040, 0020, 0010, 0004, 0002, 0001, 0044, 0077}) {
    REQUIRE(::chmod((folder / "key").c_str(), 0600 | extra) == 0);
    CHECK(load_key_file(folder / "key").code() == errc::bad_permissions);
  }
  for (mode_t mode : {0400, 0600, 0700}) {
    REQUIRE(::chmod((folder / "key").c_str(), mode) == 0);
    CHECK(load_key_file(folder / "key"));
  }
}

TEST_CASE("what is no key file is refused") {
  const temporary_folder folder;
  CHECK(load_key_file(folder / "missing").code() == errc::not_found);
  CHECK(load_key_file(folder / ".").code() != errc::none);
  write(folder / "empty", "");
  CHECK(load_key_file(folder / "empty").code() == errc::bad_checksum);
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(load_key_file(folder / "pipe").code() == errc::bad_value); // and does not wait for a writer
}

TEST_CASE("a file of 16 KiB is looked at, a longer one is not") {
  const temporary_folder folder;
  seeded_random random{1};
  REQUIRE(write_key_file(folder / "key", key(1), std::nullopt, random));
  auto text = content(folder / "key");
  text.resize(16 * 1024, '\n');
  write(folder / "long", text);
  CHECK(load_key_file(folder / "long").code() == errc::trailing_bytes);
  write(folder / "longer", text + "\n");
  CHECK(load_key_file(folder / "longer").code() == errc::too_long);
}
