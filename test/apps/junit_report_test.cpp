// JUnit reports of runs: counts, escaping, what becomes a failure, skipped or an error.
#include "captured_run.hpp"
#include "hanse/app/cluster/junit_report.hpp"

#include <doctest/doctest.h>

using namespace hanse::app;
using hanse::test::has;

namespace {

step_record step(const std::string& name, step_record::state status) {
  step_record r;
  r.name = name;
  r.kind = "call";
  r.status = status;
  r.elapsed_us = 1'500'000;
  return r;
}

} // namespace

TEST_CASE("a good run is a suite whose cases all passed") {
  run_report report;
  report.scenario = "demo";
  report.ok = true;
  report.elapsed_us = 3'000'000;
  report.steps = {step("one", step_record::state::done), step("two", step_record::state::done)};
  report.steps[0].detail = "5 replies";
  const auto xml = to_junit(report, 1'700'000'003'000);
  CHECK(has(
      xml,
      R"(<testsuite name="demo" tests="2" failures="0" errors="0" skipped="0" time="3.000000" timestamp="2023-11-14T22:13:20">)"));
  CHECK(has(xml, R"(<testcase name="two" classname="demo" time="1.500000"></testcase>)"));
  CHECK(has(xml, "<system-out>5 replies</system-out>"));
}

TEST_CASE("a failed step has its nodes' logs, what was not reached is skipped") {
  run_report report;
  report.scenario = "a \"b\" <c> & d";
  report.steps = {step("bad", step_record::state::failed), step("never", step_record::state::skipped)};
  report.steps[0].problem = "expected <1>,\ngot \"2\"";
  report.steps[0].involved = {"n1"};
  report.logs = {{"n1", "/tmp/n1/node.log", "a\x01line\n\xff]]> \xc3\xa9 \xed\xa0\x80"},
                 {"n2", "/tmp/n2/node.log", "not involved"}};
  const auto xml = to_junit(report, 0);
  CHECK(has(xml, R"(tests="2" failures="1" errors="0" skipped="1")"));
  CHECK(has(xml, R"(classname="a &quot;b&quot; &lt;c&gt; &amp; d")"));
  CHECK(has(xml, R"(<failure message="expected &lt;1&gt;, got &quot;2&quot;" type="call">)"));
  CHECK(has(xml, "a?line\n?]]&gt; \xc3\xa9 ???"));
  CHECK(!has(xml, "not involved"));
  CHECK(has(
      xml,
      R"(<testcase name="never" classname="a &quot;b&quot; &lt;c&gt; &amp; d" time="0.000000"><skipped/></testcase>)"));
}

TEST_CASE("what went wrong beside the steps is an error") {
  run_report report;
  report.scenario = "s";
  report.steps = {step("one", step_record::state::skipped)};
  report.interrupted = true;
  CHECK(has(to_junit(report, 0), R"(<error message="it was interrupted"/>)"));
  report.problem = "no directory";
  const auto xml = to_junit(report, 0);
  CHECK(has(xml, R"(tests="2" failures="0" errors="1" skipped="1")"));
  CHECK(has(xml, R"(<error message="no directory"/>)"));
}
