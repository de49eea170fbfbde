// What DTLS sessions and the listener share below the surface: an SSL object with its BIO, before and after it has a
// far side. Private to transport.
#pragma once

#include "hanse/transport/dtls_session.hpp"
#include "hanse/transport/internal/tls_alpn.hpp"
#include "hanse/transport/internal/tls_certificate.hpp"

namespace hanse {

struct dtls_context::impl {
  internal::ssl_ctx_ptr ctx;
  internal::bio_method_ptr bio;
  identity self;
};

namespace internal {

using cookie_secret = std::array<std::byte, 32>;

struct dtls_endpoint {
  byte_view input;                      // the datagram of the present call; empty once OpenSSL has read it
  std::vector<bytes>* output = nullptr; // of the present call
  std::optional<identity> expected_peer;
  std::optional<expected<identity>> judged;              // our verdict on the far side's certificate
  const std::array<cookie_secret, 2>* secrets = nullptr; // while it listens: the present and the one before
  byte_view source;                                      // likewise: whose hello this is
  bool proven = false;                                   // the hello inside came back with a good cookie
  ssl_ptr ssl;
};

std::unique_ptr<dtls_endpoint> make_dtls_endpoint(const dtls_context::impl& shared);
std::unique_ptr<dtls_session> make_dtls_session(std::shared_ptr<const dtls_context::impl> shared, link_role role,
                                                std::unique_ptr<dtls_endpoint> endpoint);
void install_cookies(SSL_CTX* ctx);

} // namespace internal

} // namespace hanse
