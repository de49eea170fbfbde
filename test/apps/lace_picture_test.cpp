// Pictures of a blocklace in which a member has equivocated: it is red, lanes are named, the page stands alone.
// With HANSE_PICTURES=DIR the pictures are left there to be looked at.
#include "captured_run.hpp"
#include "domains/lattice_kit.hpp"
#include "hanse/app/lace_picture.hpp"

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace hanse;
using namespace hanse::test;
using nlohmann::json;

namespace {

/// Four members; the fourth says two things at once, which the first then acknowledges.
json forked_domain() {
  permissions open;
  open.level_max[0] = open.level_max[1] = 100;
  const forger one{1}, three{3}, four{4}, five{5};
  const auto root = one.make(1, std::nullopt, {}, configure_op(fake_advert(1, {id(1)}, open), 1));
  const auto add3 = one.next(root, {}, add_op(id(3), 10, to_bytes("three"), 2));
  const auto add4 = one.next(add3, {}, add_op(id(4), 20, {}, 3));
  const auto add5 = one.next(add4, {}, add_op(id(5), 20, {}, 3));
  const auto put3 = three.make(1, std::nullopt, {add5.id}, put_op("motto", to_bytes("first"), 4));
  const auto put5 = five.make(1, std::nullopt, {put3.id}, put_op("<script>", to_bytes("x"), 5));
  const auto put4 = four.make(1, std::nullopt, {add5.id}, put_op("motto", to_bytes("second"), 5));
  const auto fork = four.make(1, std::nullopt, {add5.id}, put_op("motto", to_bytes("third"), 8));
  const auto again3 = three.next(put3, {put4.id}, put_op("place", to_bytes("here"), 6));
  const auto again5 = five.next(put5, {fork.id}, put_op("place", to_bytes("there"), 6));
  const auto ack = one.next(add5, {again3.id, again5.id}, ack_op(9));
  hand_node node{2}; // not one of the members: it writes nothing
  for (const auto& b : {root, add3, add4, add5, put3, put4, fork, put5, again3, again5, ack})
    node.take(id(9), b.wire.view());
  auto graph = app::json_of(draw(node.lattice, 100), [](const identity& who) {
    return who == id(1) ? std::string{"alice"} : who == id(4) ? std::string{"mallory & <co>"} : std::string{};
  });
  graph.update({{"domain", to_string(domain_id())}, {"name", "lab"}, {"members", json::array()}});
  for (const auto& c : graph.at("creators"))
    graph["members"].push_back({{"identity", c.at("identity")},
                                {"name", c.at("name")},
                                {"level", c.at("level")},
                                {"since_ms", 1'700'000'000'000u},
                                {"online", true},
                                {"byzantine", c.at("byzantine")}});
  return graph;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

std::string drawn(const json& graph, const std::string& format) {
  auto picture = app::draw_lace(graph, format);
  if (const auto* dir = std::getenv("HANSE_PICTURES")) std::ofstream{std::string{dir} + "/fork." + format} << picture;
  return picture;
}

} // namespace

TEST_CASE("both blocks of an equivocation are red, and so is who made them") {
  const auto graph = forked_domain();
  REQUIRE(graph.at("blocks").size() >= 9);
  const auto svg = drawn(graph, "svg");
  CHECK(count(svg, "class=\"block bad") == 2);
  CHECK(count(svg, "(equivocation)") == 2);
  CHECK(count(svg, "class=\"head liar\"") == 1);
  CHECK(has(svg, "equivocated")); // not by colour alone
  CHECK(has(drawn(graph, "html"), "mallory &amp; &lt;co&gt; – equivocated"));
  CHECK(count(drawn(graph, "dot"), "color=red") == 2 * 2); // and fontcolor
}

TEST_CASE("the page stands alone and what peers wrote is text") {
  const auto page = drawn(forked_domain(), "html");
  CHECK(has(page, "mallory &amp; &lt;co&gt;"));
  CHECK(!has(page, "<script"));
  auto rest = page;
  const std::string space = "http://www.w3.org/2000/svg";
  for (auto at = rest.find(space); at != rest.npos; at = rest.find(space)) rest.erase(at, space.size());
  for (const auto* part : {"http:", "https:", "src=", "href", "url(", "@import"}) CHECK(!has(rest, part));
  CHECK(has(page, "prefers-color-scheme:dark"));
}
