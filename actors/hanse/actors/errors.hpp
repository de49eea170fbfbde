// hanse::errc as a CAF error code enum, and how errors cross the wire: a fault body becomes a caf::error and back.
// An engine's own error code travels as errc::engine_error with its number and category name in the text.
#pragma once

#include "hanse/actors/messages.hpp"

#include <caf/error.hpp>

namespace hanse {

/// For CAF, which wants both where an enum is an error code.
bool from_string(compat::string_view_type text, errc& x);
bool from_integer(std::uint8_t number, errc& x);

template <class Inspector>
bool inspect(Inspector& f, errc& x) {
  if (f.has_human_readable_format()) {
    auto get = [&x] { return std::string{to_string(x)}; };
    auto set = [&x](const std::string& text) { return from_string({text.data(), text.size()}, x); };
    return f.apply(get, set);
  }
  auto get = [&x] { return static_cast<std::uint8_t>(x); };
  auto set = [&x](std::uint8_t number) { return from_integer(number, x); };
  return f.apply(get, set);
}

/// As caf::error; `none` gives the empty one.
caf::error to_caf(const error& e);

/// An engine's error at the remote caller: the same caf::sec or exit reason where the sender's was one, else
/// `errc::engine_error` with the category and number in its text.
caf::error to_caf(const fault_body& fault);

/// What a handler returned, for the wire.
fault_body from_caf(const caf::error& e);

/// Our own refusal, for the wire.
fault_body fault_of(const error& e);

/// The hanse error inside, or `engine_error` with CAF's text.
error to_hanse(const caf::error& e);

} // namespace hanse
