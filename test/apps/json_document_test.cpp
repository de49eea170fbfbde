// Lines of values, what is refused as JSON, and suggestions.
#include "captured_run.hpp"
#include "hanse/app/json_document.hpp"
#include "hanse/app/object_reader.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace hanse;
using namespace hanse::app;
using hanse::test::has;

namespace {

std::string refusal(std::string_view text) {
  auto document = json_document::parse(text, "f.json");
  REQUIRE(!document);
  CHECK(document.error() == errc::bad_config);
  return document.error().detail;
}

} // namespace

TEST_CASE("every value has its line") {
  auto document =
      json_document::parse("{\n  \"a\": 1,\n  \"b\": [\n    true,\n    {\"c\": 2\n    },\n    3.5\n  ]\n}", "f.json");
  REQUIRE(document);
  CHECK(document->line_of("") == 1);
  CHECK(document->line_of("a") == 2);
  CHECK(document->line_of("b") == 3);
  CHECK(document->line_of("b[0]") == 4);
  CHECK(document->line_of("b[1]") == 5);
  CHECK(document->line_of("b[1].c") == 5); // the parser reads on to the next line after a number
  CHECK(document->line_of("b[2]") == 7);
}

TEST_CASE("a path that is not there has the line of what is around it") {
  auto document = json_document::parse("{\n\"a\": {\n\"b\": 1}}", "f.json");
  REQUIRE(document);
  CHECK(document->line_of("a.x") == 2);
  CHECK(document->line_of("a.b.c[7].d") == 3);
  CHECK(document->line_of("zzz") == 1);
}

TEST_CASE("what is no JSON is refused with its line") {
  CHECK(has(refusal("{\n\"a\": 1,\n\"b\" 2}"), "f.json:3: this is no JSON: syntax error"));
  CHECK(has(refusal(""), "f.json:1: this is no JSON"));
  CHECK(has(refusal("{} {}"), "no JSON"));
  CHECK(has(refusal("{\"a\": 1e999}"), "no JSON"));
  CHECK(has(refusal(std::string("{\"a\": \"\xff\"}")), "no JSON"));
}

TEST_CASE("a key that is there twice is refused") {
  CHECK(has(refusal("{\n\"a\": 1,\n\"a\": 2}"), "f.json:3: the key \"a\" is there twice"));
  CHECK(json_document::parse("{\"a\": {\"a\": 1}, \"b\": {\"a\": 1}}", "f"));
}

TEST_CASE("deep nesting and large files are refused") {
  CHECK(has(refusal(std::string(100'000, '[')), "nested deeper"));
  CHECK(json_document::parse(std::string(json_depth_max, '[') + std::string(json_depth_max, ']'), "f"));
  CHECK(has(refusal(std::string(json_file_size_max + 1, ' ')), "larger than"));
}

TEST_CASE("every truncation of a document is refused") {
  const std::string text = "{\"a\": [1, \"x\", {\"b\": null}], \"c\": -2.5e3}";
  for (std::size_t n = 0; n < text.size(); ++n) CHECK(!json_document::parse(text.substr(0, n), "f"));
}

TEST_CASE("close words are suggested, far ones are not") {
  const std::vector<std::string> known{"listen", "advertise", "peers", "log"};
  CHECK(closest_word("lisen", known) == "listen");
  CHECK(closest_word("peer", known) == "peers");
  CHECK(closest_word("adv", known) == "advertise");
  CHECK(closest_word("engine", known) == "");
  CHECK(closest_word("", known) == "");
}

TEST_CASE("a reader reports types, ranges and unknown keys in the order of the file") {
  auto document = json_document::parse("{\n\"port\": 70000,\n\"nmae\": \"x\",\n\"on\": 1,\n\"list\": [1]}", "f.json");
  REQUIRE(document);
  problem_list problems{*document};
  object_reader in{problems, document->root(), ""};
  in.text("name");
  CHECK(in.number("port", 1, 65535, 80) == 80);
  CHECK(in.flag("on", true));
  CHECK(in.texts("list").empty());
  in.required_text("path");
  in.finish();
  auto text = problems.to_error().detail;
  CHECK(text == "f.json:1: the key \"path\" is missing; expected a text\n"
                "f.json:2: port: expected a whole number from 1 to 65535, found the number 70000\n"
                "f.json:3: nmae: unknown key; did you mean \"name\"?\n"
                "f.json:4: on: expected true or false, found the number 1\n"
                "f.json:5: list[0]: expected a text, found the number 1");
}
