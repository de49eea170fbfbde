// The certificate that carries a node's identity: making it, and judging the far side's. Private to transport.
// Not the TLS session (tls_session.cpp). Sources: RFC 5280, RFC 8410 (Ed25519 in X.509).
#pragma once

#include "hanse/crypto/keys.hpp"
#include "hanse/transport/internal/openssl.hpp"

#include <optional>

namespace hanse::internal {

/// The node's key as OpenSSL wants it. Error: `internal`.
expected<pkey_ptr> make_private_key(const key_pair& node);

/// A self-signed version 3 certificate for `key`, subject and issuer "CN=hanse", serial 1, valid from 1970 to 9999
/// (RFC 5280 section 4.1.2.5), without extensions: it says nothing but the key. Error: `internal`.
expected<x509_ptr> make_certificate(EVP_PKEY* key);

/// The identity behind a certificate, if it is self-signed with Ed25519 and the signature holds. Validity times and
/// names are not looked at: the key is the identity, and no clock is needed.
/// Errors: `bad_type` (another algorithm), `weak_key`, `bad_signature`, `bad_value` (issuer is not the subject).
expected<identity> identity_of_certificate(X509* leaf);

/// A P-256 key that speaks for the node in DTLS, where OpenSSL 3.0 does not take Ed25519 keys (its check for TLS 1.2
/// does not know DTLS 1.2), and a certificate for it signed by the node's key. It lives in memory, beside the node's.
struct delegated_key {
  pkey_ptr key;
  x509_ptr certificate;
};
expected<delegated_key> make_delegated_key(EVP_PKEY* node_key);

enum class certificate_form : std::uint8_t {
  own_key,   ///< TLS 1.3: one certificate, as make_certificate makes it
  delegated, ///< DTLS 1.2: a delegated key's certificate, then the one of the identity that signed it
};

/// The verdict on the chain that the far side shows during a handshake: of the form given, sound, and of
/// `expected_peer` if there is one. Sets the error in `ctx`, which selects the alert.
/// Errors: `handshake_failed`, `weak_key`, `wrong_peer`.
expected<identity> judge_certificate(X509_STORE_CTX* ctx, const std::optional<identity>& expected_peer,
                                     certificate_form form);

} // namespace hanse::internal
