// hanse peers, engines, counters, why, trace: what a running node knows, as tables.
// Nothing here changes the node.
#include "hanse/app/command.hpp"
#include "hanse/app/control_client.hpp"
#include "hanse/app/preference_options.hpp"
#include "hanse/app/text_table.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

namespace hanse::app {
namespace {

using nlohmann::json;

std::string short_id(const json& object, const char* key) {
  auto text = field(object, key);
  return text.size() > 12 ? text.substr(0, 10) + "…" : text;
}

std::string micros(const json& object, const char* key) {
  auto i = object.find(key);
  return i != object.end() && i->is_number_unsigned() ? duration_text(i->get<std::uint64_t>()) : "";
}

std::string yes_no(const json& object, const char* key, const char* yes, const char* no) {
  auto i = object.find(key);
  return i != object.end() && *i == true ? yes : no;
}

/// The list at `key`, empty if there is none.
json list(const json& object, const char* key) {
  auto i = object.find(key);
  return i != object.end() && i->is_array() ? *i : json::array();
}

void peers(command_context& c) {
  auto answer = c.ask("list the peers", {{"command", "peers"}});
  if (!answer) return;
  c.print(*answer, [&] {
    text_table table{{"node", "name", "link", "address", ">RTT", ">trust", ">sent", ">received", ">queued"}};
    for (const auto& p : list(*answer, "peers"))
      table.add({short_id(p, "identity"), field(p, "name"), yes_no(p, "connected", "up", "-"), field(p, "address"),
                 micros(p, "rtt_us"), field(p, "trust"), field(p, "sent"), field(p, "received"), field(p, "queued")});
    if (table.empty())
      c.out << "no peers; add one with: hanse add TICKET\n";
    else
      table.print(c.out);
  });
}

void engines(command_context& c) {
  auto answer = c.ask("list the engines", {{"command", "engines"}});
  if (!answer) return;
  c.print(*answer, [&] {
    text_table table{{"name", "type", "node", "state", "speaks", "identity"}};
    for (const auto& e : list(*answer, "engines")) {
      std::string protocols;
      for (const auto& p : list(e, "protocols"))
        if (p.is_string()) protocols += (protocols.empty() ? "" : " ") + printable(p.get<std::string>());
      auto node = field(e, "node_name").empty() ? short_id(e, "node") : field(e, "node_name");
      table.add({field(e, "name"), field(e, "type"), yes_no(e, "local", "(here)", node.c_str()), field(e, "state"),
                 protocols, field(e, "identity")});
    }
    if (table.empty())
      c.out << "no engines known\n";
    else
      table.print(c.out);
  });
}

void counters(command_context& c) {
  auto answer = c.ask("read the counters", {{"command", "counters"}});
  if (!answer) return;
  c.print(*answer, [&] {
    text_table table{{"counter", ">value"}};
    auto flat = answer->flatten();
    for (const auto& [key, value] : flat.items())
      if (!value.is_null()) // an object with nothing in it
        table.add({printable(key.substr(std::min<std::size_t>(1, key.size()))), printable(value.dump())});
    table.print(c.out);
  });
}

void why(command_context& c, const std::string& destination, const preference_request& wants,
         std::uint32_t timeout_ms) {
  json request{{"command", "why"}, {"destination", destination}, {"timeout_ms", timeout_ms}};
  put_preferences(request, wants);
  auto answer = c.ask("explain the route to " + destination, request);
  if (!answer) return;
  c.print(*answer, [&] {
    c.out << "destination  " << field(*answer, "destination") << " (" << field(*answer, "kind") << ")\n";
    c.out << "chosen       " << (field(*answer, "chosen").empty() ? "none" : field(*answer, "chosen")) << '\n';
    c.out << "reason       " << field(*answer, "reason") << '\n';
    auto constraints = answer->find("constraints");
    if (constraints != answer->end() && !constraints->empty())
      c.out << "asked for    " << printable(constraints->dump()) << '\n';
    text_table table{{"node", "name", "link", ">trust", ">reputation", ">RTT", ">weight", "verdict", "way", "reason"}};
    for (const auto& n : list(*answer, "candidates"))
      table.add({short_id(n, "node"), field(n, "name"), yes_no(n, "connected", "up", "-"), field(n, "trust"),
                 field(n, "reputation"), micros(n, "rtt_us"), field(n, "weight"), field(n, "verdict"), field(n, "way"),
                 field(n, "reason")});
    if (!table.empty()) table.print(c.out);
  });
}

std::string clock_text(std::uint64_t microseconds) {
  auto seconds = static_cast<std::time_t>(microseconds / 1'000'000);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  char text[32];
  std::snprintf(text, sizeof text, "%02d:%02d:%02d.%06u", parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<unsigned>(microseconds % 1'000'000));
  return text;
}

/// Asks every node and puts what they saw in order; what one cannot tell does not hide the others.
void trace(command_context& c, const std::string& id) {
  std::vector<std::string> sockets = c.sockets;
  if (sockets.empty()) sockets.push_back(choose_socket("").string());
  std::vector<json> events;
  for (const auto& socket : sockets) {
    auto answer = ask_node(socket, {{"command", "trace"}, {"id", id}}, std::chrono::seconds{10});
    if (!answer) {
      c.fail("follow the trace at " + socket, answer.error());
      continue;
    }
    for (auto& e : list(*answer, "events")) events.push_back(std::move(e));
  }
  auto time_of = [](const json& e) {
    auto i = e.find("time_us");
    return i != e.end() && i->is_number_unsigned() ? i->get<std::uint64_t>() : 0;
  };
  std::stable_sort(events.begin(), events.end(), [&](const json& a, const json& b) { return time_of(a) < time_of(b); });
  if (c.json && c.exit_code != exit_ok) return; // the error was the one document
  c.print({{"trace", id}, {"events", events}}, [&] {
    text_table table{{"time", ">after", "node", "event", "source", "destination", "detail"}};
    for (const auto& e : events)
      table.add({clock_text(time_of(e)), duration_text(time_of(e) - time_of(events.front())),
                 field(e, "node_name").empty() ? short_id(e, "node") : field(e, "node_name"), field(e, "event"),
                 short_id(e, "source"), short_id(e, "destination"), field(e, "detail")});
    if (table.empty())
      c.out << "no events of this trace\n";
    else
      table.print(c.out);
  });
}

} // namespace

void add_inspect_commands(CLI::App& program, command_context& context) {
  auto* p = program.add_subcommand("peers", "The nodes that a node knows, and its links");
  p->footer("Example:\n  hanse peers");
  p->callback([&context] { peers(context); });

  auto* e = program.add_subcommand("engines", "The engines that a node runs or knows");
  e->footer("Example:\n  hanse engines --json");
  e->callback([&context] { engines(context); });

  auto* n = program.add_subcommand("counters", "What a node counted: messages, and drops by reason");
  n->footer("Example:\n  hanse counters");
  n->callback([&context] { counters(context); });

  auto* w = program.add_subcommand("why", "Explain where a message would go: candidates, trust, measurements");
  auto destination = std::make_shared<std::string>();
  w->add_option("DEST", *destination, "An identity, or the name of an engine, node, domain or topic known there")
      ->required();
  auto timeout = std::make_shared<std::uint32_t>(10'000);
  w->add_option("--timeout", *timeout, "For a message sent with this --timeout, in milliseconds")
      ->capture_default_str()
      ->check(CLI::Range(1, 3'600'000));
  auto wants = add_preference_options(*w);
  w->footer("Example:\n  hanse why echo --within lab --trust-min 128");
  w->callback([&context, destination, wants, timeout] { why(context, *destination, *wants, *timeout); });

  auto* b = program.add_subcommand("trust", "Say how much a node or engine is trusted: by you, at this node");
  auto who = std::make_shared<std::string>();
  auto level = std::make_shared<std::uint32_t>(128);
  b->add_option("WHO", *who, "An identity, or the name of an engine or node known there")->required();
  b->add_option("LEVEL", *level, "0 (banned) to 255; 128 is where everybody begins")
      ->required()
      ->check(CLI::Range(0, 255));
  b->footer("Example:\n  hanse trust node3 0");
  b->callback([&context, who, level] {
    auto answer = context.ask("set the trust", {{"command", "trust"}, {"who", *who}, {"trust", *level}});
    if (answer)
      context.print(*answer,
                    [&] { context.out << field(*answer, "identity") << "  " << field(*answer, "trust") << '\n'; });
  });

  auto* t = program.add_subcommand("trace", "Follow a message through one or several nodes");
  auto id = std::make_shared<std::string>();
  t->add_option("ID", *id, "The trace id that `hanse send` printed")->required();
  t->footer("Example:\n  hanse trace 4f1c2a… --socket a/data/control.sock --socket b/data/control.sock");
  t->callback([&context, id] { trace(context, *id); });
}

} // namespace hanse::app
