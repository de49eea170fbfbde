// Formats the report of a run.
// Paths are printed as they can be pasted into a shell.
#include "hanse/app/cluster/cluster_report.hpp"

#include "hanse/app/text_table.hpp"

#include <algorithm>
#include <ostream>

namespace hanse::app {
namespace {

using nlohmann::json;

const char* name_of(step_record::state s) {
  switch (s) {
  case step_record::state::done:
    return "ok";
  case step_record::state::failed:
    return "failed";
  default:
    return "skipped";
  }
}

json to_json(const step_record& r) {
  json step{{"name", r.name},
            {"do", r.kind},
            {"result", name_of(r.status)},
            {"count", r.count},
            {"started_us", r.started_us},
            {"elapsed_us", r.elapsed_us}};
  if (r.line > 0) step["line"] = r.line;
  if (!r.detail.empty()) step["detail"] = r.detail;
  if (!r.problem.empty()) step["problem"] = r.problem;
  if (!r.figures.is_null()) step["figures"] = r.figures;
  return step;
}

void print_logs(std::ostream& out, const run_report& report) {
  for (const auto& log : report.logs) {
    out << "\nThe end of " << log.file.string() << ":\n";
    out << (log.text.empty() ? "(empty)\n" : log.text);
    if (!log.text.empty() && log.text.back() != '\n') out << '\n';
  }
}

void print_kept(std::ostream& out, const run_report& report) {
  out << "\nThe nodes go on running. To talk to them:\n";
  for (const auto& n : report.nodes)
    if (n.running) out << "  hanse --socket " << n.socket.string() << " node status    # " << n.name << '\n';
  out << "To stop them: hanse --socket SOCKET node stop, each, or: kill";
  for (const auto& n : report.nodes)
    if (n.running) out << ' ' << n.pid;
  out << "\nTo watch them: hanse top --cluster " << report.directory.string() << ", or hanse dashboard --cluster "
      << report.directory.string();
  if (!report.network.removal.empty())
    out << "\nTheir network is removed by the next run when they have ended, or by: " << report.network.removal;
  out << "\nTheir files are in " << report.directory.string() << '\n';
}

} // namespace

json to_json(const run_report& report) {
  json document{{"scenario", report.scenario},
                {"ok", report.ok},
                {"interrupted", report.interrupted},
                {"kept", report.kept},
                {"elapsed_us", report.elapsed_us},
                {"directory", report.directory.string()},
                {"steps", json::array()},
                {"nodes", json::array()}};
  if (!report.problem.empty()) document["problem"] = report.problem;
  document["network"] = {{"kind", report.network.kind}};
  if (!report.network.links.empty()) document["network"]["links"] = report.network.links;
  if (!report.network.note.empty()) document["network"]["note"] = report.network.note;
  if (!report.network.removal.empty()) document["network"]["removal"] = report.network.removal;
  for (const auto& r : report.steps) document["steps"].push_back(to_json(r));
  for (const auto& n : report.nodes)
    document["nodes"].push_back({{"name", n.name},
                                 {"identity", n.identity},
                                 {"socket", n.socket.string()},
                                 {"pid", n.pid},
                                 {"starts", n.starts},
                                 {"running", report.kept && n.running}});
  return document;
}

void print_summary(std::ostream& out, const run_report& report, const output_style& style) {
  out << '\n';
  text_table table{{"step", "result", ">count", ">time", "detail"}};
  for (const auto& r : report.steps) {
    auto text = r.problem.empty() ? r.detail : r.problem;
    auto skipped = r.status == step_record::state::skipped;
    table.add({printable(r.name, 48), name_of(r.status), skipped ? "" : std::to_string(r.count),
               skipped ? "" : duration_text(r.elapsed_us),
               printable(text, style.live ? std::max<std::size_t>(style.width, 100) - 60 : 160)});
  }
  table.print(out);
  if (!report.ok && !report.interrupted) print_logs(out, report);
  out << '\n';
  auto done = std::count_if(report.steps.begin(), report.steps.end(),
                            [](const auto& r) { return r.status == step_record::state::done; });
  auto all = static_cast<std::size_t>(done) == report.steps.size();
  out << report.scenario << ": " << (all ? "all " : "") << done
      << (all ? "" : " of " + std::to_string(report.steps.size())) << " steps done in "
      << duration_text(report.elapsed_us)
      << (report.ok            ? ""
          : report.interrupted ? "; INTERRUPTED"
                               : "; FAILED")
      << '\n';
  if (!report.problem.empty()) out << report.problem << '\n';
  if (!report.network.note.empty()) out << "Network: " << report.network.note << '\n';
  if (report.kept) print_kept(out, report);
  if (!report.kept && !report.ok && !report.interrupted)
    out << "The nodes' files are left in " << report.directory.string() << '\n';
}

} // namespace hanse::app
