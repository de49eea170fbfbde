// Owners for OpenSSL's handles, and the key derivations that are called through EVP_KDF.
// Not TLS and not certificates: those are transport's.
#pragma once

#include "hanse/crypto/bytes.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <memory>

namespace hanse::internal {

template <auto Free>
struct freer {
  template <class T>
  void operator()(T* p) const noexcept {
    Free(p);
  }
};

using kdf_ptr = std::unique_ptr<EVP_KDF, freer<EVP_KDF_free>>;
using kdf_context = std::unique_ptr<EVP_KDF_CTX, freer<EVP_KDF_CTX_free>>;
using cipher_context = std::unique_ptr<EVP_CIPHER_CTX, freer<EVP_CIPHER_CTX_free>>;
using pkey_ptr = std::unique_ptr<EVP_PKEY, freer<EVP_PKEY_free>>;
using pkey_context = std::unique_ptr<EVP_PKEY_CTX, freer<EVP_PKEY_CTX_free>>;

/// `data` as a parameter. OpenSSL takes a pointer to non-const and does not write.
inline OSSL_PARAM octets_param(const char* name, byte_view data) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::byte*>(data.data()), data.size());
}

/// Runs the key derivation `name` with `params` (ended by OSSL_PARAM_construct_end). Whether it worked.
inline bool derive(const char* name, const OSSL_PARAM* params, std::span<std::byte> out) {
  const kdf_ptr kdf{EVP_KDF_fetch(nullptr, name, nullptr)};
  const kdf_context context{kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr};
  if (context && EVP_KDF_derive(context.get(), as_octets(out), out.size(), params) == 1) return true;
  ERR_clear_error(); // the thread's queue is read by TLS, which must not find our failures
  return false;
}

} // namespace hanse::internal
