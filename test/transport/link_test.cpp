// Tests of the link machine: coming up, carrying frames, ending. Not its timers (link_timing_test.cpp).
#include "link_pair.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::test;

namespace {

bytes payload_of(std::size_t size, std::uint8_t fill) {
  return bytes(size, std::byte{fill});
}

} // namespace

TEST_CASE("two links shake hands and learn each other's identity and hello") {
  for (const bool tls : {true, false}) {
    link_pair p{pair_options{tls, 1, 2, key_of(2).identity(), {}}};
    p.up();
    REQUIRE(p.a.up);
    REQUIRE(p.b.up);
    CHECK(p.a.up->peer == key_of(2).identity());
    CHECK(p.b.up->peer == key_of(1).identity());
    CHECK(p.a.up->theirs.life == 2);
    CHECK(p.b.up->theirs.id_floor == 101);
    CHECK(p.a.up->spoken == link_protocol);
    CHECK_FALSE(p.a.closed);
    CHECK_FALSE(p.b.closed);
  }
}

TEST_CASE("a handshake and a stream of frames survive any chunk size") {
  const std::uint64_t seed = 20260101;
  CAPTURE(seed);
  seeded_random r{seed};
  for (const std::size_t most : {1, 2, 3, 7, 64, 500, 20'000}) {
    CAPTURE(most);
    link_pair p;
    p.start();
    p.run_random(r, most);
    REQUIRE(p.a.up);
    REQUIRE(p.b.up);
    std::vector<bytes> sent;
    for (int i = 0; i < 40; ++i) {
      sent.push_back(payload_of(1 + r.below(most == 1 ? 300 : 40'000), static_cast<std::uint8_t>(i)));
      REQUIRE(p.a.machine->send_data(sent.back(), p.a.fx));
    }
    p.a.machine->flush(p.now, p.a.fx);
    p.a.settle();
    p.run_random(r, most);
    REQUIRE(p.b.data.size() == sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) CHECK(equal(p.b.data[i].view(), sent[i]));
    CHECK_FALSE(p.a.closed);
    CHECK_FALSE(p.b.closed);
  }
}

TEST_CASE("the acceptor's hello is the first thing that makes a dialled link up") {
  link_pair p;
  p.start();
  p.move(p.a, p.b); // ClientHello
  p.move(p.b, p.a); // server flight: TLS is established for the dialer now
  CHECK(p.a.machine->session().state() == session_state::established);
  CHECK_FALSE(p.a.up);
  CHECK(p.a.machine->send_data(payload_of(1, 0), p.a.fx).code() == errc::unauthenticated);
  p.run();
  CHECK(p.a.up);
}

TEST_CASE("an impostor is refused as wrong_peer, and both sides say so") {
  for (const bool tls : {true, false}) {
    link_pair p{pair_options{tls, 1, 2, key_of(3).identity(), {}}};
    p.up();
    REQUIRE(p.a.closed);
    CHECK(p.a.closed->code == errc::wrong_peer);
    CHECK(p.a.closed->detail.find(to_string(key_of(2).identity())) != std::string::npos);
    CHECK_FALSE(p.a.up);
    CHECK_FALSE(p.b.up);
    if (!tls) continue; // the plain session has no way to say it
    REQUIRE(p.b.closed);
    CHECK(p.b.closed->code == errc::wrong_peer);
    CHECK(p.b.machine->peer().is_none()); // the dialer did not show itself
  }
}

TEST_CASE("a link checks the peer itself, should its session not have done so") {
  link_pair p;
  link_config strict;
  strict.self = key_of(1).identity();
  strict.expected_peer = key_of(3).identity();
  p.a.machine = std::make_unique<hanse::link>(link_role::dialer, context_of(1).dial(std::nullopt), strict, p.random);
  p.up();
  REQUIRE(p.a.closed);
  REQUIRE(p.b.closed);
  CHECK(p.a.closed->code == errc::wrong_peer);
  CHECK(p.b.closed->code == errc::wrong_peer); // by the bye
  CHECK_FALSE(p.b.up);
}

TEST_CASE("a link to oneself is refused") {
  link_pair p{pair_options{true, 1, 1, {}, {}}};
  p.up();
  REQUIRE(p.a.closed);
  CHECK(p.a.closed->code == errc::wrong_peer);
  CHECK(p.b.closed);
}

TEST_CASE("sides that speak no common major of the link protocol part with unsupported_version") {
  pair_options o;
  link_pair p{o};
  link_config newer;
  newer.self = key_of(2).identity();
  newer.ours.protocols = {{std::string{link_protocol_name}, 2, 0}};
  p.b.machine = std::make_unique<hanse::link>(link_role::acceptor, context_of(2).accept(), newer, p.random);
  p.up();
  REQUIRE(p.a.closed);
  REQUIRE(p.b.closed);
  CHECK((p.a.closed->code == errc::unsupported_version || p.b.closed->code == errc::unsupported_version));
  CHECK(p.a.closed->code == errc::unsupported_version);
  CHECK(p.b.closed->code == errc::unsupported_version);
  CHECK_FALSE(p.a.up);
}

TEST_CASE("many small frames of one burst travel in few TLS records") {
  link_pair p;
  p.up();
  for (int i = 0; i < 1000; ++i) REQUIRE(p.a.machine->send_data(payload_of(300, 1), p.a.fx));
  p.a.machine->flush(p.now, p.a.fx);
  p.a.settle();
  const std::size_t plain = 1000 * (300 + frame_header_size);
  const std::size_t records = (plain + 16383) / 16384;
  CHECK(p.a.out.size() <= plain + records * 22);
  p.run();
  CHECK(p.b.data.size() == 1000);
}

TEST_CASE("a payload in parts arrives as one, in as few TLS records as in one piece") {
  link_pair p;
  p.up();
  const auto head = payload_of(300, 1), body = payload_of(500'000, 2), tail = payload_of(70, 3);
  const byte_view parts[] = {head, body, tail};
  REQUIRE(p.a.machine->send_data_parts(parts, p.a.fx));
  p.a.machine->flush(p.now, p.a.fx);
  p.a.settle();
  const std::size_t plain = 500'370 + frame_header_size;
  CHECK(p.a.out.size() <= plain + (plain / 16384 + 1) * 22);
  p.run();
  bytes whole = head;
  append(whole, body);
  append(whole, tail);
  REQUIRE(p.b.data.size() == 1);
  CHECK(equal(p.b.data[0].view(), whole));
}

TEST_CASE("what may be sent is bounded by what was written") {
  pair_options o;
  o.config.pending_max = 100'000;
  link_pair p{o};
  p.up();
  CHECK(p.a.machine->writable_budget() > 98'000);
  CHECK(p.a.machine->send_data(payload_of(frame_payload_max + 1, 1), p.a.fx).code() == errc::too_long);
  CHECK(p.a.machine->send_data({}, p.a.fx).code() == errc::bad_value);
  REQUIRE(p.a.machine->send_data(payload_of(90'000, 1), p.a.fx));
  CHECK(p.a.machine->send_data(payload_of(20'000, 1), p.a.fx).code() == errc::queue_full);
  CHECK(p.a.machine->metrics().refused == 3);
  CHECK(p.a.machine->pending() <= 100'000);
  p.a.machine->flush(p.now, p.a.fx);
  p.a.settle();
  p.run();
  CHECK(p.a.machine->pending() == 0);
  CHECK(p.a.machine->send_data(payload_of(20'000, 1), p.a.fx));
}

TEST_CASE("close tells the far side why") {
  link_pair p;
  p.up();
  p.a.machine->close({errc::untrusted, "banned\n"}, p.a.fx);
  p.a.settle();
  CHECK(p.a.closed->code == errc::untrusted);
  p.run();
  REQUIRE(p.b.closed);
  CHECK(p.b.closed->code == errc::untrusted);
  CHECK(p.b.closed->detail == "far side: banned?");
}

TEST_CASE("finish loses nothing that is under way in either direction") {
  link_pair p;
  p.up();
  p.send(p.b, payload_of(50'000, 1)); // under way to a
  p.send(p.a, payload_of(50'000, 2));
  p.a.machine->finish(errc::duplicate_link, p.now, p.a.fx);
  p.a.settle();
  CHECK(p.a.machine->state() == link_state::draining);
  CHECK(p.a.machine->send_data(payload_of(1, 1), p.a.fx).code() == errc::link_closed);
  p.run(1000);
  CHECK(p.a.data.size() == 1);
  CHECK(p.b.data.size() == 1);
  REQUIRE(p.a.closed);
  REQUIRE(p.b.closed);
  CHECK(p.a.closed->code == errc::duplicate_link);
  CHECK(p.b.closed->code == errc::duplicate_link);
}

TEST_CASE("both sides may finish at once") {
  link_pair p;
  p.up();
  p.send(p.a, payload_of(10, 1));
  p.send(p.b, payload_of(10, 1));
  p.a.machine->finish(errc::cancelled, p.now, p.a.fx);
  p.b.machine->finish(errc::cancelled, p.now, p.b.fx);
  p.a.settle();
  p.b.settle();
  p.run();
  CHECK(p.a.data.size() == 1);
  CHECK(p.b.data.size() == 1);
  CHECK(p.a.closed);
  CHECK(p.b.closed);
}

TEST_CASE("an advert that does not fit the hello is left out, and the link says so") {
  pair_options o;
  o.config.ours.advert = payload_of(advert_size_max, 7);
  link_pair p{o};
  p.up();
  REQUIRE(p.a.up);
  CHECK(p.a.up->advert_left_out);
  CHECK(p.a.up->theirs.advert.empty());
  pair_options small;
  small.config.ours.advert = payload_of(3000, 7);
  link_pair q{small};
  q.up();
  REQUIRE(q.b.up);
  CHECK_FALSE(q.b.up->advert_left_out);
  CHECK(q.b.up->theirs.advert == payload_of(3000, 7));
}

namespace {

// A far side made of a bare session, to send what no link of ours would.
struct raw_peer {
  std::unique_ptr<secure_session> session = make_plain_session(link_role::dialer, key_of(9).identity(), std::nullopt);
  seeded_random random{3};
  side b;

  explicit raw_peer(bool with_hello = true) {
    link_config c;
    c.self = key_of(2).identity();
    b.machine = std::make_unique<hanse::link>(link_role::acceptor,
                                              make_plain_session(link_role::acceptor, c.self, std::nullopt), c, random);
    b.machine->start(0, b.fx);
    bytes greeting;
    (void)session->start(greeting);
    feed(greeting);
    if (!with_hello) return;
    hello h;
    h.protocols = {link_protocol};
    send(frame_kind::hello, encode(h));
  }
  void feed(byte_view octets) {
    b.machine->received(octets, 0, b.fx);
    b.settle();
  }
  void send(frame_kind kind, byte_view payload) {
    bytes out;
    append_frame(out, kind, payload);
    feed(out);
  }
};

} // namespace

TEST_CASE("nothing but hello and bye is taken before hello") {
  for (const auto kind : {frame_kind::data, frame_kind::adverts, frame_kind::ping, frame_kind::pong}) {
    raw_peer peer{false};
    peer.send(kind, payload_of(8, 0));
    REQUIRE(peer.b.closed);
    CHECK(peer.b.closed->code == errc::unauthenticated);
    CHECK(peer.b.data.empty());
  }
  raw_peer peer{false};
  peer.send(frame_kind::bye, encode_bye({errc::untrusted, "no"}));
  CHECK(peer.b.closed->code == errc::untrusted);
}

TEST_CASE("malformed frames close the link with a typed error") {
  const auto closes = [](frame_kind kind, byte_view payload) {
    raw_peer peer;
    REQUIRE(peer.b.up);
    peer.send(kind, payload);
    REQUIRE(peer.b.closed);
    return peer.b.closed->code;
  };
  hello h;
  CHECK(closes(frame_kind::hello, encode(h)) == errc::bad_value);
  CHECK(closes(frame_kind::data, {}) == errc::bad_value);
  CHECK(closes(frame_kind::adverts, {}) == errc::bad_value);
  CHECK(closes(frame_kind::ping, payload_of(7, 0)) == errc::bad_value);
  CHECK(closes(frame_kind::bye, payload_of(3, 0xc1)) == errc::bad_type);
  CHECK(closes(static_cast<frame_kind>(7), payload_of(3, 0)) == errc::bad_type);
  CHECK(closes(static_cast<frame_kind>(0), payload_of(3, 0)) == errc::bad_type);
}

TEST_CASE("a frame over the limit is refused by its header, before and after authentication") {
  raw_peer early{false};
  early.feed(frame_header(frame_kind::hello, hello_size_max + 1));
  REQUIRE(early.b.closed);
  CHECK(early.b.closed->code == errc::too_long);
  raw_peer late;
  REQUIRE(late.b.up);
  late.feed(frame_header(frame_kind::data, hello_size_max + 1)); // fine now
  CHECK_FALSE(late.b.closed);
  raw_peer over;
  over.feed(frame_header(frame_kind::data, frame_payload_max + 1));
  REQUIRE(over.b.closed);
  CHECK(over.b.closed->code == errc::too_long);
}

TEST_CASE("a peer that pings without reading gets a bounded number of answers") {
  raw_peer peer;
  for (int i = 0; i < 300'000 && !peer.b.closed; ++i) {
    bytes burst;
    for (int k = 0; k < 100; ++k) append_frame(burst, frame_kind::ping, payload_of(8, 1));
    peer.feed(burst);
    if (i > 3000) break;
  }
  CHECK(peer.b.machine->pending() < 2 * frame_size_max + 100);
}

TEST_CASE("hello and frames may arrive in one chunk") {
  raw_peer peer{false};
  bytes all;
  hello h;
  h.protocols = {link_protocol};
  append_frame(all, frame_kind::hello, encode(h));
  append_frame(all, frame_kind::data, payload_of(100'000, 3));
  append_frame(all, frame_kind::data, payload_of(1, 4));
  peer.feed(all);
  REQUIRE(peer.b.up);
  REQUIRE(peer.b.data.size() == 2);
  CHECK(peer.b.data[0].size() == 100'000);
}

TEST_CASE("a stream that breaks closes the link") {
  link_pair p;
  p.up();
  p.a.machine->disconnected({errc::link_closed, "reset"}, p.a.fx);
  p.a.settle();
  CHECK(p.a.closed->code == errc::link_closed);
  CHECK(p.a.machine->next_timer() == UINT64_MAX);
}
