// Stateless cookies (RFC 6347 section 4.2.1) by OpenSSL's DTLSv1_listen over one SSL object that is used again and
// again until a hello proves its source address. Not sessions (dtls_session.cpp).
#include "hanse/transport/internal/dtls_endpoint.hpp"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include <algorithm>

namespace hanse {

using internal::cookie_secret;
using internal::dtls_endpoint;

namespace {

constexpr std::size_t cookie_size = 16; // octets of the HMAC that travel; keeps the answer below the smallest hello

std::array<std::byte, 32> cookie_for(const cookie_secret& secret, byte_view source) {
  std::array<std::byte, 32> mac{};
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), as_octets(source), source.size(),
       as_octets(std::span{mac}), &size);
  return mac;
}

const dtls_endpoint& endpoint_of(SSL* ssl) {
  return *static_cast<const dtls_endpoint*>(SSL_get_app_data(ssl));
}

int generate_cookie(SSL* ssl, unsigned char* cookie, unsigned* size) {
  const auto& e = endpoint_of(ssl);
  if (!e.secrets) return 0;
  const auto mac = cookie_for((*e.secrets)[0], e.source);
  std::copy_n(as_octets(byte_view{mac}), cookie_size, cookie);
  *size = cookie_size;
  return 1;
}

int verify_cookie(SSL* ssl, const unsigned char* cookie, unsigned size) {
  const auto& e = endpoint_of(ssl);
  if (e.proven) return 1; // the handshake asks once more about the hello that DTLSv1_listen let through
  if (!e.secrets || size != cookie_size) return 0;
  return std::any_of(e.secrets->begin(), e.secrets->end(), [&](const cookie_secret& secret) {
    const auto mac = cookie_for(secret, e.source);
    return CRYPTO_memcmp(mac.data(), cookie, cookie_size) == 0;
  });
}

} // namespace

void internal::install_cookies(SSL_CTX* ctx) {
  SSL_CTX_set_cookie_generate_cb(ctx, generate_cookie);
  SSL_CTX_set_cookie_verify_cb(ctx, verify_cookie);
}

struct dtls_listener::state {
  dtls_context context;
  random_source& random;
  std::unique_ptr<dtls_endpoint> endpoint; // waits for the next hello with a good cookie
  std::array<cookie_secret, 2> secrets{};
  std::optional<time_ms> rotated;

  void rotate(time_ms now) {
    if (rotated && now < *rotated + dtls_cookie_ms) return;
    const bool both = !rotated || now >= *rotated + 2 * dtls_cookie_ms; // the present one is too old to stay, too
    secrets[1] = secrets[0];
    random.fill(secrets[0]);
    if (both) random.fill(secrets[1]);
    rotated = now;
  }
};

dtls_listener::dtls_listener(dtls_context context, random_source& random)
    : state_(new state{std::move(context), random, nullptr, {}, {}}) {}

dtls_listener::~dtls_listener() = default;

std::unique_ptr<dtls_session> dtls_listener::receive(byte_view source, byte_view datagram, time_ms now,
                                                     dtls_effects& fx) {
  auto& s = *state_;
  if (!is_dtls_hello(datagram)) return nullptr; // OpenSSL would look at it, too, but why should it
  s.rotate(now);
  if (!s.endpoint) s.endpoint = internal::make_dtls_endpoint(*s.context.shared_);
  if (!s.endpoint) return nullptr;
  auto& e = *s.endpoint;
  std::vector<bytes> answer;
  ERR_clear_error();
  e.input = datagram;
  e.output = &answer;
  e.secrets = &s.secrets;
  e.source = source;
  BIO_ADDR* nowhere = BIO_ADDR_new();
  const int found = nowhere ? DTLSv1_listen(e.ssl.get(), nowhere) : -1;
  BIO_ADDR_free(nowhere);
  ERR_clear_error();
  e.input = {};
  e.output = nullptr;
  e.source = {};
  e.secrets = nullptr;
  if (found < 0) s.endpoint.reset();
  if (found != 1) {
    for (auto& d : answer)
      if (d.size() <= datagram.size()) fx.datagrams.push_back(std::move(d));
    return nullptr;
  }
  e.proven = true;
  auto session = internal::make_dtls_session(s.context.shared_, link_role::acceptor, std::move(s.endpoint));
  if (!session->start(now, fx)) return nullptr;
  return session;
}

} // namespace hanse
