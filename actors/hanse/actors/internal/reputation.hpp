// How the actors of a node say that another node did well or ill. Not what it weighs (protocols/advert_store.hpp).
// Not installed.
#pragma once

#include "hanse/actors/interfaces.hpp"

namespace hanse::internal {

/// Tells the identity store, from the actor `self`.
template <class Self>
void note_reputation(Self self, const identity_store_actor& identities, const identity& node, reputation_event event) {
  compat::send(self, identities, measure_atom_v, node, static_cast<std::int16_t>(event));
}

} // namespace hanse::internal
