// What an engine has in its causal past that others may not have been given yet: positions in streams to others.
// Not the rule by which a receiver waits (reliable_receiver.hpp). Not installed.
// One entry per (source, destination): the highest (epoch, seq) stands for all before it in the same stream, since a
// stream is delivered in order and a newer epoch ends the older ones; the latest expiry stands for all of theirs.
#pragma once

#include "hanse/protocols/envelope.hpp"

namespace hanse::internal {

class causal_context {
public:
  /// Adds a position, or raises the one that is there. Returns whether anything changed. The caller bounds the size.
  bool add(const causal_dep& dep);

  /// Everything up to (epoch, seq) of the stream is settled at its destination. Returns whether this was news.
  bool prune(const identity& source, const identity& destination, std::uint64_t epoch, std::uint64_t seq);

  /// The entry of an own stream, if it is there: nothing after `seq` was ever transmitted, nor will be.
  bool lower(const identity& source, const identity& destination, std::uint64_t seq);

  /// Drops what nobody delivers any more: clock_skew_max_ms after its expiry, since clocks that run behind may still.
  bool expire(time_ms now);

  /// Whether a position captured earlier is still not known to be settled.
  bool live(const causal_dep& dep) const noexcept;

  /// While messages wait for their captured pasts to shrink, settled entries are kept, so that a later position in the
  /// same stream does not make an earlier, settled one look live: the two could wait for each other.
  void keep_settled(bool keep);

  bool contains(const identity& source, const identity& destination) const noexcept;

  /// The live entries but (source, destination), ascending: what a message in that stream depends on.
  std::vector<causal_dep> without(const identity& source, const identity& destination) const;

  /// The live entries, ascending by (source, destination).
  std::vector<causal_dep> all() const;

  /// Entries, settled ones that are kept included.
  std::size_t size() const noexcept { return entries_.size(); }
  std::size_t live_size() const noexcept { return entries_.size() - settled_; }

  /// Counts changes: equal numbers mean equal live entries.
  std::uint64_t changes() const noexcept { return changes_; }

private:
  struct entry {
    causal_dep dep;
    std::uint64_t settled_epoch = 0; ///< all up to (settled_epoch, settled_seq) is known to be settled
    std::uint64_t settled_seq = 0;

    bool settled() const noexcept;
  };
  std::vector<entry>::const_iterator find(const identity& source, const identity& destination) const noexcept;
  entry* get(const identity& source, const identity& destination) noexcept;
  void sweep_settled();

  std::vector<entry> entries_; // sorted; it mostly has a handful
  std::size_t settled_ = 0;    ///< entries that are settled and kept
  bool keep_settled_ = false;
  std::uint64_t changes_ = 0;
  time_ms earliest_ = UINT64_MAX; ///< no entry expires before
};

} // namespace hanse::internal
