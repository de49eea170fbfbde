// Key files: a key's text in a private file.
// Not their text (key_text.cpp), not permissions and syncing (private_file.cpp).
#include "hanse/crypto/key_file.hpp"

#include "hanse/crypto/internal/key_text.hpp"
#include "hanse/crypto/private_file.hpp"

namespace hanse {

expected<unit> write_key_file(const std::filesystem::path& path, const key_pair& key,
                              std::optional<byte_view> passphrase, random_source& random) {
  std::error_code ec;
  const auto there = std::filesystem::symlink_status(path, ec);
  if (std::filesystem::exists(there)) return errc::already_exists; // before the work; link() is what decides
  HANSE_TRY(const auto text, internal::render_key_text(key, passphrase, internal::key_file_scrypt_log2_n, random));
  return write_private_file(path, text, random);
}

expected<key_pair> load_key_file(const std::filesystem::path& path, const passphrase_source& passphrase) {
  HANSE_TRY(const auto text, read_private_file(path, key_file_size_max));
  return internal::parse_key_text(text, passphrase);
}

} // namespace hanse
