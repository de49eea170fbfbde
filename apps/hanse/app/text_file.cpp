// File access by POSIX calls, because permissions, exclusive creation and syncing matter here.
// Not asynchronous: used by commands and at start-up only.
#include "hanse/app/text_file.hpp"

#include "hanse/app/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;

expected<unit> write_all(int fd, std::string_view content, const fs::path& file) {
  while (!content.empty()) {
    auto n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_failure(file, errno);
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return ok();
}

expected<std::string> read_all(int fd, std::size_t size_max, const fs::path& file) {
  std::string content;
  char buffer[16384];
  while (true) {
    auto n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_failure(file, errno);
    if (n == 0) return content;
    content.append(buffer, static_cast<std::size_t>(n));
    if (content.size() > size_max)
      return error{errc::too_long, file.string() + ": larger than " + std::to_string(size_max) + " octets"};
  }
}

} // namespace

error io_failure(const fs::path& file, int error_number) {
  auto code = error_number == ENOENT   ? errc::not_found
              : error_number == EEXIST ? errc::already_exists
              : error_number == EACCES ? errc::permission_denied
                                       : errc::io_error;
  return {code, file.string() + ": " + std::generic_category().message(error_number)};
}

expected<std::string> read_text_file(const fs::path& file, std::size_t size_max) {
  if (file == "-") return read_all(STDIN_FILENO, size_max, "standard input");
  unique_fd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd) return io_failure(file, errno);
  return read_all(fd.get(), size_max, file);
}

expected<std::string> read_text_tail(const fs::path& file, std::size_t octets) {
  unique_fd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd) return io_failure(file, errno);
  auto size = ::lseek(fd.get(), 0, SEEK_END);
  if (size < 0) return io_failure(file, errno);
  ::lseek(fd.get(), std::max<off_t>(0, size - static_cast<off_t>(octets)), SEEK_SET);
  return read_all(fd.get(), 2 * octets + 1, file); // it may grow while it is read
}

expected<unit> write_new_file(const fs::path& file, std::string_view content, unsigned mode) {
  unique_fd fd{::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)};
  if (!fd) return io_failure(file, errno);
  auto written = write_all(fd.get(), content, file);
  if (written && ::fsync(fd.get()) != 0) written = io_failure(file, errno);
  if (!written) ::unlink(file.c_str());
  return written;
}

expected<unit> replace_file(const fs::path& file, std::string_view content, unsigned mode) {
  auto temporary = file;
  temporary += "." + std::to_string(::getpid()) + ".tmp";
  ::unlink(temporary.c_str());
  HANSE_CHECK(write_new_file(temporary, content, mode));
  if (::rename(temporary.c_str(), file.c_str()) == 0) return ok();
  auto failure = io_failure(file, errno);
  ::unlink(temporary.c_str());
  return failure;
}

expected<unit> make_private_directory(const fs::path& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0) return ok();
  if (errno != EEXIST) return io_failure(directory, errno);
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) return io_failure(directory, errno);
  if (!S_ISDIR(info.st_mode)) return error{errc::io_error, directory.string() + ": is no directory"};
  if (info.st_uid != ::geteuid()) return error{errc::bad_permissions, directory.string() + ": belongs to another user"};
  if ((info.st_mode & 077) != 0)
    return error{errc::bad_permissions,
                 directory.string() + ": is open to others (run: chmod 700 " + directory.string() + ")"};
  return ok();
}

expected<file_digest> hash_file(const fs::path& file) {
  unique_fd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd) return io_failure(file, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return io_failure(file, errno);
  if (!S_ISREG(info.st_mode)) return error{errc::io_error, file.string() + ": is no regular file"};
  auto size = static_cast<std::size_t>(info.st_size);
  if (size == 0) return file_digest{blake2b_256(byte_view{}), 0};
  // Mapped, so that a file larger than memory works.
  auto* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) return io_failure(file, errno);
  auto hash = blake2b_256(byte_view{static_cast<const std::byte*>(data), size});
  ::munmap(data, size);
  return file_digest{hash, size};
}

} // namespace hanse::app
