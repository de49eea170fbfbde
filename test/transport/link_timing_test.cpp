// Tests of a link's timers in virtual time: handshake, drips, heartbeats, stalls, measurement.
// Not frames (link_test.cpp).
#include "link_pair.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::test;

TEST_CASE("a handshake that is not over after 10 seconds is timed out") {
  for (const int flights : {0, 1, 2}) {
    link_pair p;
    p.start();
    if (flights > 0) p.move(p.a, p.b);
    if (flights > 1) p.move(p.b, p.a);
    CHECK(p.b.machine->next_timer() == 11'000);
    p.tick(10'999);
    CHECK_FALSE(p.a.closed);
    CHECK_FALSE(p.b.closed);
    p.tick(11'000);
    REQUIRE(p.a.closed);
    REQUIRE(p.b.closed);
    CHECK(p.a.closed->code == errc::timed_out);
    CHECK(p.b.closed->code == errc::timed_out);
  }
}

TEST_CASE("a hello that drips in is timed out with the handshake") {
  link_pair p;
  p.start();
  p.move(p.a, p.b);
  p.move(p.b, p.a);
  REQUIRE(p.a.out.size() > 20);
  while (!p.b.closed && p.now < 60'000) {
    p.now += 500;
    p.b.machine->tick(p.now, p.b.fx);
    p.b.settle();
    if (p.a.left() > 1) p.move(p.a, p.b, 1);
  }
  REQUIRE(p.b.closed);
  CHECK(p.b.closed->code == errc::timed_out);
  CHECK(p.now == 11'000);
}

TEST_CASE("a frame that drips in is cut off after 10 seconds, in one record or in many") {
  for (const bool one_record : {true, false}) {
    CAPTURE(one_record);
    link_pair p;
    p.up();
    const bytes payload(15'000);
    if (one_record) {
      p.send(p.a, payload);
    } else { // records of their own, each a few octets of one frame
      bytes frame;
      append_frame(frame, frame_kind::data, payload);
      auto& session = const_cast<secure_session&>(p.a.machine->session());
      for (std::size_t i = 0; i < 3000; i += 10) (void)session.send(byte_view{frame}.subspan(i, 10), p.a.out);
    }
    const auto began = p.now;
    while (!p.b.closed && p.now < began + 60'000) {
      p.now += 100;
      p.move(p.a, p.b, 33);
      p.b.machine->tick(p.now, p.b.fx);
      p.b.settle();
    }
    REQUIRE(p.b.closed);
    CHECK(p.b.closed->code == errc::timed_out);
    CHECK(p.b.closed->detail == "frame not completed");
    CHECK(p.now - began == 10'100);
  }
}

TEST_CASE("frames that keep completing are not mistaken for a drip") {
  link_pair p;
  p.up();
  for (int i = 0; i < 300; ++i) {
    p.send(p.a, bytes(1000));
    p.move(p.a, p.b, p.a.left() - 1); // always a bit of the next record is missing
    p.move(p.b, p.a);
    p.tick(p.now + 100);
  }
  CHECK_FALSE(p.b.closed);
  CHECK(p.b.data.size() >= 298);
}

TEST_CASE("silence is broken by a ping every 5 seconds, and idle links live on") {
  link_pair p;
  p.up();
  const auto pings = p.a.machine->metrics().pings_sent;
  for (int i = 0; i < 600; ++i) {
    p.tick(p.now + 100);
    p.run();
  }
  CHECK_FALSE(p.a.closed);
  CHECK_FALSE(p.b.closed);
  const auto more = p.a.machine->metrics().pings_sent + p.b.machine->metrics().pings_sent - 2 * pings;
  CHECK(more >= 12);
  CHECK(more <= 26);
}

TEST_CASE("a peer that falls silent is dead after 15 seconds, and its pings count as lost") {
  link_pair p;
  p.up();
  const auto began = p.now;
  while (!p.a.closed && p.now < began + 60'000) p.tick(p.a.machine->next_timer());
  REQUIRE(p.a.closed);
  CHECK(p.a.closed->code == errc::timed_out);
  CHECK(p.now == began + 15'000);
  CHECK(p.a.machine->metrics().pongs_missed == 1);
  CHECK(p.a.machine->metrics().loss_permille > 0);
}

TEST_CASE("a peer that does not read is given up after 60 seconds without progress") {
  link_pair p;
  p.up();
  const auto began = p.now;
  REQUIRE(p.a.machine->send_data(bytes(100'000), p.a.fx));
  p.a.machine->flush(p.now, p.a.fx);
  p.a.settle();
  while (!p.a.closed && p.now < began + 90'000) {
    p.now += 1000;
    p.send(p.b, bytes(10)); // it talks all the time
    p.b.machine->written(p.b.machine->pending(), p.now);
    p.move(p.b, p.a);
    p.a.machine->tick(p.now, p.a.fx);
    p.a.settle();
    if (p.now == began + 5000) p.a.machine->written(10, p.now);
  }
  REQUIRE(p.a.closed);
  CHECK(p.a.closed->code == errc::timed_out);
  CHECK(p.a.closed->detail == "the far side does not read");
  CHECK(p.now == began + 65'000);
}

TEST_CASE("a side that stops reading does not take the silence for death, and is not taken for dead") {
  link_pair p;
  p.up();
  p.send(p.b, bytes(10'000));
  p.move(p.b, p.a, 5'000); // half a frame
  p.a.machine->set_reading(false, p.now);
  const auto began = p.now;
  while (p.now < began + 50'000) {
    p.tick(p.now + 1000);
    p.move(p.a, p.b);
  }
  CHECK_FALSE(p.a.closed);
  CHECK_FALSE(p.b.closed);
  CHECK(p.a.machine->metrics().pongs_missed == 0);
  p.a.machine->set_reading(true, p.now);
  p.run();
  CHECK(p.a.data.size() == 1);
  p.a.machine->set_reading(false, p.now);
  p.a.machine->set_reading(true, p.now);
  while (!p.a.closed && p.now < began + 100'000) p.tick(p.now + 500);
  REQUIRE(p.a.closed); // reading again, silence counts again
  CHECK(p.a.closed->code == errc::timed_out);
}

TEST_CASE("the round trip is measured right after the link is up") {
  link_pair p;
  p.start();
  p.run(); // without delay: the first sample is 0
  CHECK(p.a.machine->metrics().rtt_samples == 1);
  link_pair slow;
  slow.start();
  for (int i = 0; i < 10; ++i) {
    slow.now += 20;
    slow.move(slow.a, slow.b);
    slow.now += 20;
    slow.move(slow.b, slow.a);
  }
  CHECK(slow.a.machine->metrics().rtt_us == 40'000);
  CHECK(slow.a.machine->metrics().loss_permille == 0);
}

TEST_CASE("a pong that nobody asked for changes nothing") {
  seeded_random random{1};
  link_config c;
  c.self = key_of(2).identity();
  hanse::link b{link_role::acceptor, make_plain_session(link_role::acceptor, c.self, std::nullopt), c, random};
  auto a = make_plain_session(link_role::dialer, key_of(1).identity(), std::nullopt);
  link_effects fx;
  b.start(0, fx);
  bytes octets;
  (void)a->start(octets);
  hello h;
  h.protocols = {link_protocol};
  append_frame(octets, frame_kind::hello, encode(h));
  for (int i = 0; i < 10; ++i) append_frame(octets, frame_kind::pong, bytes(8, std::byte(i)));
  b.received(octets, 50, fx);
  REQUIRE(fx.up);
  CHECK_FALSE(fx.closed);
  CHECK(b.metrics().rtt_samples == 0);
  // The last thing it said is its ping: the answer counts once.
  REQUIRE(fx.output.size() > 8);
  const bytes nonce(fx.output.end() - 8, fx.output.end());
  octets.clear();
  append_frame(octets, frame_kind::pong, nonce);
  append_frame(octets, frame_kind::pong, nonce);
  b.received(octets, 60, fx);
  CHECK(b.metrics().rtt_samples == 1);
  CHECK(b.metrics().rtt_us == 10'000);
}

TEST_CASE("a draining link ends when the far side does not answer") {
  link_pair p;
  p.up();
  p.a.machine->finish(errc::duplicate_link, p.now, p.a.fx);
  p.a.settle();
  CHECK(p.a.machine->next_timer() == p.now + 5000);
  p.tick(p.now + 4999);
  CHECK_FALSE(p.a.closed);
  p.tick(p.now + 1);
  REQUIRE(p.a.closed);
  CHECK(p.a.closed->code == errc::duplicate_link);
}

TEST_CASE("throughput is counted in octets on the wire and as a rate") {
  link_pair p;
  p.up();
  for (int i = 0; i < 40; ++i) {
    p.send(p.a, bytes(10'000));
    p.run();
    p.tick(p.now + 100);
  }
  const auto& m = p.b.machine->metrics();
  CHECK(m.octets_in > 400'000);
  CHECK(m.frames_in >= 40);
  CHECK(m.rate_in > 90'000);
  CHECK(m.rate_in < 120'000);
}
