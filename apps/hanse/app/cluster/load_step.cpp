// The load step: calls at a steady pace from several nodes, with their latencies. The others are step_runner.cpp.
// A call's latency counts from when it was due, not from when it was sent: else a stall would hide the calls that it
// held up (G. Tene, "How NOT to Measure Latency", 2013: coordinated omission).
#include "hanse/app/cluster/step_runner.hpp"

#include "hanse/app/text_table.hpp"

#include <algorithm>
#include <cmath>
#include <thread>

namespace hanse::app {
namespace {

using nlohmann::json;
using clock = std::chrono::steady_clock;

/// What came of the calls of one place.
struct tally {
  std::mutex mutex;
  std::uint64_t next = 0; ///< call to be made; guarded by mutex, as all below
  std::vector<std::uint64_t> latencies_us;
  std::uint64_t failed = 0;
  std::string problem; ///< of the first that failed
};

/// The nearest-rank percentile of ascending values; 0 if there are none.
std::uint64_t percentile(const std::vector<std::uint64_t>& sorted, double percent) {
  if (sorted.empty()) return 0;
  auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

json figures_of(std::vector<std::uint64_t>& latencies, std::uint64_t failed, double seconds) {
  std::ranges::sort(latencies);
  auto rate = seconds > 0 ? static_cast<double>(latencies.size()) / seconds : 0;
  return {{"calls", latencies.size()},
          {"failed", failed},
          {"per_second", std::round(rate * 10) / 10},
          {"p50_us", percentile(latencies, 50)},
          {"p90_us", percentile(latencies, 90)},
          {"p99_us", percentile(latencies, 99)},
          {"max_us", latencies.empty() ? 0 : latencies.back()}};
}

/// The calls of all places: who makes which when.
struct load_run {
  using call = std::function<control_result(const endpoint& from)>;

  const load_step& step;
  step_scope& scope;
  const step_progress& progress;
  json expect;
  call make;
  std::uint64_t calls = 0; ///< of each place
  clock::time_point begin = clock::now();
  std::atomic<std::uint64_t> done = 0;
  std::vector<tally> tallies = std::vector<tally>(step.from.size());

  std::uint64_t all() const { return calls * step.from.size(); }

  /// When call `number` of a place is to be made.
  clock::time_point due(std::uint64_t number) const {
    std::chrono::duration<double> after{static_cast<double>(number) / step.per_second};
    return begin + std::chrono::duration_cast<clock::duration>(after);
  }

  /// Empty, or what is wrong with the answer.
  std::string problem_of(const control_result& answer) const {
    if (!answer) return to_string(answer.error());
    auto reply = answer->value("reply", json{});
    if (!step.expect || reply == expect) return {};
    return "another answer than expected: " +
           printable(reply.dump(-1, ' ', false, json::error_handler_t::replace), 120);
  }

  /// One of the threads of place `i`.
  void work(std::size_t i) {
    auto& t = tallies[i];
    while (true) {
      std::unique_lock lock{t.mutex};
      if (t.next == calls) return;
      const auto at = due(t.next++);
      lock.unlock();
      if (scope.abort.wait_until(std::min(at, scope.deadline)) || clock::now() >= scope.deadline) return;
      auto problem = problem_of(make(step.from[i]));
      const auto took = std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - at);
      lock.lock();
      if (problem.empty())
        t.latencies_us.push_back(static_cast<std::uint64_t>(took.count()));
      else if (++t.failed == 1)
        t.problem = step.from[i].text() + ": " + problem;
      lock.unlock();
      progress(++done, all());
    }
  }

  void run() {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < step.from.size(); ++i)
      for (std::uint64_t k = 0; k < std::min<std::uint64_t>(step.at_once, calls); ++k)
        threads.emplace_back([this, i] { work(i); });
    for (auto& t : threads) t.join();
  }

  expected<step_outcome> outcome();
};

expected<step_outcome> load_run::outcome() {
  if (scope.abort.is_set()) return errc::cancelled;
  const auto took = std::chrono::duration<double>(clock::now() - begin).count();
  std::vector<std::uint64_t> latencies;
  std::uint64_t failed = 0;
  std::string problem;
  auto by_caller = json::object();
  for (std::size_t i = 0; i < tallies.size(); ++i) {
    auto& t = tallies[i];
    latencies.insert(latencies.end(), t.latencies_us.begin(), t.latencies_us.end());
    failed += t.failed;
    if (problem.empty()) problem = t.problem;
    by_caller[step.from[i].text()] = figures_of(t.latencies_us, t.failed, took);
  }
  const auto made = latencies.size() + failed;
  if (failed > step.failed_max)
    return error{errc::bad_value, std::to_string(failed) + " of " + std::to_string(made) + " calls failed; " + problem};
  if (made < all())
    return error{errc::timed_out, std::to_string(made) + " of " + std::to_string(all()) + " calls made"};
  auto figures = figures_of(latencies, failed, took);
  auto text = std::to_string(latencies.size()) + " calls, " + figures["per_second"].dump() + "/s";
  for (const auto* percent : {"p50", "p90", "p99", "max"})
    text += std::string{", "} + percent + " " + duration_text(figures[std::string{percent} + "_us"]);
  if (failed > 0) text += "; " + std::to_string(failed) + " failed: " + problem;
  figures["by_caller"] = std::move(by_caller);
  step_outcome result{latencies.size(), std::move(text)};
  result.figures = std::move(figures);
  return result;
}

} // namespace

step_runner::result step_runner::run(const load_step& s, work& w) {
  HANSE_TRY(const auto to, receiver(s.to, s.domain, w));
  HANSE_TRY(const auto body, cluster_.fill(s.body, w.scope));
  HANSE_TRY(const auto expect, cluster_.fill(s.expect ? *s.expect : json{}, w.scope));
  const auto seconds = static_cast<double>(s.length.count()) / 1000;
  load_run load{s,
                w.scope,
                w.progress,
                expect,
                [&](const endpoint& from) { return send(from, to, s.protocol, body, false, w); },
                static_cast<std::uint64_t>(std::max(1.0, s.per_second * seconds))};
  load.run();
  return load.outcome();
}

} // namespace hanse::app
