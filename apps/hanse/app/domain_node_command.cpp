// hanse domain publish, join, leave, expel, promote, put, members, status, graph, find: what asks a running node.
// Files of domains are domain_command.cpp; pictures are lace_picture.cpp.
#include "hanse/app/command.hpp"
#include "hanse/app/domain_text.hpp"
#include "hanse/app/lace_picture.hpp"
#include "hanse/app/text_file.hpp"
#include "hanse/app/text_table.hpp"

#include <CLI/CLI.hpp>
#include <ctime>
#include <nlohmann/json.hpp>
#include <thread>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds look_again{100};
constexpr milliseconds confirmed_soon{3'000}; // then a new member is told that it has to wait

std::string clock_text(const json& ms) {
  if (!ms.is_number_unsigned() || ms == 0) return "-";
  const auto t = static_cast<std::time_t>(ms.get<std::uint64_t>() / 1000);
  std::tm local{};
  localtime_r(&t, &local);
  char text[32] = {};
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
  return text;
}

void print_status(command_context& c, const json& d) {
  const auto line = [&](const char* label, const std::string& value) {
    if (!value.empty()) c.out << label << value << '\n';
  };
  line("domain         ", field(d, "domain"));
  line("name           ", field(d, "name"));
  line("version        ", field(d, "version"));
  auto role = field(d, "role");
  if (d.value("introduces", false) && role == "member") role = "member, introducer";
  line("role           ", role);
  if (d.contains("why") && d["why"].is_object())
    line("why            ", field(d["why"], "code") + ": " + field(d["why"], "detail"));
  line("instance       ", field(d, "instance"));
  line("level          ", field(d, "level"));
  line("who may join   ", field(d, "auth") == "psk" ? "who knows the pre-shared key" : "whoever asks an introducer");
  if (d.contains("protocols"))
    for (const auto& [kind, p] : d["protocols"].items())
      line((kind + std::string(kind.size() < 15 ? 15 - kind.size() : 1, ' ')).c_str(), field(p, "protocol"));
  for (const auto& i : d.value("introducers", json::array())) line("introducer     ", i.get<std::string>());
  if (role.starts_with("member")) {
    line("members        ", field(d, "members"));
    line("blocks         ", field(d, "blocks"));
    line("state          ", field(d, "state").substr(0, 16));
    if (const auto cp = d.value("checkpoint", json::object()); cp.value("version", 0ull) != 0) {
      line("checkpoint     ", field(cp, "version") + ", of " + field(cp, "covered") + " blocks; " +
                                  field(cp, "dropped") + " without payload" +
                                  (cp.value("archived", false) ? "" : "; no archive"));
    }
    if (const auto cp = d.value("checkpoint", json::object());
        cp.value("archives_taken", 0ull) + cp.value("archives_failed", 0ull) != 0)
      line("archives       ", field(cp, "archives_taken") + " taken, " + field(cp, "archives_failed") + " failed");
    if (!d.value("may_write", false))
      line("writes         ", "not yet: other members have to confirm this node's newest block");
  }
  for (const auto& b : d.value("byzantine", json::array())) line("equivocator    ", b.get<std::string>());
  if (!d.contains("join") || !d["join"].is_object()) return;
  line("asks           ", field(d["join"], "asks"));
  for (const auto& t : d["join"].value("tries", json::array()))
    line("passed over    ", field(t, "introducer") + ": " + field(t, "why"));
}

void status(command_context& c, const std::string& domain) {
  json request{{"command", "domain_status"}};
  if (!domain.empty()) request["domain"] = domain;
  auto answer = c.ask("ask for domains", request);
  if (!answer) return;
  c.print(*answer, [&] {
    bool first = true;
    for (const auto& d : answer->value("domains", json::array())) {
      if (!std::exchange(first, false)) c.out << '\n';
      print_status(c, d);
    }
    if (first) c.out << "This node knows no domain. Join one: hanse domain join TICKET --psk-file FILE\n";
  });
}

void members(command_context& c, const std::string& domain) {
  auto answer = c.ask("list the members", {{"command", "domain_members"}, {"domain", domain}});
  if (!answer) return;
  c.print(*answer, [&] {
    text_table table{{"member", "name", ">level", "since", "online", "last seen", "note"}};
    for (const auto& m : answer->at("members"))
      table.add({field(m, "identity"), field(m, "name"), field(m, "level"), clock_text(m["since_ms"]),
                 m.value("online", false) ? "yes" : "no",
                 m.value("online", false) ? "now" : clock_text(m["last_seen_ms"]),
                 m.value("byzantine", false) ? "equivocated: expel it" : ""});
    table.print(c.out);
  });
}

struct enter_options {
  std::string advert, psk_file, instance;
  std::uint32_t timeout_ms = 30'000;
  bool publishes = false;
};

/// A ticket, or a file, or (to join) the identity of a domain that other nodes are asked for.
std::optional<std::string> ticket_of(command_context& c, const std::string& what, milliseconds timeout) {
  if (what.starts_with("hk1") || what.starts_with("hg1")) {
    auto found = c.ask("find the domain", {{"command", "domain_find"}, {"domain", what}}, timeout);
    if (!found) return std::nullopt;
    return field(*found, "ticket");
  }
  auto advert = read_domain_advert(what);
  if (advert) return to_ticket(*advert);
  c.fail("read the domain's advert", advert.error());
  return std::nullopt;
}

/// Until it is decided whether this node is a member; and, if it is, until it may write: others confirm it in a moment.
void await_role(command_context& c, json now, const std::string& domain, milliseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  auto writes_by = std::chrono::steady_clock::time_point::max();
  const auto is_decided = [&] {
    if (field(now, "role") == "joining") return false;
    if (field(now, "role") != "member" || now.value("may_write", false)) return true;
    const auto asked = std::chrono::steady_clock::now();
    if (writes_by == std::chrono::steady_clock::time_point::max()) writes_by = asked + confirmed_soon;
    return asked >= writes_by;
  };
  while (!is_decided() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(look_again);
    auto answer = c.ask("ask for the domain", {{"command", "domain_status"}, {"domain", domain}});
    if (!answer) return;
    now = answer->at("domains").at(0);
  }
  const auto role = field(now, "role");
  if (role == "member") return c.print(now, [&] { print_status(c, now); });
  error why{errc::timed_out, "no introducer has let this node in yet; the node goes on asking. hanse domain status"};
  if (now.contains("join") && now["join"].is_object())
    for (const auto& t : now["join"].value("tries", json::array()))
      why.detail += "\n       " + field(t, "introducer") + " said: " + field(t, "why");
  if (now["why"].is_object()) {
    why = {errc::permission_denied, field(now["why"], "code") + ": " + field(now["why"], "detail")};
    if (field(now["why"], "code") == "bad_proof") why = {errc::bad_proof, field(now["why"], "detail")};
  }
  c.fail("join the domain", why);
}

void enter(command_context& c, const enter_options& o) {
  const milliseconds timeout{o.timeout_ms};
  const auto ticket = ticket_of(c, o.advert, timeout);
  if (!ticket) return;
  json request{{"command", o.publishes ? "domain_publish" : "domain_enter"}, {"advert", *ticket}};
  if (!o.psk_file.empty()) request["key_file"] = fs::absolute(o.psk_file).string();
  if (!o.instance.empty()) request["instance"] = o.instance;
  auto answer = c.ask(o.publishes ? "publish the domain" : "join the domain", request);
  if (!answer) return;
  if (o.publishes) return c.print(*answer, [&] { print_status(c, *answer); });
  await_role(c, *answer, field(*answer, "domain"), timeout);
}

void act(command_context& c, const char* doing, json request) {
  auto answer = c.ask(doing, request);
  if (!answer) return;
  c.print(*answer, [&] { c.out << "done: " << field(*answer, "done") << '\n'; });
}

void graph(command_context& c, const std::string& domain, const std::string& format, const std::string& out,
           std::uint32_t blocks) {
  auto answer = c.ask("draw the domain", {{"command", "domain_graph"}, {"domain", domain}, {"blocks", blocks}});
  if (!answer) return;
  auto picture = draw_lace(*answer, format);
  if (c.json) return c.print(*answer, [] {});
  if (out.empty()) {
    c.out << picture;
    return;
  }
  if (auto written = replace_file(out, picture, 0644); !written) return c.fail("write " + out, written.error());
  c.out << "written to " << out << '\n';
}

void add_enter(CLI::App& domain, command_context& context, bool publishes) {
  auto* s = publishes ? domain.add_subcommand("publish", "Give a signed domain to the node: an introducer begins with "
                                                         "it, a member gives the next version to all")
                      : domain.add_subcommand("join", "Become a member of a domain");
  auto o = std::make_shared<enter_options>();
  o->publishes = publishes;
  s->add_option("ADVERT|TICKET", o->advert,
                publishes ? "A signed domain file, or a ticket (hdomain1…)"
                          : "A ticket (hdomain1…), a file, or the identity of a domain that other nodes know")
      ->required();
  s->add_option("--psk-file", o->psk_file, "The file with the domain's pre-shared keys");
  if (!publishes) {
    s->add_option("--instance", o->instance, "The instance to join; by default any");
    s->add_option("--timeout", o->timeout_ms, "Milliseconds to wait")
        ->capture_default_str()
        ->check(CLI::Range(1, 3'600'000));
  }
  s->footer(publishes
                ? "Example:\n  hanse domain publish lab.json --psk-file lab.psk"
                : "Example:\n  hanse domain join hdomain1… --psk-file lab.psk\n\nIt is remembered: the node is in "
                  "the domain after a restart, too. The key file has to stay where it is.");
  s->callback([&context, o] { enter(context, *o); });
}

/// Commands with a domain and perhaps a member.
CLI::App* add_one(CLI::App& domain, const char* name, const char* help, std::shared_ptr<std::string> which,
                  std::shared_ptr<std::string> member = nullptr) {
  auto* s = domain.add_subcommand(name, help);
  s->add_option("DOMAIN", *which, "The domain's identity, or its name")->required();
  if (member) s->add_option("MEMBER", *member, "The node's identity, or its name")->required();
  const auto example = std::string{"Example:\n  hanse domain "} + name + " lab" + (member ? " node3" : "");
  s->footer(example);
  return s;
}

void add_operations(CLI::App& domain, command_context& context) {
  auto which = std::make_shared<std::string>();
  auto member = std::make_shared<std::string>();
  add_one(domain, "leave", "Leave a domain", which)->callback([&context, which] {
    act(context, "leave the domain", {{"command", "domain_leave"}, {"domain", *which}});
  });
  add_one(domain, "expel", "Take a member out of a domain: it cannot just join again", which, member)
      ->callback([&context, which, member] {
        act(context, "expel the member", {{"command", "domain_expel"}, {"domain", *which}, {"member", *member}});
      });
  auto level = std::make_shared<std::uint32_t>(10);
  auto* promote = add_one(domain, "promote", "Change a member's level, or let a node in by hand", which, member);
  promote->add_option("--level", *level, "1 to 254; a smaller number may do more")
      ->required()
      ->check(CLI::Range(1, 254));
  promote->callback([&context, which, member, level] {
    act(context, "change the level",
        {{"command", "domain_promote"}, {"domain", *which}, {"member", *member}, {"level", *level}});
  });
  auto key = std::make_shared<std::string>();
  auto value = std::make_shared<std::string>();
  auto* put = add_one(domain, "put", "Write a value into the domain's shared map", which);
  put->add_option("KEY", *key, "At most 256 octets")->required();
  put->add_option("VALUE", *value, "At most 16 KiB")->required();
  put->callback([&context, which, key, value] {
    act(context, "write the value", {{"command", "domain_put"}, {"domain", *which}, {"key", *key}, {"value", *value}});
  });
  add_one(domain, "assume-current",
          "Vouch that this node wrote nothing in the domain that is not here: ends its waiting for other members",
          which)
      ->callback([&context, which] {
        act(context, "go on", {{"command", "domain_assume_current"}, {"domain", *which}});
      });
}

void add_questions(CLI::App& domain, command_context& context) {
  auto which = std::make_shared<std::string>();
  add_one(domain, "members", "Who is in a domain", which)->callback([&context, which] { members(context, *which); });
  auto* s = domain.add_subcommand("status", "What the node knows of its domains, or one");
  s->add_option("DOMAIN", *which, "The domain's identity, or its name");
  s->footer("Example:\n  hanse domain status");
  s->callback([&context, which] { status(context, *which); });
  add_one(domain, "find", "Ask other nodes for a domain's advert", which)->callback([&context, which] {
    auto answer =
        context.ask("find the domain", {{"command", "domain_find"}, {"domain", *which}}, milliseconds{15'000});
    if (answer)
      context.print(*answer, [&] {
        context.out << "name           " << field(*answer, "name") << "\nversion        " << field(*answer, "version")
                    << "\nticket         " << field(*answer, "ticket") << '\n';
      });
  });
  auto format = std::make_shared<std::string>("html");
  auto out = std::make_shared<std::string>();
  auto blocks = std::make_shared<std::uint32_t>(500);
  auto* g = add_one(domain, "graph", "Draw a domain's blocklace and members", which);
  g->add_option("--format", *format, "dot, svg or html")
      ->capture_default_str()
      ->check(CLI::IsMember(std::vector<std::string>{"dot", "svg", "html"}));
  g->add_option("--out", *out, "The file to write; by default standard output");
  g->add_option("--blocks", *blocks, "The newest blocks to draw")->capture_default_str()->check(CLI::Range(1, 2000));
  g->callback([&context, which, format, out, blocks] { graph(context, *which, *format, *out, *blocks); });
}

} // namespace

void add_domain_node_commands(CLI::App& domain, command_context& context) {
  add_enter(domain, context, true);
  add_enter(domain, context, false);
  add_operations(domain, context);
  add_questions(domain, context);
  add_checkpoint_command(domain, context);
}

} // namespace hanse::app
