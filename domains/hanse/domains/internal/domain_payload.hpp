// The octets of a domain's configuration that its owner signs, for the rules (domain_config.cpp) and the advert.
// Not installed.
#pragma once

#include "hanse/domains/domain_config.hpp"

namespace hanse::internal {

/// The payload of a DomainAdvert.
bytes payload_of(const domain_config& config);

/// The rules of `check` but for the size of the whole.
expected<unit> check_fields(const domain_config& config);

} // namespace hanse::internal
