// The timer of engines around machines: which ticks are sent, and which count.
#include "hanse/actors/tick_timer.hpp"

#include <doctest/doctest.h>

namespace hanse {

TEST_CASE("a timer that is set earlier leaves one chain of ticks, not two") {
  tick_timer t;
  CHECK(t.set(1000, 0) == 1000);
  CHECK(t.set(1500, 0) == std::nullopt); // the first is soon enough
  CHECK(t.set(100, 0) == 100);
  CHECK(t.came(100));
  CHECK(t.set(1100, 100) == 1000);
  CHECK_FALSE(t.came(1000)); // of the first: the one for 1100 is under way
  CHECK(t.set(1100, 1000) == std::nullopt);
  CHECK(t.came(1100));
}

TEST_CASE("a timer goes on when the wall clock is set back") {
  tick_timer t;
  CHECK(t.set(10'000, 9'000) == 1000);
  CHECK(t.came(500)); // nothing else would come
  CHECK(t.set(600, 500) == 100);
}

TEST_CASE("a tick that nobody set counts") {
  tick_timer t;
  CHECK(t.came(0));
  CHECK(t.set(0, 5) == 1);
}

} // namespace hanse
