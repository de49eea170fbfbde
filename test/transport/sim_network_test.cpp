// Tests of the simulated network: order, delay, partitions, resets, determinism. Not links over it.
#include "hanse/transport/sim_network.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using kind = sim_event::kind;

namespace {

struct opened {
  endpoint_id dialler = 0, acceptor = 0;
};

std::vector<sim_event> run(sim_network& net, time_ms until) {
  std::vector<sim_event> all;
  while (net.next_event_time() <= until)
    for (auto& e : net.advance(net.next_event_time())) all.push_back(std::move(e));
  return all;
}

opened open(sim_network& net, time_ms& now) {
  net.listen("b");
  opened o;
  o.dialler = net.connect("a", "b", now);
  now += 100;
  for (const auto& e : run(net, now))
    if (e.what == kind::accepted) o.acceptor = e.endpoint;
  REQUIRE(o.acceptor != 0);
  return o;
}

std::string received(const std::vector<sim_event>& events, endpoint_id at) {
  std::string out;
  for (const auto& e : events)
    if (e.what == kind::data && e.endpoint == at) out += as_text(e.octets);
  return out;
}

std::size_t count(const std::vector<sim_event>& events, kind what) {
  return static_cast<std::size_t>(
      std::count_if(events.begin(), events.end(), [&](const auto& e) { return e.what == what; }));
}

} // namespace

TEST_CASE("a stream opens, carries octets in order with delay, and closes after them") {
  sim_network net{1, {5, 20, 0, 0, 0, 0, 500}};
  time_ms now = 0;
  const auto s = open(net, now);
  std::string sent;
  for (int i = 0; i < 200; ++i) {
    const auto piece = std::to_string(i) + ",";
    sent += piece;
    REQUIRE(net.send(s.dialler, as_byte_view(piece), now + static_cast<time_ms>(i)));
  }
  CHECK(net.next_event_time() >= now + 5);
  net.close(s.dialler, now + 200);
  const auto events = run(net, now + 1000);
  CHECK(received(events, s.acceptor) == sent);
  CHECK(events.back().what == kind::closed);
  CHECK(events.back().endpoint == s.acceptor);
  CHECK(net.open_streams() == 0);
  CHECK(net.send(s.dialler, as_byte_view("x"), now + 1000).code() == errc::link_closed);
}

TEST_CASE("a dial to nobody is refused") {
  sim_network net{1};
  const auto end = net.connect("a", "nobody", 0);
  const auto events = run(net, 1000);
  REQUIRE(events.size() == 1);
  CHECK(events[0].what == kind::closed);
  CHECK(events[0].endpoint == end);
  CHECK(events[0].why.code == errc::unreachable);
}

TEST_CASE("the same seed gives the same events, another gives others") {
  const auto trace = [](std::uint64_t seed) {
    sim_network net{seed, {1, 50, 100, 400, 200, 100, 300}};
    time_ms now = 0;
    const auto s = open(net, now);
    std::string out;
    for (int i = 0; i < 50; ++i) {
      (void)net.send(s.dialler, as_byte_view("hello"), now);
      (void)net.send(s.acceptor, as_byte_view("world"), now);
      net.send_datagram("a", "b", as_byte_view("d"), now);
      now += 3;
    }
    for (const auto& e : run(net, now + 5000))
      out += std::to_string(e.at) + ":" + std::to_string(static_cast<int>(e.what)) + ":" + e.host + " ";
    return out;
  };
  CHECK(trace(7) == trace(7));
  CHECK(trace(7) != trace(8));
}

TEST_CASE("a partition holds octets until it heals, and breaks streams that wait too long") {
  sim_network net{3, {1, 5}, 1000};
  time_ms now = 0;
  const auto s = open(net, now);
  net.partition({"a"}, {"b"}, false, now);
  REQUIRE(net.send(s.dialler, as_byte_view("one"), now));
  CHECK(run(net, now + 500).empty());
  net.heal(now + 500);
  CHECK(received(run(net, now + 600), s.acceptor) == "one");
  now += 600;
  net.partition({"a"}, {"b"}, false, now);
  REQUIRE(net.send(s.dialler, as_byte_view("two"), now));
  const auto events = run(net, now + 3000);
  CHECK(count(events, kind::closed) == 2);
  CHECK(events[0].at >= now + 1000);
  CHECK(net.open_streams() == 0);
}

TEST_CASE("a one-way partition lets the other way through") {
  sim_network net{3, {1, 5}, 10'000};
  time_ms now = 0;
  const auto s = open(net, now);
  net.partition({"a"}, {"b"}, true, now);
  REQUIRE(net.send(s.dialler, as_byte_view("held"), now));
  REQUIRE(net.send(s.acceptor, as_byte_view("through"), now));
  const auto events = run(net, now + 100);
  CHECK(received(events, s.dialler) == "through");
  CHECK(received(events, s.acceptor).empty());
}

TEST_CASE("a clog ends by itself, in order") {
  sim_network net{3, {1, 5}};
  time_ms now = 0;
  const auto s = open(net, now);
  net.clog("a", "b", now + 400, now);
  for (const char* t : {"1", "2", "3"}) REQUIRE(net.send(s.dialler, as_byte_view(t), now++));
  CHECK(received(run(net, now + 390), s.acceptor).empty());
  REQUIRE(net.send(s.dialler, as_byte_view("4"), now + 390));
  CHECK(received(run(net, now + 500), s.acceptor) == "1234");
}

TEST_CASE("a dial into a partition breaks instead of hanging for ever") {
  sim_network net{3, {1, 5}, 1000};
  net.listen("b");
  net.partition({"a"}, {"b"}, false, 0);
  const auto end = net.connect("a", "b", 0);
  const auto events = run(net, 5000);
  REQUIRE(events.size() == 1);
  CHECK(events[0].what == kind::closed);
  CHECK(events[0].endpoint == end);
}

TEST_CASE("a reset is seen at both ends, a crash at the other") {
  sim_network net{3, {1, 5}};
  time_ms now = 0;
  const auto s = open(net, now);
  net.reset(s.acceptor, now);
  CHECK(net.next_event_time() == now);
  CHECK(count(run(net, now), kind::closed) == 2);
  const auto t = open(net, now);
  net.crash("b", now);
  const auto events = run(net, now + 100);
  REQUIRE(events.size() == 1);
  CHECK(events[0].endpoint == t.dialler);
  const auto u = net.connect("a", "b", now + 100);
  CHECK(run(net, now + 200).at(0).endpoint == u); // refused: nobody listens any more
}

TEST_CASE("datagrams get lost and duplicated as often as stated") {
  sim_network net{5, {1, 50, 0, 0, 200, 100, 0}};
  for (int i = 0; i < 10'000; ++i) net.send_datagram("a", "b", as_byte_view("x"), 0);
  const auto n = run(net, 100).size();
  CHECK(n > 8500); // 10,000 x 1.1 x 0.8
  CHECK(n < 9100);
}
