// Datagram links with each other over paths that lose, copy and reorder, in virtual time.
#include "datagram_path.hpp"

#include "hanse/transport/datagram_link.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace hanse;
using namespace hanse::test;

namespace {

key_pair key_of(std::uint64_t n) {
  seeded_random random{n};
  return key_pair::generate(random);
}

datagram_link_config config_of(std::uint64_t n) {
  datagram_link_config c;
  c.self = key_of(n).identity();
  c.ours.protocols = {link_protocol};
  c.ours.life = n;
  c.ours.advert = bytes(3'000, std::byte{7}); // three fragments
  return c;
}

struct link_world {
  explicit link_world(path_faults faults = {}, std::uint64_t seed = 1)
      : to_b(faults, seed), to_a(faults, seed + 1'000'000),
        a(dtls_context::make(key_of(1))->dial(key_of(2).identity()), config_of(1), random) {
    a.start(now, fx);
    flush(to_b, from_a);
  }

  struct heard {
    std::optional<link_up> up;
    std::vector<std::string> data, adverts;
    std::optional<error> closed;
  };

  void flush(datagram_path& out, heard& side) {
    out.put(std::move(fx.datagrams), now);
    for (auto& d : fx.data) side.data.emplace_back(as_text(d.view()));
    for (auto& d : fx.adverts) side.adverts.emplace_back(as_text(d.view()));
    if (fx.up) side.up = fx.up;
    if (fx.closed) side.closed = fx.closed;
    fx = {};
  }

  void at_b(const bytes& d) {
    if (b) {
      b->received(d, now, fx);
      return flush(to_a, from_b);
    }
    dtls_effects session_fx;
    if (auto s = listener.receive(as_byte_view("a"), d, now, session_fx))
      b = std::make_unique<datagram_link>(std::move(s), config_of(2), random);
    to_a.put(std::move(session_fx.datagrams), now);
  }

  void go(time_ms until) {
    for (;;) {
      auto next =
          std::min({to_a.next().value_or(UINT64_MAX), to_b.next().value_or(UINT64_MAX),
                    a.next_timer().value_or(UINT64_MAX), b ? b->next_timer().value_or(UINT64_MAX) : UINT64_MAX});
      if (next > until) {
        now = until;
        return;
      }
      now = std::max(now, next);
      if (!cut_off)
        for (auto& d : to_b.take(now)) at_b(d);
      else
        (void)to_b.take(now);
      for (auto& d : to_a.take(now)) {
        a.received(d, now, fx);
        flush(to_b, from_a);
      }
      a.tick(now, fx);
      flush(to_b, from_a);
      if (!b) continue;
      b->tick(now, fx);
      flush(to_a, from_b);
    }
  }

  bool up() const { return a.state() == link_state::up && b && b->state() == link_state::up; }

  time_ms now = 1'000;
  bool cut_off = false;
  seeded_random random{7};
  datagram_link_effects fx;
  datagram_path to_b, to_a;
  heard from_a, from_b; // what each side's machine reported
  dtls_listener listener{*dtls_context::make(key_of(2)), random};
  datagram_link a;
  std::unique_ptr<datagram_link> b;
};

} // namespace

TEST_CASE("a datagram link comes up with both hellos and carries payloads of one fragment and of many") {
  link_world w;
  w.go(2'000);
  REQUIRE(w.up());
  CHECK(w.from_a.up->peer == key_of(2).identity());
  CHECK(w.from_a.up->theirs.life == 2);
  CHECK(w.from_b.up->theirs.advert.size() == 3'000);
  const std::string large(datagram_payload_max, 'x');
  REQUIRE(w.a.send_data(as_byte_view("small"), w.fx));
  REQUIRE(w.a.send_data(as_byte_view(large), w.fx));
  CHECK(w.a.send_data(bytes(datagram_payload_max + 1), w.fx).code() == errc::too_long);
  CHECK(w.a.send_data({}, w.fx).code() == errc::bad_value);
  w.flush(w.to_b, w.from_a);
  w.go(3'000);
  CHECK(w.from_b.data == std::vector<std::string>{"small", large});
}

TEST_CASE(
    "hello and adverts arrive once and in order over a path that loses a third; data may be lost, never doubled") {
  int survived = 0;
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    CAPTURE(seed);
    link_world w{{25, 15, 5, 50}, seed};
    w.go(12'000);
    if (!w.up()) continue;
    std::vector<std::string> sent;
    for (int i = 0; i < 10; ++i) {
      sent.push_back("advert " + std::to_string(i) + std::string(2'000, 'a'));
      REQUIRE(w.a.send_adverts(as_byte_view(sent.back()), w.now, w.fx));
      w.flush(w.to_b, w.from_a);
      REQUIRE(w.b->send_data(as_byte_view("data " + std::to_string(i)), w.fx));
      w.flush(w.to_a, w.from_b);
    }
    w.go(w.now + 60'000);
    if (w.from_b.closed || w.from_a.closed) continue; // fifteen seconds without a word: rare at this loss
    ++survived;
    CHECK(w.from_b.adverts == sent);
    const std::set<std::string> distinct{w.from_a.data.begin(), w.from_a.data.end()};
    CHECK(distinct.size() == w.from_a.data.size());
  }
  CHECK(survived >= 12);
}

TEST_CASE("a quiet link is kept by pings and measured; one without a far side ends") {
  link_world w;
  w.go(2'000);
  REQUIRE(w.up());
  w.go(62'000);
  CHECK(w.up());
  CHECK(w.a.metrics().rtt_samples > 0);
  CHECK(w.a.metrics().rtt_us == 10'000);
  w.cut_off = true;
  w.go(w.now + 40'000);
  CHECK(w.a.state() == link_state::closed);
  REQUIRE(w.from_b.closed);
  CHECK(w.from_b.closed->code == errc::timed_out);
}

TEST_CASE("a far side that says bye ends the link with its reason") {
  link_world w;
  w.go(2'000);
  REQUIRE(w.up());
  w.a.close({errc::untrusted, "banned"}, w.fx);
  w.flush(w.to_b, w.from_a);
  w.go(3'000);
  REQUIRE(w.from_b.closed);
  CHECK(w.from_b.closed->code == errc::untrusted);
  CHECK(w.b->send_data(as_byte_view("x"), w.fx).code() == errc::link_closed);
  CHECK_FALSE(w.a.next_timer());
}

TEST_CASE("adverts that wait for acknowledgement are bounded") {
  link_world w;
  w.go(2'000);
  REQUIRE(w.up());
  std::size_t taken = 0;
  for (int i = 0; i < 200; ++i)
    if (w.a.send_adverts(as_byte_view("a"), w.now, w.fx)) ++taken;
  CHECK(taken == datagram_control_max);
}
