// hanse add, send, ping and engine …: what makes a running node do something.
// Bodies are JSON lists as the node takes them; nothing is interpreted here.
#include "hanse/app/command.hpp"
#include "hanse/app/control_wire.hpp"
#include "hanse/app/preference_options.hpp"
#include "hanse/app/text_file.hpp"
#include "hanse/app/text_table.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds grace{2'000}; // the node's own timeout ends first, with a better error

void add(command_context& c, const std::string& ticket) {
  auto answer = c.ask("add the node", {{"command", "add"}, {"ticket", ticket}});
  if (!answer) return;
  c.print(*answer, [&] {
    auto known = answer->contains("fresh") && (*answer)["fresh"] == false;
    c.out << (known ? "known already: " : "added ") << field(*answer, "identity") << "  " << field(*answer, "name")
          << '\n';
  });
}

struct send_options {
  std::string destination;
  std::string protocol;
  std::string body;
  std::string from;
  bool reliable = false;
  bool expect_reply = false;
  std::uint32_t timeout_ms = 10'000;
  std::shared_ptr<preference_request> wants;
};

void send(command_context& c, const send_options& o) {
  auto text = o.body;
  if (o.body == "-" || o.body.starts_with('@')) {
    auto content = read_text_file(o.body == "-" ? "-" : o.body.substr(1), control_line_max);
    if (!content) return c.fail("read the body", content.error());
    text = *content;
  }
  auto body = json::parse(text, nullptr, false);
  if (!body.is_array())
    return c.misuse("--body is a JSON list with the handler's arguments, such as '[\"add\", 3, 4]'");
  json request{{"command", "send"},         {"destination", o.destination}, {"protocol", o.protocol},
               {"body", std::move(body)},   {"reliable", o.reliable},       {"expect_reply", o.expect_reply},
               {"timeout_ms", o.timeout_ms}};
  if (!o.from.empty()) request["from"] = o.from;
  put_preferences(request, *o.wants);
  auto answer = c.ask("send to " + o.destination, request, milliseconds{o.timeout_ms} + grace);
  if (!answer) return;
  c.print(*answer, [&] {
    if (answer->contains("reply")) c.out << (*answer)["reply"].dump() << '\n';
    auto& note = answer->contains("reply") ? c.err : c.out; // so that a script reads the reply alone
    note << (o.reliable ? "acknowledged " : "sent ") << field(*answer, "id") << ", trace " << field(*answer, "trace")
         << '\n';
  });
}

void ping(command_context& c, const std::string& destination, std::uint32_t timeout_ms) {
  auto answer =
      c.ask("ping " + destination, {{"command", "ping"}, {"destination", destination}, {"timeout_ms", timeout_ms}},
            milliseconds{timeout_ms} + grace);
  if (!answer) return;
  c.print(*answer, [&] {
    auto rtt = answer->find("rtt_us");
    c.out << field(*answer, "node") << "  " << field(*answer, "node_name") << "  "
          << (rtt != answer->end() && rtt->is_number_unsigned() ? duration_text(rtt->get<std::uint64_t>()) : "")
          << '\n';
  });
}

void print_engine(command_context& c, const json& answer) {
  c.print(answer, [&] { c.out << field(answer, "identity") << "  " << field(answer, "name") << '\n'; });
}

void engine(command_context& c, std::string_view doing, const json& request) {
  if (auto answer = c.ask(doing, request)) print_engine(c, *answer);
}

void spawn(command_context& c, const std::string& name, const std::string& type, const std::string& parameters,
           const std::vector<std::string>& serves) {
  auto value = json::parse(parameters, nullptr, false);
  if (!value.is_object()) return c.misuse("--parameters is a JSON object, such as '{\"size\": 3}'");
  engine(c, "start the engine",
         {{"command", "spawn_engine"},
          {"name", name},
          {"type", type},
          {"parameters", std::move(value)},
          {"serves", serves}});
}

void add_send(CLI::App& program, command_context& context) {
  auto* s = program.add_subcommand("send", "Send a message to an engine, a node, a group, a domain or a topic");
  auto o = std::make_shared<send_options>();
  s->add_option("DEST", o->destination,
                "An identity, or the name of an engine, node, domain or topic known there, or NODE/ENGINE")
      ->required();
  s->add_option("--protocol", o->protocol, "NAME/VERSION")->required();
  s->add_option("--body", o->body, "A JSON list: the handler's arguments; @FILE or - reads it")->required();
  s->add_option("--from", o->from, "A local engine to send from; by default the node itself");
  auto* reliable = s->add_flag("--reliable", o->reliable, "Reliable causal delivery; waits for the acknowledgement");
  s->add_flag("--expect-reply", o->expect_reply, "Wait for the reply and print it");
  s->add_option("--timeout", o->timeout_ms, "Milliseconds to wait")
      ->capture_default_str()
      ->check(CLI::Range(1, 3'600'000));
  o->wants = add_preference_options(*s);
  s->get_option("--unreliable")->excludes(reliable);
  s->footer("Example:\n  hanse send calculator --protocol calculator/1.0 --body '[\"add\", 3, 4]' --expect-reply");
  s->callback([&context, o] { send(context, *o); });
}

