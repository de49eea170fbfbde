// Finds the two programs in PATH and where Debian has them for root, and runs them by the process starter: a runner
// that is killed takes them with it.
#include "hanse/app/cluster/iproute.hpp"

#include "hanse/app/text_file.hpp"
#include "hanse/app/text_table.hpp"

#include <algorithm>
#include <cstdlib>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto run_max = 10s;                    // one command takes milliseconds; a guess
constexpr std::size_t line_length_max = 1 << 16; // of their output
constexpr std::size_t complaint_max = 1024;      // octets of what they say when they fail

fs::path program(const std::string& name) {
  const auto* path = std::getenv("PATH");
  auto directories = std::string{path ? path : ""} + ":/usr/sbin:/sbin:/usr/bin:/bin";
  for (std::size_t at = 0; at != std::string::npos;) {
    auto end = directories.find(':', at);
    auto directory = directories.substr(at, end == std::string::npos ? end : end - at);
    if (!directory.empty() && ::access((directory + "/" + name).c_str(), X_OK) == 0) return fs::path{directory} / name;
    at = end == std::string::npos ? end : end + 1;
  }
  return {};
}

} // namespace

expected<iproute> iproute::find(process_starter& starter, fs::path log) {
  iproute found{starter, std::move(log)};
  found.ip_ = program("ip");
  found.tc_ = program("tc");
  if (found.ip_.empty() || found.tc_.empty())
    return error{errc::not_found, std::string{found.ip_.empty() ? "`ip`" : "`tc`"} +
                                      " is not installed; install iproute2 (apt-get install iproute2)"};
  return found;
}

expected<std::string> iproute::ip(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), ip_.string());
  return run(std::move(arguments));
}

expected<std::string> iproute::tc(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), tc_.string());
  return run(std::move(arguments));
}

expected<unit> iproute::ip_batch(const std::string& network, const std::string& lines, bool all) {
  auto file = log_;
  file += ".batch";
  HANSE_CHECK(replace_file(file, lines, 0600));
  std::vector<std::string> arguments;
  if (!network.empty()) arguments = {"-netns", network};
  if (all) arguments.push_back("-force");
  arguments.insert(arguments.end(), {"-batch", file.string()});
  HANSE_CHECK(ip(std::move(arguments)));
  return ok();
}

expected<std::string> iproute::run(std::vector<std::string> arguments) {
  process_spec spec;
  spec.arguments = std::move(arguments);
  spec.log = log_;
  std::error_code ec;
  fs::remove(log_, ec); // what is in it afterwards is this one's complaint
  HANSE_TRY(auto process, starter_.start(spec));
  auto deadline = std::chrono::steady_clock::now() + run_max;
  line_channel output{process.take_output(), line_length_max, nullptr};
  std::string text;
  while (true) {
    auto line = output.read_line(deadline);
    if (!line) break; // its end, or the time is up
    text += *line + "\n";
  }
  if (process.ended(deadline) && process.succeeded()) return text;
  std::string command;
  for (const auto& a : spec.arguments) command += (command.empty() ? "" : " ") + fs::path{a}.filename().string();
  auto complaint = read_text_tail(log_, complaint_max);
  auto said = complaint ? *complaint : std::string{};
  while (said.ends_with('\n')) said.pop_back();
  std::ranges::replace(said, '\n', ';');
  said = printable(said);
  return error{errc::io_error, command + ": " + (said.empty() ? process.how_it_ended() : said)};
}

} // namespace hanse::app
