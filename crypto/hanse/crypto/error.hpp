// Errors of every layer below CAF: one code enum, one error value, one expected<T>.
// Not exceptions: input from peers, files and users is answered with these. In CAF they travel as caf::error.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace hanse {

/// Why something was refused or failed. The numbers travel between nodes and never change their meaning.
enum class errc : std::uint8_t {
  none = 0,
  // decoding
  truncated = 1,      ///< the input ends too early
  trailing_bytes = 2, ///< the input goes on after its end
  not_canonical = 3,  ///< it does not re-encode to the same bytes
  too_long = 4,       ///< a length is over its stated maximum
  too_deep = 5,       ///< nesting is over its stated maximum
  bad_type = 6,       ///< another type was expected here
  bad_value = 7,      ///< a value outside its range
  bad_checksum = 8,   ///< text or file damaged
  bad_version = 9,    ///< a format version that this build does not read
  // cryptography
  weak_key = 20,          ///< small-order or non-canonical public key
  bad_signature = 21,     ///< the signature does not verify
  wrong_signer = 22,      ///< signed by someone else than the claimed identity
  threshold_not_met = 23, ///< too few members of a composite identity signed
  wrong_passphrase = 24,  ///< the key file does not open with it
  bad_permissions = 25,   ///< others can read the file
  decryption_failed = 26, ///< a sealed box that is not for us, or was altered
  bad_proof = 27,         ///< the proof of a shared secret does not hold
  // messages
  expired = 40,              ///< past its expiry
  clock_skew = 41,           ///< sent too far in the future
  replayed = 42,             ///< seen before, or before all that is remembered
  not_hosted = 43,           ///< the source is not hosted by the node that sent it
  wrong_recipient = 44,      ///< addressed to someone who is not here
  hop_limit = 45,            ///< forwarded too often
  unsupported_protocol = 46, ///< nobody here speaks that protocol
  unsupported_version = 47,  ///< nobody here speaks that major version
  schema_mismatch = 48,      ///< the body does not fit the engine's interface
  stale = 49,                ///< an older version than the one that is known
  in_doubt = 50,             ///< the receiver crashed while it handled this: it may or may not have acted
  rate_limited = 51,         ///< asked too often in too short a time
  // routing and transport
  no_route = 60,         ///< no advert says where the destination is
  no_address = 61,       ///< the node is known but none of its addresses is usable
  untrusted = 62,        ///< local trust is below what the message or the node demands
  constraint = 63,       ///< scope, trust, RTT, or transport preferences exclude every candidate
  unreachable = 64,      ///< the node could not be connected
  wrong_peer = 65,       ///< another identity answered at the address
  handshake_failed = 66, ///< the encrypted channel could not be set up
  unauthenticated = 67,  ///< data before the channel was authenticated
  link_closed = 68,      ///< the far side closed, or the link broke
  timed_out = 69,        ///< no answer in time
  queue_full = 70,       ///< a bounded queue is full
  table_full = 71,       ///< a bounded table is full
  duplicate_link = 72,   ///< a second link to the same peer, closed in favour of the first
  // engines and programs
  engine_down = 80,       ///< the engine is not running (any more)
  engine_error = 81,      ///< the engine's handler returned an error of its own
  not_found = 82,         ///< no such thing here
  already_exists = 83,    ///< it is there already
  permission_denied = 84, ///< not allowed
  bad_config = 85,        ///< configuration that cannot work
  io_error = 86,          ///< the operating system or the database failed
  cancelled = 87,         ///< stopped on request
  internal = 88,          ///< a bug of ours
};

/// The name of `code` as written in the enum; "unknown" for a number that this build does not know.
std::string_view to_string(errc code) noexcept;

/// Whether `number` is one of the codes above.
bool is_known_errc(std::uint8_t number) noexcept;

/// A code and what a person needs to know beyond it. `detail` is short, without a trailing full stop, may be empty.
struct error {
  errc code = errc::none;
  std::string detail;

  error() = default;
  error(errc c) : code(c) {} // NOLINT: implicit on purpose, `return errc::truncated;`
  error(errc c, std::string d) : code(c), detail(std::move(d)) {}

  friend bool operator==(const error& a, const error& b) { return a.code == b.code; }
  friend bool operator==(const error& a, errc b) { return a.code == b; }
};

/// "code" or "code: detail".
std::string to_string(const error& e);

/// The result of something that succeeds without a value.
struct unit {
  friend bool operator==(unit, unit) { return true; }
};

/// A value or an error. A small subset of C++23's std::expected<T, error>, to be replaced by it.
template <class T>
class [[nodiscard]] expected {
public:
  using value_type = T;

  expected(const T& value) : state_(std::in_place_index<0>, value) {}        // NOLINT: implicit like std::expected
  expected(T&& value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT
  expected(hanse::error e) : state_(std::in_place_index<1>, std::move(e)) {} // NOLINT
  expected(errc c) : state_(std::in_place_index<1>, hanse::error{c}) {}      // NOLINT

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  T& value() & {
    assert(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    assert(has_value());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    assert(has_value());
    return std::move(*std::get_if<0>(&state_));
  }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const hanse::error& error() const {
    assert(!has_value());
    return *std::get_if<1>(&state_);
  }

  /// The code of the error, or `errc::none` when there is a value.
  errc code() const noexcept { return has_value() ? errc::none : std::get_if<1>(&state_)->code; }

private:
  std::variant<T, hanse::error> state_;
};

/// Success, for `expected<unit>`.
inline expected<unit> ok() {
  return unit{};
}

} // namespace hanse

/// Returns the error of `expr` from the enclosing function, if it has one.
#define HANSE_CHECK(expr)                                                                                              \
  do {                                                                                                                 \
    if (auto hanse_check_ = (expr); !hanse_check_) return hanse_check_.error();                                        \
  } while (false)

#define HANSE_CONCAT_(a, b) a##b
#define HANSE_CONCAT(a, b) HANSE_CONCAT_(a, b)
#define HANSE_TRY_(tmp, var, expr)                                                                                     \
  auto tmp = (expr);                                                                                                   \
  if (!tmp) return tmp.error();                                                                                        \
  var = *std::move(tmp)

/// `HANSE_TRY(auto x, f());` declares x from an expected, or returns its error from the enclosing function.
#define HANSE_TRY(var, expr) HANSE_TRY_(HANSE_CONCAT(hanse_try_, __LINE__), var, expr)
