// DTLS sessions with each other over paths that lose, copy and reorder; cookies; strangers. Virtual time: OpenSSL's own
// clock plays no part. Only keys and nonces differ between runs.
#include "datagram_path.hpp"
#include "tls_peer.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace hanse;
using namespace hanse::test;

namespace {

key_pair key_of(std::uint64_t n) {
  seeded_random random{n};
  return key_pair::generate(random);
}

dtls_context context_of(std::uint64_t n) {
  return *dtls_context::make(key_of(n));
}

const auto source = as_byte_view("192.0.2.1:4000");

/// A dialer and a listener, a path each way, and a clock.
struct world {
  explicit world(path_faults faults = {}, std::uint64_t seed = 1, std::optional<identity> expected = {})
      : to_b(faults, seed), to_a(faults, seed + 1'000'000), a(context_of(1).dial(expected)) {
    run(a->start(now, fx), to_b);
  }

  void run(const expected<unit>& result, datagram_path& out) {
    if (!result && why.code == errc::none) why = result.error();
    for (const auto& d : fx.datagrams) CHECK(d.size() <= dtls_datagram_max);
    out.put(std::exchange(fx.datagrams, {}), now);
    auto& into = &out == &to_a ? at_b : at_a;
    for (auto& m : std::exchange(fx.messages, {})) into.emplace_back(as_text(m));
  }

  void at_listener(byte_view d) {
    if (b) return run(b->receive(d, now, fx), to_a);
    b = listener.receive(source, d, now, fx);
    run(ok(), to_a);
  }

  /// Goes on until nothing is under way and no timer is set, or until `until`.
  void go(time_ms until) {
    for (;;) {
      std::optional<time_ms> next;
      const auto consider = [&](std::optional<time_ms> t) {
        if (t && (!next || *t < *next)) next = t;
      };
      consider(to_a.next());
      consider(to_b.next());
      consider(a->next_timer());
      if (b) consider(b->next_timer());
      if (!next || *next > until) {
        now = until;
        return;
      }
      now = std::max(now, *next);
      for (auto& d : to_b.take(now)) at_listener(d);
      for (auto& d : to_a.take(now)) run(a->receive(d, now, fx), to_b);
      run(a->tick(now, fx), to_b);
      if (b) run(b->tick(now, fx), to_a);
    }
  }

  bool established() const {
    return a->state() == session_state::established && b && b->state() == session_state::established;
  }

  time_ms now = 1'000;
  seeded_random random{7};
  dtls_effects fx;
  datagram_path to_b, to_a;
  dtls_listener listener{context_of(2), random};
  std::unique_ptr<dtls_session> a, b;
  std::vector<std::string> at_a, at_b;
  error why;
};

} // namespace

