// Small files with secrets in them: private to their owner, and complete or not there at all. POSIX.
// Not their content (key_file.hpp, and pre-shared keys of domains) and not large files.
#pragma once

#include "hanse/crypto/random.hpp"
#include "hanse/crypto/secret_bytes.hpp"

#include <filesystem>

namespace hanse {

/// All of a regular file that nobody but its owner may access.
/// Errors: `not_found`, `bad_permissions` (group or others have any access), `bad_value` (no regular file), `too_long`,
/// `io_error`.
expected<secret_bytes> read_private_file(const std::filesystem::path& path, std::size_t size_max);

/// Writes a new file of mode 0600 by way of `path` with a random ending, synced and linked: never overwrites.
/// Errors: `already_exists`, `io_error` (also: no such folder).
expected<unit> write_private_file(const std::filesystem::path& path, byte_view content, random_source& random);

/// The same in the place of the file that is there, at once.
/// Error: `io_error` (also: no such folder).
expected<unit> replace_private_file(const std::filesystem::path& path, byte_view content, random_source& random);

} // namespace hanse
