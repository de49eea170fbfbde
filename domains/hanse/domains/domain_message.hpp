// What nodes of a domain say to each other beside the join: bodies of "hanse.domain/1.0". Layout: docs/domains.md.
// Not the lattice's own bodies (protocols/lace_sync.hpp), which travel in `lattice_body`.
#pragma once

#include "hanse/crypto/identity.hpp"
#include "hanse/protocols/protocol_id.hpp"

#include <variant>

namespace hanse {

inline constexpr std::size_t gossip_adverts_max = 4; ///< of at most 32 KiB each, in one body

/// The protocol of the bodies below.
const protocol_id& domain_protocol();

/// [1, 1, domain, body]: of the domain's blocklace.
struct lattice_body {
  identity domain;
  bytes body;
  friend bool operator==(const lattice_body&, const lattice_body&) = default;
};

/// [2, 1, domain, code]: you were a member once and are none any more, so that body was not looked at.
struct membership_refusal {
  identity domain;
  errc code = errc::permission_denied;
  friend bool operator==(const membership_refusal&, const membership_refusal&) = default;
};

/// [3, 1, [advert…]]: signed DomainAdverts that the sender knows, for who gossips.
struct advert_gossip {
  std::vector<bytes> adverts;
  friend bool operator==(const advert_gossip&, const advert_gossip&) = default;
};

using domain_body = std::variant<lattice_body, membership_refusal, advert_gossip>;

bytes encode(const domain_body& body);

/// Errors: those of msgpack_reader, `bad_type` (kind), `bad_version`, `bad_value`. Adverts are not looked at.
expected<domain_body> decode_domain_body(byte_view wire);

} // namespace hanse
