// Actors that encode pieces of long content into leaves, several pieces at once: hashing and enciphering are most of
// the cost of a put, and leaves do not depend on each other (eris.hpp). Not the tree above them, which wants them in
// order, and not the store. Each has a thread of its own, so that no worker of the scheduler is busy with it. Not
// installed.
#pragma once

#include "hanse/actors/interfaces.hpp"

#include <caf/scoped_actor.hpp>

#include <deque>

namespace hanse::internal {

/// Given content that fills blocks: the blocks with their names, and their keys one after the other.
using leaf_encoder_actor =
    caf::typed_actor<caf::result<block_batch, std::vector<bytes>>(put_atom, block_batch), caf::result<void>(stop_atom)>;

inline constexpr std::size_t leaf_encoders = 2;               ///< of one put: as fast as a disk; a guess
inline constexpr std::size_t leaf_pieces = 2 * leaf_encoders; ///< under way: the next is there when one is done

/// The leaves of one piece, in the order of the content.
struct encoded_leaves {
  block_batch batch;
  std::vector<eris_pair> pairs;
};

/// Encodes pieces for one thread; they come out in the order in which they went in.
class leaf_encoding {
public:
  /// Begins when the first piece comes. `self` must outlive it.
  leaf_encoding(caf::scoped_actor& self, const eris_key& convergence_secret)
      : self_(self), secret_(convergence_secret) {}
  ~leaf_encoding();
  leaf_encoding(const leaf_encoding&) = delete;
  leaf_encoding& operator=(const leaf_encoding&) = delete;

  bool empty() const noexcept { return pieces_.empty(); }
  bool full() const noexcept { return pieces_.size() == leaf_pieces; }

  /// `piece.octets` is content that fills blocks of `piece.size`. Precondition: not full.
  void add(block_batch piece);

  /// Waits for the piece that went in first. Precondition: not empty. Errors: `timed_out`, of a machine that is stuck.
  expected<encoded_leaves> take();

private:
  using response = decltype(compat::request(std::declval<caf::scoped_actor&>().ptr(), leaf_encoder_actor{},
                                            caf::timespan{}, put_atom_v, block_batch{}));

  caf::scoped_actor& self_;
  eris_key secret_;
  std::vector<leaf_encoder_actor> encoders_;
  std::size_t next_ = 0;
  std::deque<response> pieces_;
};

} // namespace hanse::internal
