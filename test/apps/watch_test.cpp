// The observer's rates and the screen of `hanse top`, with nodes whose answers are set here.
#include "captured_run.hpp"
#include "hanse/app/text_table.hpp"
#include "hanse/app/watch/observer.hpp"
#include "hanse/app/watch/top_screen.hpp"
#include "watched_backend.hpp"

using namespace hanse;
using namespace hanse::app;
using namespace std::chrono_literals;
using hanse::test::captured_run;
using hanse::test::has;
using hanse::test::watched_node;
using nlohmann::json;

namespace {

std::string text_of(const std::vector<screen_line>& lines) {
  std::string text;
  for (const auto& l : lines) text += l.text + "\n";
  return text;
}

/// A view with so many nodes, all linked to each other, and drops.
json large_view(std::size_t count) {
  const auto counter = [](double r) { return json{{"total", 1000}, {"per_s", r}}; };
  json view{{"at_ms", 1}, {"interval_ms", 1000}, {"nodes", json::array()}};
  for (std::size_t i = 0; i < count; ++i) {
    const auto name = "node" + std::to_string(i);
    json n{{"ok", true},
           {"name", name},
           {"identity", "hk1" + name},
           {"socket", "/s"},
           {"uptime_ms", 1000},
           {"engines", json::array()},
           {"messages", {{"received", counter(12345)}, {"sent", counter(7.25)}}},
           {"octets", {{"received", counter(1e9)}, {"sent", counter(10)}}},
           {"drops", {{"replayed", counter(1)}, {"bad_signature", counter(0)}, {"expired", counter(2)}}},
           {"links", json::array()},
           {"topics", json::array()},
           {"domains", json::array()}};
    for (std::size_t k = 0; k < count; ++k)
      if (k != i)
        n["links"].push_back({{"peer", "hk1node" + std::to_string(k)},
                              {"name", "node" + std::to_string(k)},
                              {"connected", true},
                              {"rtt_us", 150},
                              {"messages_in", counter(5)},
                              {"messages_out", counter(5)},
                              {"octets_in", counter(1)},
                              {"octets_out", counter(1)},
                              {"queued", 0}});
    view["nodes"].push_back(std::move(n));
  }
  return json::parse(view.dump()); // numbers as they come from a node: unsigned
}

} // namespace

TEST_CASE("rates are what came between two looks, over the time between them") {
  watched_node node{"a"};
  observer nodes{{node.socket}};
  auto first = nodes.look(5s);
  CHECK(first.at("interval_ms").is_null());
  CHECK(first["nodes"][0]["messages"]["received"] == json{{"total", 10}, {"per_s", nullptr}});
  node.set_counters(110, 6000, 2, 50);
  std::this_thread::sleep_for(20ms);
  auto second = nodes.look(5s)["nodes"][0];
  const auto per_s = second["messages"]["received"]["per_s"].get<double>();
  CHECK(per_s > 0);
  CHECK(per_s < 100 / 0.02);
  CHECK(second["octets"]["received"]["per_s"].get<double>() / per_s == doctest::Approx(50));
  CHECK(second["drops"]["replayed"]["per_s"] == 0);
  CHECK(second["topics"][0]["delivered"]["per_s"].get<double>() / per_s == doctest::Approx(0.5));
  CHECK(second["domains"][0]["online"] == 1);
  CHECK(second["domains"][0]["list"].size() == 2);
}

TEST_CASE("a link's rates go by its own time of measuring, and stay while there is no news") {
  watched_node node{"a"};
  observer nodes{{node.socket}};
  const auto link = [&] { return nodes.look(5s)["nodes"][0]["links"][0]; };
  CHECK(link()["messages_in"]["per_s"].is_null());
  node.set_link(300, 5000, 3000); // 200 in 2 s of the node's time, whatever the time here
  CHECK(link()["messages_in"] == json{{"total", 300}, {"per_s", 100.0}});
  CHECK(link()["messages_in"]["per_s"] == 100.0);
  node.set_link(20, 100, 4000); // a new link to the same peer counts from zero
  CHECK(link()["messages_in"]["per_s"].is_null());
}

TEST_CASE("what is counted starts anew with a node's next life, and a new reason was at zero before") {
  watched_node node{"a"};
  observer nodes{{node.socket}};
  (void)nodes.look(5s);
  node.backend.set("counters", {{"drops", {{"replayed", 2}, {"expired", 5}}}, {"messages", {{"received", 500}}}});
  auto second = nodes.look(5s)["nodes"][0];
  CHECK(second["drops"]["expired"]["per_s"].get<double>() > 0);
  node.backend.set("status", {{"name", "a"}, {"identity", "hk1a"}, {"pid", 8}});
  auto third = nodes.look(5s)["nodes"][0];
  CHECK(third["drops"]["expired"]["per_s"].is_null());
  CHECK(third["messages"]["received"] == json{{"total", 500}, {"per_s", nullptr}});
}

