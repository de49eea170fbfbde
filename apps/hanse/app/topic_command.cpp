// hanse topic create, list, show, keep; hanse pub; hanse sub. Events are JSON lists as the node takes them.
#include "hanse/app/command.hpp"
#include "hanse/app/passphrase.hpp"
#include "hanse/app/text_table.hpp"
#include "hanse/crypto/bytes.hpp"
#include "hanse/crypto/key_file.hpp"
#include "hanse/domains/topic_archive.hpp"
#include "hanse/protocols/topic_advert.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

namespace hanse::app {
namespace {

using nlohmann::json;

constexpr std::uint64_t fetch_max = 256; // docs/control.md
constexpr std::uint32_t wait_ms = 1000;  // a stopping node waits for requests under way

struct create_options {
  std::string key, passphrase_file, domain, name;
  std::vector<std::string> tags, publishers;
};

expected<signed_topic_advert> make_advert(const create_options& o, const std::string& domain) {
  topic_advert a;
  HANSE_TRY(const auto key, load_key_file(o.key, [&] { return get_passphrase({o.passphrase_file}); }));
  a.topic = key.identity();
  a.version = wall_clock_ms();
  HANSE_TRY(a.domain, identity::parse(domain));
  a.name = o.name;
  a.tags = o.tags;
  for (const auto& p : o.publishers) {
    HANSE_TRY(const auto id, identity::parse(p));
    a.publishers.push_back(id);
  }
  std::ranges::sort(a.tags);
  std::ranges::sort(a.publishers);
  HANSE_CHECK(check(a));
  return sign(a, key);
}

void create(command_context& c, const create_options& o) {
  auto known = c.ask("find the domain", {{"command", "domain_status"}, {"domain", o.domain}});
  if (!known) return;
  auto advert = make_advert(o, field(known->at("domains").at(0), "domain"));
  if (!advert) return c.fail("make the topic", advert.error());
  auto answer = c.ask("tell the node of the topic", {{"command", "topic_add"}, {"advert", to_hex(advert->wire)}});
  if (answer) c.print(*answer, [&] { c.out << "topic  " << field(*answer, "topic") << '\n'; });
}

void list(command_context& c) {
  auto answer = c.ask("list the topics", {{"command", "topic_list"}});
  if (!answer) return;
  c.print(*answer, [&] {
    text_table table{{"topic", "name", ">nodes", ">delivered", "here"}};
    for (const auto& t : answer->at("topics"))
      table.add({field(t, "topic"), field(t, "name"), std::to_string(t.at("nodes").size()), field(t, "delivered"),
                 t.value("joined", false) ? "joined"
                 : t.value("here", false) ? "joining"
                                          : "-"});
    table.print(c.out);
  });
}

void show(command_context& c, const std::string& topic) {
  auto answer = c.ask("show the topic", {{"command", "topic_show"}, {"topic", topic}});
  if (!answer) return;
  c.print(*answer, [&] {
    for (const auto& [key, value] : answer->items())
      c.out << key << std::string(key.size() < 16 ? 16 - key.size() : 1, ' ')
            << (value.is_string() ? field(*answer, key.c_str()) : value.dump()) << '\n';
  });
}

bool publish(command_context& c, const std::string& topic, const std::string& from, const std::string& text) {
  auto body = json::parse(text, nullptr, false);
  if (!body.is_array()) {
    c.misuse("an event is a JSON list, such as '[\"hello\"]'");
    return false;
  }
  json request{{"command", "topic_publish"}, {"topic", topic}, {"body", std::move(body)}};
  if (!from.empty()) request["from"] = from;
  auto answer = c.ask("publish", request);
  return answer.has_value();
}

struct subscribe_options {
  std::string topic, domain, tag;
  std::uint32_t history = 0;
  std::uint64_t count = 0; ///< 0: no end
};

/// Until Ctrl-C, enough events, or an error.
void subscribe(command_context& c, const subscribe_options& o) {
  json request{{"command", "topic_subscribe"}, {"history", o.history}};
  if (o.tag.empty())
    request["topic"] = o.topic;
  else
    request.update({{"domain", o.domain}, {"tag", o.tag}});
  auto opened = c.ask("subscribe", request);
  if (!opened) return;
  for (auto left = o.count; c.out && (o.count == 0 || left > 0);) {
    auto answer = c.ask("get events", {{"command", "topic_events"},
                                       {"subscription", opened->at("subscription")},
                                       {"wait_ms", wait_ms},
                                       {"count", o.count == 0 ? fetch_max : std::min(left, fetch_max)}});
    if (!answer) return;
    if (answer->value("missed", 0) != 0) c.err << "hanse: " << answer->at("missed") << " events came too fast\n";
    left -= std::min<std::uint64_t>(left, answer->at("events").size());
    for (const auto& e : answer->at("events")) {
      if (c.json)
        c.out << e.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
      else
        c.out << field(e, "publisher") << ' ' << e.at("seq") << ' '
              << e.at("body").dump(-1, ' ', true, json::error_handler_t::replace) << '\n';
    }
    c.out.flush();
  }
}

} // namespace

void add_topic_commands(CLI::App& program, command_context& context) {
  auto* t = program.add_subcommand("topic", "Topics: create, list, show");
  t->require_subcommand(1);
  t->footer("Example:\n  hanse topic create --key news.key --domain lab --name news");
  auto o = std::make_shared<create_options>();
  auto* made = t->add_subcommand("create", "Make a topic known, or change it: a newer version replaces the older one");
  made->add_option("--key", o->key, "The topic's key file; its identity is the topic")->required();
  made->add_option("--passphrase-file", o->passphrase_file, "Take the first line of this file as the passphrase");
  made->add_option("--domain", o->domain, "The domain whose members carry it")->required();
  made->add_option("--name", o->name, "For people");
  made->add_option("--tag", o->tags, "What it is about; may be repeated");
  made->add_option("--publisher", o->publishers, "Who may publish; may be repeated; without: whom the domain permits");
  made->footer("Example:\n  hanse id new --out news.key\n  hanse topic create --key news.key --domain lab --name news");
  made->callback([&context, o] { create(context, *o); });
  auto topic = std::make_shared<std::string>();
  auto* l = t->add_subcommand("list", "The topics that the node knows");
  l->footer("Example:\n  hanse topic list");
  l->callback([&context] { list(context); });
  auto* s = t->add_subcommand("show", "All about a topic: who takes part, counts, forks");
  s->add_option("TOPIC", *topic, "Its identity, or its name")->required();
  s->footer("Example:\n  hanse topic show news");
  s->callback([&context, topic] { show(context, *topic); });
  auto* k = t->add_subcommand("keep",
                              "Take part in a topic with or without subscribers, also after a restart, and archive it");
  auto ends = std::make_shared<bool>(false);
  k->add_option("TOPIC", *topic, "Its identity, or its name")->required();
  k->add_flag("--end", *ends, "No longer");
  k->footer("Example:\n  hanse topic keep news");
  k->callback([&context, topic, ends] {
    auto answer = context.ask("keep the topic", {{"command", "topic_keep"}, {"topic", *topic}, {"wanted", !*ends}});
    if (answer) context.print(*answer, [&] { context.out << "done\n"; });
  });

  auto* p = program.add_subcommand("pub", "Publish events to a topic");
  auto body = std::make_shared<std::string>();
  auto from = std::make_shared<std::string>();
  auto lines = std::make_shared<bool>(false);
  p->add_option("TOPIC", *topic, "Its identity, or its name")->required();
  p->add_option("--body", *body, "A JSON list");
  p->add_flag("--stdin", *lines, "An event for each line of the input");
  p->add_option("--from", *from, "A local engine to publish as; by default the node itself");
  p->footer("Example:\n  hanse pub news --body '[\"hello\"]'");
  p->callback([&context, topic, body, from, lines] {
    if (*lines == !body->empty()) return context.misuse("give --body or --stdin");
    if (!*lines) return static_cast<void>(publish(context, *topic, *from, *body));
    for (std::string line; std::getline(std::cin, line);)
      if (!publish(context, *topic, *from, line)) return;
  });

  auto* sub = program.add_subcommand("sub", "Print the events of a topic, a line each, until Ctrl-C");
  auto wanted = std::make_shared<subscribe_options>();
  auto* one = sub->add_option("TOPIC", wanted->topic, "Its identity, or its name");
  auto* tag = sub->add_option("--tag", wanted->tag, "All topics with this tag, later ones included")->excludes(one);
  sub->add_option("--domain", wanted->domain, "Of the tag")->needs(tag);
  sub->add_option("--history", wanted->history,
                  "As many of the latest events before; older ones are read from archives")
      ->check(CLI::Range(std::uint32_t{0}, topic_history_max));
  sub->add_option("--count", wanted->count, "End after so many events");
  sub->footer("Example:\n  hanse sub news --history 10\n  hanse sub --domain lab --tag weather --json");
  sub->callback([&context, wanted] {
    if (wanted->topic.empty() && (wanted->tag.empty() || wanted->domain.empty()))
      return context.misuse("name a topic, or give --domain and --tag");
    subscribe(context, *wanted);
  });
}

} // namespace hanse::app
