// Writes elements and escapes text; logs may hold any octets.
// XML 1.0 has no way to write most control characters: they become "?".
#include "hanse/app/cluster/junit_report.hpp"

#include <algorithm>
#include <ctime>
#include <sstream>

namespace hanse::app {
namespace {

using state = step_record::state;

/// Length of the UTF-8 character at `at`, 0 if none begins there. Surrogates and overlong forms are none.
std::size_t character_at(std::string_view text, std::size_t at) {
  const auto octet = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  const auto first = octet(0);
  const std::size_t size = first < 0x80                    ? 1
                           : first >= 0xc2 && first < 0xe0 ? 2
                           : first >= 0xe0 && first < 0xf0 ? 3
                           : first >= 0xf0 && first < 0xf5 ? 4
                                                           : 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((octet(i) & 0xc0) != 0x80) return 0;
  if (first == 0xe0 && octet(1) < 0xa0) return 0;
  if (first == 0xed && octet(1) >= 0xa0) return 0;
  if (first == 0xef && octet(1) == 0xbf && octet(2) >= 0xbe) return 0; // U+FFFE, U+FFFF
  if (first == 0xf0 && octet(1) < 0x90) return 0;
  if (first == 0xf4 && octet(1) >= 0x90) return 0;
  return size;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto size = character_at(text, i);
    const char c = text[i];
    if (size == 0 || (size == 1 && static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t'))
      out += '?';
    else if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += text.substr(i, size);
    i += std::max<std::size_t>(1, size);
  }
  return out;
}

std::string attribute(std::string_view name, std::string_view value) {
  auto text = escaped(value);
  std::ranges::replace(text, '\n', ' '); // a reader would do it
  return " " + std::string{name} + "=\"" + text + "\"";
}

std::string seconds(std::uint64_t us) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6f", static_cast<double>(us) / 1e6);
  return text;
}

std::string timestamp(std::uint64_t ms) {
  const auto t = static_cast<std::time_t>(ms / 1000);
  std::tm utc{};
  ::gmtime_r(&t, &utc);
  char text[32] = {};
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  return text;
}

void write_case(std::ostream& out, const run_report& report, const step_record& r) {
  out << "    <testcase" << attribute("name", r.name) << attribute("classname", report.scenario)
      << attribute("time", seconds(r.status == state::skipped ? 0 : r.elapsed_us)) << '>';
  if (r.status == state::failed) {
    out << "\n      <failure" << attribute("message", r.problem) << attribute("type", r.kind) << '>'
        << escaped(r.problem) << '\n';
    for (const auto& log : report.logs)
      if (std::ranges::find(r.involved, log.node) != r.involved.end())
        out << "\nThe end of " << escaped(log.file.string()) << ":\n" << escaped(log.text) << '\n';
    out << "</failure>\n    ";
  } else if (r.status != state::done) {
    out << "<skipped" << (r.detail.empty() ? "" : attribute("message", r.detail)) << "/>";
  } else if (!r.detail.empty()) {
    out << "\n      <system-out>" << escaped(r.detail) << "</system-out>\n    ";
  }
  out << "</testcase>\n";
}

} // namespace

std::string to_junit(const run_report& report, std::uint64_t now_ms) {
  const auto count = [&](state s) {
    return std::ranges::count_if(report.steps, [&](const auto& r) { return r.status == s; });
  };
  const auto problem = !report.problem.empty() ? report.problem : report.interrupted ? "it was interrupted" : "";
  const auto failures = count(state::failed);
  const auto totals = attribute("tests", std::to_string(report.steps.size() + (problem.empty() ? 0 : 1))) +
                      attribute("failures", std::to_string(failures)) +
                      attribute("errors", problem.empty() ? "0" : "1");
  const auto skipped = attribute(
      "skipped", std::to_string(report.steps.size() - static_cast<std::size_t>(failures + count(state::done))));
  const auto time = attribute("time", seconds(report.elapsed_us));
  std::ostringstream out;
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" << totals << time << ">\n  <testsuite"
      << attribute("name", report.scenario) << totals << skipped << time
      << attribute("timestamp", timestamp(now_ms - std::min(now_ms, report.elapsed_us / 1000))) << ">\n";
  for (const auto& r : report.steps) write_case(out, report, r);
  if (!problem.empty())
    out << "    <testcase" << attribute("name", "the run") << attribute("classname", report.scenario)
        << attribute("time", "0") << "><error" << attribute("message", problem) << "/></testcase>\n";
  out << "  </testsuite>\n</testsuites>\n";
  return std::move(out).str();
}

} // namespace hanse::app
