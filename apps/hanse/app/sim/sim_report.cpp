// See sim_report.hpp.
#include "hanse/app/sim/sim_report.hpp"

#include "hanse/app/text_table.hpp"

#include <ostream>

namespace hanse::app {
namespace {

constexpr std::size_t shown_actions_max = 40; ///< lines of a schedule for people; the file has all

std::string rounded(double value) {
  const auto tenths = static_cast<std::uint64_t>(value * 10 + 0.5);
  return tenths >= 1000 ? std::to_string(tenths / 10) : std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

} // namespace

std::string to_hex(const digest& d) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const auto b : d.octets) {
    out += digits[std::to_integer<unsigned>(b) >> 4];
    out += digits[std::to_integer<unsigned>(b) & 15];
  }
  return out;
}

nlohmann::json to_json(const sim_report& r) {
  nlohmann::json out{{"scenario", r.file.scenario.name},
                     {"nodes", r.file.scenario.node_count()},
                     {"seed", r.file.seed.value_or(0)},
                     {"ok", !r.result.violation && !r.result.interrupted},
                     {"interrupted", r.result.interrupted},
                     {"trace_hash", to_hex(r.result.trace_hash)},
                     {"real_signatures", r.result.real_signatures},
                     {"steps", r.result.steps},
                     {"virtual_ms", r.result.virtual_ms},
                     {"converged_ms", r.result.converged_ms},
                     {"seconds", r.seconds},
                     {"events_per_second", r.events_per_second()},
                     {"virtual_seconds_per_second", r.virtual_per_second()},
                     {"counters", r.result.counters}};
  if (const auto& v = r.result.violation)
    out["violation"] = {
        {"invariant", std::string{sim::to_string(v->what)}}, {"step", v->step}, {"at_ms", v->at_ms}, {"text", v->text}};
  return out;
}

void print_report(std::ostream& out, const sim_report& r) {
  const auto& result = r.result;
  out << r.file.scenario.name << ": " << r.file.scenario.node_count() << " nodes, seed " << r.file.seed.value_or(0)
      << ", " << (result.real_signatures ? "real signatures" : "stand-ins for signatures") << "\n";
  out << "trace hash " << to_hex(result.trace_hash) << "\n";
  out << rounded(static_cast<double>(result.virtual_ms) / 1000) << " s inside, "
      << duration_text(static_cast<std::uint64_t>(r.seconds * 1e6)) << " outside (" << rounded(r.virtual_per_second())
      << " s per second); " << result.steps << " events, " << static_cast<std::uint64_t>(r.events_per_second())
      << " per second\n";
  if (result.interrupted) out << "interrupted\n";
  if (!result.violation && !result.interrupted)
    out << "every invariant held; all had settled " << rounded(static_cast<double>(result.converged_ms) / 1000)
        << " s after the faults ended\n";
  text_table table{{"counter", ">"}};
  for (const auto& [name, value] : result.counters)
    if (value > 0) table.add({name, std::to_string(value)});
  table.print(out, "  ");
}

void print_failure(std::ostream& out, const sim_file& file, const sim::shrunk& small,
                   const std::filesystem::path& written) {
  const auto& v = *small.result.violation;
  out << "FAILED: seed " << file.seed.value_or(0) << ", step " << v.step << ", at " << v.at_ms
      << " ms: " << sim::to_string(v.what) << "\n  " << printable(v.text) << "\n";
  out << "The shortest schedule found in " << small.runs << " runs has " << small.schedule.size() << " actions:\n";
  for (std::size_t i = 0; i < small.schedule.size() && i < shown_actions_max; ++i)
    out << "  " << sim::describe(small.schedule[i], file.scenario) << "\n";
  if (small.schedule.size() > shown_actions_max)
    out << "  … and " << small.schedule.size() - shown_actions_max << " more\n";
  if (!written.empty()) out << "Replay it: hanse sim run " << written.string() << " --trace trace.txt\n";
}

} // namespace hanse::app
