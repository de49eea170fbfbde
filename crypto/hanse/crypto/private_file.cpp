// Private files on POSIX file systems: permissions, and a new file complete or not at all.
// Blocking: for start-up and for commands.
#include "hanse/crypto/private_file.hpp"

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

/// Syncs the folder of `path`, so that a new name in it lasts.
expected<unit> sync_folder(const std::filesystem::path& path) {
  auto folder = path.parent_path();
  const descriptor dir{::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (dir.get() < 0 || ::fsync(dir.get()) != 0) return error{errc::io_error, system_error("fsync").detail};
  return ok();
}

/// Writes `content` to `path`.<random>.tmp and gives it to `publish`, which makes `path` out of it.
template <class Publish>
expected<unit> write_by_way_of(const std::filesystem::path& path, byte_view content, random_source& random,
                               Publish publish) {
  std::array<std::byte, 8> suffix{};
  random.fill(suffix);
  auto temporary = path;
  temporary += '.';
  temporary += to_hex(suffix);
  temporary += ".tmp";
  const descriptor file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR)};
  if (file.get() < 0) return error{errc::io_error, system_error("open").detail};
  auto result = write_all(file.get(), content);
  if (result && publish(temporary.c_str(), path.c_str()) != 0) result = system_error("publish");
  ::unlink(temporary.c_str());
  if (result) result = sync_folder(path);
  return result;
}

expected<unit> check_file(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return system_error("stat");
  if (!S_ISREG(info.st_mode)) return error{errc::bad_value, "not a regular file"};
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return error{errc::bad_permissions, "a file with a secret must be accessible to its owner only (mode 0600)"};
  return ok();
}

/// The whole file, if it is at most `size_max` long.
expected<secret_bytes> read_file(int fd, std::size_t size_max) {
  secret_bytes text(size_max + 1);
  std::size_t size = 0;
  while (size < text.size()) {
    const auto got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("read");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > size_max) return errc::too_long;
  text.resize(size);
  return text;
}

} // namespace

expected<secret_bytes> read_private_file(const std::filesystem::path& path, std::size_t size_max) {
  // Not blocking, so that a pipe in the file's place is refused instead of waited for.
  const descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (file.get() < 0) return system_error("open");
  HANSE_CHECK(check_file(file.get()));
  return read_file(file.get(), size_max);
}

expected<unit> write_private_file(const std::filesystem::path& path, byte_view content, random_source& random) {
  return write_by_way_of(path, content, random, ::link); // a link, unlike a rename, never replaces a file
}

expected<unit> replace_private_file(const std::filesystem::path& path, byte_view content, random_source& random) {
  return write_by_way_of(path, content, random, ::rename);
}

} // namespace hanse
