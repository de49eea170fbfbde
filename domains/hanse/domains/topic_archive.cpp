// The archive of a topic at a node that keeps it. See the header. Not the octets (archive_message.cpp).
#include "hanse/domains/topic_archive.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::uint64_t record_version = 1;
constexpr std::size_t number_octets = 8;

} // namespace

topic_archive::topic_archive(const identity& topic, const topic_archive_config& config)
    : topic_(topic), config_(config) {}

// --- what earlier lives left ---

bytes topic_archive::key_of(std::uint64_t number) const {
  auto key = to_bytes(topic_.wire());
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<std::byte>(number >> shift));
  return key;
}

expected<unit> topic_archive::restore(byte_view key, byte_view value) {
  if (key.size() != identity::size_bytes + number_octets) return errc::bad_value;
  std::uint64_t number = 0;
  for (const auto b : key.subspan(identity::size_bytes)) number = number << 8 | std::to_integer<std::uint64_t>(b);
  msgpack_reader in{value};
  kept_segment s;
  in.array_exactly(6);
  if (in.unsigned_integer() != record_version) in.fail(errc::bad_version);
  s.entry.events = static_cast<std::uint32_t>(in.unsigned_integer(archive_segment_events_max));
  s.octets = in.unsigned_integer(archive_segment_max);
  s.until = in.unsigned_integer(wire_number_max);
  const auto content = in.blob_exactly(eris_capability_size);
  std::vector<chain_mark> marks;
  for (auto left = in.array(archive_segment_events_max); left > 0 && in.good(); --left) {
    in.array_exactly(3);
    chain_mark m;
    const auto publisher = identity::decode_unchecked(in.blob_exactly(identity::size_bytes)); // we wrote it
    if (publisher) m.chain.publisher = *publisher;
    m.chain.epoch = in.unsigned_integer(wire_number_max);
    m.seq = in.unsigned_integer(wire_number_max);
    marks.push_back(m);
  }
  HANSE_CHECK(in.finish());
  HANSE_TRY(s.entry.content, decode_eris_capability(content));
  for (const auto& m : marks) remember(m.chain, m.seq);
  kept_events_ += s.entry.events;
  kept_octets_ += s.octets;
  last_number_ = std::max(last_number_, number);
  kept_.emplace(number, s);
  return ok();
}

void topic_archive::remember(const chain_key& chain, std::uint64_t seq) {
  if (marks_.size() >= config_.marks_max && !marks_.contains(chain)) // the oldest life of a publisher
    marks_.erase(std::ranges::min_element(marks_, {}, [](const auto& m) { return m.first.epoch; }));
  auto& mark = marks_[chain];
  mark = std::max(mark, seq);
}

// --- events ---

void topic_archive::add(const topic_event& event, const parcel_place& where, time_ms now, archive_effects& out) {
  if (!where.parcel) return; // unreliable: it has no place in any order
  if (const auto m = marks_.find(event.chain); m != marks_.end() && event.seq <= m->second) return;
  const auto find_parcel = [&] {
    return std::ranges::find(open_.parcels.rbegin(), open_.parcels.rend(), where.parcel);
  };
  auto known = find_parcel();
  if (known == open_.parcels.rend() && open_.events > 0 &&
      open_.octets + where.parcel->wire.size() > config_.segment_octets) {
    close(now, out);
    known = find_parcel();
  }
  if (known == open_.parcels.rend()) {
    open_.parcels.push_back(where.parcel);
    open_.octets += where.parcel->wire.size();
    known = open_.parcels.rbegin();
  }
  const auto parcel = static_cast<std::uint32_t>(open_.parcels.rend() - known - 1);
  if (open_.events == 0) open_.since = now;
  if (!open_.runs.empty() && open_.runs.back().parcel == parcel &&
      open_.runs.back().first + open_.runs.back().count == where.index)
    ++open_.runs.back().count;
  else
    open_.runs.push_back({parcel, where.index, 1});
  open_.marks[event.chain] = event.seq;
  remember(event.chain, event.seq);
  if (++open_.events >= config_.segment_events) close(now, out);
}

bytes topic_archive::encoded(const open_segment& s) const {
  archive_segment segment;
  for (const auto& p : s.parcels) segment.parcels.push_back(p->wire);
  segment.runs = s.runs;
  return encode_archive_segment(topic_, segment);
}

void topic_archive::close(time_ms now, archive_effects& out) {
  if (open_.events == 0) return;
  auto full = std::exchange(open_, {});
  if (sealed_.size() >= config_.unsealed_max) {
    lost_ += full.events;
    return;
  }
  sealed_.push_back(std::move(full));
  if (sealed_.size() == 1) store_next(now, out);
}

void topic_archive::seal(time_ms now, archive_effects& out) {
  close(now, out);
}

// --- the store ---

