// The oracle of topic steps: what it finds wrong in an order of delivery.
#include "hanse/app/cluster/topic_trial.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::app;

TEST_CASE("an event travels as a JSON list, and others are refused") {
  const trial_event e{"a", 3, {{"b", 2}}};
  const auto back = trial_event::from_body(e.to_body());
  REQUIRE(back);
  CHECK(back->publisher == "a");
  CHECK(back->number == 3);
  CHECK(back->after == e.after);
  CHECK_FALSE(trial_event::from_body(nlohmann::json::array({"hello"})));
}

TEST_CASE("gaps, repetitions and events after those that depend on them are found") {
  delivery_log log;
  REQUIRE(append(log, {"a", 1, {}}));
  CHECK_FALSE(append(log, {"a", 1, {}}));
  CHECK_FALSE(append(log, {"a", 3, {}}));
  CHECK_FALSE(append(log, {"b", 2, {}})); // the first life has everything
  REQUIRE(append(log, {"a", 2, {{"b", 1}}}));
  CHECK_FALSE(append(log, {"b", 1, {}}));
}

TEST_CASE("a second life may begin in the middle; what no life has is missing") {
  delivery_log log;
  REQUIRE(append(log, {"a", 1, {}}));
  log.lives.emplace_back();
  log.last.clear();
  REQUIRE(append(log, {"a", 3, {{"b", 4}}}));
  CHECK(missing_of(log, {{"a", 3}}) == "1 of a from number 2");
  CHECK_FALSE(append(log, {"b", 4, {}}));
  REQUIRE(append(log, {"b", 5, {}}));
  CHECK(missing_of(log, {{"a", 1}}).empty());
  CHECK(summary_of(log).events == 3);
}
