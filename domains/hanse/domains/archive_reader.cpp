// Reading the archive of a topic. See the header.
#include "hanse/domains/archive_reader.hpp"

#include "hanse/protocols/multicast_control.hpp"

#include <algorithm>

namespace hanse {

namespace {

void keep_last(std::deque<topic_event>& events, std::size_t count) {
  if (events.size() > count) events.erase(events.begin(), events.end() - static_cast<std::ptrdiff_t>(count));
}

} // namespace

archive_reader::archive_reader(const identity& topic, event_verifier& verifier,
                               std::function<bool(const identity&)> may_publish, std::uint32_t wanted, std::size_t have,
                               const std::vector<chain_mark>& marks)
    : topic_(topic), verifier_(verifier), may_publish_(std::move(may_publish)), wanted_(wanted), have_(have) {
  for (const auto& m : marks) marks_[m.chain] = m.seq;
}

void archive_reader::offer(const identity& from, archive_answer answer) {
  if (answer.events() == 0 || offers_.size() >= archive_answers_max) return;
  const auto at =
      std::ranges::lower_bound(offers_, answer.events(), {}, [](const auto& o) { return o.second.events(); });
  offers_.emplace(at, from, std::move(answer)); // of two alike the one that came first is read
  begin();
}

/// The answer may have been for somebody here who wants more.
void archive_reader::begin() {
  const auto& [from, answer] = offers_.back();
  auto events = answer.events();
  for (at_ = 0; at_ < answer.entries.size() && events - answer.entries[at_].events >= wanted_; ++at_)
    events -= answer.entries[at_].events;
}

std::optional<eris_capability> archive_reader::next() const {
  if (offers_.empty() || at_ >= offers_.back().second.entries.size()) return std::nullopt;
  return offers_.back().second.entries[at_].content;
}

void archive_reader::lose() {
  if (!next()) return;
  if (read_.empty() && offers_.size() > 1) { // it may tell of more than there is
    offers_.pop_back();
    return begin();
  }
  stats_.lost += offers_.back().second.entries[at_++].events;
}

expected<std::vector<topic_event>> archive_reader::take(const shared_bytes& segment) {
  auto decoded = decode_archive_segment(topic_, segment);
  if (!decoded) {
    lose();
    return decoded.error();
  }
  ++at_;
  auto events = read(*decoded);
  if (wanted_ > join_history_max) return events;
  std::ranges::move(events, std::back_inserter(latest_));
  keep_last(latest_, wanted_ - std::min(have_, wanted_));
  return std::vector<topic_event>{};
}

std::vector<topic_event> archive_reader::finish() {
  if (!offers_.empty())
    if (const auto tail = decode_archive_segment(topic_, std::exchange(offers_.back().second.tail, {})))
      std::ranges::move(read(*tail), std::back_inserter(latest_));
  if (wanted_ <= join_history_max) keep_last(latest_, wanted_ - std::min(have_, wanted_));
  std::vector<topic_event> events{std::make_move_iterator(latest_.begin()), std::make_move_iterator(latest_.end())};
  latest_.clear();
  return events;
}

std::vector<topic_event> archive_reader::read(const archive_segment& segment) {
  std::vector<topic_event> events;
  std::vector<std::optional<event_parcel>> parcels;
  for (const auto& wire : segment.parcels) {
    auto& p = parcels.emplace_back();
    auto parcel = read_parcel(wire);
    if (parcel && may_publish_(parcel->publisher) && verify_parcel(*parcel, verifier_)) p = *std::move(parcel);
  }
  for (const auto& run : segment.runs) {
    if (const auto& p = parcels[run.parcel]) {
      read_run(*p, run, events);
    } else {
      stats_.refused += run.count;
    }
  }
  return events;
}

void archive_reader::read_run(const event_parcel& parcel, const archive_run& run, std::vector<topic_event>& events) {
  for (std::size_t i = run.first; i < std::size_t{run.first} + run.count; ++i) {
    auto e = i < parcel.events.size() ? decode_event(parcel.wire.slice(parcel.events[i])) : errc::bad_value;
    if (!e || e->topic != topic_ || e->chain.publisher != parcel.publisher || e->mode == event_mode::unreliable) {
      ++stats_.refused;
      continue;
    }
    auto& read = read_[e->chain];
    if (e->seq <= read) continue;
    read = e->seq;
    if (comes_before(*e) && e->mode != event_mode::join) events.push_back(*std::move(e));
  }
}

bool archive_reader::comes_anyway(const chain_key& chain, std::uint64_t seq) const {
  if (const auto m = marks_.find(chain); m != marks_.end()) return seq > m->second;
  const auto from = anyway_from_.find(chain);
  return from != anyway_from_.end() && seq >= from->second;
}

bool archive_reader::comes_before(const topic_event& e) {
  if (comes_anyway(e.chain, e.seq)) return false;
  if (marks_.contains(e.chain)) return true;
  if (std::ranges::any_of(e.deps, [this](const event_dep& d) { return comes_anyway(d.chain, d.seq); })) {
    anyway_from_[e.chain] = e.seq;
    return false;
  }
  given_[e.chain] = e.seq;
  return true;
}

} // namespace hanse
