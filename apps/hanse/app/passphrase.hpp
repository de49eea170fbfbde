// Where a passphrase comes from: a file, the environment, or the terminal without echo.
// Not what is done with it (crypto/key_file.hpp).
#pragma once

#include "hanse/crypto/secret_bytes.hpp"

#include <filesystem>
#include <optional>

namespace hanse::app {

/// How a passphrase may be got, in this order: `file`, HANSE_PASSPHRASE, the terminal.
struct passphrase_options {
  std::filesystem::path file; ///< its first line; refused if others can read it; empty: none
  bool confirm = false;       ///< asked twice on the terminal, for a new key
  std::string prompt = "Passphrase: ";
};

/// Errors: `bad_permissions`, `not_found`, `io_error` for the file; `bad_value` (empty, too long, or the two differ);
/// `wrong_passphrase` if there is no file, no variable and no terminal.
expected<secret_bytes> get_passphrase(const passphrase_options& options);

} // namespace hanse::app
