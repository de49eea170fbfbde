// Tests of TLS sessions against strangers made of bare OpenSSL: wrong certificates, ALPN, versions, abuse.
// Not two Hanse sessions (tls_session_test.cpp).
#include "link_pair.hpp"
#include "tls_peer.hpp"

#include "hanse/transport/internal/tls_certificate.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::test;

namespace {

struct outcome {
  session_state state{};
  error failure;
  identity peer;
  bool alerted = false; ///< the call that failed had something to send
};

// Lets a session of ours (the opposite role) talk to the stranger until nothing moves.
outcome meet(tls_peer& stranger, bool stranger_is_server) {
  auto ours = stranger_is_server ? context_of(1).dial(std::nullopt) : context_of(1).accept();
  outcome r;
  bytes to_stranger;
  if (auto begun = ours->start(to_stranger); !begun) r.failure = begun.error();
  bytes to_us = stranger.exchange({});
  for (int i = 0; i < 20 && (!to_us.empty() || !to_stranger.empty()); ++i) {
    const bytes theirs = std::exchange(to_us, {});
    byte_view in = theirs;
    bytes plaintext(4096);
    while (!in.empty() && ours->state() != session_state::closed) {
      const auto before = to_stranger.size();
      auto n = ours->receive(in, plaintext, to_stranger);
      if (n) continue;
      r.failure = n.error();
      r.alerted = to_stranger.size() > before;
    }
    to_us = stranger.exchange(std::exchange(to_stranger, {}));
  }
  r.state = ours->state();
  r.peer = ours->peer();
  return r;
}

const evp_key& good_key() {
  static const evp_key key = ed25519_key(7);
  return key;
}

outcome meet(tls_peer_options o) {
  tls_peer stranger{o};
  return meet(stranger, o.server);
}

// Refused with `code`, nobody identified, and an alert on the wire, ours or theirs.
void check_refused(const outcome& r, errc code = errc::handshake_failed) {
  INFO(to_string(r.failure));
  CHECK(r.state == session_state::closed);
  CHECK(r.failure.code == code);
  CHECK(r.peer.is_none());
  const bool theirs = r.failure.detail.find("the far side refused") != std::string::npos;
  CHECK((r.alerted || theirs));
}

} // namespace

TEST_CASE("a stranger that does everything right is let in, expired or not") {
  for (const bool server : {false, true}) {
    for (const char* not_after : {"99991231235959Z", "19700102000000Z"}) {
      const auto cert = certificate(good_key().get(), good_key().get(), "CN-of-test", not_after);
      tls_peer_options o;
      o.server = server;
      o.key = good_key().get();
      o.leaf = cert.get();
      const auto r = meet(o);
      INFO(to_string(r.failure));
      CHECK(r.state == session_state::established);
      std::array<std::byte, 32> raw{};
      std::size_t size = raw.size();
      EVP_PKEY_get_raw_public_key(good_key().get(), as_octets(std::span{raw}), &size);
      CHECK(r.peer == identity::trusted(identity_kind::individual, raw));
    }
  }
}

TEST_CASE("certificates with other keys than Ed25519 are refused") {
  const evp_key rsa{EVP_RSA_gen(2048)}, p256{EVP_EC_gen("P-256")};
  for (const bool server : {false, true}) {
    for (EVP_PKEY* key : {rsa.get(), p256.get()}) {
      const auto cert = certificate(key, key);
      tls_peer_options o;
      o.server = server;
      o.key = key;
      o.leaf = cert.get();
      const auto r = meet(o);
      check_refused(r);
      CHECK(r.failure.detail.find("not Ed25519") == std::string::npos); // no such certificate is even looked at
    }
  }
}

