// Messages larger than a datagram: cut into fragments, put together again, bounded in count, octets and age.
// Not reliable: a message of which one fragment is lost is lost. Not secure by itself: what comes in was decrypted.
// Fragment: kind u8 | number u32 | index u8 | count u8 | piece, numbers big-endian. docs/transports.md "Datagrams".
#pragma once

#include "hanse/crypto/bytes.hpp"
#include "hanse/protocols/envelope.hpp"

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace hanse {

inline constexpr std::size_t fragment_header_size = 7;
inline constexpr std::size_t fragments_max = 64; ///< of one message: at 1% loss every second such message is lost
inline constexpr std::size_t partial_messages_max = 64;
inline constexpr std::size_t partial_octets_max = 1024 * 1024; ///< of all partial messages
inline constexpr time_ms partial_age_max_ms = 2'000;           ///< a guess: longer than any path reorders

/// Cuts `message` into fragments of at most `fragment_size` octets, header included.
/// Errors: `bad_value` (empty), `too_long` (more than fragments_max). Precondition: fragment_size > the header.
expected<std::vector<bytes>> cut(std::uint8_t kind, std::uint32_t number, byte_view message, std::size_t fragment_size);

/// A message that has arrived whole.
struct whole_message {
  std::uint8_t kind = 0;
  std::uint32_t number = 0;
  bytes octets;
};

/// Puts fragments of one sender together.
class reassembly {
public:
  /// The message that this fragment completes, if it does. A fragment that does not fit the ones before it (another
  /// kind or count) is refused and they stay. When a table is full the oldest partial message goes.
  /// Errors: `truncated` (header, no piece), `bad_value` (count, index), `not_canonical` (does not fit).
  expected<std::optional<whole_message>> receive(byte_view fragment, time_ms now);

  /// Drops what is older than partial_age_max_ms.
  void tick(time_ms now);
  std::optional<time_ms> next_timer() const;

  std::size_t partial() const noexcept { return partial_.size(); }
  std::size_t octets() const noexcept { return octets_; }
  std::uint64_t lost() const noexcept { return lost_; } ///< messages given up

private:
  struct entry {
    std::uint8_t kind = 0;
    std::vector<bytes> pieces; // empty: not here yet
    std::size_t have = 0, octets = 0;
    time_ms since = 0;
  };
  void drop(std::map<std::uint32_t, entry>::iterator which);
  void drop_oldest();

  std::map<std::uint32_t, entry> partial_;
  std::set<std::pair<time_ms, std::uint32_t>> by_age_;
  std::size_t octets_ = 0;
  std::uint64_t lost_ = 0;
};

} // namespace hanse
