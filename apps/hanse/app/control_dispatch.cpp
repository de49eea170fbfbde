// The table of control commands and how their arguments are read.
// Arguments are read with the same strict reader as configuration: an unknown key is an error with a suggestion.
#include "hanse/app/control_dispatch.hpp"

#include "hanse/app/control_wire.hpp"
#include "hanse/app/node_config.hpp"
#include "hanse/app/object_reader.hpp"
#include "hanse/domains/topic_archive.hpp"
#include "hanse/protocols/envelope.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

namespace hanse::app {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::uint64_t timeout_max_ms = 3'600'000;

struct context {
  object_reader& in;
  control_backend& backend;
  const std::function<void()>& on_shutdown;
  const control_channel& channel;
};

/// What is left to do when the arguments are right.
using action = std::function<control_result()>;
using reader = action (*)(context);

milliseconds read_timeout(object_reader& in, milliseconds fallback) {
  return milliseconds{in.number("timeout_ms", 1, timeout_max_ms, static_cast<std::uint64_t>(fallback.count()))};
}

preference_request read_preferences(object_reader& in) {
  preference_request r;
  r.within = in.text("within");
  r.local = in.flag("local");
  r.trust_min = static_cast<std::uint8_t>(in.number("trust_min", 0, 255, 0));
  r.rtt_max_ms = static_cast<std::uint32_t>(in.number("rtt_max_ms", 0, timeout_max_ms, 0));
  r.ordered = in.flag("ordered");
  r.unordered = in.flag("unordered");
  r.unreliable = in.flag("unreliable");
  r.any_security = in.flag("any_security");
  if (r.ordered && r.unordered) in.problem("unordered", "a message needs the order or does not, not both");
  if (r.local && !r.within.empty()) in.problem("local", "a message stays here or within a domain, not both");
  return r;
}

action read_send(context c) {
  send_request r;
  r.destination = c.in.required_text("destination");
  r.from = c.in.text("from");
  r.protocol = c.in.required_text("protocol");
  if (!r.protocol.empty() && !parse_protocol_id(r.protocol))
    c.in.problem("protocol", "expected NAME/VERSION like \"echo/1.0\", found \"" + r.protocol + "\"");
  auto* body = c.in.require("body", "a list: the arguments of the handler");
  if (body && !body->is_array()) c.in.problem("body", "expected a list, found " + describe(*body));
  if (body) r.body = body->dump(-1, ' ', false, json::error_handler_t::replace);
  if (r.body.size() > control_line_max) c.in.problem("body", "too long");
  r.reliable = c.in.flag("reliable");
  r.expect_reply = c.in.flag("expect_reply");
  r.timeout = read_timeout(c.in, r.timeout);
  r.wants = read_preferences(c.in);
  if (r.reliable && r.wants.unreliable) c.in.problem("unreliable", "a message is reliable or may get lost, not both");
  return [r, &b = c.backend] { return b.send(r); };
}

action read_why(context c) {
  why_request r{c.in.required_text("destination"), read_preferences(c.in)};
  r.timeout = read_timeout(c.in, r.timeout);
  return [r, &b = c.backend] { return b.why(r); };
}

action read_trust(context c) {
  auto who = c.in.required_text("who");
  const auto trust = static_cast<std::uint8_t>(c.in.number("trust", 0, 255, 128));
  return [who, trust, &b = c.backend] { return b.trust(who, trust); };
}

action read_ping(context c) {
  ping_request r;
  r.destination = c.in.required_text("destination");
  r.timeout = read_timeout(c.in, r.timeout);
  return [r, &b = c.backend] { return b.ping(r); };
}

action read_spawn(context c) {
  spawn_request r{c.in.required_text("name"), c.in.required_text("type"), c.in.object_text("parameters"),
                  c.in.texts("serves")};
  if (!r.name.empty() && !is_engine_name(r.name))
    c.in.problem("name", "expected 1 to 64 of a-z, 0-9, \".\", \"_\" and \"-\", found \"" + r.name + "\"");
  return [r, &b = c.backend] { return b.spawn_engine(r); };
}

action read_export(context c) {
  auto engine = c.in.required_text("engine");
  auto file = c.in.required_text("file");
  if (!file.empty() && file[0] != '/') c.in.problem("file", "expected an absolute path, found \"" + file + "\"");
  return [=, &b = c.backend] { return b.export_engine(engine, file); };
}

action read_inject(context c) {
  inject_request r;
  r.kind = c.in.required_choice("kind", {"broken_signature", "replay", "impostor", "unauthorised_event"});
  r.target = c.in.required_text("target");
  r.claim = c.in.text("claim");
  r.count = static_cast<std::uint32_t>(c.in.number("count", 1, 100'000, 1));
  return [r, &b = c.backend] { return b.inject(r); };
}

action read_trace(context c) {
  auto id = c.in.required_text("id");
  if (!id.empty() && !parse_trace_id(id)) c.in.problem("id", "expected 32 hexadecimal digits, found \"" + id + "\"");
  return [id, &b = c.backend] { return b.trace(id); };
}

constexpr std::array<const char*, 12> domain_verbs{"enter",   "publish", "leave",          "expel",
                                                   "promote", "put",     "assume_current", "status",
                                                   "members", "graph",   "find",           "checkpoint"};

action read_domain(context c, domain_request r) {
  const auto text = [&](const char* key, std::string& into, bool required) {
    into = required ? c.in.required_text(key) : c.in.text(key);
  };
  const auto is = [&](std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, r.action) != names.end();
  };
  if (is({"enter", "publish"})) text("advert", r.advert, true);
  if (is({"enter", "publish"})) text("key_file", r.key_file, false);
  if (is({"enter"})) text("instance", r.instance, false);
  if (!is({"enter", "publish"})) text("domain", r.domain, r.action != "status");
  if (is({"expel", "promote"})) text("member", r.member, true);
  if (is({"promote"})) r.level = static_cast<std::uint8_t>(c.in.number("level", 1, 254, 10));
  if (is({"put"})) text("key", r.key, true), text("value", r.value, true);
  if (is({"graph"})) r.blocks = static_cast<std::uint32_t>(c.in.number("blocks", 1, 2000, r.blocks));
  if (is({"checkpoint"})) {
    text("request", r.request, false), text("signature", r.signature, !r.request.empty());
    r.replicas = static_cast<std::uint32_t>(c.in.number("replicas", 0, 64, 3));
  }
  if (!r.key_file.empty() && r.key_file[0] != '/')
    c.in.problem("key_file", "expected an absolute path, found \"" + r.key_file + "\"");
  return [r, &b = c.backend] { return b.domain(r); };
}

template <std::size_t Action>
action domain_reader(context c) {
  domain_request r;
  r.action = domain_verbs[Action];
  return read_domain(c, std::move(r));
}

constexpr std::array<const char*, 8> topic_verbs{"add",     "list",      "show",   "keep",
                                                 "publish", "subscribe", "events", "unsubscribe"};

template <std::size_t Action>
action topic_reader(context c) {
  topic_request r;
  r.action = topic_verbs[Action];
  const auto is = [&](std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, r.action) != names.end();
  };
  if (is({"add"})) r.advert = c.in.required_text("advert");
  r.tag = is({"subscribe"}) ? c.in.text("tag") : "";
  if (!r.tag.empty())
    r.domain = c.in.required_text("domain");
  else if (is({"show", "keep", "publish", "subscribe"}))
    r.topic = c.in.required_text("topic");
  if (is({"keep"})) r.wanted = c.in.flag("wanted");
  if (is({"subscribe"})) r.history = static_cast<std::uint32_t>(c.in.number("history", 0, topic_history_max, 0));
  if (is({"events", "unsubscribe"})) r.subscription = c.in.number("subscription", 1, UINT32_MAX, 1);
  if (is({"events"})) {
    r.count = static_cast<std::uint32_t>(c.in.number("count", 1, 256, 256));
    r.wait_ms = static_cast<std::uint32_t>(c.in.number("wait_ms", 0, 5000, 0));
  }
  if (is({"publish"})) {
    auto* body = c.in.require("body", "a list: the event");
    if (body && !body->is_array()) c.in.problem("body", "expected a list, found " + describe(*body));
    if (body) r.body = body->dump(-1, ' ', false, json::error_handler_t::replace);
    r.from = c.in.text("from");
    r.unreliable = c.in.flag("unreliable");
  }
  return [r, &b = c.backend] { return b.topic(r); };
}

constexpr std::array<const char*, 6> block_verbs{"put", "get", "stat", "list", "gc", "verify"};
constexpr std::uint64_t lease_max_ms = 400ull * 24 * 3600 * 1000; // block_store_config
constexpr std::uint64_t replicas_max = 64;                        // a guess

template <std::size_t Action>
action block_reader(context c) {
  block_request r;
  r.action = block_verbs[Action];
  const auto is = [&r](const char* name) { return r.action == name; };
  if (is("put") || is("get")) {
    r.domain = c.in.text("domain");
    if (c.channel.file < 0) c.in.problem("command", "this command takes an open file beside it (SCM_RIGHTS)");
  }
  if (is("get")) r.content = c.in.required_text("content");
  if (is("get")) r.size_max = c.in.number("size_max", 0, r.size_max, r.size_max);
  if (is("put")) {
    r.is_private = c.in.flag("private");
    r.lease_ms = c.in.number("lease_ms", 0, lease_max_ms, 0);
    r.replicas = static_cast<std::uint32_t>(c.in.number("replicas", 0, replicas_max, 0));
  }
  if (is("list")) {
    r.after = c.in.text("after");
    r.count = static_cast<std::uint32_t>(c.in.number("count", 1, 1024, 256));
  }
  return [r, &b = c.backend, &channel = c.channel] { return b.block(r, channel); };
}

action read_spool(context c) {
  spool_request r;
  r.after = c.in.text("after");
  r.count = static_cast<std::uint32_t>(c.in.number("count", 1, 1024, 256));
  return [r, &b = c.backend] { return b.spool(r); };
}

/// For the commands with nothing but one text.
template <control_result (control_backend::*Call)(const std::string&)>
action one_text(context c, const char* key) {
  auto value = c.in.required_text(key);
  return [value, &b = c.backend] { return (b.*Call)(value); };
}

action read_shutdown(context c) {
  return [&stop = c.on_shutdown]() -> control_result {
    if (stop) stop();
    return json{{"stopping", true}, {"process", ::getpid()}};
  };
}

const std::map<std::string, reader, std::less<>> commands{
    {"status", [](context c) -> action { return [&b = c.backend] { return b.status(); }; }},
    {"peers", [](context c) -> action { return [&b = c.backend] { return b.peers(); }; }},
    {"engines", [](context c) -> action { return [&b = c.backend] { return b.engines(); }; }},
    {"counters", [](context c) -> action { return [&b = c.backend] { return b.counters(); }; }},
    {"traces", [](context c) -> action { return [&b = c.backend] { return b.traces(); }; }},
    {"add", [](context c) { return one_text<&control_backend::add_ticket>(c, "ticket"); }},
    {"why", read_why},
    {"trust", read_trust},
    {"stop_engine", [](context c) { return one_text<&control_backend::stop_engine>(c, "engine"); }},
    {"import_engine", [](context c) { return one_text<&control_backend::import_engine>(c, "file"); }},
    {"send", read_send},
    {"ping", read_ping},
    {"trace", read_trace},
    {"spawn_engine", read_spawn},
    {"export_engine", read_export},
    {"inject", read_inject},
    {"shutdown", read_shutdown},
    {"topic_add", topic_reader<0>},
    {"topic_list", topic_reader<1>},
    {"topic_show", topic_reader<2>},
    {"topic_keep", topic_reader<3>},
    {"topic_publish", topic_reader<4>},
    {"topic_subscribe", topic_reader<5>},
    {"topic_events", topic_reader<6>},
    {"topic_unsubscribe", topic_reader<7>},
    {"content_put", block_reader<0>},
    {"content_get", block_reader<1>},
    {"block_stat", block_reader<2>},
    {"block_list", block_reader<3>},
    {"block_gc", block_reader<4>},
    {"block_verify", block_reader<5>},
    {"spool_list", read_spool},
    {"domain_enter", domain_reader<0>},
    {"domain_publish", domain_reader<1>},
    {"domain_leave", domain_reader<2>},
    {"domain_expel", domain_reader<3>},
    {"domain_promote", domain_reader<4>},
    {"domain_put", domain_reader<5>},
    {"domain_assume_current", domain_reader<6>},
    {"domain_status", domain_reader<7>},
    {"domain_members", domain_reader<8>},
    {"domain_graph", domain_reader<9>},
    {"domain_find", domain_reader<10>},
    {"domain_checkpoint", domain_reader<11>},
};

error as_request_error(const error& e) {
  return {errc::bad_value, e.detail};
}

} // namespace

