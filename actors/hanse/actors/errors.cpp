// See errors.hpp.
#include "hanse/actors/errors.hpp"

#include "hanse/actors/interfaces.hpp"

#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>

namespace hanse {

bool from_string(compat::string_view_type text, errc& x) {
  for (int i = 0; i < 256; ++i)
    if (is_known_errc(static_cast<std::uint8_t>(i)) && to_string(static_cast<errc>(i)) == compat::to_std(text)) {
      x = static_cast<errc>(i);
      return true;
    }
  return false;
}

bool from_integer(std::uint8_t number, errc& x) {
  if (!is_known_errc(number)) return false;
  x = static_cast<errc>(number);
  return true;
}

caf::error to_caf(const error& e) {
  if (e.code == errc::none) return {};
  return e.detail.empty() ? caf::make_error(e.code) : caf::make_error(e.code, e.detail);
}

caf::error to_caf(const fault_body& fault) {
  if (fault.code != errc::engine_error) return to_caf(error{fault.code, fault.detail});
  auto same = [&fault](auto code) {
    return fault.detail.empty() ? caf::make_error(code) : caf::make_error(code, fault.detail);
  };
  if (fault.engine_category == compat::type_name<caf::sec>()) return same(static_cast<caf::sec>(fault.engine_code));
  if (fault.engine_category == compat::type_name<caf::exit_reason>())
    return same(static_cast<caf::exit_reason>(fault.engine_code));
  return caf::make_error(errc::engine_error, fault.engine_category + ' ' + std::to_string(fault.engine_code),
                         fault.detail);
}

fault_body from_caf(const caf::error& e) {
  fault_body fault;
  if (!e) return {errc::none, {}, 0, {}};
  if (e.category() == caf::type_id_v<errc>) {
    auto parsed = to_hanse(e);
    return {parsed.code, parsed.detail.substr(0, 512), 0, {}};
  }
  if (e == caf::sec::request_timeout) return {errc::timed_out, "the engine did not answer in time", 0, {}};
  if (e == caf::sec::request_receiver_down || e == caf::sec::broken_promise)
    return {errc::engine_down, "the engine is gone", 0, {}};
  fault.code = errc::engine_error;
  // Only what the engine said beside the code, so that the caller gets the very error and not one that quotes it.
  if (e.context().match_elements<std::string>())
    fault.detail = e.context().get_as<std::string>(0);
  else if (e.context().size() > 0)
    fault.detail = to_string(e.context());
  fault.detail = fault.detail.substr(0, 512);
  fault.engine_code = e.code();
  fault.engine_category = std::string{compat::type_name(e.category())}.substr(0, 128);
  return fault;
}

fault_body fault_of(const error& e) {
  return {e.code, e.detail.substr(0, 512), 0, {}};
}

error to_hanse(const caf::error& e) {
  if (!e) return {};
  if (e.category() == caf::type_id_v<errc>) {
    std::string detail;
    if (e.context().size() > 0 && e.context().match_element<std::string>(0))
      detail = e.context().get_as<std::string>(0);
    return {static_cast<errc>(e.code()), std::move(detail)};
  }
  return {errc::engine_error, to_string(e)};
}

} // namespace hanse
