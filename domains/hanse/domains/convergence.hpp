// The convergence secret of a domain: members that put the same content get the same blocks, and others cannot tell
// from blocks whether content that they guess is there (ERIS 1.0 section 2.2; docs/blocks.md). Not the key to read:
// that is the capability's.
#pragma once

#include "hanse/domains/eris.hpp"
#include "hanse/domains/psk.hpp"

namespace hanse {

/// The MAC of the domain's identity under a key derived from the newest pre-shared key. Without keys from nothing: then
/// whoever knows the domain can recognise content that they guess. After a rotation equal content is stored anew.
eris_key convergence_secret(const identity& domain, const psk_list& keys);

} // namespace hanse
