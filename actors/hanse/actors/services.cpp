// See services.hpp.
#include "hanse/actors/services.hpp"

#include <caf/actor_system.hpp>
#include <caf/telemetry/metric_registry.hpp>

#include <algorithm>
#include <ctime>
#include <set>

namespace hanse {

namespace {

constexpr std::string_view level_names[] = {"quiet", "error", "warning", "info", "debug", "trace"};

std::string timestamp() {
  auto now = std::chrono::system_clock::now();
  auto seconds = std::chrono::system_clock::to_time_t(now);
  auto us = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count() % 1'000'000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char day[32], line[48];
  std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(line, sizeof line, "%s.%06ldZ", day, static_cast<long>(us));
  return line;
}

/// Quotes a logfmt value where it needs quotes.
void append_value(std::string& out, std::string_view value) {
  if (!value.empty() && value.find_first_of(" \"=\n\t") == value.npos) {
    out += value;
    return;
  }
  out += '"';
  for (char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += (static_cast<unsigned char>(c) < 0x20) ? ' ' : c;
  }
  out += '"';
}

} // namespace

log_sink make_logfmt_sink(std::FILE* stream) {
  auto mutex = std::make_shared<std::mutex>();
  return [stream, mutex](log_level level, std::string_view event, const log_fields& fields) {
    std::string line = "time=" + timestamp() + " level=";
    line += level_names[static_cast<std::size_t>(level)];
    line += " event=";
    line += event;
    for (auto& [key, value] : fields) {
      line += ' ';
      line += key;
      line += '=';
      append_value(line, value);
    }
    line += '\n';
    std::lock_guard guard{*mutex};
    std::fwrite(line.data(), 1, line.size(), stream);
    std::fflush(stream);
  };
}

node_counters::node_counters(caf::actor_system& system, const identity& node) : node_(to_short_string(node)) {
  auto& registry = system.metrics();
  auto add = [&](dual& counter, std::string_view name, std::string_view help) {
    auto* family = registry.counter_family("hanse", name, {"node"}, help, "1", true);
    counter.exported = family->get_or_add({{"node", node_}});
  };
  add(sent, "messages-sent", "Messages handed to links.");
  add(received, "messages-received", "Messages received and verified.");
  add(delivered, "messages-delivered", "Messages handed to local engines.");
  add(batches_sent, "batches-sent", "Signed batches sent.");
  add(batches_received, "batches-received", "Signed batches received.");
  add(octets_sent, "octets-sent", "Octets written to links.");
  add(octets_received, "octets-received", "Octets read from links.");
  add(relayed, "bundles-relayed", "Bundles passed on for other nodes.");
  add(bundles_sent, "bundles-sent", "Bundles given to a relay or a courier.");
  add(bundles_received, "bundles-received", "Bundles opened.");
  links = registry.gauge_family("hanse", "links", {"node"}, "Links that are up.")->get_or_add({{"node", node_}});
  drop_family_ =
      registry.counter_family("hanse", "drops", {"node", "reason"}, "Messages refused, by reason.", "1", true);
}

void node_counters::drop(errc reason, std::uint64_t count) {
  if (count == 0) return;
  drops_[static_cast<std::size_t>(reason)].fetch_add(count, std::memory_order_relaxed);
  const std::string text{to_string(reason)};
  drop_family_->get_or_add({{"node", node_}, {"reason", text}})->inc(static_cast<int64_t>(count));
}

std::map<std::string, std::uint64_t> node_counters::drops() const {
  std::map<std::string, std::uint64_t> result;
  for (std::size_t i = 0; i < drops_.size(); ++i)
    if (auto n = drops_[i].load(std::memory_order_relaxed)) result.emplace(to_string(static_cast<errc>(i)), n);
  return result;
}

node_services::node_services(caf::actor_system& system, const identity& id, log_level level, log_sink sink,
                             node_environment environment)
    : counters(system, id), self(id), environment_(std::move(environment)),
      wall_start_us_(static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
              .count())),
      steady_start_(std::chrono::steady_clock::now()), level_(level), sink_(std::move(sink)) {
  if (!environment_.random) environment_.random = std::make_shared<system_random>();
}

std::uint64_t node_services::now_us() const {
  if (environment_.now_us) return environment_.now_us();
  auto passed = std::chrono::steady_clock::now() - steady_start_;
  return wall_start_us_ +
         static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(passed).count());
}

void node_services::log(log_level level, std::string_view event, const log_fields& fields) const {
  if (logs(level) && sink_) sink_(level, event, fields);
}

void node_services::trace(const envelope& e, std::string_view event, std::string detail) {
  if (!e.trace) return;
  trace_event step{now_us(), e.trace, std::string{event}, e.source, e.destination, e.id, std::move(detail)};
  std::lock_guard guard{trace_mutex_};
  if (traces_.size() >= trace_events_max) traces_.pop_front();
  traces_.push_back(std::move(step));
}

std::vector<trace_event> node_services::trace_of(const trace_id& id) const {
  std::vector<trace_event> result;
  std::lock_guard guard{trace_mutex_};
  for (auto& step : traces_)
    if (step.trace == id) result.push_back(step);
  return result;
}

std::vector<trace_event> node_services::newest_traces(std::size_t count) const {
  std::vector<trace_event> firsts;
  std::set<trace_id> seen;
  std::lock_guard guard{trace_mutex_};
  for (auto& step : traces_)
    if (seen.insert(step.trace).second) firsts.push_back(step);
  if (firsts.size() > count) firsts.erase(firsts.begin(), firsts.end() - static_cast<std::ptrdiff_t>(count));
  std::reverse(firsts.begin(), firsts.end());
  return firsts;
}

} // namespace hanse
