// Draws a blocklace. Columns are creators, rows heights: a block is below all that it follows. See the header.
// All text comes from peers: it is escaped, and identities are shortened.
#include "hanse/app/lace_picture.hpp"

#include "hanse/app/command.hpp"
#include "hanse/app/text_table.hpp"

#include <algorithm>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

namespace hanse::app {
namespace {

using nlohmann::json;

constexpr int lane_width = 132, row_height = 44, radius = 9, top = 74, left = 24;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) switch (c) {
    case '&':
      out += "&amp;";
      break;
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    case '"':
      out += "&quot;";
      break;
    default:
      out += c;
    }
  return out;
}

std::string short_id(const std::string& id) {
  return id.size() <= 14 ? id : id.substr(0, 9) + "…" + id.substr(id.size() - 4);
}

std::string label_of(const json& creator) {
  const auto name = field(creator, "name");
  return name.empty() ? short_id(field(creator, "identity")) : name;
}

struct point {
  int x = 0, y = 0;
};

/// Where each block is: rows are heights without gaps; blocks of one lane and height (a fork) stand side by side.
struct layout {
  std::vector<point> at;
  int width = 0, height = 0;

  explicit layout(const json& graph) {
    const auto& blocks = graph.at("blocks");
    std::map<std::uint64_t, int> rows;
    for (const auto& b : blocks) rows[b.at("height").get<std::uint64_t>()] = 0;
    int row = 0;
    for (auto& [h, r] : rows) r = row++;
    std::map<std::pair<int, int>, int> used; // lane, row
    for (const auto& b : blocks) {
      const auto lane = b.at("creator").get<int>();
      const auto r = rows.at(b.at("height").get<std::uint64_t>());
      const auto beside = std::min(used[{lane, r}]++, 4);
      at.push_back({left + lane * lane_width + lane_width / 2 + beside * (2 * radius + 8), top + r * row_height});
    }
    width = std::max(320, 2 * left + static_cast<int>(graph.at("creators").size()) * lane_width);
    height = top + std::max(1, row) * row_height + 10;
  }
};

std::string_view class_of(const json& graph, const json& block) {
  if (block.value("equivocation", false)) return "bad";
  if (graph.at("creators").at(block.at("creator").get<std::size_t>()).value("byzantine", false)) return "liar";
  const auto kind = field(block, "kind");
  if (kind == "configure" || kind == "checkpoint") return "owner";
  if (kind == "add") return "add";
  if (kind == "remove" || kind == "revoke") return "out";
  if (kind == "ack" || kind == "dropped") return "ack";
  return "put";
}

void draw_edges(std::ostream& out, const json& graph, const layout& l) {
  const auto& blocks = graph.at("blocks");
  for (std::size_t i = 0; i < blocks.size(); ++i)
    for (const auto& pred : blocks[i].at("preds")) {
      const auto p = pred.get<std::size_t>();
      const auto a = l.at[i], b = l.at.at(p);
      const bool own = blocks[i].at("creator") == blocks[p].at("creator");
      out << "<path class=\"" << (own ? "own" : "merge") << "\" d=\"M" << a.x << ' ' << a.y - radius << "C" << a.x
          << ' ' << (a.y + b.y) / 2 << ' ' << b.x << ' ' << (a.y + b.y) / 2 << ' ' << b.x << ' ' << b.y + radius
          << "\"/>\n";
    }
}

std::string svg_body(const json& graph) {
  const layout l{graph};
  std::ostringstream out;
  const auto& creators = graph.at("creators");
  for (std::size_t i = 0; i < creators.size(); ++i) {
    const auto x = left + static_cast<int>(i) * lane_width;
    const auto liar = creators[i].value("byzantine", false);
    out << "<rect class=\"lane" << (i % 2 ? " odd" : "") << "\" x=\"" << x << "\" y=\"8\" width=\"" << lane_width
        << "\" height=\"" << l.height - 16 << "\"/>\n<text class=\"head" << (liar ? " liar" : "") << "\" x=\""
        << x + lane_width / 2 << "\" y=\"30\">" << escaped(printable(label_of(creators[i]), 16)) << "</text>\n"
        << "<text class=\"sub" << (liar ? " liar" : "") << "\" x=\"" << x + lane_width / 2 << "\" y=\"47\">"
        << (liar                             ? "equivocated"
            : creators[i]["level"].is_null() ? "no member"
                                             : "level " + field(creators[i], "level"))
        << "</text>\n";
  }
  draw_edges(out, graph, l);
  const auto& blocks = graph.at("blocks");
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto& b = blocks[i];
    out << "<g class=\"block " << class_of(graph, b) << (b.value("acknowledged", true) ? "" : " unseen")
        << "\"><circle cx=\"" << l.at[i].x << "\" cy=\"" << l.at[i].y << "\" r=\"" << radius << "\"/><text x=\""
        << l.at[i].x << "\" y=\"" << l.at[i].y + 4 << "\">" << field(b, "seq") << "</text><title>"
        << escaped(label_of(creators.at(b.at("creator").get<std::size_t>()))) << ", block " << field(b, "seq")
        << (b.value("equivocation", false) ? " (equivocation)" : "") << "\n"
        << escaped(printable(field(b, "text").empty() ? field(b, "kind") : field(b, "text"))) << "\n"
        << field(b, "id") << "</title></g>\n";
  }
  return std::move(out).str();
}

