// Encodes and decodes the lines of the control protocol.
// No sockets here.
#include "hanse/app/control_wire.hpp"

#include <nlohmann/json.hpp>

namespace hanse::app {

using nlohmann::json;

namespace {

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace); // names of peers may be any octets
}

} // namespace

json to_json(const error& e) {
  return {{"code", std::string{to_string(e.code)}}, {"detail", e.detail}};
}

errc errc_of(std::string_view name) noexcept {
  for (int number = 1; number < 256; ++number) {
    auto code = static_cast<std::uint8_t>(number);
    if (is_known_errc(code) && to_string(static_cast<errc>(code)) == name) return static_cast<errc>(code);
  }
  return errc::internal;
}

std::string encode_reply(const control_result& result) {
  if (!result) return dump({{"done", true}, {"ok", false}, {"error", to_json(result.error())}});
  return dump({{"done", true}, {"ok", true}, {"result", *result}});
}

std::optional<control_result> decode_reply(const std::string& line) {
  auto reply = json::parse(line, nullptr, false);
  auto is_true = [&](const char* key) { return reply.contains(key) && reply[key] == true; };
  auto text = [&](const char* key) {
    auto e = reply.find("error");
    return e != reply.end() && e->is_object() && e->contains(key) && (*e)[key].is_string()
               ? (*e)[key].get<std::string>()
               : std::string{};
  };
  if (!reply.is_object()) return control_result{error{errc::bad_value, "the node's answer is no JSON object"}};
  if (!is_true("done")) return std::nullopt;
  if (is_true("ok")) return control_result{reply.contains("result") ? reply["result"] : json::object()};
  return control_result{error{errc_of(text("code")), text("detail")}};
}

} // namespace hanse::app
