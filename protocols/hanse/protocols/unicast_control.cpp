// Bodies of "hanse.unicast/1.0": see the header. Each is an array that begins with its kind:
//   ack     [1, epoch, settled, settled_later, held, [[seq, code]…], lost]   sets of seq as octets, lowest bit first
//   skip    [2, epoch, floor]
//   probe   [3, [[source, epoch, seq, expires_ms]…]]
//   settled [4, [[source, epoch, seq, expires_ms]…]]

#include "hanse/protocols/unicast_control.hpp"

#include "hanse/protocols/internal/wire_fields.hpp"

namespace hanse {

namespace {

enum class body_kind : std::uint8_t { ack = 1, skip = 2, probe = 3, settled = 4 };

constexpr std::size_t set_octets_max = stream_window_max / 8;

void write_kind(msgpack_writer& out, std::size_t fields, body_kind k) {
  out.array(fields);
  out.unsigned_integer(static_cast<std::uint8_t>(k));
}

void write_set(msgpack_writer& out, const std::vector<bool>& set) {
  std::array<std::byte, set_octets_max> octets{};
  for (std::size_t i = 0; i < set.size(); ++i)
    if (set[i]) octets[i / 8] |= std::byte{1} << (i % 8);
  out.blob(byte_view{octets}.first((set.size() + 7) / 8));
}

std::vector<bool> read_set(msgpack_reader& in) {
  const auto octets = in.blob(set_octets_max);
  if (octets.empty()) return {};
  if (octets.back() == std::byte{0}) {
    in.fail(errc::not_canonical);
    return {};
  }
  std::vector<bool> set(octets.size() * 8);
  for (std::size_t i = 0; i < set.size(); ++i) set[i] = (octets[i / 8] >> (i % 8) & std::byte{1}) != std::byte{0};
  while (!set.back()) set.pop_back();
  return set;
}

void write_marks(msgpack_writer& out, const std::vector<unicast_mark>& marks) {
  out.array(marks.size());
  for (const auto& m : marks) {
    out.array(4);
    out.blob(m.source.wire());
    out.unsigned_integer(m.epoch);
    out.unsigned_integer(m.seq);
    out.unsigned_integer(m.expires_ms);
  }
}

std::vector<unicast_mark> read_marks(msgpack_reader& in) {
  const auto count = in.array(unicast_probe_max);
  std::vector<unicast_mark> marks;
  marks.reserve(count);
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    in.array_exactly(4);
    unicast_mark m;
    m.source = internal::read_identity(in);
    m.epoch = in.unsigned_integer(wire_number_max);
    m.seq = in.unsigned_integer(wire_number_max);
    m.expires_ms = in.unsigned_integer(wire_number_max);
    if (!marks.empty() && !(marks.back() < m)) in.fail(errc::not_canonical);
    marks.push_back(m);
  }
  return marks;
}

void write(msgpack_writer& out, const unicast_ack& a) {
  write_kind(out, 7, body_kind::ack);
  out.unsigned_integer(a.epoch);
  out.unsigned_integer(a.settled);
  write_set(out, a.settled_later);
  write_set(out, a.held);
  out.array(a.errors.size());
  for (const auto& e : a.errors) {
    out.array(2);
    out.unsigned_integer(e.seq);
    out.unsigned_integer(static_cast<std::uint8_t>(e.code));
  }
  out.boolean(a.lost);
}

void write(msgpack_writer& out, const unicast_skip& s) {
  write_kind(out, 3, body_kind::skip);
  out.unsigned_integer(s.epoch);
  out.unsigned_integer(s.floor);
}

void write(msgpack_writer& out, const unicast_probe& p) {
  write_kind(out, 2, body_kind::probe);
  write_marks(out, p.marks);
}

void write(msgpack_writer& out, const unicast_settled& s) {
  write_kind(out, 2, body_kind::settled);
  write_marks(out, s.marks);
}

unicast_ack read_ack(msgpack_reader& in) {
  unicast_ack a;
  a.epoch = in.unsigned_integer(wire_number_max);
  a.settled = in.unsigned_integer(wire_number_max);
  a.settled_later = read_set(in);
  if (!a.settled_later.empty() && a.settled_later[0]) in.fail(errc::not_canonical); // `settled` would be higher
  a.held = read_set(in);
  const auto count = in.array(stream_window_max);
  a.errors.reserve(count);
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    in.array_exactly(2);
    settled_error e;
    e.seq = in.unsigned_integer(wire_number_max);
    e.code = static_cast<errc>(in.unsigned_integer(UINT8_MAX)); // codes of later versions pass through
    if (e.code == errc::none) in.fail(errc::bad_value);
    if (!a.errors.empty() && e.seq <= a.errors.back().seq) in.fail(errc::not_canonical);
    a.errors.push_back(e);
  }
  a.lost = in.boolean();
  return a;
}

unicast_control read_body(msgpack_reader& in) {
  const auto fields = in.array(7);
  const auto kind = in.unsigned_integer(static_cast<std::uint8_t>(body_kind::settled));
  const auto expect = [&](std::size_t count) {
    if (fields != count) in.fail(errc::bad_value);
  };
  switch (static_cast<body_kind>(kind)) {
  case body_kind::ack:
    expect(7);
    return read_ack(in);
  case body_kind::skip: {
    expect(3);
    unicast_skip s;
    s.epoch = in.unsigned_integer(wire_number_max);
    s.floor = in.unsigned_integer(wire_number_max);
    if (s.floor == 0) in.fail(errc::bad_value);
    return s;
  }
  case body_kind::probe: {
    expect(2);
    unicast_probe p{read_marks(in)};
    if (p.marks.empty()) in.fail(errc::bad_value);
    return p;
  }
  case body_kind::settled:
    expect(2);
    return unicast_settled{read_marks(in)};
  }
  in.fail(errc::bad_type);
  return unicast_skip{};
}

} // namespace

const protocol_id& unicast_protocol() {
  static const protocol_id p{"hanse.unicast", 1, 0};
  return p;
}

bytes encode(const unicast_control& body) {
  msgpack_writer out;
  std::visit([&](const auto& b) { write(out, b); }, body);
  return std::move(out).take();
}

expected<unicast_control> decode_unicast_control(byte_view wire) {
  msgpack_reader in{wire, unicast_control_size_max};
  auto body = read_body(in);
  HANSE_CHECK(in.finish());
  return body;
}

} // namespace hanse
