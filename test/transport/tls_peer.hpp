// A TLS endpoint made of bare OpenSSL, for tests: whatever a stranger might come with.
// Not a Hanse session; shares no code with it.
#pragma once

#include "hanse/crypto/keys.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace hanse::test {

template <class T, void (*Free)(T*)>
struct releases {
  void operator()(T* p) const { Free(p); }
};
using evp_key = std::unique_ptr<EVP_PKEY, releases<EVP_PKEY, EVP_PKEY_free>>;
using x509_cert = std::unique_ptr<X509, releases<X509, X509_free>>;
using ssl_context = std::unique_ptr<SSL_CTX, releases<SSL_CTX, SSL_CTX_free>>;
using ssl_object = std::unique_ptr<SSL, releases<SSL, SSL_free>>;

inline evp_key ed25519_key(std::uint8_t n) {
  std::array<std::uint8_t, 32> seed{};
  seed[0] = n;
  return evp_key{EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size())};
}

/// A certificate for `subject_key`, signed by `issuer_key`.
inline x509_cert certificate(EVP_PKEY* subject_key, EVP_PKEY* issuer_key, const char* issuer = "CN-of-test",
                             const char* not_after = "99991231235959Z", const char* subject = "CN-of-test") {
  x509_cert c{X509_new()};
  X509_set_version(c.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(c.get()), 1);
  ASN1_TIME_set_string_X509(X509_getm_notBefore(c.get()), "19700101000000Z");
  ASN1_TIME_set_string_X509(X509_getm_notAfter(c.get()), not_after);
  const auto name = [](X509_NAME* n, const char* text) {
    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(text), -1, -1, 0);
  };
  name(X509_get_subject_name(c.get()), subject);
  name(X509_get_issuer_name(c.get()), issuer);
  X509_set_pubkey(c.get(), subject_key);
  const bool ed = EVP_PKEY_get_base_id(issuer_key) == EVP_PKEY_ED25519;
  X509_sign(c.get(), issuer_key, ed ? nullptr : EVP_sha256());
  return c;
}

/// What the stranger does differently from a Hanse node.
struct tls_peer_options {
  bool server = false;
  int version_max = TLS1_3_VERSION;
  std::string alpn{"\x07hanse/1"}; ///< in wire form; empty: none
  EVP_PKEY* key = nullptr;         ///< null: shows no certificate
  X509* leaf = nullptr;
  X509* extra = nullptr; ///< a second certificate in the chain
  bool tickets = false;
};

class tls_peer {
public:
  explicit tls_peer(const tls_peer_options& o) : alpn_(o.alpn) {
    ctx_.reset(SSL_CTX_new(TLS_method()));
    SSL_CTX_set_min_proto_version(ctx_.get(), TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(ctx_.get(), o.version_max);
    SSL_CTX_set_security_level(ctx_.get(), 0);
    SSL_CTX_set_verify(ctx_.get(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    SSL_CTX_set_num_tickets(ctx_.get(), o.tickets ? 2 : 0);
    if (o.key) {
      SSL_CTX_use_certificate(ctx_.get(), o.leaf);
      SSL_CTX_use_PrivateKey(ctx_.get(), o.key);
      if (o.extra) SSL_CTX_add1_chain_cert(ctx_.get(), o.extra);
    }
    SSL_CTX_set_alpn_select_cb(ctx_.get(), choose_alpn, this);
    ssl_.reset(SSL_new(ctx_.get()));
    if (!alpn_.empty()) SSL_set_alpn_protos(ssl_.get(), octets(alpn_), static_cast<unsigned>(alpn_.size()));
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    o.server ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
  }

  /// Takes octets in, works, and returns what goes out.
  bytes exchange(byte_view in) {
    ERR_clear_error();
    if (!in.empty()) BIO_write(SSL_get_rbio(ssl_.get()), in.data(), static_cast<int>(in.size()));
    if (!SSL_is_init_finished(ssl_.get())) SSL_do_handshake(ssl_.get());
    if (SSL_is_init_finished(ssl_.get())) {
      char buffer[4096];
      SSL_read(ssl_.get(), buffer, sizeof buffer);
    }
    ERR_clear_error();
    return take_output();
  }

  bytes take_output() {
    char* data = nullptr;
    const long n = BIO_get_mem_data(SSL_get_wbio(ssl_.get()), &data);
    bytes out = to_bytes(std::as_bytes(std::span{data, static_cast<std::size_t>(n)}));
    (void)BIO_reset(SSL_get_wbio(ssl_.get()));
    return out;
  }

  SSL* ssl() { return ssl_.get(); }
  bool done() const { return SSL_is_init_finished(ssl_.get()) != 0; }

private:
  static const unsigned char* octets(const std::string& s) { return reinterpret_cast<const unsigned char*>(s.data()); }

  static int choose_alpn(SSL*, const unsigned char** out, unsigned char* size, const unsigned char*, unsigned,
                         void* arg) {
    const auto& alpn = static_cast<tls_peer*>(arg)->alpn_;
    if (alpn.empty()) return SSL_TLSEXT_ERR_NOACK;
    *size = static_cast<unsigned char>(alpn[0]);
    *out = octets(alpn) + 1;
    return SSL_TLSEXT_ERR_OK;
  }

  std::string alpn_;
  ssl_context ctx_;
  ssl_object ssl_;
};

} // namespace hanse::test
