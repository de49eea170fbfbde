// Shrinking: what is left of a schedule is what the failure needs.
#include "scenarios.hpp"

#include "hanse/sim/shrink.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::sim;

namespace {

std::vector<action> numbered(std::uint32_t count) {
  std::vector<action> out;
  for (std::uint32_t i = 0; i < count; ++i) {
    action a;
    a.at = i;
    a.what = i % 2 == 0 ? action_kind::send : action_kind::clog;
    a.a = i % 7;
    out.push_back(a);
  }
  return out;
}

bool has(const std::vector<action>& schedule, time_ms at) {
  return std::any_of(schedule.begin(), schedule.end(), [at](const action& a) { return a.at == at; });
}

} // namespace

TEST_CASE("a failure that needs two of two hundred actions shrinks to those two") {
  const auto needs_both = [](const std::vector<action>& s) { return has(s, 31) && has(s, 150); };
  const auto left = minimize(numbered(200), 400, needs_both);
  REQUIRE(left.size() == 2);
  CHECK(left[0].at == 31);
  CHECK(left[1].at == 150);
}

TEST_CASE("shrinking asks no more often than it may, and keeps what fails") {
  std::uint32_t asked = 0;
  const auto left = minimize(numbered(500), 20, [&](const std::vector<action>& s) {
    ++asked;
    return has(s, 3) && has(s, 400) && has(s, 499);
  });
  CHECK(asked <= 20);
  CHECK(has(left, 3));
  CHECK(has(left, 400));
  CHECK(has(left, 499));
  CHECK(left.size() < 500);
}

TEST_CASE("a run that does not converge shrinks to a schedule that still does not") {
  auto s = test::quiet(4, 5000);
  s.converge_ms = 3000;
  s.links = {{}};
  s.links[0].path.latency_min = s.links[0].path.latency_max = 4000;
  s.faults = {test::fault(fault_kind::loss, 100)};
  const auto whole = plan(s, 9);
  const auto small = shrink(s, 9, whole, {60, {}});
  REQUIRE(small.result.violation.has_value());
  CHECK(small.result.violation->what == invariant::converges);
  CHECK(small.schedule.size() < whole.size());
  CHECK(run(s, 9, small.schedule).trace_hash == small.result.trace_hash);
}
