// Proofs of pre-shared keys: every part has a fixed length, so that no two statements have the same octets.
// The layout is in the header.
#include "hanse/domains/join_proof.hpp"

namespace hanse {

namespace {

constexpr std::string_view context{"hanse-join-v1\0\0\0", 16};

}

mac_octets prove(const mac_key& key, join_role role, const join_facts& f) noexcept {
  const std::byte r{static_cast<std::uint8_t>(role)};
  return mac(key, {as_byte_view(context),
                   {&r, 1},
                   f.domain.wire(),
                   f.requester.wire(),
                   f.introducer.wire(),
                   f.nonce,
                   f.challenge,
                   f.channel});
}

const pre_shared_key* find_proven(const psk_list& keys, time_ms now, join_role role, const join_facts& facts,
                                  const mac_octets& proof) {
  const pre_shared_key* found = nullptr;
  for (const auto& k : keys) {
    const bool fits = equal_constant_time(prove(k.key(), role, facts), proof);
    if (fits && k.valid_at(now) && !found) found = &k;
  }
  return found;
}

} // namespace hanse
