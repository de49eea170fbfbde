// The manifest of a directory that was put: names, modes, sizes, and the capability of each file's content or of each
// subdirectory's manifest, so that one capability stands for a whole tree. Not an archive: contents are apart, and
// equal files are stored once. Who writes it to a disk can trust its names: none leads out of its directory.
#pragma once

#include "hanse/domains/eris.hpp"

namespace hanse {

inline constexpr std::size_t manifest_entries_max = 8192; ///< of one directory: fits in codec_size_max with short names
inline constexpr std::size_t manifest_name_size_max = 255;    ///< octets, as on most file systems
inline constexpr std::size_t manifest_size_max = 1024 * 1024; ///< octets, codec_size_max
inline constexpr std::size_t manifest_depth_max = 64;         ///< directories within each other; for who walks the tree

enum class manifest_kind : std::uint8_t { file = 0, directory = 1 }; // numbers on the wire; no links, no devices

struct manifest_entry {
  std::string name; ///< one component of a path
  manifest_kind kind = manifest_kind::file;
  std::uint16_t mode = 0644; ///< permission bits, at most 0777: no setuid, no sticky
  std::uint64_t size = 0;    ///< octets of the file; of everything below a directory
  eris_capability content;
  friend bool operator==(const manifest_entry&, const manifest_entry&) = default;
};

struct directory_manifest {
  std::vector<manifest_entry> entries; ///< strictly ascending by the octets of the names
  friend bool operator==(const directory_manifest&, const directory_manifest&) = default;
};

/// Whether a name can be an entry: UTF-8 of 1 to 255 octets, not "." or "..", without '/', '\\' and control characters.
bool is_manifest_name(std::string_view name) noexcept;

/// Sorts the entries. Errors: `bad_value` (a name, a mode), `already_exists` (a name twice), `too_long`.
expected<bytes> encode(directory_manifest m);

/// Errors: those of msgpack_reader, `bad_type` (not a manifest), `bad_version`, `bad_value` (a name, a mode),
/// `not_canonical` (order), and those of decode_eris_capability.
expected<directory_manifest> decode_manifest(byte_view wire);

} // namespace hanse