control_result control_backend::trust(const std::string&, std::uint8_t) {
  return error{errc::unsupported_protocol, "this node keeps no trust"};
}

control_result control_backend::traces() {
  return error{errc::unsupported_protocol, "this node keeps no traces"};
}

control_result control_backend::domain(const domain_request&) {
  return error{errc::unsupported_protocol, "this node runs no domains"};
}

control_result control_backend::topic(const topic_request&) {
  return error{errc::unsupported_protocol, "this node runs no topics"};
}

control_result control_backend::block(const block_request&, const control_channel&) {
  return error{errc::unsupported_protocol, "this node stores no blocks"};
}

control_result control_backend::spool(const spool_request&) {
  return error{errc::unsupported_protocol, "this node has no spool"};
}

control_result dispatch_control(control_backend& backend, std::string_view line,
                                const std::function<void()>& on_shutdown, const control_channel& channel) {
  auto document = json_document::parse(line, "request", control_line_max);
  if (!document) return as_request_error(document.error());
  auto request = json_document::of(document->root(), "");
  problem_list problems{request};
  object_reader in{problems, request.root(), ""};
  auto name = in.required_text("command");
  if (!problems.empty()) return as_request_error(problems.to_error());
  auto command = commands.find(name);
  if (command == commands.end()) {
    std::vector<std::string> names;
    for (const auto& [known, reader] : commands) names.push_back(known);
    auto close = closest_word(name, names);
    return error{errc::bad_value,
                 "unknown command \"" + name + "\"" + (close.empty() ? "" : "; did you mean \"" + close + "\"?")};
  }
  auto act = command->second({in, backend, on_shutdown, channel});
  in.finish();
  if (!problems.empty()) return as_request_error(problems.to_error());
  try {
    return act();
  } catch (const std::exception& e) {
    return error{errc::internal, e.what()}; // a bug of the backend must not end the node
  }
}

} // namespace hanse::app
