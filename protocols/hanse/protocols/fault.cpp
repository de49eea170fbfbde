// Fault bodies and trace ids, as declared in envelope.hpp. Layout: docs/wire.md.
// Not the envelope itself (envelope.cpp).
#include "hanse/protocols/envelope.hpp"

#include "hanse/protocols/codec.hpp"
#include "hanse/protocols/internal/wire_fields.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::uint8_t fault_version = 1;
constexpr std::size_t fault_field_count = 5;
constexpr std::size_t fault_size_max = 1024; ///< octets; the sum of the maxima is 654

/// At most `size_max` octets of `text`, as UTF-8: cut before a character that would be split.
std::string cleaned(std::string_view text, std::size_t size_max) {
  std::string clean{text.substr(0, size_max)};
  if (text.size() > size_max) {
    auto end = size_max; // where the character begins that the cut may have split: at most 3 octets back
    while (end > 0 && size_max - end < 3 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    if (is_utf8(text.substr(0, end))) clean.resize(end);
  }
  if (is_utf8(clean)) return clean;
  std::ranges::replace_if(
      clean, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  return clean;
}

} // namespace

bytes encode(const fault_body& f) {
  [[maybe_unused]] const bool of_engine = f.code == errc::engine_error;
  assert(f.code != errc::none && (of_engine || (f.engine_code == 0 && f.engine_category.empty())));
  msgpack_writer out;
  out.array(fault_field_count);
  out.unsigned_integer(fault_version);
  out.unsigned_integer(static_cast<std::uint8_t>(f.code));
  out.text(cleaned(f.detail, fault_detail_size_max));
  out.unsigned_integer(f.engine_code);
  out.text(cleaned(f.engine_category, fault_category_size_max));
  return std::move(out).take();
}

expected<fault_body> decode_fault(byte_view body) {
  msgpack_reader in{body, fault_size_max};
  fault_body f;
  internal::read_versioned_array(in, fault_field_count, fault_version);
  f.code = static_cast<errc>(in.unsigned_integer(UINT8_MAX));
  f.detail = in.text(fault_detail_size_max);
  f.engine_code = static_cast<std::uint8_t>(in.unsigned_integer(UINT8_MAX));
  f.engine_category = in.text(fault_category_size_max);
  HANSE_CHECK(in.finish());
  if (f.code == errc::none) return error{errc::bad_value, "a fault without an error"};
  if (f.code != errc::engine_error && (f.engine_code != 0 || !f.engine_category.empty()))
    return error{errc::bad_value, "an engine's code without an engine's error"};
  return f;
}

std::string to_string(const trace_id& t) {
  return to_hex(t.octets);
}

expected<trace_id> parse_trace_id(std::string_view text) {
  trace_id t;
  if (text.size() != 2 * t.octets.size()) return error{errc::bad_value, "a trace id has 32 hexadecimal digits"};
  HANSE_TRY(const auto octets, from_hex(text));
  std::ranges::copy(octets, t.octets.begin());
  return t;
}

} // namespace hanse
