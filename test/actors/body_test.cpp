// Bodies: every inspectable type travels, and what does not fit the interface is refused with a typed error.
#include "calculator.hpp"

#include "hanse/actors/body.hpp"
#include "hanse/crypto/random.hpp"

#include <doctest/doctest.h>

#include <map>
#include <optional>

using namespace hanse;

namespace {

struct sample {
  std::int8_t small = -5;
  std::uint64_t large = UINT64_MAX;
  double real = 0.25;
  std::string text = "grüße";
  std::optional<std::int32_t> absent;
  std::optional<std::int32_t> present = 7;
  std::vector<std::string> list{"a", "b"};
  std::map<std::string, std::int32_t> map{{"x", 1}, {"y", 2}};
  std::vector<std::byte> octets{std::byte{1}, std::byte{2}};
  std::vector<bool> bits{true, false, true};
  std::tuple<std::int32_t, std::string> pair{1, "one"};
  friend bool operator==(const sample&, const sample&) = default;
};

template <class Inspector>
bool inspect(Inspector& f, sample& x) {
  return f.object(x).fields(f.field("small", x.small), f.field("large", x.large), f.field("real", x.real),
                            f.field("text", x.text), f.field("absent", x.absent), f.field("present", x.present),
                            f.field("list", x.list), f.field("map", x.map), f.field("octets", x.octets),
                            f.field("bits", x.bits), f.field("pair", x.pair));
}

template <class... Ts>
errc refusal(byte_view body) {
  return decode_body<Ts...>(body).code();
}

} // namespace

TEST_CASE("a struct with every kind of field comes back equal") {
  sample before;
  before.small = 100;
  auto body = encode_body(before);
  REQUIRE(body);
  auto after = decode_body<sample>(*body);
  REQUIRE_MESSAGE(after, to_string(after.error()));
  CHECK(std::get<0>(*after) == before);
}

TEST_CASE("an atom travels as its short name") {
  auto body = encode_body(calc::add_atom_v, std::int32_t{3}, std::int32_t{4});
  REQUIRE(body);
  CHECK(to_hex(*body) == "93a36164640304"); // [ "add", 3, 4 ]
  CHECK(decode_body<calc::add_atom, std::int32_t, std::int32_t>(*body));
  CHECK(refusal<calc::note_atom, std::int32_t, std::int32_t>(*body) == errc::schema_mismatch);
}

TEST_CASE("a body that does not fit the arguments is refused") {
  auto body = encode_body(std::int32_t{300}, std::string{"x"});
  REQUIRE(body);
  CHECK(refusal<std::int32_t>(*body) != errc::none);
  CHECK(refusal<std::int32_t, std::string, std::string>(*body) != errc::none);
  CHECK(refusal<std::int8_t, std::string>(*body) == errc::bad_value); // 300 does not fit
  CHECK(refusal<std::string, std::string>(*body) == errc::bad_type);
  for (std::size_t size = 0; size < body->size(); ++size)
    CHECK(refusal<std::int32_t, std::string>(byte_view{*body}.first(size)) != errc::none);
  auto longer = *body;
  longer.push_back(std::byte{0});
  CHECK(refusal<std::int32_t, std::string>(longer) == errc::trailing_bytes);
}

TEST_CASE("a list that announces more than there is allocates nothing for it") {
  auto bomb = from_hex("91ddffffffff"); // [ array32 of 2^32 - 1 ]
  REQUIRE(bomb);
  CHECK(refusal<std::vector<std::string>>(*bomb) != errc::none);
}

TEST_CASE("an identity travels as octets and is read from text as well") {
  seeded_random random{1};
  auto id = key_pair::generate(random).identity();
  auto body = encode_body(id);
  REQUIRE(body);
  auto from_octets = decode_body<identity>(*body);
  REQUIRE(from_octets);
  CHECK(std::get<0>(*from_octets) == id);
  auto text = encode_body(to_string(id));
  REQUIRE(text);
  auto from_text = decode_body<identity>(*text);
  REQUIRE(from_text);
  CHECK(std::get<0>(*from_text) == id);
  auto wrong = encode_body(std::string{"hk1nonsense"});
  REQUIRE(wrong);
  CHECK(refusal<identity>(*wrong) != errc::none);
}

TEST_CASE("a body over the limit is refused by its sender") {
  CHECK(encode_body(std::vector<std::byte>(body_size_max + 1)).code() == errc::too_long);
}