constexpr const char* style = R"(
:root,:host{--bg:#fff;--fg:#1c2430;--dim:#667085;--lane:#f4f6f9;--line:#d5dae2;--own:#8a94a6;--merge:#b7a6e8;
--put:#3b82c4;--add:#2f9e6b;--out:#d97a1f;--owner:#7c4dd6;--ack:#6f7b8c;--bad:#d42a2a;--on:#fff}
@media(prefers-color-scheme:dark){:root,:host{--bg:#12161c;--fg:#e6eaf0;--dim:#98a2b3;--lane:#181e27;--line:#2b3442;
--own:#7d8899;--merge:#6f5fb0;--put:#5aa2e0;--add:#46bd86;--out:#f0984a;--owner:#a580f0;--ack:#8b97a8;--bad:#ff5a52;--on:#0b0f14}}
svg{background:var(--bg);font:12px system-ui,sans-serif}
.lane{fill:var(--bg)}.lane.odd{fill:var(--lane)}
.head{fill:var(--fg);font-weight:600;text-anchor:middle}.sub{fill:var(--dim);font-size:11px;text-anchor:middle}
.head.liar,.sub.liar{fill:var(--bad)}
path{fill:none;stroke-width:1.5}.own{stroke:var(--own)}.merge{stroke:var(--merge)}
.block circle{fill:var(--put);stroke:var(--bg);stroke-width:2}
.block text{fill:var(--on);font-size:9px;font-weight:600;text-anchor:middle;pointer-events:none}
.add circle{fill:var(--add)}.out circle{fill:var(--out)}.owner circle{fill:var(--owner)}.ack circle{fill:var(--ack)}
.bad circle{fill:var(--bad);stroke:var(--bad);stroke-width:4}.liar circle{fill:var(--bad);fill-opacity:.55}
.unseen circle{stroke-dasharray:2 2;stroke:var(--fg)}
)";

std::string svg(const json& graph, bool stands_alone) {
  const layout l{graph};
  std::ostringstream out;
  out << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << l.width << "\" height=\"" << l.height
      << "\" viewBox=\"0 0 " << l.width << ' ' << l.height << "\" role=\"img\">\n";
  if (stands_alone) out << "<style>" << style << "</style>\n";
  out << "<title>Blocklace of " << escaped(field(graph, "name")) << ' ' << field(graph, "domain") << "</title>\n"
      << svg_body(graph) << "</svg>\n";
  return std::move(out).str();
}

std::string dot_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string dot(const json& graph) {
  std::ostringstream out;
  out << "digraph lace {\n  rankdir=BT;\n  node [shape=circle, fontsize=10];\n";
  const auto& creators = graph.at("creators");
  const auto& blocks = graph.at("blocks");
  for (std::size_t c = 0; c < creators.size(); ++c) {
    out << "  subgraph cluster_" << c << " {\n    label=\"" << dot_text(printable(label_of(creators[c]))) << "\";\n";
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (blocks[i].at("creator") != c) continue;
      const bool bad = class_of(graph, blocks[i]) == "bad";
      out << "    b" << i << " [label=\"" << field(blocks[i], "seq") << "\", tooltip=\""
          << dot_text(printable(field(blocks[i], "text"))) << "\"" << (bad ? ", color=red, fontcolor=red" : "")
          << "];\n";
    }
    out << "  }\n";
  }
  for (std::size_t i = 0; i < blocks.size(); ++i)
    for (const auto& p : blocks[i].at("preds")) out << "  b" << i << " -> b" << p.get<std::size_t>() << ";\n";
  out << "}\n";
  return std::move(out).str();
}

std::string day_and_time(const json& ms) {
  if (!ms.is_number_unsigned() || ms == 0) return "–";
  const auto t = static_cast<std::time_t>(ms.get<std::uint64_t>() / 1000);
  std::tm local{};
  localtime_r(&t, &local);
  char text[32] = {};
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &local);
  return text;
}

