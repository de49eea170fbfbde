// The directory behind spool://: listing, bounded reading, writing so that nobody ever sees half a file, removing.
// Blocking, hence for a detached actor. Not what the files mean (transport/spool.hpp), not CAF.
#pragma once

#include "hanse/crypto/bytes.hpp"

#include <filesystem>

namespace hanse {

inline constexpr std::string_view spool_temporary_suffix = ".part"; ///< of files that are being written

class spool_directory {
public:
  /// Makes the directory (0700) if it is not there. Errors: `bad_config` (no directory), `io_error`.
  static expected<spool_directory> open(std::filesystem::path path);

  /// Names of at most `count_max` regular files, ascending; no temporary ones. Errors: `io_error`.
  expected<std::vector<std::string>> list(std::size_t count_max) const;

  /// Errors: `not_found`, `too_long` (over `size_max` octets; nothing is read then), `bad_type` (no regular file:
  /// symbolic links are not followed), `io_error`.
  expected<bytes> read(const std::string& name, std::size_t size_max) const;

  /// Writes a temporary file, syncs it, renames it, syncs the directory: whole or not at all, also across a power cut.
  /// An existing file of that name is replaced. Errors: `bad_value` (name), `io_error`.
  expected<unit> write(const std::string& name, byte_view octets) const;

  /// No error if it is gone already. Errors: `bad_value` (name), `io_error`.
  expected<unit> remove(const std::string& name) const;

  const std::filesystem::path& path() const noexcept { return path_; }

private:
  explicit spool_directory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

} // namespace hanse
