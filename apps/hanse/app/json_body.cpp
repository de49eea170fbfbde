// See json_body.hpp.
#include "hanse/app/json_body.hpp"

#include "hanse/crypto/identity.hpp"
#include "hanse/protocols/envelope.hpp"

#include <nlohmann/json.hpp>

namespace hanse::app {

using nlohmann::json;

namespace {

bool is_hex(std::string_view text) {
  return text.starts_with("0x") && text.size() % 2 == 0 &&
         text.find_first_not_of("0123456789abcdefABCDEF", 2) == text.npos;
}

/// `depth` is bounded by codec_depth_max: the recursion is, too.
expected<unit> write(msgpack_writer& out, const json& value, std::size_t depth) {
  if (depth > codec_depth_max) return errc::too_deep;
  switch (value.type()) {
  case json::value_t::null:
    out.nil();
    break;
  case json::value_t::boolean:
    out.boolean(value.get<bool>());
    break;
  case json::value_t::number_unsigned:
    out.unsigned_integer(value.get<std::uint64_t>());
    break;
  case json::value_t::number_integer:
    out.integer(value.get<std::int64_t>());
    break;
  case json::value_t::number_float:
    out.real(value.get<double>());
    break;
  case json::value_t::string: {
    auto& text = value.get_ref<const std::string&>();
    if (!is_hex(text)) {
      out.text(text);
      break;
    }
    HANSE_TRY(auto octets, from_hex(std::string_view{text}.substr(2)));
    out.blob(octets);
    break;
  }
  case json::value_t::array:
    out.array(value.size());
    for (auto& item : value) HANSE_CHECK(write(out, item, depth + 1));
    break;
  case json::value_t::object: // engines read maps as arrays of pairs (actors/msgpack_inspectors.hpp)
    out.array(value.size());
    for (auto& [key, item] : value.items()) {
      out.array(2);
      out.text(key);
      HANSE_CHECK(write(out, item, depth + 2));
    }
    break;
  default:
    return error{errc::bad_value, "binary JSON has no place in a body"};
  }
  return ok();
}

json read(msgpack_reader& in, std::size_t depth) {
  auto kind = in.peek();
  if (!kind || depth > codec_depth_max) {
    in.fail(kind ? errc::too_deep : errc::truncated);
    return nullptr;
  }
  switch (*kind) {
  case token_kind::nil:
    in.nil();
    return nullptr;
  case token_kind::boolean:
    return in.boolean();
  case token_kind::unsigned_integer:
    return in.unsigned_integer();
  case token_kind::negative_integer:
    return in.integer();
  case token_kind::real:
    return in.real();
  case token_kind::text:
    return std::string{in.text(codec_size_max)};
  case token_kind::blob: {
    auto octets = in.blob(codec_size_max);
    if (octets.size() == identity::size_bytes)
      if (auto id = identity::decode(octets)) return to_string(*id);
    return "0x" + to_hex(octets);
  }
  case token_kind::array: {
    auto result = json::array();
    for (auto left = in.array(codec_tokens_max); left > 0 && in.good(); --left) result.push_back(read(in, depth + 1));
    return result;
  }
  case token_kind::map: {
    auto result = json::object();
    for (auto left = in.map(codec_tokens_max); left > 0 && in.good(); --left) {
      auto key = std::string{in.text(codec_size_max)};
      result[key] = read(in, depth + 1);
    }
    return result;
  }
  }
  return nullptr;
}

} // namespace

expected<bytes> encode_json_body(std::string_view text) {
  auto value = json::parse(text, nullptr, false);
  if (!value.is_array())
    return error{errc::bad_value, "a body is a JSON array of the handler's arguments, such as [\"add\", 3, 4]"};
  msgpack_writer out;
  HANSE_CHECK(write(out, value, 1));
  if (out.size() > body_size_max) return error{errc::too_long, "the body is larger than a message may be"};
  return std::move(out).take();
}

expected<json> decode_json_body(byte_view body) {
  msgpack_reader in{body};
  auto value = read(in, 1);
  HANSE_CHECK(in.finish());
  return value;
}

} // namespace hanse::app