TEST_CASE("a node that does not answer is shown as such, with its name; the others are not held up") {
  watched_node good{"a"};
  watched_node late{"b"};
  observer nodes{{good.socket, late.socket, good.dir / "nowhere.sock"}};
  (void)nodes.look(5s);
  late.server = nullptr;
  const auto view = nodes.look(5s);
  CHECK(view["nodes"][0]["ok"] == true);
  CHECK(view["nodes"][1]["ok"] == false);
  CHECK(view["nodes"][1]["name"] == "b");
  CHECK(view["nodes"][2]["error"]["code"] == "not_found");
  const auto text = text_of(draw_top(view, 100, 0));
  CHECK(has(text, "2 without an answer"));
  CHECK(has(text, "no answer: not_found"));
}

TEST_CASE("questions that a node does not know leave their part empty") {
  watched_node node{"a"};
  node.backend.set("domain_status", json::object());
  observer nodes{{node.socket}};
  const auto seen = nodes.look(5s)["nodes"][0];
  CHECK(seen["domains"].empty());
  CHECK(!seen.contains("blocks"));
}

TEST_CASE("the screen keeps to its size and says what it leaves out") {
  for (const auto& [width, height, count] :
       {std::tuple{80, 24, 5}, {80, 24, 60}, {40, 10, 5}, {20, 2, 3}, {200, 60, 20}}) {
    const auto lines = draw_top(large_view(static_cast<std::size_t>(count)), static_cast<std::size_t>(width),
                                static_cast<std::size_t>(height), top_section::all, "q: quit");
    CAPTURE(width);
    CAPTURE(count);
    CHECK(lines.size() <= static_cast<std::size_t>(height));
    for (const auto& l : lines) CHECK(width_of(l.text) <= static_cast<std::size_t>(width));
  }
  const auto text = text_of(draw_top(large_view(9), 80, 24));
  CHECK(has(text, "node4"));
  CHECK(has(text, "12.3k"));
  CHECK(has(text, "more"));
  CHECK(has(text, "bad_signature"));
  CHECK(has(text, "<1 ms"));
}

TEST_CASE("a link is shown once, and a section can have the screen for itself") {
  const auto text = text_of(draw_top(large_view(3), 100, 0));
  CHECK(has(text, "node0 - node1"));
  CHECK(!has(text, "node1 - node0"));
  const auto links = text_of(draw_top(large_view(3), 100, 0, top_section::links));
  CHECK(has(links, "node1 - node2"));
  CHECK(!has(links, "DROPPED"));
  CHECK(has(text_of(draw_top(large_view(3), 100, 0, top_section::topics)), "nothing to show"));
}

TEST_CASE("names from peers do not move the cursor") {
  auto view = large_view(2);
  view["nodes"][0]["name"] = "\033[2Jevil";
  view["nodes"][0]["links"][0]["name"] = "\r\nx";
  for (const auto& l : draw_top(view, 80, 24))
    for (const char c : l.text) CHECK(static_cast<unsigned char>(c) >= 0x20);
}

TEST_CASE("members that disagree and equivocators are told") {
  auto view = large_view(2);
  view["nodes"][0]["domains"] = {{{"domain", "hk1lab"},
                                  {"name", "lab"},
                                  {"role", "member"},
                                  {"members", 2},
                                  {"online", 1},
                                  {"state", "aa"},
                                  {"byzantine", {"hk1x"}}}};
  view["nodes"][1]["domains"] = {
      {{"domain", "hk1lab"}, {"name", "lab"}, {"role", "member"}, {"members", 3}, {"online", 2}, {"state", "bb"}}};
  const auto text = text_of(draw_top(view, 100, 0, top_section::domains));
  CHECK(has(text, "2 differ"));
  CHECK(has(text, "1 equivocated"));
}

TEST_CASE("hanse top without a terminal prints once: text, or JSON; and says when nobody answers") {
  watched_node node{"a"};
  captured_run shown{{"top", "--interval", "0.2", "--socket", node.socket}};
  CHECK(shown.exit_code == 0);
  CHECK(has(shown.out, "hanse top: 1 node"));
  CHECK(has(shown.out, "a - other"));
  CHECK(has(shown.out, "lab"));
  CHECK(has(shown.out, "news"));
  CHECK(!has(shown.out, "\033"));
  captured_run machine{{"top", "--json", "--interval", "0.2", "--socket", node.socket}};
  CHECK(json::parse(machine.out)["nodes"][0]["name"] == "a");
  captured_run nobody{{"top", "--interval", "0.2", "--socket", (node.dir / "none.sock").string()}};
  CHECK(nobody.exit_code == 1);
  CHECK(has(nobody.err, "no node answers at"));
}

TEST_CASE("the nodes of a cluster are found in its directory") {
  hanse::test::temporary_directory dir;
  for (const auto* name : {"b", "a"}) std::filesystem::create_directories(dir / (std::string{name} + "/data"));
  std::filesystem::create_directories(dir / "other");
  const auto found = sockets_to_watch({}, dir.path().string());
  REQUIRE(found);
  REQUIRE(found->size() == 2);
  CHECK((*found)[0] == dir / "a/data/control.sock");
  CHECK(sockets_to_watch({}, (dir / "other").string()).error() == errc::not_found);
  CHECK(sockets_to_watch({}, (dir / "missing").string()).error() == errc::not_found);
  CHECK(sockets_to_watch(std::vector<std::string>(watched_nodes_max + 1, "s"), "").error() == errc::table_full);
}
