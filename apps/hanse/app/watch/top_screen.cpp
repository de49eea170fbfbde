// Sections are tables; rows are merged where several nodes tell of the same link, domain, topic or reason.
// All text comes from peers: it passes `field`, which takes control characters out.
#include "hanse/app/watch/top_screen.hpp"

#include "hanse/app/command.hpp"
#include "hanse/app/text_table.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

namespace hanse::app {
namespace {

using nlohmann::json;

constexpr std::size_t name_width = 16;
constexpr std::size_t rows_least = 2; ///< of a section, before another one gets more

struct section {
  top_section which;
  std::vector<screen_line> lines; ///< the first is the heading
};

std::string number_text(double value) {
  if (value <= 0) return "0";
  char text[32];
  if (value >= 99'950)
    std::snprintf(text, sizeof text, "%.0fk", value / 1000);
  else if (value >= 9'995)
    std::snprintf(text, sizeof text, "%.1fk", value / 1000);
  else
    std::snprintf(text, sizeof text, value >= 9.95 ? "%.0f" : "%.1f", value);
  return text;
}

std::string rate(const json& counter) {
  const auto i = counter.find("per_s");
  return i != counter.end() && i->is_number() ? number_text(i->get<double>()) : "-";
}

std::string octet_rate(const json& counter) {
  const auto i = counter.find("per_s");
  return i != counter.end() && i->is_number() ? size_text(static_cast<std::uint64_t>(std::llround(i->get<double>())))
                                              : "-";
}

std::string rtt(const json& link) {
  const auto i = link.find("rtt_us");
  if (i == link.end() || !i->is_number_unsigned()) return "-";
  // Links measure in milliseconds.
  return i->get<std::uint64_t>() < 1000 ? "<1 ms" : duration_text(i->get<std::uint64_t>());
}

std::string named(const json& object, const char* id_key) {
  const auto name = field(object, "name");
  return printable(name.empty() ? field(object, id_key) : name, name_width - 1);
}

std::string name_of(const json& node) {
  if (!field(node, "name").empty()) return printable(field(node, "name"), name_width - 1);
  const auto path = field(node, "socket");
  return path.size() <= name_width ? path : "…" + path.substr(path.size() - name_width + 1);
}

/// Adds up counters of several nodes; unknown as long as none is known.
struct sum {
  std::uint64_t total = 0;
  std::optional<double> per_s;

  void add(const json& counter) {
    if (const auto t = counter.find("total"); t != counter.end() && t->is_number_unsigned())
      total += t->get<std::uint64_t>();
    if (const auto r = counter.find("per_s"); r != counter.end() && r->is_number())
      per_s = per_s.value_or(0) + r->get<double>();
  }
  std::string rate_text() const { return per_s ? number_text(*per_s) : "-"; }
};

std::vector<json> answering(const json& view) {
  std::vector<json> nodes;
  for (const auto& n : view.at("nodes"))
    if (n.value("ok", false)) nodes.push_back(n);
  return nodes;
}

section made_of(top_section which, const text_table& table, const std::set<std::size_t>& alarms, std::size_t width) {
  section s{which, {}};
  if (table.empty()) return s;
  std::ostringstream out;
  table.print(out);
  std::istringstream in{std::move(out).str()};
  for (std::string line; std::getline(in, line);) {
    const auto kind = s.lines.empty()                       ? line_kind::heading
                      : alarms.contains(s.lines.size() - 1) ? line_kind::alarm
                                                            : line_kind::plain;
    s.lines.push_back({width_of(line) > width ? printable(line, width - 1) : line, kind});
  }
  return s;
}

section nodes_of(const json& view, std::size_t width) {
  text_table table{
      {"NODE", "up", ">links", ">engines", ">msg/s in", ">out", ">octets/s in", ">out", ">drops/s", "note"}};
  std::set<std::size_t> alarms;
  std::size_t row = 0;
  for (const auto& n : view.at("nodes")) {
    if (!n.value("ok", false)) {
      alarms.insert(row++);
      table.add({name_of(n), "no answer: " + field(n.at("error"), "code")});
      continue;
    }
    ++row;
    const auto links = std::ranges::count_if(n.at("links"), [](const json& l) { return l.value("connected", false); });
    sum drops;
    for (const auto& [reason, counter] : n.at("drops").items()) drops.add(counter);
    if (n.at("drops").empty() && !view.at("interval_ms").is_null()) drops.per_s = 0;
    table.add({name_of(n), duration_text(n.value("uptime_ms", std::uint64_t{0}) * 1000), std::to_string(links),
               std::to_string(n.at("engines").size()), rate(n.at("messages").at("received")),
               rate(n.at("messages").at("sent")), octet_rate(n.at("octets").at("received")),
               octet_rate(n.at("octets").at("sent")), drops.rate_text()});
  }
  return made_of(top_section::nodes, table, alarms, width);
}

/// Each link once: where both ends are watched, as the first of the two sees it; the busiest first.
section links_of(const json& view, std::size_t width) {
  text_table table{{"LINK", ">RTT", ">msg/s in", ">out", ">octets/s in", ">out", ">queue"}};
  const auto nodes = answering(view);
  std::vector<std::pair<json, std::string>> links; // link, node
  std::set<std::string> before;
  std::size_t down = 0;
  for (const auto& n : nodes) {
    for (const auto& l : n.at("links"))
      if (!before.contains(l.value("peer", ""))) {
        if (l.value("connected", false))
          links.emplace_back(l, name_of(n));
        else
          ++down;
      }
    before.insert(n.value("identity", ""));
  }
  const auto traffic = [](const json& link) {
    sum all;
    for (const auto* key : {"octets_in", "octets_out"}) all.add(link.at(key));
    return all.per_s.value_or(0);
  };
  std::ranges::stable_sort(links, [&](const auto& a, const auto& b) { return traffic(a.first) > traffic(b.first); });
  for (const auto& [l, from] : links)
    table.add({from + " - " + named(l, "peer"), rtt(l), rate(l.at("messages_in")), rate(l.at("messages_out")),
               octet_rate(l.at("octets_in")), octet_rate(l.at("octets_out")), field(l, "queued")});
  if (table.empty() && down > 0) table.add({"none of " + std::to_string(down) + " is up"});
  return made_of(top_section::links, table, {}, width);
}

section domains_of(const json& view, std::size_t width) {
  struct row {
    std::string name, note;
    std::uint64_t members = 0, online = 0, blocks = 0, pending = 0;
    std::size_t here = 0, bad = 0;
    std::set<std::string> states;
  };
  std::map<std::string, row> rows;
  for (const auto& n : answering(view))
    for (const auto& d : n.at("domains")) {
      auto& r = rows[d.value("domain", "")];
      if (r.name.empty()) r.name = named(d, "domain");
      if (d.value("role", "") != "member") {
        if (r.note.empty()) r.note = field(d, "role") + ": " + name_of(n);
        continue;
      }
      ++r.here;
      r.members = std::max(r.members, d.value("members", std::uint64_t{0}));
      r.online = std::max(r.online, d.value("online", std::uint64_t{0}));
      r.blocks = std::max(r.blocks, d.value("blocks", std::uint64_t{0}));
      r.pending += d.value("pending", std::uint64_t{0});
      r.bad = std::max(r.bad, d.value("byzantine", json::array()).size());
      r.states.insert(field(d, "state"));
    }
  text_table table{{"DOMAIN", ">members", ">online", ">watched", ">blocks", ">pending", "state", "note"}};
  std::set<std::size_t> alarms;
  std::size_t at = 0;
  for (const auto& [id, r] : rows) {
    const auto state = r.states.empty()       ? ""
                       : r.states.size() == 1 ? "agreed"
                                              : std::to_string(r.states.size()) + " differ";
    const auto note = r.bad > 0 ? std::to_string(r.bad) + " equivocated" : r.here == 0 ? r.note : "";
    if (r.bad > 0) alarms.insert(at);
    ++at;
    table.add({r.name, std::to_string(r.members), std::to_string(r.online), std::to_string(r.here),
               std::to_string(r.blocks), std::to_string(r.pending), state, note});
  }
  return made_of(top_section::domains, table, alarms, width);
}

section topics_of(const json& view, std::size_t width) {
  struct row {
    std::string name, spreads;
    std::set<std::string> nodes;
    sum published, delivered, duplicates;
    std::uint64_t pending = 0, lost = 0;
  };
  std::map<std::string, row> rows;
  for (const auto& n : answering(view))
    for (const auto& t : n.at("topics")) {
      auto& r = rows[t.value("topic", "")];
      if (r.name.empty()) r.name = named(t, "topic");
      if (r.spreads.empty()) r.spreads = field(t, "dissemination");
      for (const auto& id : t.value("nodes", json::array())) r.nodes.insert(id.get<std::string>());
      if (t.value("here", false)) r.nodes.insert(n.value("identity", "")); // a node does not list itself
      r.published.add(t.at("published"));
      r.delivered.add(t.at("delivered"));
      r.duplicates.add(t.at("duplicates"));
      r.pending += t.value("pending", std::uint64_t{0});
      r.lost += t.value("lost", std::uint64_t{0});
    }
  text_table table{{"TOPIC", "by", ">nodes", ">events/s", ">delivered/s", ">twice/s", ">pending", ">lost"}};
  for (const auto& [id, r] : rows)
    table.add({r.name, r.spreads, std::to_string(r.nodes.size()), r.published.rate_text(), r.delivered.rate_text(),
               r.duplicates.rate_text(), std::to_string(r.pending), std::to_string(r.lost)});
  return made_of(top_section::topics, table, {}, width);
}

section drops_of(const json& view, std::size_t width) {
  struct row {
    sum count;
    std::string where;
  };
  std::map<std::string, row> rows;
  for (const auto& n : answering(view))
    for (const auto& [reason, counter] : n.at("drops").items()) {
      auto& r = rows[reason];
      r.count.add(counter);
      r.where += (r.where.empty() ? "" : ", ") + name_of(n) + " " + field(counter, "total");
    }
  std::vector<std::pair<std::string, row>> sorted{rows.begin(), rows.end()};
  std::ranges::stable_sort(sorted,
                           [](const auto& a, const auto& b) { return a.second.count.total > b.second.count.total; });
  text_table table{{"DROPPED FOR", ">total", ">/s", "where"}};
  for (const auto& [reason, r] : sorted)
    table.add({printable(reason), std::to_string(r.count.total), r.count.rate_text(), r.where});
  return made_of(top_section::drops, table, {}, width);
}

/// How many lines of each section fit: `rows_least` rows each first, then one more to each in turn.
std::vector<std::size_t> shares(const std::vector<section>& sections, std::size_t height) {
  std::vector<std::size_t> given;
  std::size_t used = 0;
  for (const auto& s : sections) {
    const auto least = std::min(s.lines.size(), 1 + rows_least);
    given.push_back(used + least <= height ? least : 0);
    used += given.back();
  }
  for (bool more = true; more && used < height;) {
    more = false;
    for (std::size_t i = 0; i < sections.size() && used < height; ++i)
      if (given[i] > 0 && given[i] < sections[i].lines.size()) ++given[i], ++used, more = true;
  }
  return given;
}

std::string title(const json& view, std::size_t width, const std::string& hint) {
  const auto& nodes = view.at("nodes");
  const auto up = answering(view).size();
  std::string text = "hanse top: ";
  text += nodes.size() == 1 ? "1 node" : std::to_string(nodes.size()) + " nodes";
  if (up < nodes.size()) text += ", " + std::to_string(nodes.size() - up) + " without an answer";
  if (view.at("interval_ms").is_null())
    text += "; no rates yet";
  else
    text += "; rates over " + duration_text(view.at("interval_ms").get<std::uint64_t>() * 1000);
  const auto pad = width_of(text) + width_of(hint) < width ? width - width_of(text) - width_of(hint) : 0;
  return pad == 0 ? printable(text, width - 1) : text + (hint.empty() ? "" : std::string(pad, ' ') + hint);
}

} // namespace

std::vector<screen_line> draw_top(const json& view, std::size_t width, std::size_t height, top_section shown,
                                  const std::string& hint) {
  width = std::max<std::size_t>(width, 20);
  std::vector<section> sections;
  for (auto* draw : {nodes_of, links_of, domains_of, topics_of, drops_of}) {
    auto s = draw(view, width);
    if (!s.lines.empty() && (shown == top_section::all || shown == s.which)) sections.push_back(std::move(s));
  }
  std::vector<screen_line> lines{{title(view, width, hint), line_kind::title}};
  const auto given = height == 0 ? std::vector<std::size_t>{} : shares(sections, height - 1);
  for (std::size_t i = 0; i < sections.size(); ++i) {
    auto& all = sections[i].lines;
    const auto room = height == 0 ? all.size() : given[i];
    if (height == 0) lines.push_back({});
    if (room >= all.size()) {
      std::ranges::move(all, std::back_inserter(lines));
      continue;
    }
    if (room == 0) continue;
    std::move(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(room - 1), std::back_inserter(lines));
    lines.push_back({"… " + std::to_string(all.size() - (room - 1)) + " more", line_kind::plain});
  }
  if (sections.empty()) lines.push_back({"nothing to show here", line_kind::plain});
  return lines;
}

} // namespace hanse::app
