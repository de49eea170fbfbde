// Protocol identifiers and negotiation.
// Not adverts, which carry them (advert_test.cpp).
#include "protocols/samples.hpp"

#include <algorithm>

using namespace hanse;
using namespace hanse::test;

namespace {

protocol_id parsed(std::string_view text) {
  return parse_protocol_id(text).value();
}

std::vector<protocol_id> list(std::initializer_list<std::string_view> texts) {
  std::vector<protocol_id> out;
  for (auto text : texts) out.push_back(parsed(text));
  return out;
}

} // namespace

TEST_CASE("a protocol is read from its text, with or without a minor version") {
  CHECK(parsed("name/1") == protocol_id{"name", 1, 0});
  CHECK(parsed("a-b_c.9/65535.65535") == protocol_id{"a-b_c.9", 65535, 65535});
  CHECK(parsed("0/0.7") == protocol_id{"0", 0, 7});
  CHECK(to_string(parsed("name/1")) == "name/1.0");
  const std::string longest(protocol_name_size_max, 'a');
  CHECK(to_string(parsed(longest + "/65535.65535")) == longest + "/65535.65535");
}

TEST_CASE("what breaks the rules of a protocol's text is refused") {
  for (std::string_view text : {"",
                                "/",
                                "name",
                                "name/",
                                "/1",
                                "name/1.",
                                "name/.1",
                                "name/01",
                                "name/1.00",
                                "name/1.2.3",
                                "name/65536",
                                "name/1.65536",
                                "name/-1",
                                "name/+1",
                                "name/1 ",
                                " name/1",
                                "Name/1",
                                ".name/1",
                                "-name/1",
                                "_name/1",
                                "na me/1",
                                "na/me/1",
                                "n\xc3\xa4me/1",
                                "name/1.x",
                                "name/99999999999999999999"}) {
    CAPTURE(text);
    CHECK(parse_protocol_id(text).code() == errc::bad_value);
  }
  CHECK(parse_protocol_id(std::string(protocol_name_size_max + 1, 'a') + "/1").code() == errc::too_long);
  CHECK(parse_protocol_id(std::string(1'000'000, 'a')).code() == errc::too_long);
  CHECK(parse_protocol_id(std::string_view{"na\0me/1", 7}).code() == errc::bad_value);
}

TEST_CASE("every flipped bit, cut and added octet of a protocol's text fails or names another protocol") {
  const std::string good = "chat.v2/12.34";
  const auto judge = [&](byte_view bad) {
    const auto p = parse_protocol_id(as_text(bad));
    if (!p) {
      CHECK((p.code() == errc::bad_value || p.code() == errc::too_long));
      return;
    }
    CHECK(*p != parsed(good));
    const auto text = to_string(*p);
    CHECK((text == as_text(bad) || text == std::string{as_text(bad)} + ".0"));
  };
  for_each_bit_flip(as_byte_view(good), judge);
  for_each_other_length(as_byte_view(good), judge);
}

TEST_CASE("a protocol's wire form reads back, and breaking it is refused") {
  msgpack_writer out;
  const protocol_id p{"chat.v2", 300, 1};
  write(out, p);
  msgpack_reader in{out.view()};
  CHECK(read_protocol_id(in) == p);
  CHECK(in.finish());
  const auto judge = [&](byte_view bad) {
    msgpack_reader reader{bad};
    const auto other = read_protocol_id(reader);
    if (!reader.finish()) return;
    CHECK(other != p);
    msgpack_writer again;
    write(again, other);
    CHECK(equal(again.view(), bad));
  };
  for_each_bit_flip(out.view(), judge);
  for_each_other_length(out.view(), [](byte_view bad) {
    msgpack_reader reader{bad};
    read_protocol_id(reader);
    CHECK_FALSE(reader.finish());
  });
}

TEST_CASE("a protocol's name and numbers on the wire keep the rules") {
  const auto error_of = [](std::string_view name, std::uint64_t major, std::uint64_t minor) {
    msgpack_writer out;
    out.array(3);
    out.text(name);
    out.unsigned_integer(major);
    out.unsigned_integer(minor);
    msgpack_reader in{out.view()};
    read_protocol_id(in);
    return in.finish().code();
  };
  CHECK(error_of("name", 65535, 65535) == errc::none);
  CHECK(error_of("name", 65536, 0) == errc::bad_value);
  CHECK(error_of("name", 0, 65536) == errc::bad_value);
  for (std::string_view name : {"", "Name", "a b", "a/b", "\xc3\xa4"}) {
    CAPTURE(name);
    CHECK(error_of(name, 1, 0) == errc::bad_value);
    CHECK(error_of(name, 'a', 0) == errc::bad_value); // what follows an empty name looks like one
  }
  const std::string longest(protocol_name_size_max, 'a');
  CHECK(error_of(longest, 1, 0) == errc::none);
  CHECK(error_of(longest + 'a', 1, 0) == errc::too_long);
  CHECK(is_protocol_name(longest));
  CHECK_FALSE(is_protocol_name(longest + 'a'));
  CHECK_FALSE(is_protocol_name(std::string_view{"a"}.substr(0, 0)));
}

TEST_CASE("the lower minor version is spoken, whichever side has it") {
  CHECK(*negotiate(list({"p/1.2"}), parsed("p/1.0")) == parsed("p/1.0"));
  CHECK(*negotiate(list({"p/1.0"}), parsed("p/1.2")) == parsed("p/1.0"));
  CHECK(*negotiate(list({"p/1.2"}), parsed("p/1.2")) == parsed("p/1.2"));
}

TEST_CASE("the highest common major version is spoken, in whatever order they are listed") {
  const auto expected_id = parsed("p/3.1");
  auto ours = list({"p/1.9", "p/3.4", "p/4.0", "q/9.0"});
  std::ranges::sort(ours);
  do {
    CHECK(*negotiate(ours, list({"p/1.0", "p/2.0", "p/3.1", "p/5.0", "q/8.0"}), "p") == expected_id);
    CHECK(*negotiate(list({"q/8.0", "p/5.0", "p/3.1", "p/2.0", "p/1.0"}), ours, "p") == expected_id);
  } while (std::ranges::next_permutation(ours).found);
  CHECK(*negotiate(list({"p/1.1", "p/1.5", "p/1.3"}), list({"p/1.2", "p/1.4"}), "p") == parsed("p/1.4"));
}

TEST_CASE("an unknown major version is unsupported, and the error names ours") {
  const auto result = negotiate(list({"p/1.2", "q/3.0", "p/2.0"}), parsed("p/3.0"));
  CHECK(result.code() == errc::unsupported_version);
  CHECK(result.error().detail == "ours: p/1.2, p/2.0");
}

TEST_CASE("an unknown name is an unsupported protocol") {
  CHECK(negotiate(list({"p/1.2"}), parsed("q/1.2")).code() == errc::unsupported_protocol);
  CHECK(negotiate({}, parsed("q/1.2")).code() == errc::unsupported_protocol);
  CHECK(negotiate(list({"p/1.2"}), list({"q/1.2"}), "p").code() == errc::unsupported_protocol);
  CHECK(negotiate(list({"p/1.2"}), list({"p/1.2"}), "q").code() == errc::unsupported_protocol);
}