void topic_archive::store_next(time_ms now, archive_effects& out) {
  auto segment = encoded(sealed_.front());
  stored_octets_ = segment.size();
  stored_until_ = now + config_.keep_ms;
  out.emplace_back(archive_store{std::move(segment), stored_until_});
}

void topic_archive::stored(const eris_capability& content, time_ms now, archive_effects& out) {
  if (sealed_.empty()) return;
  const auto& s = sealed_.front();
  msgpack_writer value;
  value.array(6);
  value.unsigned_integer(record_version);
  value.unsigned_integer(s.events);
  value.unsigned_integer(stored_octets_);
  value.unsigned_integer(stored_until_);
  value.blob(encode(content));
  value.array(s.marks.size());
  for (const auto& [chain, seq] : s.marks) {
    value.array(3);
    value.blob(chain.publisher.wire());
    value.unsigned_integer(chain.epoch);
    value.unsigned_integer(seq);
  }
  kept_.emplace(++last_number_, kept_segment{{s.events, content}, stored_octets_, stored_until_});
  kept_events_ += s.events;
  kept_octets_ += stored_octets_;
  out.emplace_back(archive_write{key_of(last_number_), std::move(value).take()});
  while (kept_.size() > archive_segments_max || kept_.begin()->second.until <= now) drop_oldest(out);
  sealed_.pop_front();
  if (!sealed_.empty()) return store_next(now, out);
  answer_all(now, out);
}

void topic_archive::refused(time_ms now, archive_effects& out) {
  if (sealed_.empty()) return;
  lost_ += sealed_.front().events;
  sealed_.pop_front();
  if (!sealed_.empty()) return store_next(now, out);
  answer_all(now, out);
}

/// Its blocks go when their lease ends.
void topic_archive::drop_oldest(archive_effects& out) {
  const auto oldest = kept_.begin();
  kept_events_ -= oldest->second.entry.events;
  kept_octets_ -= oldest->second.octets;
  out.emplace_back(archive_write{key_of(oldest->first), {}});
  kept_.erase(oldest);
}

void topic_archive::forget(archive_effects& out) {
  while (!kept_.empty()) drop_oldest(out);
}

// --- who asks ---

expected<unit> topic_archive::ask(const identity& from, const archive_ask& what, time_ms now, archive_effects& out) {
  const auto is_done = [&](const auto& a) {
    return !a.second.waits && a.second.answered + config_.answer_every_ms <= now;
  };
  if (askers_.size() >= config_.asking_max && !askers_.contains(from)) std::erase_if(askers_, is_done);
  if (askers_.size() >= config_.asking_max && !askers_.contains(from)) return error{errc::queue_full, "archive"};
  auto& a = askers_[from];
  a.count = a.waits ? std::max(a.count, what.count) : what.count; // one answer is for both
  a.waits = true;
  answer_all(now, out);
  return ok();
}

void topic_archive::answer_all(time_ms now, archive_effects& out) {
  const auto is_due = [&](const asker& a) {
    return a.waits && (a.answered == 0 || a.answered + config_.answer_every_ms <= now);
  };
  if (std::ranges::none_of(askers_, is_due, [](const auto& a) { return a.second; })) return;
  if (open_.octets > config_.segment_octets) close(now, out); // too much for a message
  if (!settled()) return;                                     // `stored` comes here again
  const auto tail = open_.events == 0 ? shared_bytes{} : shared_bytes{encoded(open_)};
  for (auto& [from, a] : askers_) {
    if (!is_due(a)) continue;
    archive_answer answer;
    answer.tail = tail;
    answer.tail_events = open_.events;
    std::uint64_t events = open_.events;
    for (auto s = kept_.rbegin(); s != kept_.rend() && events < a.count; ++s) {
      answer.entries.push_back(s->second.entry);
      events += s->second.entry.events;
    }
    std::ranges::reverse(answer.entries);
    a.waits = false;
    a.answered = now;
    out.emplace_back(archive_reply{from, encode(archive_message{std::move(answer)})});
  }
}

void topic_archive::tick(time_ms now, archive_effects& out) {
  if (open_.events > 0 && open_.since + config_.seal_ms <= now) close(now, out);
  answer_all(now, out);
}

std::optional<time_ms> topic_archive::next_timer() const {
  std::optional<time_ms> next;
  if (open_.events > 0) next = open_.since + config_.seal_ms;
  if (!settled()) return next;
  for (const auto& [from, a] : askers_)
    if (a.waits) next = std::min(next.value_or(UINT64_MAX), a.answered + config_.answer_every_ms);
  return next;
}

topic_archive_stats topic_archive::stats() const {
  topic_archive_stats s;
  s.events = kept_events_;
  s.octets = kept_octets_;
  s.segments = kept_.size();
  s.unsealed = open_.events;
  for (const auto& sealed : sealed_) s.unsealed += sealed.events;
  s.lost = lost_;
  return s;
}

} // namespace hanse
