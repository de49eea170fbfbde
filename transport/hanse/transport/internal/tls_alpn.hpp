// The one application protocol of a session (RFC 7301): what both TLS and DTLS contexts install. Private to transport.
// Not a negotiation: a far side that offers another protocol, or none, is refused.
#pragma once

#include "hanse/transport/internal/openssl.hpp"

#include <string>

namespace hanse::internal {

// A hello without ALPN never reaches the selection callback; no offer is refused like a wrong one.
inline int require_alpn(SSL* ssl, int* alert, void*) {
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data, &size) == 1)
    return SSL_CLIENT_HELLO_SUCCESS;
  *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
  return SSL_CLIENT_HELLO_ERROR;
}

inline int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned size,
                       void* wire) {
  const auto& ours = *static_cast<const std::string*>(wire);
  unsigned char* chosen = nullptr;
  const auto* first = reinterpret_cast<const unsigned char*>(ours.data());
  const int found = SSL_select_next_proto(&chosen, out_size, first, static_cast<unsigned>(ours.size()), in, size);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

/// `wire`: a length octet and the name; it must outlive the context.
inline bool install_alpn(SSL_CTX* ctx, const std::string& wire) {
  SSL_CTX_set_client_hello_cb(ctx, require_alpn, nullptr);
  SSL_CTX_set_alpn_select_cb(ctx, select_alpn, const_cast<std::string*>(&wire)); // only read
  return SSL_CTX_set_alpn_protos(ctx, reinterpret_cast<const unsigned char*>(wire.data()),
                                 static_cast<unsigned>(wire.size())) == 0; // this one returns 0 on success
}

inline std::string_view chosen_alpn(const SSL* ssl) {
  const unsigned char* alpn = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &size);
  return {reinterpret_cast<const char*>(alpn), size};
}

} // namespace hanse::internal
