// What a machine asks its caller to write durably: keys and values of one table. Design section 11.
// Not a store: the actor that owns the database performs these and reports back where a machine waits for it.
#pragma once

#include "hanse/crypto/bytes.hpp"

#include <optional>

namespace hanse {

/// One write. An empty `value` erases the key. Writes of one effect are applied in one commit.
struct key_value_write {
  bytes key;
  std::optional<bytes> value;
  friend bool operator==(const key_value_write&, const key_value_write&) = default;
};

} // namespace hanse
