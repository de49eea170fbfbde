// Contents between open files and a running node: for `hanse put`, `hanse get` and the cluster runner. The node reads
// from or writes to the file itself: the descriptor goes over the control socket. Not directories (content_tree.hpp).
#pragma once

#include "hanse/app/control_client.hpp"
#include "hanse/crypto/bytes.hpp"

#include <functional>
#include <nlohmann/json.hpp>

namespace hanse::app {

/// Which node, how content is to be kept, and who watches.
struct content_client {
  std::filesystem::path socket;
  std::string domain; ///< empty: the node's only one
  bool is_private = false;
  std::uint64_t lease_ms = 0; ///< 0: for ever at this node
  std::uint32_t replicas = 0;
  std::function<void(const nlohmann::json&)> on_progress = {}; ///< octets, …: docs/control.md
  const stop_event* cancel = nullptr;

  /// The file's octets from where it stands to its end. Answer: that of content_put.
  control_result put(int file) const;

  /// Answer: that of content_get.
  control_result get(const std::string& content, int file, std::uint64_t size_max = 1ull << 40) const;
};

/// A regular file, or a named pipe, for reading. Errors: `not_found`, `permission_denied`, `io_error`.
expected<unique_fd> open_to_read(const std::filesystem::path& file);

/// A file in memory with this content, at its beginning. Error: `io_error`.
expected<unique_fd> memory_file(byte_view content);

/// All that is in the file. Errors: `too_long`, `io_error`.
expected<bytes> read_all(int file, std::size_t size_max);

} // namespace hanse::app
