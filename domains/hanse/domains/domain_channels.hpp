// Which protocol between nodes the bodies of a domain machine travel in: what its host needs to know of them. Not the
// bodies themselves (domain_message.hpp, join_message.hpp, domain_advert_store.hpp).
#pragma once

#include "hanse/domains/domain_effects.hpp"
#include "hanse/protocols/protocol_id.hpp"

#include <optional>

namespace hanse {

const protocol_id& protocol_of_channel(domain_channel which);

/// By name and major version; none if it is another protocol.
std::optional<domain_channel> channel_of(const protocol_id& protocol);

} // namespace hanse
