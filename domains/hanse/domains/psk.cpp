// The text of pre-shared key files.
// Secrets stay in memory that is wiped; messages about a line do not repeat it.
#include "hanse/domains/psk.hpp"

#include "hanse/crypto/private_file.hpp"

#include <algorithm>
#include <charconv>

namespace hanse {

namespace {

constexpr std::string_view heading =
    "# Pre-shared keys of a Hanse domain, the newest first. Secret: who has one can join.\n";

error bad_line(std::size_t number, const std::string& what) {
  return {errc::bad_value, "line " + std::to_string(number) + ": " + what};
}

/// Cuts the first word off `line`.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
  const auto size = std::min(line.find_first_of(" \t\r"), line.size());
  const auto word = line.substr(0, size);
  line.remove_prefix(size);
  return word;
}

expected<pre_shared_key> parse_line(std::string_view line, std::size_t number) {
  const auto text = take_word(line);
  if (text.size() < psk_length_min || text.size() > psk_length_max)
    return bad_line(number, "a key has " + std::to_string(psk_length_min) + " to " + std::to_string(psk_length_max) +
                                " characters, this one has " + std::to_string(text.size()));
  if (!std::ranges::all_of(text, [](char c) { return c >= '!' && c <= '~'; }))
    return bad_line(number, "a key is made of printable ASCII characters");
  pre_shared_key key{to_secret(text), {}};
  const auto word = take_word(line);
  if (word.empty()) return key;
  const auto digits = take_word(line);
  time_ms until = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), until);
  if (word != "until" || ec != std::errc{} || end != digits.data() + digits.size() || !take_word(line).empty())
    return bad_line(number, "after a key comes nothing, or \"until\" and milliseconds since 1970");
  key.valid_until = until;
  return key;
}

} // namespace

pre_shared_key make_psk(random_source& random) {
  secret_bytes octets(32);
  random.fill(octets);
  pre_shared_key key;
  constexpr std::string_view digits = "0123456789abcdef"; // not to_hex: its string would not be wiped
  for (const auto octet : octets) {
    key.text.push_back(static_cast<std::byte>(digits[std::to_integer<std::size_t>(octet >> 4)]));
    key.text.push_back(static_cast<std::byte>(digits[std::to_integer<std::size_t>(octet & std::byte{15})]));
  }
  return key;
}

expected<psk_list> rotate(const psk_list& keys, pre_shared_key fresh, time_ms now, time_ms until) {
  psk_list all{std::move(fresh)};
  for (auto key : keys) {
    if (!key.valid_at(now)) continue;
    key.valid_until = std::min(key.valid_until.value_or(until), until);
    all.push_back(std::move(key));
  }
  if (all.size() > psk_count_max)
    return error{errc::table_full, "more than " + std::to_string(psk_count_max) + " keys would be valid at once"};
  return all;
}

expected<psk_list> parse_psk_text(byte_view text) {
  if (text.size() > psk_file_size_max) return errc::too_long;
  psk_list keys;
  auto rest = as_text(text);
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const auto size = std::min(rest.find('\n'), rest.size());
    const auto line = rest.substr(0, size);
    rest.remove_prefix(std::min(size + 1, rest.size()));
    const auto first = line.find_first_not_of(" \t\r");
    if (first == line.npos || line[first] == '#') continue;
    if (keys.size() == psk_count_max)
      return bad_line(number, "at most " + std::to_string(psk_count_max) + " keys can stand side by side");
    HANSE_TRY(auto key, parse_line(line, number));
    for (const auto& other : keys)
      if (equal(other.text, key.text)) return bad_line(number, "the same key as before");
    keys.push_back(std::move(key));
  }
  if (keys.empty()) return error{errc::bad_value, "no key in it"};
  return keys;
}

secret_bytes to_psk_text(const psk_list& keys) {
  secret_bytes out;
  out.reserve(psk_file_size_max); // once: no copies left behind
  const auto add = [&](byte_view part) { out.insert(out.end(), part.begin(), part.end()); };
  add(as_byte_view(heading));
  for (const auto& key : keys) {
    add(key.text);
    if (key.valid_until) add(as_byte_view(" until " + std::to_string(*key.valid_until)));
    add(as_byte_view("\n"));
  }
  return out;
}

expected<psk_list> load_psk_file(const std::filesystem::path& file) {
  HANSE_TRY(const auto text, read_private_file(file, psk_file_size_max));
  return parse_psk_text(text);
}

} // namespace hanse
