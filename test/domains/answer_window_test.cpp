// The window and the time-outs towards one member, by themselves; what comes of them over links is in
// block_exchange_sim_test.cpp.
#include "hanse/domains/answer_window.hpp"

#include <doctest/doctest.h>

using namespace hanse;

namespace {

answer_window_config config() {
  answer_window_config c;
  c.initial = 64;
  c.min = 32;
  c.max = 4096;
  c.unmeasured_per_s = 32;
  return c;
}

} // namespace

TEST_CASE("a window doubles while answers come at once, up to its bound") {
  answer_window w{config()};
  for (const std::uint64_t size : {64u, 128u, 256u, 512u}) {
    CHECK(w.size() == size);
    w.answered(size, size, 10, true);
  }
  for (int i = 0; i < 10; ++i) w.answered(w.size(), w.size(), 10, true);
  CHECK(w.size() == 4096);
}

TEST_CASE("a window of few blocks grows, too, when answers take a little longer now and then") {
  auto c = config();
  c.initial = 2;
  c.min = 1;
  answer_window w{c};
  for (int round = 0; round < 5; ++round)
    for (auto left = w.size(); left > 0; --left) w.answered(1, w.size(), 10 + left % 5, true);
  CHECK(w.size() > 50);
}

TEST_CASE("a window that was not needed does not grow") {
  answer_window w{config()};
  for (int i = 0; i < 1000; ++i) w.answered(8, 8, 10, true);
  CHECK(w.size() == 64);
}

TEST_CASE("a window settles where answers wait for half a second, and never shrinks below its least") {
  answer_window w{config()};
  constexpr std::uint64_t per_s = 1000; // what the link takes
  for (int i = 0; i < 20; ++i) w.answered(w.size(), w.size(), 1000 * w.size() / per_s, true);
  CHECK(w.size() > 500);
  CHECK(w.size() < 600); // the first 64 took 64 ms: 564
  for (int i = 0; i < 100; ++i) w.answered(32, w.size(), 10'000, true);
  CHECK(w.size() == 32);
}

TEST_CASE("a time-out begins with a slow link's time, follows what was measured, and doubles with each") {
  answer_window w{config()};
  CHECK(w.timeout_ms(64) == 1000 + 2000);
  w.timed_out();
  CHECK(w.size() == 32);
  CHECK(w.timeout_ms(64) == 6000);
  for (int i = 0; i < 100; ++i) w.timed_out();
  CHECK(w.timeout_ms(64) <= 60'000);
  w.answered(64, 64, 8000, false); // there is nothing better
  CHECK(w.timeout_ms(64) >= 16'000);
  for (int i = 0; i < 100; ++i) w.answered(64, 64, 640, true);
  CHECK(w.timeout_ms(64) > 1200);
  CHECK(w.timeout_ms(64) < 1400);
  CHECK(w.timeout_ms(128) > w.timeout_ms(64) + 600); // what is ahead has its time
}

TEST_CASE("answers to what was sent twice are not measured, and take the doubling back by one") {
  answer_window w{config()};
  w.answered(64, 64, 100, true);
  const auto before = w.timeout_ms(1);
  w.timed_out();
  w.timed_out();
  w.answered(32, 32, 5000, false);
  CHECK(w.timeout_ms(1) >= 2 * before - 1);
  CHECK(w.timeout_ms(1) <= 2 * before + 1);
  w.restart();
  CHECK(w.size() == 64);
}
