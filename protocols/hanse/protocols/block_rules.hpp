// What a block may say, as the blocklace asks it: an interface, so that the blocklace serves any replicated data.
// Not the rules themselves (domains/membership_map.hpp has some). Design section 8.
#pragma once

#include "hanse/crypto/bytes.hpp"

namespace hanse {

class lace_graph;

/// Names a placed block within one lace_graph: small numbers, used again after `forget`.
using block_index = std::uint32_t;
inline constexpr block_index no_block = UINT32_MAX;

/// What a block is, judged by itself and its causal past alone.
enum class block_verdict : std::uint8_t {
  valid,
  invalid,      ///< its creator was once authorised: the block proves that it misbehaves
  unauthorised, ///< its creator was never authorised in the block's past: dropped, or anyone could fill the lace
};

/// Rules. `judge` is a pure function of the block and its causal past: never of arrival order, clocks or other blocks.
class block_rules {
public:
  virtual ~block_rules() = default;

  /// Judges the newest block of `lace`; all of its past was judged before. The rules may keep what they derive of it.
  /// A bare block (compaction dropped its payload) comes with an empty payload and `bare` set.
  virtual block_verdict judge(const lace_graph& lace, block_index b, byte_view payload, bool bare) = 0;

  /// The block is out of the graph: nothing in the graph has it in its past, and its number will name another one.
  virtual void forget(block_index b) = 0;

  /// The payload of an acknowledgement that says nothing more.
  virtual bytes ack_payload() const = 0;
};

} // namespace hanse
