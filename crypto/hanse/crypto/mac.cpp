// Keyed BLAKE2b by libsodium.
// The comparison is libsodium's as well: a loop of our own is what compilers shorten.
#include "hanse/crypto/mac.hpp"

#include "hanse/crypto/internal/sodium.hpp"

namespace hanse {

namespace {

class keyed_hash {
public:
  explicit keyed_hash(byte_view key) noexcept {
    internal::ensure_sodium();
    crypto_generichash_init(&state_, key.empty() ? nullptr : as_octets(key), key.size(), mac_size);
  }
  ~keyed_hash() { sodium_memzero(&state_, sizeof state_); }
  keyed_hash(const keyed_hash&) = delete;
  keyed_hash& operator=(const keyed_hash&) = delete;

  void add(byte_view part) noexcept { crypto_generichash_update(&state_, as_octets(part), part.size()); }
  void finish(std::span<std::byte> out) noexcept { crypto_generichash_final(&state_, as_octets(out), mac_size); }

private:
  crypto_generichash_state state_;
};

} // namespace

mac_key mac_key::derive(std::string_view context, byte_view secret) {
  mac_key key;
  key.octets_.resize(mac_size);
  keyed_hash h{{}};
  h.add(as_byte_view(context));
  h.add(secret);
  h.finish(key.octets_);
  return key;
}

mac_octets mac(const mac_key& key, std::initializer_list<byte_view> parts) noexcept {
  mac_octets out;
  keyed_hash h{key.view()};
  for (const auto part : parts) h.add(part);
  h.finish(out);
  return out;
}

bool equal_constant_time(byte_view a, byte_view b) noexcept {
  internal::ensure_sodium();
  return a.size() == b.size() && (a.empty() || sodium_memcmp(a.data(), b.data(), a.size()) == 0);
}

} // namespace hanse
