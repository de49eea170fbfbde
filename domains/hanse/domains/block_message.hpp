// The messages of `blocks/1` between members of a domain. Octets: docs/blocks.md. Not what they do
// (block_exchange.hpp).
#pragma once

#include "hanse/domains/block_store.hpp"
#include "hanse/protocols/protocol_id.hpp"

#include <variant>

namespace hanse {

inline constexpr std::size_t block_names_max = 256;   ///< names in one message
inline constexpr std::size_t search_names_max = 64;   ///< names looked for by one search
inline constexpr std::size_t message_blocks_max = 64; ///< blocks in one message; 29 of 32 KiB fit
inline constexpr std::size_t message_octets_max =
    928 * 1024;                                   ///< of blocks in one message: room for names in body_size_max
inline constexpr std::uint8_t search_ttl_max = 8; ///< design section 10

/// "blocks/1"
inline protocol_id blocks_protocol() {
  return {"blocks", 1, 0};
}

struct named_block {
  digest name;
  byte_view octets; ///< borrowed from the body that was decoded
};

/// Send me these.
struct blocks_get {
  std::vector<digest> names;
};

/// What was asked for, and what is not here. Several answers may come to one get.
struct blocks_answer {
  std::vector<named_block> blocks;
  std::vector<digest> missing;
};

/// Which of these do you have?
struct blocks_ask {
  std::vector<digest> names;
};

/// The answer to an ask or, from whoever it reached, to a search.
struct blocks_presence {
  std::vector<digest> have;
  std::vector<digest> missing; ///< to a search: empty
};

/// Who has these? Passed on; whoever has some answers `asker` directly.
struct blocks_search {
  std::uint64_t nonce = 0; ///< of the asker: who has seen it drops it
  identity asker;
  std::uint8_t ttl = search_ttl_max;
  std::optional<identity> topic; ///< along its tree; else a random walk
  std::vector<digest> names;
};

/// Keep these for the domain until then.
struct blocks_put {
  std::uint64_t id = 0; ///< of the sender
  time_ms until = 0;
  std::vector<byte_view> blocks; ///< their names are their hashes
};

/// What became of a put, sent after the commit. `receipt` is empty when nothing was kept.
struct blocks_stored {
  std::uint64_t id = 0;
  errc code = errc::none; ///< of what was refused
  byte_view receipt;
};

using block_message =
    std::variant<blocks_get, blocks_answer, blocks_ask, blocks_presence, blocks_search, blocks_put, blocks_stored>;

/// Precondition: within the bounds above.
bytes encode(const block_message& m);

/// The views in the result are of `body`. Errors: those of msgpack_reader, `bad_version`, `bad_value`.
expected<block_message> decode_block_message(byte_view body);

} // namespace hanse
