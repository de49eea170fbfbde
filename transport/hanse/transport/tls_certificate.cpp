// Node certificates: X.509 as an envelope for an Ed25519 key. Not sessions.
// Sources: RFC 5280, RFC 8410. A certificate proves nothing by itself; TLS proves possession of its key.
#include "hanse/transport/internal/tls_certificate.hpp"

#include <openssl/x509v3.h>

namespace hanse::internal {

namespace {

error openssl_failure(const char* what) {
  return {errc::internal, std::string{what} + ": " + take_openssl_error()};
}

bool set_times(X509* cert) {
  return ASN1_TIME_set_string_X509(X509_getm_notBefore(cert), "19700101000000Z") == 1 &&
         ASN1_TIME_set_string_X509(X509_getm_notAfter(cert), "99991231235959Z") == 1;
}

bool set_name(X509* cert) {
  X509_NAME* name = X509_get_subject_name(cert);
  const auto* text = reinterpret_cast<const unsigned char*>("hanse");
  return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1 &&
         X509_set_issuer_name(cert, name) == 1;
}

} // namespace

expected<pkey_ptr> make_private_key(const key_pair& node) {
  return node.with_seed([](std::span<const std::byte, 32> seed) -> expected<pkey_ptr> {
    pkey_ptr key{EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, as_octets(byte_view{seed}), seed.size())};
    if (!key) return openssl_failure("Ed25519 key");
    return key;
  });
}

namespace {

/// A certificate for `subject`, signed by `issuer`.
expected<x509_ptr> issue(EVP_PKEY* subject, EVP_PKEY* issuer) {
  x509_ptr cert{X509_new()};
  if (!cert || X509_set_version(cert.get(), X509_VERSION_3) != 1 ||
      ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1) != 1 || !set_times(cert.get()) || !set_name(cert.get()) ||
      X509_set_pubkey(cert.get(), subject) != 1 || X509_sign(cert.get(), issuer, nullptr) == 0)
    return openssl_failure("certificate");
  return cert;
}

} // namespace

expected<x509_ptr> make_certificate(EVP_PKEY* key) {
  return issue(key, key);
}

expected<delegated_key> make_delegated_key(EVP_PKEY* node_key) {
  pkey_ptr key{EVP_EC_gen("P-256")};
  if (!key) return openssl_failure("P-256 key");
  HANSE_TRY(auto cert, issue(key.get(), node_key));
  return delegated_key{std::move(key), std::move(cert)};
}

expected<identity> identity_of_certificate(X509* leaf) {
  EVP_PKEY* key = X509_get0_pubkey(leaf);
  if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519) return error{errc::bad_type, "certificate is not Ed25519"};
  std::array<std::byte, identity::size_bytes> wire;
  wire[0] = static_cast<std::byte>(identity_kind::individual);
  std::size_t size = wire.size() - 1;
  if (EVP_PKEY_get_raw_public_key(key, as_octets(std::span{wire}.subspan<1>()), &size) != 1 || size != 32)
    return error{errc::bad_value, "certificate without a key"};
  HANSE_TRY(auto who, identity::decode(wire));
  if (X509_NAME_cmp(X509_get_subject_name(leaf), X509_get_issuer_name(leaf)) != 0)
    return error{errc::bad_value, "certificate is not self-signed"};
  if (X509_get_signature_nid(leaf) != NID_ED25519 || X509_verify(leaf, key) != 1) {
    ERR_clear_error();
    return error{errc::bad_signature, "certificate"};
  }
  return who;
}

namespace {

bool signed_by(X509* leaf, X509* issuer) {
  const bool good = X509_get_signature_nid(leaf) == NID_ED25519 && X509_verify(leaf, X509_get0_pubkey(issuer)) == 1;
  ERR_clear_error();
  return good;
}

} // namespace

// The error chosen for OpenSSL selects the alert: CERT_REJECTED sends bad_certificate; EXCLUDED_VIOLATION, which
// OpenSSL maps to no alert of its own, certificate_unknown: that is how the far side learns that its certificate is
// good but not the one that was dialled. A test holds OpenSSL to it.
expected<identity> judge_certificate(X509_STORE_CTX* ctx, const std::optional<identity>& expected_peer,
                                     certificate_form form) {
  const auto refuse = [&](error why, int x509_error) {
    X509_STORE_CTX_set_error(ctx, x509_error);
    return why;
  };
  const auto* chain = X509_STORE_CTX_get0_untrusted(ctx);
  const int length = form == certificate_form::own_key ? 1 : 2;
  if (sk_X509_num(chain) != length)
    return refuse({errc::handshake_failed, "certificate chain of another length"}, X509_V_ERR_CERT_REJECTED);
  X509* last = sk_X509_value(chain, length - 1);
  auto who = identity_of_certificate(last);
  if (!who) {
    const bool weak = who.code() == errc::weak_key;
    return refuse(weak ? who.error() : error{errc::handshake_failed, to_string(who.error())}, X509_V_ERR_CERT_REJECTED);
  }
  if (form == certificate_form::delegated && !signed_by(sk_X509_value(chain, 0), last))
    return refuse({errc::handshake_failed, "the identity did not sign the key"}, X509_V_ERR_CERT_REJECTED);
  if (expected_peer && *expected_peer != *who)
    return refuse({errc::wrong_peer, "found " + to_string(*who)}, X509_V_ERR_EXCLUDED_VIOLATION);
  X509_STORE_CTX_set_error(ctx, X509_V_OK);
  return who;
}

} // namespace hanse::internal
