// Whole files in and out, bounded and safe to crash: configuration, groups, reports, sockets' directories.
// Not key files (crypto/key_file.hpp) and not large data: for hashes of files of any size there is `hash_file`.
#pragma once

#include "hanse/crypto/hash.hpp"

#include <filesystem>

namespace hanse::app {

/// The content of a regular file of at most `size_max` octets; "-" reads standard input.
/// Errors: `not_found`, `too_long`, `io_error`; the detail names the file.
expected<std::string> read_text_file(const std::filesystem::path& file, std::size_t size_max);

/// The last `octets` of a file, or all of it. Errors: `not_found`, `io_error`.
expected<std::string> read_text_tail(const std::filesystem::path& file, std::size_t octets);

/// Writes a new file of mode `mode`, complete and synced. Errors: `already_exists` (never overwrites), `io_error`.
expected<unit> write_new_file(const std::filesystem::path& file, std::string_view content, unsigned mode = 0600);

/// Writes a file whether or not it exists, by renaming a temporary one. Error: `io_error`.
expected<unit> replace_file(const std::filesystem::path& file, std::string_view content, unsigned mode = 0644);

/// Makes `directory` (not its parents) with mode 0700, or checks that it is ours and closed to others.
/// Errors: `bad_permissions`, `io_error`.
expected<unit> make_private_directory(const std::filesystem::path& directory);

/// BLAKE2b-256 of a file of any size, and its size.
struct file_digest {
  digest hash;
  std::uint64_t size = 0;
};
expected<file_digest> hash_file(const std::filesystem::path& file);

/// "PATH: what the operating system says", from errno.
error io_failure(const std::filesystem::path& file, int error_number);

} // namespace hanse::app
