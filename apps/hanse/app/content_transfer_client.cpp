// See the header.
#include "hanse/app/content_transfer_client.hpp"

#include "hanse/app/text_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>

namespace hanse::app {

namespace {

constexpr auto silence = std::chrono::seconds{60}; // the node says how far it is several times a second

} // namespace

control_result content_client::put(int file) const {
  nlohmann::json request{{"command", "content_put"},
                         {"domain", domain},
                         {"private", is_private},
                         {"lease_ms", lease_ms},
                         {"replicas", replicas}};
  return ask_node_with_file(socket, request, file, on_progress, silence, cancel);
}

control_result content_client::get(const std::string& content, int file, std::uint64_t size_max) const {
  nlohmann::json request{{"command", "content_get"}, {"domain", domain}, {"content", content}, {"size_max", size_max}};
  return ask_node_with_file(socket, request, file, on_progress, silence, cancel);
}

expected<unique_fd> open_to_read(const std::filesystem::path& file) {
  unique_fd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd) return io_failure(file, errno);
  return fd;
}

expected<unique_fd> memory_file(byte_view content) {
  unique_fd fd{::memfd_create("hanse", MFD_CLOEXEC)};
  if (!fd) return io_failure("a file in memory", errno);
  for (std::size_t at = 0; at < content.size();) {
    const auto n = ::write(fd.get(), content.data() + at, content.size() - at);
    if (n < 0 && errno != EINTR) return io_failure("a file in memory", errno);
    if (n > 0) at += static_cast<std::size_t>(n);
  }
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

expected<bytes> read_all(int file, std::size_t size_max) {
  ::lseek(file, 0, SEEK_SET);
  bytes all;
  bytes piece(65536);
  while (true) {
    const auto n = ::read(file, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_failure("a file in memory", errno);
    if (n == 0) return all;
    if (all.size() + static_cast<std::size_t>(n) > size_max) return errc::too_long;
    all.insert(all.end(), piece.begin(), piece.begin() + n);
  }
}

} // namespace hanse::app
