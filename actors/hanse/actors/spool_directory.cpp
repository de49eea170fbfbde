// See spool_directory.hpp. POSIX files.
#include "hanse/actors/spool_directory.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hanse {

namespace {

class file {
public:
  explicit file(int fd) : fd_(fd) {}
  file(const file&) = delete;
  file& operator=(const file&) = delete;
  ~file() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const noexcept { return fd_; }

private:
  int fd_;
};

error system_error(const std::string& doing) {
  return {errc::io_error, doing + ": " + std::strerror(errno)};
}

/// One name within the directory.
bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= 255 && name[0] != '.' && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

expected<unit> sync_directory(const std::filesystem::path& path) {
  const file dir{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (dir.get() < 0 || ::fsync(dir.get()) != 0) return system_error("sync " + path.string());
  return ok();
}

expected<unit> write_all(int fd, byte_view octets, const std::string& path) {
  while (!octets.empty()) {
    const auto n = ::write(fd, octets.data(), octets.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("write " + path);
    octets = octets.subspan(static_cast<std::size_t>(n));
  }
  if (::fsync(fd) != 0) return system_error("sync " + path);
  return ok();
}

} // namespace

expected<spool_directory> spool_directory::open(std::filesystem::path path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return system_error("make " + path.string());
  std::error_code failed;
  if (!std::filesystem::is_directory(path, failed)) return error{errc::bad_config, path.string() + " is no directory"};
  return spool_directory{std::move(path)};
}

expected<std::vector<std::string>> spool_directory::list(std::size_t count_max) const {
  std::error_code failed;
  std::vector<std::string> names;
  for (std::filesystem::directory_iterator i{path_, failed}, end; !failed && i != end; i.increment(failed)) {
    std::error_code gone;
    auto name = i->path().filename().string();
    if (i->symlink_status(gone).type() != std::filesystem::file_type::regular || name.ends_with(spool_temporary_suffix))
      continue;
    names.push_back(std::move(name));
    if (names.size() >= count_max) break;
  }
  if (failed) return error{errc::io_error, "list " + path_.string() + ": " + failed.message()};
  std::sort(names.begin(), names.end());
  return names;
}

expected<bytes> spool_directory::read(const std::string& name, std::size_t size_max) const {
  if (!is_name(name)) return error{errc::bad_value, "file name"};
  const auto path = (path_ / name).string();
  const file f{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (f.get() < 0)
    return errno == ENOENT  ? error{errc::not_found}
           : errno == ELOOP ? error{errc::bad_type}
                            : system_error("open " + path);
  struct stat s {};
  if (::fstat(f.get(), &s) != 0) return system_error("stat " + path);
  if (!S_ISREG(s.st_mode)) return errc::bad_type;
  if (static_cast<std::uint64_t>(s.st_size) > size_max) return errc::too_long;
  bytes out(static_cast<std::size_t>(s.st_size));
  std::size_t have = 0;
  while (have < out.size()) { // what grows meanwhile is not read: such a file does not fit its name anyhow
    const auto n = ::read(f.get(), out.data() + have, out.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("read " + path);
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  out.resize(have);
  return out;
}

expected<unit> spool_directory::write(const std::string& name, byte_view octets) const {
  if (!is_name(name) || name.ends_with(spool_temporary_suffix)) return error{errc::bad_value, "file name"};
  const auto target = (path_ / name).string();
  const auto temporary = target + std::string{spool_temporary_suffix};
  expected<unit> done = ok();
  {
    const file f{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (f.get() < 0) return system_error("create " + temporary);
    done = write_all(f.get(), octets, temporary);
  }
  if (done && ::rename(temporary.c_str(), target.c_str()) != 0) done = system_error("rename " + temporary);
  if (!done) {
    ::unlink(temporary.c_str());
    return done;
  }
  return sync_directory(path_);
}

expected<unit> spool_directory::remove(const std::string& name) const {
  if (!is_name(name)) return error{errc::bad_value, "file name"};
  const auto path = (path_ / name).string();
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_error("remove " + path);
  return ok();
}

} // namespace hanse