std::string html(const json& graph) {
  std::ostringstream out;
  const auto title = field(graph, "name").empty() ? short_id(field(graph, "domain")) : field(graph, "name");
  out << "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width\"><title>"
      << escaped(title) << " – blocklace</title>\n<style>" << style << R"(
body{background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif;margin:24px;max-width:1200px}
h1{font-size:22px;margin:0}code{font-size:12px;color:var(--dim);overflow-wrap:anywhere}
table{border-collapse:collapse;margin:14px 0 22px}th,td{text-align:left;padding:4px 18px 4px 0;
border-bottom:1px solid var(--line);font-size:13px}th{color:var(--dim);font-weight:500}td.n{text-align:right}
.scroll{overflow:auto;border:1px solid var(--line);border-radius:8px}
.key{display:flex;flex-wrap:wrap;gap:6px 18px;font-size:12px;color:var(--dim);margin:8px 0}
.key i{display:inline-block;width:10px;height:10px;border-radius:5px;margin-right:6px}.red{color:var(--bad)}
</style></head><body>
)";
  out << "<h1>" << escaped(title) << "</h1>\n<code>" << field(graph, "domain") << "</code>\n<table><tr><th>member</th>"
      << "<th>level</th><th>since</th><th>online</th><th>identity</th></tr>\n";
  for (const auto& m : graph.at("members"))
    out << "<tr" << (m.value("byzantine", false) ? " class=\"red\"" : "") << "><td>"
        << escaped(printable(label_of(m), 40)) << (m.value("byzantine", false) ? " – equivocated" : "")
        << "</td><td class=\"n\">" << field(m, "level") << "</td><td>" << day_and_time(m["since_ms"]) << "</td><td>"
        << (m.value("online", false) ? "yes" : "no") << "</td><td><code>" << short_id(field(m, "identity"))
        << "</code></td></tr>\n";
  out << "</table>\n<div class=\"key\">";
  for (const auto& [name, colour] :
       std::initializer_list<std::pair<const char*, const char*>>{{"configuration, checkpoint", "owner"},
                                                                  {"member added", "add"},
                                                                  {"member out", "out"},
                                                                  {"value", "put"},
                                                                  {"acknowledgement", "ack"},
                                                                  {"equivocation", "bad"}})
    out << "<span><i style=\"background:var(--" << colour << ")\"></i>" << name << "</span>";
  out << "</div>\n";
  if (graph.value("left_out", 0) > 0) out << "<p>" << field(graph, "left_out") << " older blocks are not drawn.</p>\n";
  out << "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Blocklace\">" << svg(graph, false)
      << "</div>\n</body></html>\n";
  return std::move(out).str();
}

} // namespace

json json_of(const lace_drawing& drawing, const std::function<std::string(const identity&)>& name_of) {
  auto creators = json::array();
  for (const auto& c : drawing.creators)
    creators.push_back({{"identity", to_string(c.id)},
                        {"name", name_of(c.id)},
                        {"level", c.level == level_none ? json(nullptr) : json(c.level)},
                        {"byzantine", c.is_byzantine}});
  auto blocks = json::array();
  for (const auto& b : drawing.blocks)
    blocks.push_back({{"id", to_hex(b.id.view()).substr(0, 16)},
                      {"creator", b.creator},
                      {"seq", b.seq},
                      {"height", b.height},
                      {"preds", b.preds},
                      {"equivocation", b.is_equivocation},
                      {"acknowledged", b.is_acknowledged},
                      {"kind", to_string(b.kind)},
                      {"text", b.text}});
  return {{"creators", creators}, {"blocks", blocks}, {"left_out", drawing.left_out}};
}

std::string draw_lace(const json& graph, const std::string& format) {
  if (format == "dot") return dot(graph);
  return format == "svg" ? svg(graph, true) : html(graph);
}

} // namespace hanse::app
