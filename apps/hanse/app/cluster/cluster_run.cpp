// The order of things in a run.
// Background steps have a thread each; all else happens in the thread that called run().
#include "hanse/app/cluster/cluster_run.hpp"

#include <algorithm>

namespace hanse::app {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t log_lines = 15;
constexpr auto death_grace = 200ms; // a node that fails a step by dying has its socket closed before it has ended

steady_time now() {
  return std::chrono::steady_clock::now();
}

std::uint64_t micros(std::chrono::steady_clock::duration d) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(d).count());
}

const step_progress no_progress = [](std::uint64_t, std::uint64_t) {};

} // namespace

struct cluster_run::background {
  const scenario_step* step = nullptr;
  step_record* record = nullptr;
  std::atomic<bool> join_wanted = false;
  bool joined = false;
  std::unique_ptr<step_scope> scope;
  std::thread thread;
  stop_event finished; ///< set when `outcome` is there
  std::optional<expected<step_outcome>> outcome;
};

cluster_run::cluster_run(const scenario& plan, cluster_options options, timeline& shown, stop_event& abort)
    : plan_(plan), keep_(options.keep), shown_(shown), abort_(abort), cluster_(plan, std::move(options)) {}

cluster_run::~cluster_run() {
  abort_.set();
  for (auto& b : backgrounds_)
    if (b.thread.joinable()) b.thread.join();
}

std::uint64_t cluster_run::since_start() const {
  return micros(now() - start_);
}

run_report cluster_run::run() {
  start_ = now();
  deadline_ = start_ + plan_.timeout;
  auto add_record = [this](std::string name, std::string kind, std::size_t line) {
    auto& record = records_.emplace_back();
    record.name = std::move(name);
    record.kind = std::move(kind);
    record.line = line;
  };
  add_record("start " + std::to_string(plan_.nodes.size()) + " nodes", "start", 0);
  for (const auto& step : plan_.steps) add_record(step.name, step.kind, step.line);
  shown_.begin(records_.size());

  run_report report;
  report.scenario = plan_.name;
  auto end = bring_up();
  if (end) end = run_steps();
  report.interrupted = abort_.is_set();
  if (!end) {
    abort_.set();
    auto told = std::any_of(records_.begin(), records_.end(), [](auto& r) { return !r.problem.empty(); });
    if (!told) report.problem = to_string(end.error());
  }
  for (auto& b : backgrounds_) b.thread.join();
  report.ok = end.has_value();
  conclude(report);
  return report;
}

void cluster_run::conclude(run_report& report) {
  for (auto& r : records_) {
    if (r.status == step_record::state::waiting || r.status == step_record::state::running)
      r.status = step_record::state::skipped;
    if (r.status != step_record::state::failed) continue;
    for (const auto& node : r.involved)
      report.logs.push_back({node, cluster_.directory() / node / "node.log", cluster_.log_tail(node, log_lines)});
  }
  report.kept = keep_ && !report.interrupted;
  report.nodes = cluster_.nodes();
  if (!report.kept) {
    shown_.note("stopping the nodes");
    cluster_.stop_all();
  }
  report.directory = cluster_.directory();
  report.steps = records_;
  report.elapsed_us = since_start();
  if (report.kept) cluster_.keep_running();
  report.network = cluster_.network_facts();
}

expected<unit> cluster_run::bring_up() {
  auto& record = records_.front();
  record.status = step_record::state::running;
  shown_.step_started(record.name);
  step_scope scope{std::min(deadline_, now() + 2 * plan_.ready_timeout), abort_};
  auto up = cluster_.prepare();
  const auto& network = cluster_.network_facts();
  if (up && plan_.network != network_kind::loopback)
    shown_.note("network: " + network.kind + (network.links.empty() ? "" : ", " + network.links + " links") +
                (network.note.empty() ? "" : "; " + network.note));
  if (up) up = cluster_.start_all(scope);
  auto outcome = up ? expected<step_outcome>{step_outcome{plan_.nodes.size(), "all ready"}} : up.error();
  finish(record, outcome, scope);
  return up;
}

void cluster_run::finish(step_record& record, const expected<step_outcome>& outcome, const step_scope& scope) {
  record.elapsed_us = since_start() - record.started_us;
  auto involved = scope.involved();
  record.involved.assign(involved.begin(), involved.end());
  if (outcome) {
    record.status = outcome->skipped ? step_record::state::skipped : step_record::state::done;
    record.count = outcome->count;
    record.detail = outcome->detail;
    record.figures = outcome->figures;
  } else if (outcome.error() == errc::cancelled) {
    record.status = step_record::state::skipped; // not its own fault: the run was ended
    return;
  } else {
    record.status = step_record::state::failed;
    record.problem = to_string(outcome.error());
  }
  shown_.step_ended(record);
}

expected<unit> cluster_run::run_steps() {
  for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
    HANSE_CHECK(check_backgrounds());
    HANSE_CHECK(run_step(plan_.steps[i], records_[i + 1]));
  }
  step_scope rest{deadline_, abort_};
  HANSE_CHECK(join({}, rest));
  return ok();
}

