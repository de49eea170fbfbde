// How a node that joined a topic reads what was before: which archive, which segments, and which of their events come
// before those that it gets anyway. The other side of topic_archive.hpp. Sans-IO: the host gets the segments.
//
// The order stays causal. What the node gets by multicast are the events above its *marks* of the chains, and all that
// depends on one of them; everything else in the archive comes before, in the archive's order, which was one of
// delivery. Chains that the node has no mark of are either over, and then all in the archive is before, or new.
#pragma once

#include "hanse/domains/topic_archive.hpp"

#include <functional>

namespace hanse {

inline constexpr std::size_t archive_answers_max = 9; ///< the own archive, and eight others

struct archive_reader_stats {
  std::uint64_t lost = 0;    ///< events in segments that nobody had
  std::uint64_t refused = 0; ///< events of publishers that may not publish, or not signed by them
};

/// Reads for one subscriber. Not thread-safe.
///
/// Use: `offer` answers; `next` and `take`, or `lose`, until `next` has nothing; `finish`; then `given` says what
/// to leave out of what comes by multicast.
class archive_reader {
public:
  /// `wanted`: so many events in all, `have` of which the subscriber gets otherwise. `verifier` outlives it.
  archive_reader(const identity& topic, event_verifier& verifier,
                 std::function<bool(const identity& publisher)> may_publish, std::uint32_t wanted, std::size_t have,
                 const std::vector<chain_mark>& marks);

  /// The one with the most events is read; if its first segment is nowhere, the next one. All are offered before the
  /// first `take` or `lose`.
  void offer(const identity& from, archive_answer answer);
  std::uint64_t offered() const noexcept { return offers_.empty() ? 0 : offers_.back().second.events(); }

  /// Whose archive is read. Precondition: one was offered that has events.
  const identity& source() const noexcept { return offers_.back().first; }

  /// The segment to get now.
  std::optional<eris_capability> next() const;

  /// The octets of `next`. Events for the subscriber, in order; up to join_history_max wanted ones come from `finish`,
  /// which knows the latest. Errors: those of decode_archive_segment; its events are lost.
  expected<std::vector<topic_event>> take(const shared_bytes& segment);

  /// `next` cannot be had, or is no segment.
  void lose();

  /// What is left to be given.
  std::vector<topic_event> finish();

  /// What may come by multicast as well, after it was given: of these chains, events up to these.
  const std::map<chain_key, std::uint64_t>& given() const noexcept { return given_; }

  const archive_reader_stats& stats() const noexcept { return stats_; }

private:
  std::vector<topic_event> read(const archive_segment& segment);
  void read_run(const event_parcel& parcel, const archive_run& run, std::vector<topic_event>& events);
  bool comes_anyway(const chain_key& chain, std::uint64_t seq) const;
  bool comes_before(const topic_event& e);
  void begin();

  identity topic_;
  event_verifier& verifier_;
  std::function<bool(const identity&)> may_publish_;
  std::uint64_t wanted_, have_;
  std::map<chain_key, std::uint64_t> marks_;
  std::map<chain_key, std::uint64_t> anyway_from_; ///< of chains without a mark
  std::map<chain_key, std::uint64_t> given_;       ///< of chains without a mark
  std::map<chain_key, std::uint64_t> read_;        ///< up to here; two lives of an archive may hold the same event
  std::vector<std::pair<identity, archive_answer>> offers_; ///< rising by events; the last one is read
  std::size_t at_ = 0;
  std::deque<topic_event> latest_; ///< few are wanted: which, the end will show
  archive_reader_stats stats_;
};

} // namespace hanse
