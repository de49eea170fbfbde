// Tests of two TLS sessions with each other: secrets, records, rekeying, bounds.
// Not strangers (tls_peer_test.cpp), not frames (link_test.cpp).
#include "link_pair.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::test;

namespace {

struct sessions {
  std::unique_ptr<secure_session> a, b;
  bytes to_a, to_b;

  explicit sessions(std::unique_ptr<secure_session> dialer = context_of(1).dial(std::nullopt),
                    std::unique_ptr<secure_session> acceptor = context_of(2).accept())
      : a(std::move(dialer)), b(std::move(acceptor)) {
    (void)a->start(to_b);
    (void)b->start(to_a);
  }

  // Hands over all that is under way to `to`; returns the plaintext, or the error.
  static expected<bytes> pump(secure_session& to, bytes& in, bytes& out) {
    bytes all, room(16'384);
    const bytes octets = std::exchange(in, {});
    byte_view v = octets;
    for (;;) {
      HANSE_TRY(const auto n, to.receive(v, room, out));
      append(all, byte_view{room}.first(n));
      if (n == 0 && v.empty()) return all;
    }
  }

  void shake() {
    for (int i = 0; i < 5; ++i) {
      (void)pump(*b, to_b, to_a);
      (void)pump(*a, to_a, to_b);
    }
  }
};

} // namespace

TEST_CASE("two sessions agree on identities, cipher and exported secrets") {
  sessions s;
  std::array<std::byte, 32> ka{}, kb{}, other{};
  CHECK(s.a->export_secret("x", {}, ka).code() == errc::unauthenticated);
  CHECK(s.a->send(as_byte_view("early"), s.to_b).code() == errc::unauthenticated);
  s.shake();
  REQUIRE(s.a->state() == session_state::established);
  REQUIRE(s.b->state() == session_state::established);
  CHECK(s.a->peer() == key_of(2).identity());
  CHECK(s.b->peer() == key_of(1).identity());
  CHECK(s.a->cipher() == s.b->cipher());
  CHECK((s.a->cipher() == "TLS_AES_128_GCM_SHA256" || s.a->cipher() == "TLS_CHACHA20_POLY1305_SHA256"));
  REQUIRE(s.a->export_secret("hanse join", as_byte_view("context"), ka));
  REQUIRE(s.b->export_secret("hanse join", as_byte_view("context"), kb));
  REQUIRE(s.b->export_secret("hanse join", as_byte_view("another"), other));
  CHECK(ka == kb);
  CHECK(ka != other);
}

TEST_CASE("another handshake exports another secret") {
  sessions s, t;
  s.shake();
  t.shake();
  std::array<std::byte, 32> k1{}, k2{};
  REQUIRE(s.a->export_secret("x", {}, k1));
  REQUIRE(t.a->export_secret("x", {}, k2));
  CHECK(k1 != k2);
}

TEST_CASE("the channel binding is one for both sides of a session, and another for every other session") {
  const auto plain = [] {
    return sessions{make_plain_session(link_role::dialer, key_of(1).identity(), std::nullopt),
                    make_plain_session(link_role::acceptor, key_of(2).identity(), std::nullopt)};
  };
  sessions s, t, p = plain();
  CHECK(channel_binding(*s.a).code() == errc::unauthenticated);
  CHECK(channel_binding(*p.a).code() == errc::unauthenticated);
  for (auto* each : {&s, &t, &p}) {
    each->shake();
    CHECK(*channel_binding(*each->a) == *channel_binding(*each->b));
  }
  CHECK(*channel_binding(*s.a) != *channel_binding(*t.a));
  CHECK(*channel_binding(*s.a) != *channel_binding(*p.a));
  std::array<std::byte, 32> by_hand{};
  REQUIRE(s.b->export_secret("EXPORTER-Channel-Binding", {}, by_hand));
  CHECK(*channel_binding(*s.a) == by_hand);
}

TEST_CASE("a message much larger than a record arrives whole, octet by octet too") {
  sessions s;
  s.shake();
  bytes message(100'000);
  seeded_random{5}.fill(message);
  REQUIRE(s.a->send(message, s.to_b));
  CHECK(s.to_b.size() == message.size() + 7 * 22); // 6 full records and a bit, 22 octets each
  bytes got;
  const bytes wire = std::exchange(s.to_b, {});
  for (const auto octet : wire) {
    bytes one{octet};
    const auto part = sessions::pump(*s.b, one, s.to_a);
    REQUIRE(part);
    append(got, *part);
    if (got.size() < message.size() && part->empty()) CHECK(s.b->partial());
  }
  CHECK(got == message);
  CHECK_FALSE(s.b->partial());
}

TEST_CASE("the sending key changes after the stated number of records, and nothing is lost") {
  auto context = *tls_context::make(key_of(1), 3);
  sessions s{context.dial(std::nullopt), context_of(2).accept()};
  s.shake();
  std::size_t usual = 0, longer = 0;
  for (int i = 0; i < 20; ++i) {
    const bytes message(1000, std::byte(i));
    REQUIRE(s.a->send(message, s.to_b));
    s.to_b.size() > 1022 ? ++longer : ++usual;
    CHECK(sessions::pump(*s.b, s.to_b, s.to_a).value() == message);
  }
  CHECK(longer == 6);
  CHECK(usual == 14);
}

TEST_CASE("an orderly end is told from a cut") {
  sessions s;
  s.shake();
  s.a->shutdown(s.to_b);
  CHECK(s.a->state() == session_state::closed);
  const auto end = sessions::pump(*s.b, s.to_b, s.to_a);
  CHECK(end.code() == errc::link_closed);
  CHECK(s.b->send(as_byte_view("late"), s.to_a).code() == errc::link_closed);
}

TEST_CASE("what a handshake takes in is bounded") {
  auto b = context_of(2).accept();
  bytes out, room(4096);
  (void)b->start(out);
  // Records that say they are handshake messages and never make one: a ClientHello that goes on for ever.
  const std::array<std::uint8_t, 9> head{22, 3, 1, 0x3f, 0xff, 1, 0x02, 0x00, 0x00};
  bytes in = to_bytes(std::as_bytes(std::span{head}));
  in.resize(1 << 20, std::byte{0});
  byte_view v = in;
  errc code = errc::none;
  while (code == errc::none && !v.empty()) code = b->receive(v, room, out).code();
  CHECK((code == errc::too_long || code == errc::handshake_failed));
  CHECK(in.size() - v.size() <= tls_handshake_input_max);
}

TEST_CASE("a drip of handshake octets is cut off at the stated bound") {
  auto a = context_of(1).dial(std::nullopt);
  bytes out, room(4096);
  (void)a->start(out);
  // Change-cipher-spec records are skipped in TLS 1.3, so they would be an endless handshake.
  std::size_t taken = 0;
  errc code = errc::none;
  const std::array<std::uint8_t, 6> ccs{20, 3, 3, 0, 1, 1};
  while (code == errc::none && taken < 1'000'000) {
    byte_view v = std::as_bytes(std::span{ccs});
    while (code == errc::none && !v.empty()) code = a->receive(v, room, out).code();
    taken += ccs.size();
  }
  CHECK(code != errc::none);
  CHECK(taken <= tls_handshake_input_max + ccs.size());
}

TEST_CASE("many contexts can be made in one process") {
  for (int i = 0; i < 300; ++i) REQUIRE(tls_context::make(key_of(static_cast<std::uint8_t>(i))));
}
