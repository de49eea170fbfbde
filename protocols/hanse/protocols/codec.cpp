// Canonical msgpack: the writer by msgpack-cxx, the cursor by hand (codec.hpp says why).
// Not the structures that are written with it. Format: github.com/msgpack/msgpack/blob/master/spec.md.
#include "hanse/protocols/codec.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#define MSGPACK_NO_BOOST // nothing of Boost is used; version 4 of the header includes it otherwise
#include <msgpack/pack.hpp>

namespace hanse {

namespace {

constexpr std::uint64_t canonical_nan = 0x7ff8'0000'0000'0000;

/// What msgpack::packer writes into.
struct append_buffer {
  bytes& out;
  void write(const char* data, std::size_t size) { append(out, as_byte_view({data, size})); }
};

std::uint32_t count32(std::size_t count) {
  assert(count <= UINT32_MAX);
  return static_cast<std::uint32_t>(count);
}

template <class F>
void pack(bytes& out, F&& write) {
  append_buffer buffer{out};
  msgpack::packer<append_buffer> packer{buffer};
  write(packer);
}

std::uint64_t big_endian(byte_view octets) noexcept {
  std::uint64_t value = 0;
  for (auto octet : octets) value = value << 8 | std::to_integer<std::uint64_t>(octet);
  return value;
}

constexpr std::uint64_t sign_extend(std::uint64_t value, unsigned width) noexcept {
  const unsigned shift = 64 - 8 * width;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(value << shift) >> shift);
}

/// How a first octet is read.
struct head {
  token_kind kind = token_kind::nil;
  unsigned width = 0;      ///< octets of number or length after the first; 0: the value is in the first
  std::uint64_t value = 0; ///< when width is 0
  std::uint64_t least = 0; ///< the smallest value that needs this form, for those of unsigned numbers and lengths
  bool is_known = true;    ///< false for the extensions and for the reserved 0xc1
};

using enum token_kind;
constexpr head unknown{nil, 0, 0, 0, false};

/// The octets 0xc0..0xdf; all others have their value in them.
constexpr std::array<head, 32> heads{{
    {nil},                                   // c0
    unknown,                                 // c1
    {boolean, 0, 0},                         // c2
    {boolean, 0, 1},                         // c3
    {blob, 1, 0, 0},                         // c4
    {blob, 2, 0, 0x100},                     // c5
    {blob, 4, 0, 0x1'0000},                  // c6
    unknown,                                 // c7
    unknown,                                 // c8
    unknown,                                 // c9
    {real, 4},                               // ca
    {real, 8},                               // cb
    {unsigned_integer, 1, 0, 0x80},          // cc
    {unsigned_integer, 2, 0, 0x100},         // cd
    {unsigned_integer, 4, 0, 0x1'0000},      // ce
    {unsigned_integer, 8, 0, 0x1'0000'0000}, // cf
    {negative_integer, 1},                   // d0
    {negative_integer, 2},                   // d1
    {negative_integer, 4},                   // d2
    {negative_integer, 8},                   // d3
    unknown,                                 // d4
    unknown,                                 // d5
    unknown,                                 // d6
    unknown,                                 // d7
    unknown,                                 // d8
    {text, 1, 0, 0x20},                      // d9
    {text, 2, 0, 0x100},                     // da
    {text, 4, 0, 0x1'0000},                  // db
    {array, 2, 0, 0x10},                     // dc
    {array, 4, 0, 0x1'0000},                 // dd
    {map, 2, 0, 0x10},                       // de
    {map, 4, 0, 0x1'0000},                   // df
}};

head read_head(unsigned first) noexcept {
  if (first < 0x80) return {unsigned_integer, 0, first};
  if (first < 0x90) return {map, 0, first & 0x0f};
  if (first < 0xa0) return {array, 0, first & 0x0f};
  if (first < 0xc0) return {text, 0, first & 0x1f};
  if (first < 0xe0) return heads[first - 0xc0];
  return {negative_integer, 0, sign_extend(first, 1)};
}

/// Whether `value` is a negative number that needs `width` octets. A non-negative one has an unsigned form.
bool is_minimal_negative(std::uint64_t value, unsigned width) noexcept {
  constexpr std::array<std::int64_t, 9> least_of_shorter{0, -32, INT8_MIN, 0, INT16_MIN, 0, 0, 0, INT32_MIN};
  return static_cast<std::int64_t>(value) < least_of_shorter[width];
}

/// Whether `value`, read in the form `h`, has no shorter form.
bool is_minimal(const head& h, std::uint64_t value) noexcept {
  if (h.width == 0) return true;
  if (h.kind == token_kind::negative_integer) return is_minimal_negative(value, h.width);
  if (h.kind == token_kind::real)
    return h.width == 8 && (!std::isnan(std::bit_cast<double>(value)) || value == canonical_nan);
  return value >= h.least;
}

} // namespace

msgpack_writer msgpack_writer::appending_to(bytes out) {
  msgpack_writer writer;
  writer.out_ = std::move(out);
  return writer;
}

void msgpack_writer::nil() {
  pack(out_, [](auto& p) { p.pack_nil(); });
}

void msgpack_writer::boolean(bool value) {
  pack(out_, [=](auto& p) { value ? p.pack_true() : p.pack_false(); });
}

void msgpack_writer::unsigned_integer(std::uint64_t value) {
  pack(out_, [=](auto& p) { p.pack_uint64(value); });
}

void msgpack_writer::integer(std::int64_t value) {
  pack(out_, [=](auto& p) { p.pack_int64(value); });
}

void msgpack_writer::real(double value) { // not by pack_double, which turns 2.0 into the integer 2
  const auto bits = std::isnan(value) ? canonical_nan : std::bit_cast<std::uint64_t>(value);
  std::array<std::byte, 9> octets{std::byte{0xcb}};
  for (std::size_t i = 0; i < 8; ++i) octets[1 + i] = static_cast<std::byte>(bits >> (56 - 8 * i));
  append(out_, octets);
}

void msgpack_writer::text(std::string_view value) {
  assert(is_utf8(value));
  pack(out_, [=](auto& p) { p.pack_str(count32(value.size())); });
  append(out_, as_byte_view(value));
}

void msgpack_writer::blob(byte_view value) {
  pack(out_, [=](auto& p) { p.pack_bin(count32(value.size())); });
  out_.insert(out_.end(), value.begin(), value.end()); // not append(): it clears the octets first
}

void msgpack_writer::array(std::size_t count) {
  pack(out_, [=](auto& p) { p.pack_array(count32(count)); });
}

void msgpack_writer::map(std::size_t count) {
  pack(out_, [=](auto& p) { p.pack_map(count32(count)); });
}

void msgpack_writer::raw(byte_view encoded) {
  append(out_, encoded);
}

msgpack_reader::msgpack_reader(byte_view wire, std::size_t size_max) : at_(wire.data()), end_(at_ + wire.size()) {
  if (wire.size() > size_max) fail(errc::too_long);
}

void msgpack_reader::fail(error e) {
  if (!error_) error_ = std::move(e);
  end_ = at_;
}

std::optional<token_kind> msgpack_reader::peek() const noexcept {
  if (at_ == end_) return std::nullopt;
  const auto h = read_head(std::to_integer<unsigned>(*at_));
  return h.is_known ? std::optional{h.kind} : std::nullopt;
}

inline byte_view msgpack_reader::take(std::size_t size) noexcept {
  const byte_view taken{at_, size};
  at_ += size;
  return taken;
}

/// Reads first octet and number. Text, blobs and containers are only begun: the caller finishes or enters them.
inline bool msgpack_reader::next(token& t) {
  if (at_ == end_ || ++tokens_ > codec_tokens_max) return refuse_next();
  if (depth_ > 0 && levels_[depth_ - 1].is_map && levels_[depth_ - 1].left % 2 == 0)
    levels_[depth_ - 1].key_start = at_;
  const auto first = std::to_integer<unsigned>(*at_);
  if (first >= 0x80) return next_form(t);
  ++at_;
  t = {token_kind::unsigned_integer, first};
  return true;
}

bool msgpack_reader::refuse_next() {
  fail(at_ == end_ ? errc::truncated : errc::too_long); // after an error, that one stays
  return false;
}

/// `next` for all but small numbers.
bool msgpack_reader::next_form(token& t) {
  const auto h = read_head(std::to_integer<unsigned>(*at_));
  t = {h.kind, h.value};
  if (!h.is_known) return fail(errc::bad_type), false;
  if (left() - 1 < h.width) return fail(errc::truncated), false;
  ++at_;
  if (h.width == 0) return true;
  t.value = big_endian(take(h.width));
  if (h.kind == token_kind::negative_integer) t.value = sign_extend(t.value, h.width);
  if (!is_minimal(h, t.value)) return fail(errc::not_canonical), false;
  return true;
}

inline bool msgpack_reader::next(token& t, token_kind wanted) {
  if (!next(t)) return false;
  if (t.kind != wanted) return fail(errc::bad_type), false;
  return true;
}

bool msgpack_reader::next_sized(token& t, token_kind wanted, std::size_t size_max) {
  if (!next(t, wanted)) return false;
  if (t.value > size_max) return fail(errc::too_long), false;
  if (t.value > left()) return fail(errc::truncated), false;
  return true;
}

/// A value is complete: counts it in its container.
inline void msgpack_reader::value_done() {
  if (depth_ == 0) return;
  auto& level = levels_[depth_ - 1];
  --level.left;
  if (level.is_map || level.left == 0) value_done_in_map_or_last();
}

/// Checks a map's key, and closes what is full: that completes a value of the next container out.
void msgpack_reader::value_done_in_map_or_last() {
  while (true) {
    auto& level = levels_[depth_ - 1];
    if (level.is_map && level.left % 2 == 1) { // that was a key
      const byte_view key{level.key_start, at_};
      const byte_view last{level.last_key, level.last_key_size};
      if (level.last_key && !std::ranges::lexicographical_compare(last, key)) return fail(errc::not_canonical);
      level.last_key = key.data();
      level.last_key_size = key.size();
    }
    if (level.left > 0 || --depth_ == 0) return;
    --levels_[depth_ - 1].left;
  }
}

/// Opens the array or map that `t` begins; an empty one is complete at once.
void msgpack_reader::open_level(const token& t) {
  const bool is_map = t.kind == token_kind::map;
  const auto values = is_map ? t.value * 2 : t.value; // below 2^33
  if (values > left()) return fail(errc::truncated);
  if (depth_ == codec_depth_max) return fail(errc::too_deep);
  if (values == 0) return value_done();
  levels_[depth_++] = {values, nullptr, nullptr, 0, is_map};
}

std::size_t msgpack_reader::enter(token_kind wanted, std::size_t count_max) {
  token t;
  if (!next(t, wanted)) return 0;
  if (t.value > count_max) return fail(errc::too_long), 0;
  open_level(t);
  return error_ ? 0 : static_cast<std::size_t>(t.value);
}

bool msgpack_reader::nil() {
  token t;
  if (at_ == end_ || *at_ != std::byte{0xc0} || !next(t)) return false;
  value_done();
  return good();
}

bool msgpack_reader::boolean() {
  token t;
  if (!next(t, token_kind::boolean)) return false;
  value_done();
  return good() && t.value != 0;
}

std::uint64_t msgpack_reader::unsigned_integer(std::uint64_t max) {
  token t;
  if (!next(t, token_kind::unsigned_integer)) return 0;
  if (t.value > max) return fail(errc::bad_value), 0;
  value_done();
  return good() ? t.value : 0;
}

std::int64_t msgpack_reader::integer() {
  token t;
  if (!next(t)) return 0;
  if (t.kind == token_kind::unsigned_integer) {
    if (t.value > INT64_MAX) return fail(errc::bad_value), 0;
  } else if (t.kind != token_kind::negative_integer) {
    return fail(errc::bad_type), 0;
  }
  value_done();
  return good() ? static_cast<std::int64_t>(t.value) : 0;
}

double msgpack_reader::real() {
  token t;
  if (!next(t, token_kind::real)) return 0;
  value_done();
  return good() ? std::bit_cast<double>(t.value) : 0;
}

std::string_view msgpack_reader::text(std::size_t size_max) {
  token t;
  if (!next_sized(t, token_kind::text, size_max)) return {};
  const auto characters = as_text(take(t.value));
  if (!is_utf8(characters)) return fail(errc::bad_value), std::string_view{};
  value_done();
  return good() ? characters : std::string_view{};
}

byte_view msgpack_reader::blob(std::size_t size_max) {
  token t;
  if (!next_sized(t, token_kind::blob, size_max)) return {};
  const auto octets = take(t.value);
  value_done();
  return good() ? octets : byte_view{};
}

byte_view msgpack_reader::blob_exactly(std::size_t size) {
  token t;
  if (!next_sized(t, token_kind::blob, size)) return {};
  if (t.value != size) return fail(errc::bad_value), byte_view{};
  const auto octets = take(size);
  value_done();
  return good() ? octets : byte_view{};
}

std::size_t msgpack_reader::array(std::size_t count_max) {
  return enter(token_kind::array, count_max);
}

void msgpack_reader::array_exactly(std::size_t count) {
  const auto found = enter(token_kind::array, codec_tokens_max);
  if (good() && found != count) fail(errc::bad_value);
}

std::size_t msgpack_reader::map(std::size_t count_max) {
  return enter(token_kind::map, count_max);
}

byte_view msgpack_reader::raw() {
  const auto* start = at_;
  const auto outside = depth_;
  do {
    token t;
    if (!next(t)) return {};
    if (t.kind == token_kind::array || t.kind == token_kind::map) {
      open_level(t);
    } else if (t.kind == token_kind::text || t.kind == token_kind::blob) {
      if (t.value > left()) return fail(errc::truncated), byte_view{};
      const auto octets = take(t.value);
      if (t.kind == token_kind::text && !is_utf8(as_text(octets))) return fail(errc::bad_value), byte_view{};
      value_done();
    } else {
      value_done();
    }
  } while (good() && depth_ > outside);
  return good() ? byte_view{start, at_} : byte_view{};
}

expected<unit> msgpack_reader::finish() {
  if (at_ != end_) fail(errc::trailing_bytes);
  if (good() && (depth_ > 0 || tokens_ == 0)) fail(errc::truncated);
  if (error_) return *error_;
  return ok();
}

} // namespace hanse
