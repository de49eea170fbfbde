// See the header. The context string keeps this use of a pre-shared key apart from the proofs of joining.
#include "hanse/domains/convergence.hpp"

namespace hanse {

eris_key convergence_secret(const identity& domain, const psk_list& keys) {
  const auto key = mac_key::derive("hanse-convergence-v1", keys.empty() ? byte_view{} : byte_view{keys.front().text});
  return mac(key, {domain.wire()});
}

} // namespace hanse