expected<unit> cluster_run::run_step(const scenario_step& step, step_record& record) {
  if (abort_.is_set()) return errc::cancelled;
  if (now() >= deadline_) return error{errc::timed_out, "the time for the whole scenario is up"};
  record.status = step_record::state::running;
  record.started_us = since_start();
  shown_.step_started(step.name);
  if (auto* group = std::get_if<group_step>(&step.what); group && group->background) {
    start_background(step, record);
    return ok();
  }
  step_scope scope{std::min(deadline_, now() + step.timeout), abort_};
  auto outcome = perform(step, scope);
  auto cancelled = !outcome && outcome.error() == errc::cancelled;
  auto alive = cancelled ? ok() : cluster_.check_alive(outcome ? 0ms : death_grace);
  if (!alive)
    outcome =
        outcome ? alive.error() : error{outcome.error().code, outcome.error().detail + "; " + alive.error().detail};
  finish(record, outcome, scope);
  if (!outcome) return outcome.error();
  return ok();
}

expected<step_outcome> cluster_run::perform(const scenario_step& step, step_scope& scope) {
  if (auto* group = std::get_if<group_step>(&step.what)) return run_parallel(*group, scope);
  if (auto* j = std::get_if<join_step>(&step.what)) return join(j->names, scope);
  return runner_.perform(step, scope,
                         [this](std::uint64_t done, std::uint64_t all) { shown_.step_progress(done, all); });
}

expected<step_outcome> cluster_run::run_parallel(const group_step& group, step_scope& scope) {
  std::vector<std::optional<expected<step_outcome>>> outcomes(group.steps.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < group.steps.size(); ++i)
    threads.emplace_back([&, i] { outcomes[i] = runner_.perform(group.steps[i], scope, no_progress); });
  for (auto& t : threads) t.join();
  step_outcome all{0, ""};
  all.skipped = !outcomes.empty();
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const auto& one = *outcomes[i];
    if (!one) return error{one.error().code, group.steps[i].name + ": " + one.error().detail};
    all.count += one->count;
    all.skipped = all.skipped && one->skipped;
    if (!one->figures.is_null()) all.figures[group.steps[i].name] = one->figures;
    if (all.detail.find(one->detail) == std::string::npos) all.detail += (i == 0 ? "" : "; ") + one->detail;
  }
  return all;
}

void cluster_run::start_background(const scenario_step& step, step_record& record) {
  auto& b = backgrounds_.emplace_back();
  b.step = &step;
  b.record = &record;
  b.scope = std::make_unique<step_scope>(std::min(deadline_, now() + step.timeout), abort_);
  shown_.note("in the background: " + step.name);
  b.thread = std::thread{[this, &b] { work(b); }};
}

void cluster_run::work(background& b) {
  const auto& group = std::get<group_step>(b.step->what);
  step_outcome all{0, ""};
  expected<step_outcome> outcome{all};
  std::uint64_t rounds = 0;
  do {
    std::string detail;
    for (const auto& step : group.steps) {
      outcome = runner_.perform(step, *b.scope, no_progress);
      if (!outcome) break;
      all.count += outcome->count;
      if (!outcome->figures.is_null()) all.figures[step.name] = outcome->figures;
      detail += (detail.empty() ? "" : "; ") + outcome->detail;
    }
    all.detail = std::move(detail);
    ++rounds;
  } while (outcome && group.repeat && !b.join_wanted);
  if (rounds > 1) all.detail = std::to_string(rounds) + " rounds, each: " + all.detail;
  b.outcome = outcome ? expected<step_outcome>{all} : outcome;
  b.finished.set();
}

expected<unit> cluster_run::join_one(background& b, step_scope& scope) {
  if (b.joined) return ok();
  b.join_wanted = true;
  while (!b.finished.is_set()) {
    if (auto waited = scope.pause(); !waited && !b.finished.is_set())
      return error{waited.error().code, "\"" + b.step->name + "\" goes on"};
  }
  b.joined = true;
  finish(*b.record, *b.outcome, *b.scope);
  if (!*b.outcome) return b.outcome->error();
  return ok();
}

expected<step_outcome> cluster_run::join(const std::vector<std::string>& names, step_scope& scope) {
  step_outcome joined{0, ""};
  for (auto& b : backgrounds_) {
    if (b.joined || (!names.empty() && std::find(names.begin(), names.end(), b.step->name) == names.end())) continue;
    HANSE_CHECK(join_one(b, scope));
    ++joined.count;
    joined.detail += (joined.detail.empty() ? "" : ", ") + b.step->name;
  }
  return joined;
}

expected<unit> cluster_run::check_backgrounds() {
  for (auto& b : backgrounds_) {
    if (b.joined || !b.finished.is_set() || *b.outcome) continue;
    step_scope scope{deadline_, abort_};
    return join_one(b, scope);
  }
  return ok();
}

} // namespace hanse::app
