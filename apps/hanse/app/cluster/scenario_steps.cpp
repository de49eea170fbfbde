// Reads the steps of a scenario, one function for each kind.
// A new kind is a struct in scenario.hpp, a reader here and a performer in step_runner.cpp.
#include "hanse/app/cluster/scenario.hpp"

#include "hanse/app/control_wire.hpp"
#include "hanse/protocols/protocol_id.hpp"

#include <algorithm>
#include <functional>

namespace hanse::app {
namespace {

using nlohmann::json;

struct step_reader {
  object_reader& in;
  scenario_names& names;
  scenario_step& step;

  void check_name(const std::string& key, const char* what, const std::vector<std::string>& known,
                  const std::string& name) {
    if (!name.empty()) app::check_name(in, key, what, known, name);
  }

  std::string node(const std::string& key) {
    auto name = in.required_text(key);
    check_name(key, "node", names.nodes, name);
    return name;
  }

  endpoint parse_endpoint(const std::string& key, const std::string& text) {
    auto slash = text.find('/');
    endpoint e{text.substr(0, slash), slash == std::string::npos ? "" : text.substr(slash + 1)};
    check_name(key, "node", names.nodes, e.node);
    check_name(key, "engine", names.engines, e.engine);
    return e;
  }

  endpoint place(const std::string& key) { return parse_endpoint(key, in.required_text(key)); }

  /// An endpoint that has to be an engine.
  endpoint engine(const std::string& key) {
    auto e = place(key);
    if (!e.node.empty() && e.engine.empty()) in.problem(key, "expected NODE/ENGINE, found \"" + e.node + "\"");
    return e;
  }

  std::vector<std::string> nodes(const std::string& key) {
    auto list = in.texts(key);
    for (std::size_t i = 0; i < list.size(); ++i)
      check_name(key + "[" + std::to_string(i) + "]", "node", names.nodes, list[i]);
    return list;
  }

  std::string protocol(const std::string& key, const std::string& fallback) {
    auto text = fallback.empty() ? in.required_text(key) : in.text(key, fallback);
    if (!text.empty() && !parse_protocol_id(text))
      in.problem(key, "expected NAME/VERSION like \"echo/1.0\", found \"" + text + "\"");
    return text;
  }

  std::uint32_t count() { return static_cast<std::uint32_t>(in.number("count", 1, 10'000'000, 1)); }