TEST_CASE("a certificate is of an Ed25519 key or none of ours") {
  const evp_key keys[] = {evp_key{EVP_RSA_gen(2048)}, evp_key{EVP_EC_gen("P-256")},
                          evp_key{EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519")},
                          evp_key{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED448")}};
  for (const auto& key : keys) {
    const auto cert = certificate(key.get(), good_key().get());
    CHECK(internal::identity_of_certificate(cert.get()).code() == errc::bad_type);
  }
  const auto good = certificate(good_key().get(), good_key().get());
  CHECK(internal::identity_of_certificate(good.get()));
}

TEST_CASE("an Ed25519 key signed by someone else is refused") {
  const evp_key issuer = ed25519_key(8), p256{EVP_EC_gen("P-256")};
  for (const bool server : {false, true}) {
    for (EVP_PKEY* by : {issuer.get(), p256.get()}) {
      for (const char* name : {"CN-of-test", "another"}) {
        const auto cert = certificate(good_key().get(), by, name);
        tls_peer_options o;
        o.server = server;
        o.key = good_key().get();
        o.leaf = cert.get();
        check_refused(meet(o));
      }
    }
  }
}

TEST_CASE("a self-signed certificate that names another issuer is refused") {
  const auto cert = certificate(good_key().get(), good_key().get(), "another");
  tls_peer_options o;
  o.key = good_key().get();
  o.leaf = cert.get();
  check_refused(meet(o));
}

TEST_CASE("a certificate of a small-order key is refused, though anyone can sign for it") {
  // The neutral element as key: R = B, S = 1 is its signature of everything (RFC 8032 section 5.1.7).
  std::array<std::uint8_t, 32> neutral{1};
  std::array<std::uint8_t, 64> forged{};
  forged.fill(0x66);
  forged[0] = 0x58; // the base point
  std::fill(forged.begin() + 32, forged.end(), std::uint8_t{0});
  forged[32] = 1;
  const evp_key weak{EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, neutral.data(), neutral.size())};
  REQUIRE(weak);
  const auto cert = certificate(weak.get(), good_key().get(), "CN-of-test");
  const ASN1_BIT_STRING* signature = nullptr;
  X509_get0_signature(&signature, nullptr, cert.get());
  ASN1_BIT_STRING_set(const_cast<ASN1_BIT_STRING*>(signature), forged.data(), forged.size());
  CHECK(X509_verify(cert.get(), weak.get()) == 1); // OpenSSL has no objection
  CHECK(internal::identity_of_certificate(cert.get()).code() == errc::weak_key);
}

TEST_CASE("a chain of two certificates is refused") {
  const evp_key issuer = ed25519_key(8);
  const auto cert = certificate(good_key().get(), good_key().get());
  const auto more = certificate(issuer.get(), issuer.get());
  for (const bool server : {false, true}) {
    tls_peer_options o;
    o.server = server;
    o.key = good_key().get();
    o.leaf = cert.get();
    o.extra = more.get();
    check_refused(meet(o));
  }
}

TEST_CASE("no certificate is refused") {
  check_refused(meet(tls_peer_options{}));
}

TEST_CASE("another ALPN, or none, is refused") {
  const auto cert = certificate(good_key().get(), good_key().get());
  for (const bool server : {false, true}) {
    for (const char* alpn : {"\x07hanse/2", "\x02h2", ""}) {
      CAPTURE(alpn);
      tls_peer_options o;
      o.server = server;
      o.key = good_key().get();
      o.leaf = cert.get();
      o.alpn = alpn;
      tls_peer stranger{o};
      const auto r = meet(stranger, server);
      if (!server) CHECK_FALSE(stranger.done()); // refused by its first message
      INFO(to_string(r.failure));
      CHECK(r.state == session_state::closed);
      CHECK(r.failure.code == errc::handshake_failed);
      CHECK(r.peer.is_none());
    }
  }
}

TEST_CASE("TLS 1.2 is refused") {
  const auto cert = certificate(good_key().get(), good_key().get());
  for (const bool server : {false, true}) {
    tls_peer_options o;
    o.server = server;
    o.version_max = TLS1_2_VERSION;
    o.key = good_key().get();
    o.leaf = cert.get();
    check_refused(meet(o));
  }
}

TEST_CASE("no session ticket is ever sent") {
  const auto cert = certificate(good_key().get(), good_key().get());
  tls_peer_options o;
  o.key = good_key().get();
  o.leaf = cert.get();
  tls_peer client{o};
  static int tickets;
  tickets = 0;
  SSL_CTX_set_session_cache_mode(SSL_get_SSL_CTX(client.ssl()), SSL_SESS_CACHE_CLIENT);
  SSL_CTX_sess_set_new_cb(SSL_get_SSL_CTX(client.ssl()), [](SSL*, SSL_SESSION*) { return ++tickets, 0; });
  CHECK(meet(client, false).state == session_state::established);
  CHECK(client.done());
  CHECK(tickets == 0);
}

TEST_CASE("key updates without data in between are a limited pleasure") {
  const auto cert = certificate(good_key().get(), good_key().get());
  tls_peer_options o;
  o.key = good_key().get();
  o.leaf = cert.get();
  tls_peer client{o};
  auto ours = context_of(1).accept();
  bytes out, plaintext(4096);
  (void)ours->start(out);
  bytes in = client.exchange({});
  for (int i = 0; i < 10 && (!in.empty() || !out.empty()); ++i) {
    byte_view v = in;
    while (!v.empty()) REQUIRE(ours->receive(v, plaintext, out));
    in = client.exchange(std::exchange(out, {}));
  }
  REQUIRE(ours->state() == session_state::established);
  int updates = 0;
  errc code = errc::none;
  while (code == errc::none && updates < 1000) {
    SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(client.ssl());
    const bytes record = client.take_output();
    byte_view v = record;
    out.clear();
    while (!v.empty() && code == errc::none) code = ours->receive(v, plaintext, out).code();
    CHECK(out.size() < 200);
    ++updates;
  }
  CHECK(code == errc::bad_value);
  CHECK(updates < 100);
}
