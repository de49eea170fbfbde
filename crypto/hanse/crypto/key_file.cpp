// Key files on POSIX file systems: permissions, and a new file complete or not at all.
// Not their text (key_text.cpp).
#include "hanse/crypto/key_file.hpp"

#include "hanse/crypto/internal/key_text.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hanse {

namespace {

/// A file descriptor, closed at the end of its scope.
class descriptor {
public:
  explicit descriptor(int fd) : fd_(fd) {}
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  int get() const { return fd_; }

private:
  int fd_;
};

/// The last error of the system as ours; `what` is what was tried.
error system_error(const char* what) {
  const int number = errno;
  auto detail = std::string{what} + ": " + std::generic_category().message(number);
  if (number == EEXIST) return {errc::already_exists, std::move(detail)};
  if (number == ENOENT) return {errc::not_found, std::move(detail)};
  return {errc::io_error, std::move(detail)};
}

expected<unit> write_all(int fd, byte_view data) {
  while (!data.empty()) {
    const auto written = ::write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return error{errc::io_error, system_error("write").detail};
    data = data.subspan(static_cast<std::size_t>(written));
  }
  if (::fsync(fd) != 0) return error{errc::io_error, system_error("fsync").detail};
  return ok();
}

/// Makes `path` out of the complete file `from`; a link, unlike a rename, never replaces a file.
expected<unit> publish(const std::filesystem::path& from, const std::filesystem::path& path) {
  if (::link(from.c_str(), path.c_str()) != 0) return system_error("link");
  auto folder = path.parent_path();
  const descriptor dir{::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (dir.get() < 0 || ::fsync(dir.get()) != 0) return error{errc::io_error, system_error("fsync").detail};
  return ok();
}

/// Writes `text` to a new file `path`, by way of `path`.<random>.tmp.
expected<unit> write_new_file(const std::filesystem::path& path, byte_view text, random_source& random) {
  std::array<std::byte, 8> suffix{};
  random.fill(suffix);
  auto temporary = path;
  temporary += '.';
  temporary += to_hex(suffix);
  temporary += ".tmp";
  const descriptor file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR)};
  if (file.get() < 0) return error{errc::io_error, system_error("open").detail};
  auto result = write_all(file.get(), text);
  if (result) result = publish(temporary, path);
  ::unlink(temporary.c_str());
  return result;
}

expected<unit> check_file(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return system_error("stat");
  if (!S_ISREG(info.st_mode)) return error{errc::bad_value, "not a regular file"};
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return error{errc::bad_permissions, "a key file must be accessible to its owner only (mode 0600)"};
  return ok();
}

/// The whole file, if it is at most `key_file_size_max` long.
expected<secret_bytes> read_file(int fd) {
  secret_bytes text(key_file_size_max + 1);
  std::size_t size = 0;
  while (size < text.size()) {
    const auto got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("read");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > key_file_size_max) return errc::too_long;
  text.resize(size);
  return text;
}

} // namespace

expected<unit> write_key_file(const std::filesystem::path& path, const key_pair& key,
                              std::optional<byte_view> passphrase, random_source& random) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) return errc::already_exists; // before the work; link() is what decides
  HANSE_TRY(const auto text, internal::render_key_text(key, passphrase, internal::key_file_scrypt_log2_n, random));
  return write_new_file(path, text, random);
}

expected<key_pair> load_key_file(const std::filesystem::path& path, const passphrase_source& passphrase) {
  // Not blocking, so that a pipe in the file's place is refused instead of waited for.
  const descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (file.get() < 0) return system_error("open");
  HANSE_CHECK(check_file(file.get()));
  HANSE_TRY(const auto text, read_file(file.get()));
  return internal::parse_key_text(text, passphrase);
}

} // namespace hanse
