// A small exchange over reliable unicast, effect by effect, in readable text: what the protocol looks like from
// outside. Not an exhaustive test (the seeded worlds are): a change here means that the protocol itself changed.
#include "protocols/reliable_unicast_script.hpp"

using namespace hanse;
using namespace hanse::test;

TEST_CASE("reliable unicast transcript: two messages, one lost, one acknowledged late") {
  script_node left, right;
  auto now = script_start;
  std::string transcript;
  const auto note = [&](const char* who, const unicast_effects& effects) {
    for (const auto& line : describe(effects)) transcript += std::string{who} + ": " + line + "\n";
  };
  std::vector<unicast_transmit_control> acks;
  const auto right_did = [&] {
    auto effects = right.take();
    note("right", effects);
    for (auto& e : effects)
      if (auto* c = std::get_if<unicast_transmit_control>(&e)) acks.push_back(*c);
  };

  REQUIRE(left.send('a', 'b', 1, now));
  REQUIRE(left.send('a', 'b', 2, now));
  auto effects = left.take();
  note("left", effects);
  const auto first = *std::get<unicast_transmit>(effects[0]).message;
  const auto second = *std::get<unicast_transmit>(effects[1]).message;

  now += 10;
  transcript += "-- the first is lost, the second arrives\n";
  CHECK(right.receive(second, now) == errc::none);
  right.flush(now);
  right_did();

  now += 10;
  left.hear(acks.at(0), now);
  note("left", left.take());
  now += 1000;
  left.tick(now);
  effects = left.take();
  note("left", effects);

  transcript += "-- the retransmission arrives\n";
  CHECK(right.receive(*std::get<unicast_transmit>(effects.at(0)).message, now) == errc::none);
  right.flush(now);
  right_did();
  transcript += "-- the commit is durable\n";
  right.machine.persisted(1, now, right.out);
  right_did();
  transcript += "-- the engine handles both, the second with an error\n";
  right.handled(first, now);
  right.handled(second, now, errc::schema_mismatch);
  right.flush(now);
  right_did();
  left.hear(acks.at(1), now);
  note("left", left.take());
  transcript += "-- a second later\n";
  now += 1100;
  right.tick(now);
  right_did();

  CHECK(transcript == R"(left: transmit a>b#1
left: transmit a>b#2
-- the first is lost, the second arrives
right: tell b>a ack settled 0 held 2 lost
left: transmit again a>b#1
-- the retransmission arrives
right: persist 1 (1 records)
-- the commit is durable
right: deliver a>b#1
right: deliver a>b#2
-- the engine handles both, the second with an error
right: tell b>a ack settled 2 #2=schema_mismatch
left: confirmed 1
left: failed 2 schema_mismatch
-- a second later
right: persist 2 (1 records)
)");
}

TEST_CASE("reliable unicast transcript: an answer overtakes what caused it") {
  script_node one, two, three; // a on one, b on two, c on three
  auto now = script_start;
  std::string transcript;
  const auto note = [&](const char* who, script_node& n) {
    for (const auto& line : n.told()) transcript += std::string{who} + ": " + line + "\n";
  };
  const auto question = one.sent('a', 'c', 1, now);
  const auto copy = one.sent('a', 'b', 2, now);
  transcript += "-- a sent to c, then to b; the message to c is slow; b answers to c\n";
  CHECK(two.deliver(copy, now).size() == 1);
  const auto answer = two.sent('b', 'c', 3, now);
  two.handled(copy, now);
  two.flush(now);
  note("two", two);
  transcript += "-- the answer arrives first\n";
  CHECK(three.receive(answer, now) == errc::none);
  three.flush(now);
  note("three", three);
  transcript += "-- then what it depends on\n";
  CHECK(three.receive(question, now + 5) == errc::none);
  three.commit(now + 5);
  note("three", three);
  transcript += std::string{"-- the answer said: after "} + describe(answer.stream->deps.at(0)) + "\n";

  CHECK(transcript == R"(-- a sent to c, then to b; the message to c is slow; b answers to c
two: tell b>a ack settled 1
-- the answer arrives first
-- then what it depends on
three: persist 1 (2 records)
three: deliver a>c#1
three: deliver b>c#1
-- the answer said: after a>c#1
)");
}
