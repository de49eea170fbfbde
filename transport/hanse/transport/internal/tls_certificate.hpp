// The certificate that carries a node's identity: making it, and judging the far side's. Private to transport.
// Not the TLS session (tls_session.cpp). Sources: RFC 5280, RFC 8410 (Ed25519 in X.509).
#pragma once

#include "hanse/crypto/keys.hpp"
#include "hanse/transport/internal/openssl.hpp"

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

} // namespace hanse::internal
