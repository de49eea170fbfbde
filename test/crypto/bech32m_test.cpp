// Bech32m: the vectors of BIP-350, long texts, and groups of bits.
#include "helpers.hpp"

#include "hanse/crypto/bech32m.hpp"

#include <algorithm>

using namespace hanse;
using namespace hanse::test;
using namespace std::string_literals;

namespace {

std::string lower(std::string text) {
  for (auto& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

} // namespace

TEST_CASE("the valid strings of BIP-350 are read and written again") {
  for (auto text : {
           "A1LQFN3A",
           "a1lqfn3a",
           "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
           "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
           "11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8",
           "split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
           "?1v759aa",
       }) {
    CAPTURE(text);
    const auto decoded = decode_bech32m(text);
    REQUIRE(decoded);
    CHECK(encode_bech32m(decoded->prefix, decoded->groups) == lower(text));
  }
  const auto descending = decode_bech32m("abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx");
  REQUIRE(descending->groups.size() == 32);
  for (std::size_t i = 0; i < 32; ++i) CHECK(descending->groups[i] == 31 - i);
}

TEST_CASE("the invalid strings of BIP-350 are refused") {
  struct invalid {
    std::string text;
    errc why;
  };
  for (const auto& each : std::initializer_list<invalid>{
           {"\x20"s + "1xj0phk", errc::bad_value},
           {"\x7f"s + "1g6xzxy", errc::bad_value},
           {"\x80"s + "1vctc34", errc::bad_value},
           {"an84characterslonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11d6pts4",
            errc::too_long},
           {"qyrz8wqd2c9m", errc::bad_value},
           {"1qyrz8wqd2c9m", errc::bad_value},
           {"y1b0jsk6g", errc::bad_value},
           {"lt1igcx5c0", errc::bad_value},
           {"in1muywd", errc::bad_value},
           {"mm1crxm3i", errc::bad_value},
           {"au1s5cgom", errc::bad_value},
           {"M1VUXWEZ", errc::bad_checksum},
           {"16plkw9", errc::bad_value},
           {"1p2gdwpf", errc::bad_value},
       }) {
    CAPTURE(each.text);
    CHECK(decode_bech32m(each.text).code() == each.why);
  }
}

TEST_CASE("strings of the older Bech32 are refused") {
  for (auto text : {"A12UEL5L", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "?1ezyfcl"})
    CHECK(decode_bech32m(text).code() == errc::bad_checksum);
}

TEST_CASE("mixed case and the empty text are refused") {
  CHECK(decode_bech32m("A1lqfn3a").code() == errc::bad_value);
  CHECK(decode_bech32m("a1LQFN3A").code() == errc::bad_value);
  CHECK(decode_bech32m("").code() == errc::bad_value);
  CHECK(decode_bech32m("\x31\0xxxxxx"s).code() == errc::bad_value);
}

TEST_CASE("a long text is read up to the length that the caller allows") {
  seeded_random random{1};
  bytes data(5000);
  random.fill(data);
  const auto text = encode_bech32m("ht", to_groups(data));
  CHECK(text.size() == 2 + 1 + 8000 + 6);
  CHECK(decode_bech32m(text).code() == errc::too_long);
  CHECK(decode_bech32m(text, text.size() - 1).code() == errc::too_long);
  const auto decoded = decode_bech32m(text, bech32m_length_max_long);
  REQUIRE(decoded);
  CHECK(from_groups(decoded->groups).value() == data);
  CHECK(count_accepted_flips(as_byte_view(std::string_view{text}.substr(0, 60)), [&](byte_view head) {
          return decode_bech32m(std::string{as_text(head)} + text.substr(60), bech32m_length_max_long).has_value();
        }) == 0);
}

TEST_CASE("a prefix of over 83 characters is refused even where long texts are read") {
  const auto text = std::string(84, 'a') + "1" + "lqfn3a";
  CHECK(decode_bech32m(text, 8192).code() == errc::bad_value);
}

TEST_CASE("octets of every length come back from their groups") {
  seeded_random random{2};
  for (std::size_t size = 0; size < 20; ++size) {
    bytes data(size);
    random.fill(data);
    const auto groups = to_groups(data);
    CHECK(groups.size() == (size * 8 + 4) / 5);
    CHECK(from_groups(groups).value() == data);
  }
  CHECK(to_groups(unhex("ff")) == std::vector<std::uint8_t>{31, 28});
}

TEST_CASE("groups that are not filled up with zeros, or too many, are refused") {
  using groups = std::vector<std::uint8_t>;
  CHECK(from_groups(groups{31, 29}).code() == errc::not_canonical);
  CHECK(from_groups(groups{31, 28, 0}).code() == errc::not_canonical);
  CHECK(from_groups(groups{0}).code() == errc::not_canonical);
  CHECK(from_groups(groups{31, 32}).code() == errc::bad_value);
}
