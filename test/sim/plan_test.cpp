// Schedules follow from scenario and seed, and keep to what the scenario says.
#include "scenarios.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::sim;
using hanse::test::fault;
using hanse::test::quiet;

TEST_CASE("the same scenario and seed give the same schedule, in order of time") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto s = random_scenario(seed);
    const auto a = plan(s, seed);
    CHECK(a == plan(s, seed));
    CHECK(a != plan(s, seed + 1));
    CHECK(std::is_sorted(a.begin(), a.end(), [](const action& x, const action& y) { return x.at < y.at; }));
    for (const auto& x : a) CHECK(x.at < s.duration_ms);
  }
}

TEST_CASE("another fault leaves the workload as it was") {
  auto s = quiet(4);
  const auto sends = [](std::vector<action> all) {
    std::erase_if(all, [](const action& a) { return a.what != action_kind::send; });
    return all;
  };
  const auto before = sends(plan(s, 3));
  s.faults = {fault(fault_kind::crash, 0, 30)};
  CHECK(sends(plan(s, 3)) == before);
}

TEST_CASE("rules keep to their groups, their times and their rates") {
  auto s = quiet(2, 60'000);
  s.groups = {{"left", 2}, {"right", 3}};
  s.workload[0].from = "left";
  s.workload[0].to = "right";
  s.workload[0].per_minute = 100;
  s.workload[0].when = {10'000, 40'000};
  const auto all = plan(s, 1);
  CHECK(all.size() == 100); // two senders, half a minute
  for (const auto& a : all) {
    CHECK(a.a < 2);
    CHECK(a.b >= 2);
    CHECK(a.at >= 10'000);
    CHECK(a.at < 40'000);
  }
}

TEST_CASE("contacts form one ring at least, and all others when none are named") {
  auto s = quiet(10);
  CHECK(contacts_of(s, 1, 4).size() == 9);
  s.contacts = 3;
  for (std::uint32_t i = 0; i < 10; ++i) {
    const auto c = contacts_of(s, 1, i);
    CHECK(c.size() == 3);
    CHECK(std::find(c.begin(), c.end(), (i + 1) % 10) != c.end());
    CHECK(std::find(c.begin(), c.end(), i) == c.end());
  }
}

TEST_CASE("what cannot work is named with its place") {
  const auto first = [](const scenario& s) {
    const auto all = problems_of(s);
    return all.empty() ? std::string{} : all.front();
  };
  auto s = quiet(3);
  CHECK(first(s) == "");
  SUBCASE("a rate") {
    s.faults = {fault(fault_kind::duplicate, 0), fault(fault_kind::loss, 301)};
    CHECK(first(s) == "faults[1].permille: expected 0..300, found 301");
  }
  SUBCASE("a group") {
    s.workload[0].to = "nobody";
    CHECK(first(s) == "workload[0].to: expected \"*\", \"node\", found \"nobody\"");
  }
  SUBCASE("no nodes") {
    s.groups.clear();
    CHECK(first(s) == "groups: expected at least one group of nodes");
  }
  SUBCASE("too many nodes, over several groups") {
    s.groups = {{"a", 6000}, {"b", 6000}};
    CHECK(first(s) == "groups: expected 1..10000, found 12000");
  }
  SUBCASE("a range") {
    s.workload[0].body_octets = {100, 50};
    CHECK(first(s) == "workload[0].body_octets: expected a minimum that is no larger than the maximum");
  }
  SUBCASE("too much work") {
    s.duration_ms = duration_max_ms;
    s.workload[0].per_minute = 60'000;
    CHECK(first(s).find("workload: about") == 0);
  }
}
