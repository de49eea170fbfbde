// One reliable stream at its receiver, and its durable record: see the header.
// Record: key = source ‖ destination; value = [1, epoch, mark, retain_until_ms, [mark - seq…], [[seq, code]…]].

#include "hanse/protocols/internal/in_stream.hpp"

#include "hanse/protocols/codec.hpp"

#include <algorithm>

namespace hanse::internal {

namespace {

constexpr std::uint64_t record_version = 1;
constexpr std::size_t record_size_max = 8192;

} // namespace

bytes encode_record_key(const stream_key& key) {
  bytes out;
  out.reserve(2 * identity::size_bytes);
  append(out, key.source.wire());
  append(out, key.destination.wire());
  return out;
}

expected<stream_key> decode_record_key(byte_view key) {
  if (key.size() != 2 * identity::size_bytes) return errc::bad_value;
  HANSE_TRY(const auto source, identity::decode_unchecked(key.first(identity::size_bytes)));
  HANSE_TRY(const auto destination, identity::decode_unchecked(key.subspan(identity::size_bytes)));
  return stream_key{source, destination};
}

bytes encode_record(const stream_record& r) {
  msgpack_writer out;
  out.array(6);
  out.unsigned_integer(record_version);
  out.unsigned_integer(r.epoch);
  out.unsigned_integer(r.mark);
  out.unsigned_integer(r.retain_until_ms);
  out.array(r.open.size());
  for (const auto seq : r.open) out.unsigned_integer(r.mark - seq); // small numbers: mostly one octet each
  out.array(r.errors.size());
  for (const auto& e : r.errors) {
    out.array(2);
    out.unsigned_integer(e.seq);
    out.unsigned_integer(static_cast<std::uint8_t>(e.code));
  }
  return std::move(out).take();
}

expected<stream_record> decode_record(byte_view value) {
  msgpack_reader in{value, record_size_max};
  in.array_exactly(6);
  if (in.unsigned_integer() != record_version) in.fail(errc::bad_version);
  stream_record r;
  r.epoch = in.unsigned_integer(wire_number_max);
  r.mark = in.unsigned_integer(wire_number_max);
  r.retain_until_ms = in.unsigned_integer();
  const auto open = in.array(stream_window_max);
  for (std::size_t i = 0; i < open && in.good(); ++i) {
    const auto below = in.unsigned_integer(stream_window_max - 1);
    if (below >= r.mark || (!r.open.empty() && r.mark - below <= r.open.back())) in.fail(errc::bad_value);
    r.open.push_back(r.mark - below);
  }
  const auto errors = in.array(stream_window_max);
  for (std::size_t i = 0; i < errors && in.good(); ++i) {
    in.array_exactly(2);
    settled_error e;
    e.seq = in.unsigned_integer(r.mark);
    e.code = static_cast<errc>(in.unsigned_integer(UINT8_MAX));
    if (r.mark - e.seq >= stream_window_max || e.code == errc::none) in.fail(errc::bad_value);
    if (!r.errors.empty() && e.seq <= r.errors.back().seq) in.fail(errc::bad_value);
    r.errors.push_back(e);
  }
  HANSE_CHECK(in.finish());
  return r;
}

in_state in_stream::state(std::uint64_t seq) const noexcept {
  if (seq <= settled) return in_state::settled;
  return in_window(seq) ? slots_[seq % stream_window_max] : in_state::none;
}

void in_stream::settle(std::uint64_t seq, errc code) {
  set_state(seq, in_state::settled);
  if (code != errc::none) {
    const auto at = std::lower_bound(errors.begin(), errors.end(), seq,
                                     [](const settled_error& e, std::uint64_t s) { return e.seq < s; });
    if (at == errors.end() || at->seq != seq) errors.insert(at, {seq, code});
  }
  while (slots_[(settled + 1) % stream_window_max] == in_state::settled) {
    ++settled;
    set_state(settled, in_state::none); // the slot is seq settled + stream_window_max from now on
  }
}

void in_stream::restart(std::uint64_t new_epoch) {
  for (auto seq = settled + 1; seq < next; ++seq)
    if (state(seq) == in_state::delivered || state(seq) == in_state::marking) old_open.emplace(epoch, seq);
  epoch = new_epoch;
  next = 1;
  settled = 0;
  highest = 0;
  errors.clear();
  slots_.fill(in_state::none);
  wake_at = 0;
  began = false;
}

void in_stream::restore(const stream_record& r) {
  epoch = durable_epoch = r.epoch;
  next = durable_next = r.mark + 1;
  settled = highest = r.mark;
  retain_until_ms = r.retain_until_ms;
  errors = r.errors;
  for (const auto seq : r.open) errors.push_back({seq, errc::in_doubt});
  std::sort(errors.begin(), errors.end(), [](const auto& a, const auto& b) { return a.seq < b.seq; });
  began = true;
}

stream_record in_stream::record() const {
  stream_record r{epoch, next - 1, retain_until_ms, {}, {}};
  for (auto seq = settled + 1; seq < next; ++seq)
    if (state(seq) != in_state::settled) r.open.push_back(seq);
  for (const auto& e : errors)
    if (e.seq <= r.mark && r.mark - e.seq < stream_window_max) r.errors.push_back(e);
  return r;
}

unicast_ack in_stream::make_ack() {
  // Whoever sends seq h has seen everything up to h - stream_window_max settle: its window begins above that.
  std::erase_if(errors, [&](const auto& e) { return e.seq + stream_window_max <= highest; });
  unicast_ack a{epoch, settled, {}, {}, errors, !began};
  const auto last = std::max(highest, next - 1);
  const auto span = last > settled ? std::min(last - settled, stream_window_max) : 0;
  for (std::uint64_t i = 0; i < span; ++i) {
    const auto s = state(settled + 1 + i);
    if (s == in_state::settled) {
      a.settled_later.resize(i + 1);
      a.settled_later[i] = true;
    }
    if (s != in_state::none) {
      a.held.resize(i + 1);
      a.held[i] = true;
    }
  }
  return a;
}

bool in_stream::idle() const noexcept {
  return pending.empty() && old_open.empty() && settled + 1 == next && ack_at == 0 && !ack_queued && !dirty_queued;
}

} // namespace hanse::internal