void add_inject(CLI::App& program, command_context& context) {
  auto* i = program.add_subcommand("inject", "For tests: make a node send what others have to refuse and to count");
  auto request = std::make_shared<json>(json{{"command", "inject"}});
  const auto text = [&](const char* name, const char* key, const char* about) {
    return i->add_option_function<std::string>(
        name, [=](const std::string& value) { (*request)[key] = value; }, about);
  };
  text("KIND", "kind", "broken_signature, replay, impostor, or unauthorised_event")->required();
  text("TARGET", "target", "An engine, or for unauthorised_event a topic; by identity or name")->required();
  text("--claim", "claim", "For impostor: the engine that it says it is");
  i->add_option_function<std::uint32_t>(
       "--count", [=](const std::uint32_t& value) { (*request)["count"] = value; }, "So many, by default one")
      ->check(CLI::Range(1, 100'000));
  i->footer("Example: with \"testing\": true in the configuration of the node\n  hanse inject replay echo --count 3");
  i->callback([&context, request] {
    auto answer = context.ask("inject", *request);
    if (answer) context.print(*answer, [&] { context.out << "sent " << answer->at("sent") << '\n'; });
  });
}

void add_export_import(CLI::App& engine_command, command_context& context) {
  auto* exp = engine_command.add_subcommand("export", "Stop an engine and put all it needs elsewhere into a file");
  auto name = std::make_shared<std::string>();
  auto out = std::make_shared<std::string>();
  exp->add_option("ENGINE", *name, "The name or identity of an engine of the node")->required();
  exp->add_option("--out", *out, "The file to write, 0600: it holds the engine's key")->required();
  exp->footer("Example: move an engine to another node, address and all\n"
              "  hanse engine export calculator --out calculator.engine\n"
              "  hanse engine import calculator.engine --socket other/data/control.sock");
  exp->callback([&context, name, out] {
    engine(context, "export " + *name,
           {{"command", "export_engine"}, {"engine", *name}, {"file", fs::absolute(*out).string()}});
  });

  auto* imp = engine_command.add_subcommand("import", "Start an exported engine here; the file is removed");
  auto file = std::make_shared<std::string>();
  imp->add_option("FILE", *file, "What `hanse engine export` wrote")->required();
  imp->footer("Example:\n  hanse engine import calculator.engine");
  imp->callback([&context, file] {
    engine(context, "import " + *file, {{"command", "import_engine"}, {"file", fs::absolute(*file).string()}});
  });
}

} // namespace

void add_send_commands(CLI::App& program, command_context& context) {
  auto* a = program.add_subcommand("add", "Make a node known to another by its ticket");
  auto ticket = std::make_shared<std::string>();
  a->add_option("TICKET", *ticket, "As `hanse node status` prints it: hticket1…")->required();
  a->footer("Example:\n  hanse add hticket1…");
  a->callback([&context, ticket] { add(context, *ticket); });

  add_send(program, context);

  auto* p = program.add_subcommand("ping", "Measure the round trip to a node, or to the node of an engine");
  auto destination = std::make_shared<std::string>();
  auto timeout = std::make_shared<std::uint32_t>(5'000);
  p->add_option("DEST", *destination, "An identity, or the name of an engine or node known there, or NODE/ENGINE")
      ->required();
  p->add_option("--timeout", *timeout, "Milliseconds to wait")->capture_default_str()->check(CLI::Range(1, 3'600'000));
  p->footer("Example:\n  hanse ping echo");
  p->callback([&context, destination, timeout] { ping(context, *destination, *timeout); });

  add_inject(program, context);
}

void add_engine_commands(CLI::App& program, command_context& context) {
  auto* e = program.add_subcommand("engine", "Start, stop and move engines of a running node");
  e->require_subcommand(1);
  e->footer("Example:\n  hanse engine spawn sums --type calculator");

  auto* s = e->add_subcommand("spawn", "Start an engine by the name of its type");
  auto name = std::make_shared<std::string>();
  auto type = std::make_shared<std::string>();
  auto parameters = std::make_shared<std::string>("{}");
  s->add_option("NAME", *name, "The engine's name, unique in the node")->required();
  s->add_option("--type", *type, "As registered in the node: echo, calculator, …")->required();
  s->add_option("--parameters", *parameters, "A JSON object for the engine");
  auto serves = std::make_shared<std::vector<std::string>>();
  s->add_option("--serves", *serves, "A domain, by identity or name: messages to it may reach this engine; repeatable")
      ->allow_extra_args(false);
  s->footer("Example:\n  hanse engine spawn sums --type calculator");
  s->callback([&context, name, type, parameters, serves] { spawn(context, *name, *type, *parameters, *serves); });

  auto* stop = e->add_subcommand("stop", "Stop an engine; its key stays");
  auto which = std::make_shared<std::string>();
  stop->add_option("ENGINE", *which, "The name or identity of an engine of the node")->required();
  stop->footer("Example:\n  hanse engine stop sums");
  stop->callback([&context, which] {
    engine(context, "stop " + *which, {{"command", "stop_engine"}, {"engine", *which}});
  });

  add_export_import(*e, context);
}

} // namespace hanse::app