TEST_CASE("two nodes agree on identities, an AEAD suite with forward secrecy, and exported secrets") {
  world w{{}, 1, key_of(2).identity()};
  w.go(2'000);
  REQUIRE(w.established());
  CHECK(w.a->peer() == key_of(2).identity());
  CHECK(w.b->peer() == key_of(1).identity());
  CHECK(w.a->cipher() == "ECDHE-ECDSA-CHACHA20-POLY1305");
  std::array<std::byte, 32> ka{}, kb{};
  REQUIRE(w.a->export_secret("hanse join", as_byte_view("c"), ka));
  REQUIRE(w.b->export_secret("hanse join", as_byte_view("c"), kb));
  CHECK(ka == kb);
  CHECK(w.to_b.sent + w.to_a.sent <= 10); // hello, cookie, hello, two flights, the last one
}

TEST_CASE("a dialler refuses another identity than the one it wants, and the far side learns why") {
  world w{{}, 1, key_of(3).identity()};
  w.go(2'000);
  CHECK(w.a->state() == session_state::closed);
  CHECK(w.why.code == errc::wrong_peer);
  REQUIRE(w.b);
  CHECK(w.b->state() == session_state::closed);
}

TEST_CASE("handshakes and messages survive loss, copies and reordering; nothing arrives twice or altered") {
  std::size_t established = 0, delivered = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    world w{{20, 20, 5, 60}, seed};
    w.go(10'000);
    if (!w.established()) continue; // ten seconds were not enough: dialled again in real life
    ++established;
    for (int i = 0; i < 50; ++i) {
      w.run(w.a->send(as_byte_view("m" + std::to_string(i)), w.fx), w.to_b);
      w.go(w.now + 10);
    }
    w.go(w.now + 1'000);
    std::set<std::string> distinct{w.at_b.begin(), w.at_b.end()};
    CHECK(distinct.size() == w.at_b.size());
    delivered += distinct.size();
  }
  CHECK(established >= 38);
  CHECK(delivered >= established * 35);
}

TEST_CASE("the last flight is sent again when it was lost") {
  world w;
  // By hand: drop everything the listener says once it is established.
  while ((!w.b || w.b->state() != session_state::established) && w.now < 2'000) {
    w.now += 5;
    for (auto& d : w.to_b.take(w.now)) w.at_listener(d);
    if (w.b && w.b->state() == session_state::established) break;
    for (auto& d : w.to_a.take(w.now)) w.run(w.a->receive(d, w.now, w.fx), w.to_b);
  }
  w.now += 5;
  CHECK(w.to_a.take(w.now).size() >= 1); // lost
  REQUIRE(w.a->state() == session_state::handshaking);
  w.go(w.now + 1'000);
  CHECK(w.established());
}

TEST_CASE("a handshake that nobody answers ends in time, with few datagrams") {
  world w{{100, 0, 5, 5}};
  w.go(20'000);
  CHECK(w.a->state() == session_state::closed);
  CHECK(w.why.code == errc::timed_out);
  CHECK(w.to_b.sent <= 8);
}

TEST_CASE("a record that arrives twice is delivered once, whenever it comes") {
  world w;
  w.go(2'000);
  REQUIRE(w.established());
  dtls_effects fx;
  std::vector<bytes> datagrams;
  for (int i = 0; i < 100; ++i) REQUIRE(w.a->send(as_byte_view("x"), fx));
  dtls_effects at_b;
  for (int round = 0; round < 3; ++round)
    for (const auto& d : fx.datagrams) REQUIRE(w.b->receive(d, w.now, at_b));
  CHECK(at_b.messages.size() == 100);
}

TEST_CASE("what was altered or made up is dropped without a word and the session goes on") {
  world w;
  w.go(2'000);
  REQUIRE(w.established());
  dtls_effects fx;
  REQUIRE(w.a->send(as_byte_view("good"), fx));
  seeded_random random{5};
  dtls_effects at_b;
  for (int i = 0; i < 2'000; ++i) {
    bytes d = fx.datagrams[0];
    d[random.below(d.size())] ^= static_cast<std::byte>(1 + random.below(255));
    REQUIRE(w.b->receive(d, w.now, at_b));
    d.resize(random.below(1'300));
    random.fill(d);
    REQUIRE(w.b->receive(d, w.now, at_b));
  }
  CHECK(at_b.messages.empty());
  REQUIRE(w.b->receive(fx.datagrams[0], w.now, at_b));
  CHECK(at_b.messages.size() == 1);
}

TEST_CASE("bounds of a message and of a session's states") {
  world w;
  dtls_effects fx;
  CHECK(w.a->send(as_byte_view("early"), fx).code() == errc::unauthenticated);
  w.go(2'000);
  REQUIRE(w.established());
  CHECK(w.a->send({}, fx).code() == errc::bad_value);
  CHECK(w.a->send(bytes(dtls_message_max + 1), fx).code() == errc::too_long);
  REQUIRE(w.a->send(bytes(dtls_message_max), fx));
  CHECK(fx.datagrams.back().size() <= dtls_datagram_max);
  fx.clear();
  w.a->shutdown(fx);
  REQUIRE(fx.datagrams.size() == 1);
  CHECK(w.b->receive(fx.datagrams[0], w.now, w.fx).code() == errc::link_closed);
  CHECK(w.a->send(as_byte_view("late"), fx).code() == errc::link_closed);
}

TEST_CASE("a repeated last flight is answered a bounded number of times, with fewer octets than it has") {
  world w;
  std::vector<bytes> flights;
  while (!w.established() && w.now < 2'000) {
    w.now += 5;
    for (auto& d : w.to_b.take(w.now)) {
      flights.push_back(d);
      w.at_listener(d);
    }
    for (auto& d : w.to_a.take(w.now)) w.run(w.a->receive(d, w.now, w.fx), w.to_b);
  }
  std::size_t in = 0, out = 0, answers = 0;
  for (int i = 0; i < 1'000; ++i) {
    dtls_effects fx;
    REQUIRE(w.b->receive(flights.back(), w.now, fx));
    in += flights.back().size();
    answers += fx.datagrams.size();
    for (const auto& d : fx.datagrams) out += d.size();
  }
  CHECK(answers == dtls_answers_max);
  CHECK(out < in);
}

TEST_CASE("a listener keeps nothing of strangers and answers with less than it got") {
  seeded_random random{9};
  dtls_listener listener{context_of(2), random};
  const auto dialer = context_of(1).dial(std::nullopt);
  dtls_effects hello, out;
  REQUIRE(dialer->start(0, hello));
  REQUIRE(hello.datagrams.size() == 1);
  const auto& first = hello.datagrams[0];
  SUBCASE("every source gets a cookie of its own, and no session") {
    for (int i = 0; i < 1'000; ++i) {
      out.clear();
      CHECK_FALSE(listener.receive(as_byte_view("host" + std::to_string(i)), first, 0, out));
      REQUIRE(out.datagrams.size() == 1);
      CHECK(out.datagrams[0].size() <= first.size());
    }
  }
  SUBCASE("a cookie is good for its source alone, and not for long") {
    CHECK_FALSE(listener.receive(source, first, 0, out));
    dtls_effects second;
    REQUIRE(dialer->receive(out.datagrams[0], 0, second));
    REQUIRE(second.datagrams.size() == 1);
    const auto& with_cookie = second.datagrams[0];
    dtls_effects answer;
    CHECK_FALSE(listener.receive(as_byte_view("192.0.2.1:4001"), with_cookie, 0, answer));
    CHECK_FALSE(listener.receive(source, with_cookie, 2 * dtls_cookie_ms, answer));
    for (const auto& d : answer.datagrams) CHECK(d.size() <= with_cookie.size());
  }
  SUBCASE("a cookie outlives one change of the secret") {
    CHECK_FALSE(listener.receive(source, first, 0, out));
    dtls_effects second, answer;
    REQUIRE(dialer->receive(out.datagrams[0], 0, second));
    CHECK(listener.receive(source, second.datagrams[0], dtls_cookie_ms + 1, answer) != nullptr);
  }
  SUBCASE("a cookie that was made up is none") {
    CHECK_FALSE(listener.receive(source, first, 0, out));
    dtls_effects second;
    REQUIRE(dialer->receive(out.datagrams[0], 0, second));
    for (std::size_t i = 0; i < second.datagrams[0].size(); ++i) {
      bytes forged = second.datagrams[0];
      forged[i] ^= std::byte{1};
      dtls_effects answer;
      const auto made = listener.receive(source, forged, 0, answer);
      // Only the cookie is proof of the source: session id length, version, … are the handshake's to refuse.
      if (i >= 13 + 12 + 2 + 32 + 1 + 1 && i < 13 + 12 + 2 + 32 + 1 + 1 + 16) CHECK_FALSE(made);
    }
  }
  SUBCASE("garbage is not answered") {
    for (int i = 0; i < 5'000; ++i) {
      bytes d(random.below(300));
      random.fill(d);
      CHECK_FALSE(listener.receive(source, d, 0, out));
      if (d.size() > 14) {
        d[0] = std::byte{22};
        d[3] = d[4] = std::byte{0};
        d[13] = std::byte{1};
        CHECK_FALSE(listener.receive(source, d, 0, out));
      }
    }
    for (std::size_t n = 0; n < first.size(); ++n)
      CHECK_FALSE(listener.receive(source, byte_view{first}.first(n), 0, out));
    CHECK(out.datagrams.empty());
    CHECK_FALSE(listener.receive(source, first, 0, out)); // and it still works
    CHECK(out.datagrams.size() == 1);
  }
}

TEST_CASE("a far side without a certificate, with another chain, or with a weak suite gets no session") {
  // A stranger of bare OpenSSL. The chain is what it shows; the first certificate's key is `key`.
  const auto attempt = [](EVP_PKEY* key, std::vector<X509*> chain, const char* suites) {
    ssl_context ctx{SSL_CTX_new(DTLS_method())};
    SSL_CTX_set_options(ctx.get(), SSL_OP_NO_QUERY_MTU);
    SSL_CTX_set_cipher_list(ctx.get(), suites);
    SSL_CTX_set_alpn_protos(ctx.get(), reinterpret_cast<const unsigned char*>("\x10hanse-datagram/1"), 17);
    if (key) {
      SSL_CTX_use_certificate(ctx.get(), chain[0]);
      SSL_CTX_use_PrivateKey(ctx.get(), key);
      for (std::size_t i = 1; i < chain.size(); ++i) SSL_CTX_add1_chain_cert(ctx.get(), chain[i]);
    }
    ssl_object ssl{SSL_new(ctx.get())};
    SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_mtu(ssl.get(), 16'000); // one write a flight: a memory BIO keeps no boundaries
    SSL_set_connect_state(ssl.get());
    seeded_random random{9};
    dtls_listener listener{context_of(2), random};
    std::unique_ptr<dtls_session> session;
    errc why = errc::none;
    for (int i = 0; i < 5; ++i) {
      SSL_do_handshake(ssl.get());
      char* data = nullptr;
      const long n = BIO_get_mem_data(SSL_get_wbio(ssl.get()), &data);
      const bytes d = to_bytes(std::as_bytes(std::span{data, static_cast<std::size_t>(n)}));
      (void)BIO_reset(SSL_get_wbio(ssl.get()));
      dtls_effects fx;
      if (session) {
        if (auto r = session->receive(d, 0, fx); !r) why = r.code();
      } else {
        session = listener.receive(source, d, 0, fx);
      }
      for (const auto& out : fx.datagrams) {
        BIO_write(SSL_get_rbio(ssl.get()), out.data(), static_cast<int>(out.size()));
        SSL_do_handshake(ssl.get());
      }
    }
    ERR_clear_error();
    const bool in = session && session->state() == session_state::established;
    return std::pair{in, why};
  };
  const char* suite = "ECDHE-ECDSA-CHACHA20-POLY1305";
  const auto node = ed25519_key(5), other = ed25519_key(6);
  const evp_key leaf_key{EVP_EC_gen("P-256")};
  const auto root = certificate(node.get(), node.get());
  const auto leaf = certificate(leaf_key.get(), node.get());
  CHECK(attempt(leaf_key.get(), {leaf.get(), root.get()}, suite).first);
  CHECK(attempt(nullptr, {}, suite) == std::pair{false, errc::handshake_failed});
  CHECK(attempt(leaf_key.get(), {leaf.get()}, suite) == std::pair{false, errc::handshake_failed});
  CHECK(attempt(leaf_key.get(), {leaf.get(), root.get(), root.get()}, suite) ==
        std::pair{false, errc::handshake_failed});
  const auto foreign = certificate(leaf_key.get(), other.get()); // another identity signed the key
  CHECK(attempt(leaf_key.get(), {foreign.get(), root.get()}, suite) == std::pair{false, errc::handshake_failed});
  const auto self_signed = certificate(leaf_key.get(), leaf_key.get());
  CHECK(attempt(leaf_key.get(), {self_signed.get(), root.get()}, suite) == std::pair{false, errc::handshake_failed});
  CHECK(attempt(leaf_key.get(), {leaf.get(), self_signed.get()}, suite) == std::pair{false, errc::handshake_failed});
  CHECK_FALSE(attempt(leaf_key.get(), {leaf.get(), root.get()}, "ECDHE-ECDSA-AES128-SHA").first);
  CHECK_FALSE(attempt(leaf_key.get(), {leaf.get(), root.get()}, "AES128-GCM-SHA256").first);
}
