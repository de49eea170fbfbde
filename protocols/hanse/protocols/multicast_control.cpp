// Bodies between the nodes of a topic; see multicast_control.hpp.
#include "hanse/protocols/multicast_control.hpp"

#include "hanse/protocols/internal/wire_fields.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::uint8_t control_version = 1;
constexpr std::size_t control_fields_max = 5;

void write_head(msgpack_writer& out, std::size_t fields, std::size_t kind) {
  out.array(fields);
  out.unsigned_integer(kind);
  out.unsigned_integer(control_version);
}

void write(msgpack_writer& out, const std::vector<chain_mark>& marks) {
  out.array(marks.size());
  for (const auto& m : marks) {
    out.array(3);
    out.blob(m.chain.publisher.wire());
    out.unsigned_integer(m.chain.epoch);
    out.unsigned_integer(m.seq);
  }
}

void write(msgpack_writer& out, const std::vector<chain_range>& ranges) {
  out.array(ranges.size());
  for (const auto& r : ranges) {
    out.array(4);
    out.blob(r.chain.publisher.wire());
    out.unsigned_integer(r.chain.epoch);
    out.unsigned_integer(r.first);
    out.unsigned_integer(r.last);
  }
}

void write(msgpack_writer& out, const std::vector<shared_bytes>& parcels) {
  out.array(parcels.size());
  for (const auto& p : parcels) out.blob(p.view());
}

void write_body(msgpack_writer& out, const multicast_digest& d) {
  write_head(out, 3, 0);
  write(out, d.marks);
}

void write_body(msgpack_writer& out, const multicast_want& w) {
  write_head(out, 3, 1);
  write(out, w.ranges);
}

void write_body(msgpack_writer& out, const multicast_events& e) {
  write_head(out, 4, 2);
  write(out, e.parcels);
  write(out, e.missing);
}

void write_body(msgpack_writer& out, const multicast_join& j) {
  write_head(out, 3, 3);
  out.unsigned_integer(j.history);
}

void write_body(msgpack_writer& out, const multicast_welcome& w) {
  write_head(out, 5, 4);
  out.boolean(w.settled);
  write(out, w.marks);
  write(out, w.parcels);
}

void write_body(msgpack_writer& out, const multicast_fork_notice& f) {
  write_head(out, 3, 5);
  out.blob(f.proof);
}

chain_key read_chain(msgpack_reader& in) {
  chain_key chain;
  chain.publisher = internal::read_identity(in);
  chain.epoch = in.unsigned_integer(wire_number_max);
  return chain;
}

std::vector<chain_mark> read_marks(msgpack_reader& in, std::size_t count_max) {
  const auto count = in.array(count_max);
  std::vector<chain_mark> marks;
  marks.reserve(count);
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    in.array_exactly(3);
    chain_mark m;
    m.chain = read_chain(in);
    m.seq = in.unsigned_integer(wire_number_max);
    if (!marks.empty() && !(marks.back().chain < m.chain)) in.fail(errc::not_canonical);
    marks.push_back(m);
  }
  return marks;
}

std::vector<chain_range> read_ranges(msgpack_reader& in, std::size_t count_max) {
  const auto count = in.array(count_max);
  std::vector<chain_range> ranges;
  ranges.reserve(count);
  std::uint64_t events = 0;
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    in.array_exactly(4);
    chain_range r;
    r.chain = read_chain(in);
    r.first = in.unsigned_integer(wire_number_max);
    r.last = in.unsigned_integer(wire_number_max);
    if (r.first == 0 || r.last < r.first || r.last - r.first >= want_events_max) {
      in.fail(error{errc::bad_value, "a range of events"});
      break;
    }
    events += r.last - r.first + 1;
    if (events > want_events_max) in.fail(error{errc::too_long, "events"});
    if (!ranges.empty() && !(ranges.back() < r)) in.fail(errc::not_canonical);
    ranges.push_back(r);
  }
  return ranges;
}

std::vector<shared_bytes> read_parcels(msgpack_reader& in) {
  std::vector<shared_bytes> parcels;
  for (auto left = in.array(join_history_max); left > 0 && in.good(); --left)
    parcels.push_back(shared_bytes::copy_of(in.blob(parcel_size_max)));
  return parcels;
}

multicast_control read_body(msgpack_reader& in) {
  const auto fields = in.array(control_fields_max);
  const auto kind = in.unsigned_integer();
  if (in.unsigned_integer() != control_version) in.fail(errc::bad_version);
  constexpr std::array<std::size_t, 6> field_counts{3, 3, 4, 3, 5, 3};
  if (kind >= field_counts.size()) {
    in.fail(errc::bad_type);
  } else if (fields != field_counts[kind]) {
    in.fail(errc::bad_value);
  }
  if (!in.good()) return multicast_join{};
  switch (kind) {
  case 0:
    return multicast_digest{read_marks(in, digest_marks_max)};
  case 1: {
    multicast_want want{read_ranges(in, want_ranges_max)};
    if (want.ranges.empty()) in.fail(errc::bad_value);
    return want;
  }
  case 2: {
    multicast_events events;
    events.parcels = read_parcels(in);
    events.missing = read_ranges(in, want_events_max);
    return events;
  }
  case 3:
    return multicast_join{static_cast<std::uint32_t>(in.unsigned_integer(join_history_max))};
  case 4: {
    multicast_welcome welcome;
    welcome.settled = in.boolean();
    welcome.marks = read_marks(in, join_marks_max);
    welcome.parcels = read_parcels(in);
    return welcome;
  }
  default:
    return multicast_fork_notice{to_bytes(in.blob(2 * parcel_size_max))};
  }
}

} // namespace

bytes encode(const multicast_control& body) {
  msgpack_writer out;
  std::visit([&](const auto& b) { write_body(out, b); }, body);
  return std::move(out).take();
}

expected<multicast_control> decode_multicast_control(byte_view wire) {
  msgpack_reader in{wire};
  auto body = read_body(in);
  HANSE_CHECK(in.finish());
  return body;
}

} // namespace hanse