  void check_code(const std::string& key, const std::string& code) {
    if (!code.empty() && code != "internal" && errc_of(code) == errc::internal)
      in.problem(key, "expected the name of an error such as \"no_route\", found \"" + code + "\"");
  }
};

void read_add(step_reader r) {
  add_step s{r.in.choice("shape", {"mesh", "line", "star", "ring"}), r.nodes("nodes")};
  if (s.nodes.empty()) s.nodes = r.names.nodes;
  r.step.what = std::move(s);
}

void read_ping(step_reader r) {
  r.step.what = ping_step{r.node("from"), r.place("to"), r.count()};
}

void read_call(step_reader r) {
  call_step s;
  s.from = r.place("from");
  if (r.in.has("domain")) {
    s.domain = r.in.required_text("domain");
    r.check_name("domain", "domain", r.names.domains, s.domain);
  } else {
    s.to = r.place("to");
  }
  s.protocol = r.protocol("protocol", "");
  if (auto* body = r.in.require("body", "a list: the handler's arguments")) s.body = *body;
  if (!s.body.is_null() && !s.body.is_array()) r.in.problem("body", "expected a list, found " + describe(s.body));
  if (auto* expect = r.in.find("expect")) s.expect = *expect;
  s.expect_error = r.in.text("expect_error");
  r.check_code("expect_error", s.expect_error);
  if (s.expect && !s.expect_error.empty()) r.in.problem("expect_error", "this and \"expect\" exclude each other");
  s.count = r.count();
  s.reliable = r.in.flag("reliable");
  r.step.what = std::move(s);
}

void read_send_file(step_reader r) {
  send_file_step s;
  s.from = r.engine("from");
  s.to = r.engine("to");
  s.file = r.in.required_text("file");
  s.sender_protocol = r.protocol("sender_protocol", "file_sender/1.0");
  s.receiver_protocol = r.protocol("receiver_protocol", "file_receiver/1.0");
  r.step.what = std::move(s);
}

void read_process(step_reader r) {
  process_step s{r.step.kind, r.nodes("nodes")};
  if (r.in.has("node")) s.nodes.push_back(r.node("node"));
  if (s.nodes.empty()) r.in.problem("", "the key \"node\" is missing; expected the name of a node");
  r.step.what = std::move(s);
}

void read_move(step_reader r) {
  move_step s{r.in.required_text("engine"), r.node("from"), r.node("to")};
  r.check_name("engine", "engine", r.names.engines, s.engine);
  r.step.what = std::move(s);
}

void read_spawn_engine(step_reader r) {
  engine_step s{true,
                r.node("node"),
                r.in.required_text("name"),
                r.in.required_text("type"),
                json::parse(r.in.object_text("parameters")),
                r.in.texts("serves")};
  r.names.engines.push_back(s.name);
  r.step.what = std::move(s);
}

void read_stop_engine(step_reader r) {
  engine_step s{false, r.node("node"), r.in.required_text("name"), "", json::object(), {}};
  r.check_name("name", "engine", r.names.engines, s.name);
  r.step.what = std::move(s);
}

std::vector<std::string> usual_reasons(const std::string& kind) {
  if (kind == "broken_signature") return {"bad_signature"};
  if (kind == "replay") return {"replayed"};
  return {"not_hosted", "wrong_signer", "wrong_peer"};
}

void read_inject(step_reader r) {
  inject_step s;
  s.kind = r.in.required_choice("kind", {"broken_signature", "replay", "impostor"});
  s.from = r.node("from");
  s.to = r.place("to");
  if (r.in.has("claim")) s.claim = r.engine("claim");
  s.count = r.count();
  s.counted_as = r.in.has("counted_as") ? r.in.texts("counted_as") : usual_reasons(s.kind);
  for (const auto& code : s.counted_as) r.check_code("counted_as", code);
  r.step.what = std::move(s);
}

void read_check(step_reader r) {
  check_step s;
  s.wait = r.step.kind == "wait_until";
  s.node = r.node("node");
  s.of = r.in.choice("of", {"status", "peers", "engines", "counters"});
  s.value = r.in.required_text("value");
  try {
    (void)json::json_pointer{s.value};
  } catch (const json::exception&) {
    r.in.problem("value", "expected a JSON pointer like \"/drops/replayed\", found \"" + s.value + "\"");
  }
  for (const auto* comparison : {"equals", "differs", "at_least", "at_most"}) {
    auto* than = r.in.find(comparison);
    if (!than) continue;
    if (!s.comparison.empty())
      r.in.problem(comparison, "one comparison only, \"" + s.comparison + "\" is there already");
    s.comparison = comparison;
    s.than = *than;
    if (std::string_view{comparison}.starts_with("at_") && !than->is_number())
      r.in.problem(comparison, "expected a number, found " + describe(*than));
  }
  if (s.comparison.empty()) r.in.problem("", "expected one of the keys equals, differs, at_least or at_most");
  r.step.what = std::move(s);
}

void read_group(step_reader r) {
  group_step s;
  s.background = r.step.kind == "background";
  if (s.background) {
    s.repeat = r.in.flag("repeat");
    r.names.backgrounds.push_back(r.step.name);
    if (!r.in.has("name")) r.in.problem("", "the key \"name\" is missing; expected a name to join by");
  }
  r.in.require("steps", "a list of objects");
  r.in.each("steps", [&](object_reader& inner) {
    s.steps.push_back(read_step(inner, r.names));
    auto nests = std::holds_alternative<group_step>(s.steps.back().what) ||
                 std::holds_alternative<join_step>(s.steps.back().what);
    if (nests) inner.problem("do", "groups do not nest: expected another step than " + s.steps.back().kind);
  });
  r.step.what = std::move(s);
}

void read_join(step_reader r) {
  join_step s{r.in.texts("names")};
  if (r.in.has("names"))
    for (const auto& name : s.names) r.check_name("names", "background step", r.names.backgrounds, name);
  r.step.what = std::move(s);
}

const std::map<std::string, void (*)(step_reader)> kinds{
    {"add", read_add},
    {"assert", read_check},
    {"background", read_group},
    {"call", read_call},
    {"inject", read_inject},
    {"join", read_join},
    {"kill", read_process},
    {"move_engine", read_move},
    {"parallel", read_group},
    {"pause", read_process},
    {"ping", read_ping},
    {"restart", read_process},
    {"resume", read_process},
    {"send_file", read_send_file},
    {"spawn_engine", read_spawn_engine},
    {"stop", read_process},
    {"stop_engine", read_stop_engine},
    {"wait_until", read_check},
};

} // namespace

void check_name(object_reader& in, const std::string& key, const char* what, const std::vector<std::string>& known,
                const std::string& name) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  auto close = closest_word(name, known);
  in.problem(key, std::string{"no "} + what + " is called \"" + name + "\"" +
                      (close.empty() ? "" : "; did you mean \"" + close + "\"?"));
}

scenario_step read_step(object_reader& in, scenario_names& names) {
  scenario_step step;
  std::vector<std::string> known;
  for (const auto& [kind, read] : kinds) known.push_back(kind);
  known.insert(known.end(), std::begin(domain_step_kinds), std::end(domain_step_kinds));
  known.insert(known.end(), std::begin(topic_step_kinds), std::end(topic_step_kinds));
  known.insert(known.end(), std::begin(content_step_kinds), std::end(content_step_kinds));
  known.insert(known.end(), std::begin(network_step_kinds), std::end(network_step_kinds));
  step.kind = in.required_choice("do", known);
  step.line = in.problems().document().line_of(in.path());
  step.name = in.text("name", step.kind);
  step.timeout = milliseconds{1000 * in.number("timeout_s", 1, 86'400, 30)};
  auto* kind = in.find("do");
  if (kind && *kind == step.kind &&
      (read_domain_step(in, names, step) || read_topic_step(in, names, step) || read_content_step(in, names, step) ||
       read_network_step(in, names, step)))
    return step;
  if (kind && *kind == step.kind)
    kinds.at(step.kind)({in, names, step});
  else
    for (const auto& key : in.keys()) in.find(key); // one problem is enough: what keys it may have is not known
  return step;
}

} // namespace hanse::app
