// The judge itself: each rule that it knows is broken once, on purpose, and found.
#include "hanse/sim/invariants.hpp"

#include <doctest/doctest.h>

using namespace hanse::sim;

namespace {

std::string verdict(const checker& c) {
  return c.verdict() ? std::string{to_string(c.verdict()->what)} : "";
}

} // namespace

TEST_CASE("what goes well is not objected to") {
  checker c{3};
  c.sent(1, 0, 1, true, 11);
  CHECK(c.delivered(1, 0, 1, 11));
  c.handled(1, 0);
  c.sent(2, 1, 2, true, 22);
  CHECK(c.delivered(2, 1, 2, 22));
  c.handled(2, 7);
  c.ended(1, outcome::confirmed, {});
  c.ended(2, outcome::failed, 7);
  c.finish();
  CHECK(verdict(c) == "");
  CHECK(c.waiting() == 0);
}

TEST_CASE("a message after one that depends on it breaks causal order, directly and over a third engine") {
  checker fifo{2};
  fifo.sent(1, 0, 1, true, 0);
  fifo.sent(2, 0, 1, true, 0);
  (void)fifo.delivered(2, 0, 1, 0);
  (void)fifo.delivered(1, 0, 1, 0);
  CHECK(verdict(fifo) == "causal_order");

  checker triangle{3};
  triangle.sent(1, 0, 2, true, 0);
  triangle.sent(2, 0, 1, true, 0);
  (void)triangle.delivered(2, 0, 1, 0);
  triangle.sent(3, 1, 2, true, 0);
  (void)triangle.delivered(3, 1, 2, 0);
  CHECK(verdict(triangle) == "");
  (void)triangle.delivered(1, 0, 2, 0);
  CHECK(verdict(triangle) == "causal_order");
}

TEST_CASE("concurrent messages may come in any order") {
  checker c{3};
  c.sent(1, 0, 2, true, 0);
  c.sent(2, 1, 2, true, 0);
  (void)c.delivered(2, 1, 2, 0);
  (void)c.delivered(1, 0, 2, 0);
  CHECK(verdict(c) == "");
}

TEST_CASE("a crash begins a new causal history, and nothing of the old one may come after it") {
  checker c{2};
  c.sent(1, 0, 1, true, 0);
  c.crashed(0);
  c.sent(2, 0, 1, true, 0);
  (void)c.delivered(2, 0, 1, 0);
  CHECK(verdict(c) == "");
  (void)c.delivered(1, 0, 1, 0);
  CHECK(verdict(c) == "causal_order");
}

TEST_CASE("delivered twice, or after its sender was told it never will be, breaks at-most-once") {
  checker twice{2};
  twice.sent(1, 0, 1, false, 0);
  (void)twice.delivered(1, 0, 1, 0);
  (void)twice.delivered(1, 0, 1, 0);
  CHECK(verdict(twice) == "at_most_once");

  checker late{2};
  late.sent(1, 0, 1, true, 0);
  late.ended(1, outcome::failed_final, {});
  (void)late.delivered(1, 0, 1, 0);
  CHECK(verdict(late) == "at_most_once");
}

TEST_CASE("a confirmation of what was not handled, or not handled well, is a loss") {
  checker never{2};
  never.sent(1, 0, 1, true, 0);
  (void)never.delivered(1, 0, 1, 0);
  never.ended(1, outcome::confirmed, {});
  CHECK(verdict(never) == "no_acknowledged_loss");

  checker badly{2};
  badly.sent(1, 0, 1, true, 0);
  (void)badly.delivered(1, 0, 1, 0);
  badly.handled(1, 5);
  badly.ended(1, outcome::confirmed, {});
  CHECK(verdict(badly) == "no_acknowledged_loss");

  checker invented{2};
  invented.sent(1, 0, 1, true, 0);
  invented.ended(1, outcome::failed, 5);
  CHECK(verdict(invented) == "no_acknowledged_loss");
}

TEST_CASE("two outcomes, and none at the end, break one-outcome; a crash of the sender excuses") {
  checker two{2};
  two.sent(1, 0, 1, true, 0);
  two.ended(1, outcome::failed, {});
  two.ended(1, outcome::failed, {});
  CHECK(verdict(two) == "one_outcome");

  checker none{2};
  none.sent(1, 0, 1, true, 0);
  none.finish();
  CHECK(verdict(none) == "one_outcome");

  checker excused{2};
  excused.sent(1, 0, 1, true, 0);
  excused.crashed(0);
  excused.finish();
  CHECK(verdict(excused) == "");
}

TEST_CASE("what nobody sent, or sent otherwise, is not authentic, except from byzantine engines") {
  checker c{3};
  c.sent(1, 0, 1, true, 11);
  SUBCASE("another body") {
    CHECK_FALSE(c.delivered(1, 0, 1, 12));
  }
  SUBCASE("another source") {
    CHECK_FALSE(c.delivered(1, 2, 1, 11));
  }
  SUBCASE("another destination") {
    CHECK_FALSE(c.delivered(1, 0, 2, 11));
  }
  SUBCASE("another message") {
    CHECK_FALSE(c.delivered(9, 0, 1, 11));
  }
  CHECK(verdict(c) == "authentic");

  checker lenient{2};
  lenient.exempt(0);
  CHECK_FALSE(lenient.delivered(9, 0, 1, 11));
  CHECK(verdict(lenient) == "");
}

TEST_CASE("adverts that go back, are signed twice, or come from nowhere are found") {
  checker back{2};
  back.signed_version(1, false, 5);
  back.signed_version(1, false, 6);
  back.knows(0, 1, false, 6);
  back.knows(0, 1, false, 5);
  CHECK(verdict(back) == "adverts_monotonic");

  checker twice{2};
  twice.signed_version(1, false, 5);
  twice.signed_version(1, false, 5);
  CHECK(verdict(twice) == "adverts_monotonic");

  checker nowhere{2};
  nowhere.knows(0, 1, true, 3);
  CHECK(verdict(nowhere) == "adverts_monotonic");

  checker reborn{2}; // a crash may lose what was not durable yet
  reborn.signed_version(1, false, 6);
  reborn.knows(0, 1, false, 6);
  reborn.crashed(0);
  reborn.signed_version(1, false, 7);
  reborn.knows(0, 1, false, 7);
  CHECK(verdict(reborn) == "");
}

TEST_CASE("a table over its maximum is found, one that is just full is not") {
  checker c{1};
  c.size("things", 10, 10);
  CHECK(verdict(c) == "");
  c.size("things", 11, 10);
  CHECK(verdict(c) == "bounded");
}
