// What archives of topics say, and the octets of their segments. See topic_archive.hpp; layout: docs/topics.md.
#include "hanse/domains/topic_archive.hpp"

#include <algorithm>
#include <numeric>

namespace hanse {

namespace {

constexpr std::uint64_t segment_version = 1;
constexpr std::uint64_t message_version = 1;
constexpr std::uint64_t kind_ask = 0, kind_answer = 1;

} // namespace

bytes encode_archive_segment(const identity& topic, const archive_segment& segment) {
  msgpack_writer out;
  out.array(4);
  out.unsigned_integer(segment_version);
  out.blob(topic.wire());
  out.array(segment.parcels.size());
  for (const auto& p : segment.parcels) out.blob(p.view());
  out.array(3 * segment.runs.size());
  for (const auto& r : segment.runs) {
    out.unsigned_integer(r.parcel);
    out.unsigned_integer(r.first);
    out.unsigned_integer(r.count);
  }
  return std::move(out).take();
}

expected<archive_segment> decode_archive_segment(const identity& topic, const shared_bytes& wire) {
  msgpack_reader in{wire.view(), archive_segment_max};
  archive_segment s;
  in.array_exactly(4);
  if (in.unsigned_integer() != segment_version) in.fail(errc::bad_version);
  const auto named = in.blob_exactly(identity::size_bytes);
  if (in.good() && !equal(named, topic.wire())) in.fail({errc::bad_value, "a segment of another topic"});
  for (auto left = in.array(archive_segment_events_max); left > 0 && in.good(); --left)
    s.parcels.push_back(wire.slice(in.blob(parcel_size_max)));
  const auto numbers = in.array(3 * archive_segment_events_max);
  if (numbers % 3 != 0) in.fail(errc::bad_value);
  std::uint64_t events = 0;
  for (auto left = numbers / 3; left > 0 && in.good(); --left) {
    archive_run r;
    r.parcel = static_cast<std::uint32_t>(in.unsigned_integer(archive_segment_events_max - 1));
    r.first = static_cast<std::uint32_t>(in.unsigned_integer(parcel_events_max - 1));
    r.count = static_cast<std::uint32_t>(in.unsigned_integer(parcel_events_max));
    if (r.parcel >= s.parcels.size() || r.count == 0 || r.first + r.count > parcel_events_max) in.fail(errc::bad_value);
    events += r.count;
    s.runs.push_back(r);
  }
  if (events == 0 || events > archive_segment_events_max) in.fail(errc::bad_value);
  HANSE_CHECK(in.finish());
  return s;
}

std::uint64_t archive_answer::events() const noexcept {
  return std::accumulate(entries.begin(), entries.end(), std::uint64_t{tail_events},
                         [](std::uint64_t sum, const archive_entry& e) { return sum + e.events; });
}

bytes encode(const archive_message& message) {
  msgpack_writer out;
  if (const auto* ask = std::get_if<archive_ask>(&message)) {
    out.array(3);
    out.unsigned_integer(kind_ask);
    out.unsigned_integer(message_version);
    out.unsigned_integer(ask->count);
    return std::move(out).take();
  }
  const auto& answer = std::get<archive_answer>(message);
  out.array(5);
  out.unsigned_integer(kind_answer);
  out.unsigned_integer(message_version);
  out.array(answer.entries.size());
  for (const auto& e : answer.entries) {
    out.array(2);
    out.unsigned_integer(e.events);
    out.blob(encode(e.content));
  }
  out.unsigned_integer(answer.tail_events);
  out.blob(answer.tail.view());
  return std::move(out).take();
}

expected<archive_message> decode_archive_message(byte_view wire) {
  msgpack_reader in{wire};
  const auto fields = in.array(5);
  const auto kind = in.unsigned_integer();
  if (in.unsigned_integer() != message_version) in.fail(errc::bad_version);
  if (kind == kind_ask) {
    if (fields != 3) in.fail(errc::bad_value);
    archive_ask ask{static_cast<std::uint32_t>(in.unsigned_integer(topic_history_max))};
    HANSE_CHECK(in.finish());
    return archive_message{ask};
  }
  if (kind != kind_answer) in.fail(errc::bad_type);
  if (fields != 5) in.fail(errc::bad_value);
  archive_answer answer;
  for (auto left = in.array(archive_segments_max); left > 0 && in.good(); --left) {
    in.array_exactly(2);
    archive_entry e;
    e.events = static_cast<std::uint32_t>(in.unsigned_integer(archive_segment_events_max));
    if (e.events == 0) in.fail(errc::bad_value);
    const auto content = in.blob_exactly(eris_capability_size);
    if (!in.good()) break;
    auto capability = decode_eris_capability(content);
    if (!capability) in.fail(capability.error());
    if (capability) e.content = *capability;
    answer.entries.push_back(e);
  }
  answer.tail_events = static_cast<std::uint32_t>(in.unsigned_integer(archive_segment_events_max));
  const auto tail = in.blob(archive_segment_max);
  if (in.good() && tail.empty() != (answer.tail_events == 0)) in.fail(errc::bad_value);
  HANSE_CHECK(in.finish());
  if (!tail.empty()) answer.tail = shared_bytes::copy_of(tail);
  return archive_message{std::move(answer)};
}

} // namespace hanse
