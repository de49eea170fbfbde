// Protocol identifiers: text, wire form, and negotiation by name and major version.
// Not the registry of engines.
#include "hanse/protocols/protocol_id.hpp"

#include <algorithm>
#include <charconv>

namespace hanse {

namespace {

/// A decimal number as to_chars writes it: no sign, no leading zero.
bool parse_number(std::string_view text, std::uint16_t& number) {
  if (text.size() > 1 && text[0] == '0') return false;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc{} && end == text.data() + text.size();
}

/// What `protocols` offer under `name`, for people.
std::string list_of(const std::vector<protocol_id>& protocols, std::string_view name) {
  std::string list;
  for (const auto& p : protocols) {
    if (p.name != name) continue;
    if (!list.empty()) list += ", ";
    list += to_string(p);
  }
  return list;
}

} // namespace

bool is_protocol_name(std::string_view name) noexcept {
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= protocol_name_size_max && alphanumeric(name[0]) &&
         std::ranges::all_of(name, [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

std::string to_string(const protocol_id& p) {
  return p.name + '/' + std::to_string(p.major) + '.' + std::to_string(p.minor);
}

expected<protocol_id> parse_protocol_id(std::string_view text) {
  if (text.size() > protocol_name_size_max + std::string_view{"/65535.65535"}.size()) return errc::too_long;
  const auto slash = text.find('/');
  if (slash == text.npos) return error{errc::bad_value, "a protocol is written name/major.minor"};
  if (slash > protocol_name_size_max) return errc::too_long;
  protocol_id p{std::string{text.substr(0, slash)}, 0, 0};
  if (!is_protocol_name(p.name)) return error{errc::bad_value, "protocol name"};
  const auto version = text.substr(slash + 1);
  const auto dot = version.find('.');
  if (!parse_number(version.substr(0, dot), p.major)) return error{errc::bad_value, "major version"};
  if (dot != version.npos && !parse_number(version.substr(dot + 1), p.minor))
    return error{errc::bad_value, "minor version"};
  return p;
}

expected<protocol_id> negotiate(const std::vector<protocol_id>& ours, const protocol_id& theirs) {
  return negotiate(ours, std::vector{theirs}, theirs.name);
}

expected<protocol_id> negotiate(const std::vector<protocol_id>& ours, const std::vector<protocol_id>& theirs,
                                std::string_view name) {
  const auto named = [&](const protocol_id& p) { return p.name == name; };
  if (!std::ranges::any_of(ours, named) || !std::ranges::any_of(theirs, named))
    return error{errc::unsupported_protocol, std::string{name}};
  const protocol_id* best_ours = nullptr;
  const protocol_id* best_theirs = nullptr;
  for (const auto& a : ours) {
    for (const auto& b : theirs) {
      if (!named(a) || !named(b) || a.major != b.major) continue;
      const bool better =
          !best_ours || a.major > best_ours->major ||
          (a.major == best_ours->major && std::min(a.minor, b.minor) > std::min(best_ours->minor, best_theirs->minor));
      if (better) best_ours = &a, best_theirs = &b;
    }
  }
  if (!best_ours) return error{errc::unsupported_version, "ours: " + list_of(ours, name)};
  return protocol_id{std::string{name}, best_ours->major, std::min(best_ours->minor, best_theirs->minor)};
}

void write(msgpack_writer& out, const protocol_id& p) {
  assert(is_protocol_name(p.name));
  out.array(3);
  out.text(p.name);
  out.unsigned_integer(p.major);
  out.unsigned_integer(p.minor);
}

protocol_id read_protocol_id(msgpack_reader& in) {
  protocol_id p;
  in.array_exactly(3);
  const auto name = in.text(protocol_name_size_max);
  if (in.good() && !is_protocol_name(name)) in.fail(error{errc::bad_value, "protocol name"});
  p.name = name;
  p.major = static_cast<std::uint16_t>(in.unsigned_integer(UINT16_MAX));
  p.minor = static_cast<std::uint16_t>(in.unsigned_integer(UINT16_MAX));
  return p;
}

} // namespace hanse
