// Directories as content: every file by itself, and a manifest for every directory (domains/directory_manifest.hpp), so
// that one capability stands for all. Not an archive format: no owners, no times, no links.
#pragma once

#include "hanse/app/content_transfer_client.hpp"

namespace hanse::app {

/// What was put or got.
struct tree_summary {
  std::uint64_t files = 0, directories = 0, octets = 0;
  std::vector<std::string> left_out; ///< paths of what is neither a file nor a directory
  std::uint32_t replicas = 0;        ///< of what has fewest, when some were wished
};

/// Called for each file before its octets go: its path in the tree.
using tree_watch = std::function<void(const std::string& path, std::uint64_t size)>;

/// Puts everything below `directory`, and answers the capability of its manifest. Deepest first, so what has an answer
/// is complete. Errors: those of content_client::put, `too_deep` (manifest_depth_max), `bad_value` (a name that cannot
/// be in a manifest), `too_long` (too many entries), `io_error`.
expected<std::string> put_tree(const content_client& client, const std::filesystem::path& directory, tree_summary& done,
                               const tree_watch& watch = {});

/// Makes `directory`, which may not exist yet or be empty, and everything in it. Nothing is overwritten, and nothing is
/// made outside of it. Errors: those of content_client::get, `bad_type` (the content is no directory),
/// `already_exists`, `too_deep`, `io_error`.
expected<unit> get_tree(const content_client& client, const std::string& content,
                        const std::filesystem::path& directory, tree_summary& done, const tree_watch& watch = {});

} // namespace hanse::app
