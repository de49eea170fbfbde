// Tests of links on a stream that alters or cuts octets: every bit of a burst, every octet of the handshake.
// Not strangers that play by TLS (tls_peer_test.cpp).
#include "link_pair.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace hanse;
using namespace hanse::test;

namespace {

const std::set<errc> typed{errc::decryption_failed, errc::link_closed, errc::bad_value, errc::timed_out,
                           errc::handshake_failed,  errc::too_long,    errc::wrong_peer};

// After the stream was altered for `p.b`: it must have closed, or be waiting for octets that never come and then close.
void must_close(link_pair& p) {
  while (!p.b.closed && p.b.machine->next_timer() != UINT64_MAX) p.tick(p.b.machine->next_timer());
  REQUIRE(p.b.closed);
  INFO(to_string(*p.b.closed));
  CHECK(typed.contains(p.b.closed->code));
}

} // namespace

TEST_CASE("every flipped bit of a burst after the handshake closes the link with a typed error") {
  link_pair probe;
  probe.up();
  probe.send(probe.a, bytes(40, std::byte{1}));
  const std::size_t bits = probe.a.out.size() * 8;
  for (std::size_t bit = 0; bit < bits; bit += 3) { // every octet, 2 or 3 of its bits
    CAPTURE(bit);
    link_pair p;
    p.up();
    p.send(p.a, bytes(40, std::byte{1}));
    p.a.out[bit / 8] ^= std::byte{1} << (bit % 8);
    p.send(p.a, bytes(40, std::byte{2})); // more, so that a longer length finds octets
    p.move(p.a, p.b);
    CHECK(p.b.data.empty());
    must_close(p);
  }
}

TEST_CASE("every truncation of a burst leaves nothing delivered by halves, and the link closes") {
  link_pair probe;
  probe.up();
  probe.send(probe.a, bytes(40, std::byte{1}));
  const std::size_t size = probe.a.out.size();
  for (std::size_t cut = 1; cut < size; ++cut) {
    link_pair p;
    p.up();
    p.send(p.a, bytes(40, std::byte{1}));
    p.a.out.resize(cut);
    p.move(p.a, p.b);
    CHECK(p.b.data.empty());
    CHECK_FALSE(p.b.closed);
    p.b.machine->disconnected({errc::link_closed, "reset"}, p.b.fx);
    p.b.settle();
    CHECK(p.b.closed->code == errc::link_closed);
  }
}

TEST_CASE("records that are repeated, left out or swapped close the link") {
  for (const int what : {0, 1, 2}) {
    link_pair p;
    p.up();
    std::vector<bytes> records;
    for (int i = 0; i < 3; ++i) {
      p.send(p.a, bytes(10, std::byte(i)));
      records.push_back(std::exchange(p.a.out, {}));
    }
    if (what == 0) records.insert(records.begin(), records[0]);
    if (what == 1) records.erase(records.begin());
    if (what == 2) std::swap(records[0], records[1]);
    for (const auto& r : records) append(p.a.out, r);
    p.move(p.a, p.b);
    REQUIRE(p.b.closed);
    CHECK(p.b.closed->code == errc::decryption_failed);
  }
}

// The version octets of unprotected record headers are ignored (RFC 8446 section 5.1), so a flip there may go through;
// then both sides must have come up with the right identities as if nothing had happened.
TEST_CASE("a flipped octet of the handshake never brings up a link with anyone else") {
  struct flight {
    bool from_dialer;
    std::size_t size;
  };
  link_pair probe;
  probe.start();
  std::vector<flight> flights;
  flights.push_back({true, probe.a.out.size()});
  probe.move(probe.a, probe.b);
  flights.push_back({false, probe.b.out.size()});
  probe.move(probe.b, probe.a);
  flights.push_back({true, probe.a.out.size()});
  std::size_t through = 0, refused = 0;
  for (std::size_t f = 0; f < flights.size(); ++f) {
    for (std::size_t at = 0; at < flights[f].size; ++at) {
      link_pair p;
      p.start();
      if (f > 0) p.move(p.a, p.b);
      if (f > 1) p.move(p.b, p.a);
      auto& out = flights[f].from_dialer ? p.a.out : p.b.out;
      if (at >= out.size()) continue;
      out[at] ^= std::byte{0x41};
      p.run();
      if (p.a.up && p.b.up) {
        CHECK(p.a.up->peer == key_of(2).identity());
        CHECK(p.b.up->peer == key_of(1).identity());
        CHECK(p.a.machine->session().cipher() == p.b.machine->session().cipher());
        ++through;
        continue;
      }
      ++refused;
      while (!p.a.closed || !p.b.closed) {
        const auto next = std::min(p.a.machine->next_timer(), p.b.machine->next_timer());
        REQUIRE(next != UINT64_MAX);
        p.tick(next);
        p.run();
      }
      CHECK(typed.contains(p.a.closed->code));
      CHECK(typed.contains(p.b.closed->code));
    }
  }
  MESSAGE("handshake octets altered: " << refused << " refused, " << through << " without effect");
  CHECK(through < 40);
}

TEST_CASE("random octets instead of a peer close the link") {
  const std::uint64_t seed = 99;
  CAPTURE(seed);
  seeded_random r{seed};
  for (int i = 0; i < 300; ++i) {
    link_pair p;
    p.start();
    bytes noise(1 + r.below(400));
    r.fill(noise);
    if (i % 2 == 0) noise[0] = std::byte{22};
    p.a.out = noise;
    p.move(p.a, p.b);
    must_close(p);
    CHECK_FALSE(p.b.up);
  }
}
