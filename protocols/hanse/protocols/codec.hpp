// Canonical msgpack, bounded: a writer and a cursor over received octets. Every structure on the wire uses them.
// Not a general msgpack library (msgpack-cxx does the encoding) and not reflection: callers write field by field.
// Canonical: minimal integers and lengths, map keys strictly ascending by their octets, float 64 only and one NaN,
// text in UTF-8, no extension types, nothing after the end; re-encoding is equal. Byte by byte: docs/wire.md.
//
// Why a cursor of our own: msgpack-cxx reads by building a tree of objects or by calling a visitor, and accepts every
// encoding of a value. A message costs some twenty tokens, read without allocation, and what is not canonical must be
// refused. A test holds the cursor against msgpack::unpack: what it accepts, msgpack-cxx reads as the same value.
#pragma once

#include "hanse/crypto/bytes.hpp"

#include <optional>

namespace hanse {

inline constexpr std::size_t codec_depth_max = 16;          ///< nested arrays and maps (design section 5)
inline constexpr std::size_t codec_size_max = 1024 * 1024;  ///< octets of one encoded value (design section 5)
inline constexpr std::size_t codec_tokens_max = 512 * 1024; ///< values in one encoded value: half the octets

/// The largest number that times, ids and sequence numbers take on the wire: what SQLite stores in an integer.
inline constexpr std::uint64_t wire_number_max = INT64_MAX;

/// Whether `text` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool is_utf8(std::string_view text) noexcept;

/// What the next value is.
enum class token_kind : std::uint8_t { nil, boolean, unsigned_integer, negative_integer, real, text, blob, array, map };

/// Appends canonical msgpack to a buffer that it owns. The caller keeps counts, order and UTF-8 right: those are our
/// own bugs. Counts and lengths are below 2^32.
class msgpack_writer {
public:
  msgpack_writer() = default;
  explicit msgpack_writer(bytes reuse) : out_(std::move(reuse)) { out_.clear(); }

  /// A writer that goes on after what `out` holds.
  static msgpack_writer appending_to(bytes out);

  void nil();
  void boolean(bool value);
  void unsigned_integer(std::uint64_t value);
  void integer(std::int64_t value); ///< non-negative values are written as unsigned
  void real(double value);          ///< always float 64, every NaN as one; for engines' own bodies only
  void text(std::string_view value);
  void blob(byte_view value);
  void array(std::size_t count);
  void map(std::size_t count);

  /// Appends octets that are already one canonical value.
  void raw(byte_view encoded);

  std::size_t size() const noexcept { return out_.size(); }
  byte_view view() const noexcept { return out_; }
  bytes take() && { return std::move(out_); }

private:
  bytes out_;
};

/// Reads canonical msgpack from octets that must outlive it. Every read either advances or leaves the error sticky:
/// after the first error all reads fail with it (and give 0, false or empty), so a decoder may check once at its end.
/// Errors: `truncated`, `trailing_bytes`, `not_canonical`, `too_long`, `too_deep`, `bad_type` (another type, an
/// extension, the reserved octet 0xc1), `bad_value` (out of the range given, text that is not UTF-8).
class msgpack_reader {
public:
  /// Bounds: at most `size_max` octets, `codec_depth_max` levels, `codec_tokens_max` values. A length is checked
  /// against the octets that remain before anything is reserved for it.
  explicit msgpack_reader(byte_view wire, std::size_t size_max = codec_size_max);

  /// The kind of the next value; empty at the end, after an error, and at an octet that begins none of the kinds.
  std::optional<token_kind> peek() const noexcept;

  bool nil(); ///< consumes nil if it is next
  bool boolean();
  std::uint64_t unsigned_integer(std::uint64_t max = UINT64_MAX); ///< `bad_value` above max
  std::int64_t integer();                                         ///< `bad_value` above INT64_MAX
  double real();
  std::string_view text(std::size_t size_max);
  byte_view blob(std::size_t size_max);
  byte_view blob_exactly(std::size_t size); ///< empty after an error, else exactly `size` octets
  std::size_t array(std::size_t count_max);
  void array_exactly(std::size_t count);
  std::size_t map(std::size_t count_max);

  /// Skips one whole value, checked like all others, and returns its octets.
  byte_view raw();

  /// Records an error of the caller's (a value that makes no sense); the first one stays.
  void fail(error e);

  bool good() const noexcept { return !error_; }

  /// Success if no error came up and nothing is left; else the error.
  expected<unit> finish();

private:
  struct token {
    token_kind kind;
    std::uint64_t value; ///< the number (two's complement), the bits, the length or the count
  };
  struct level {        // an open array or map; initialised when it is entered
    std::uint64_t left; ///< values still to come; keys count
    const std::byte* key_start;
    const std::byte* last_key; ///< null before the first
    std::size_t last_key_size;
    bool is_map;
  };

  std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  bool next(token& t);
  bool next_form(token& t);
  bool refuse_next();
  bool next(token& t, token_kind wanted);
  bool next_sized(token& t, token_kind wanted, std::size_t size_max);
  std::size_t enter(token_kind wanted, std::size_t count_max);
  void open_level(const token& t);
  void value_done();
  void value_done_in_map_or_last();
  byte_view take(std::size_t size) noexcept;

  const std::byte* at_;
  const std::byte* end_; ///< equal to at_ after an error, so that the hot path checks one thing
  std::optional<error> error_;
  std::size_t tokens_ = 0;
  std::size_t depth_ = 0;
  std::array<level, codec_depth_max> levels_; // left uninitialised on purpose: 640 octets, most messages use 80
};

} // namespace hanse
