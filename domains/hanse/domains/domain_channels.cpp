// See domain_channels.hpp.
#include "hanse/domains/domain_channels.hpp"

#include "hanse/domains/domain_advert_store.hpp"
#include "hanse/domains/domain_message.hpp"
#include "hanse/domains/join_message.hpp"

namespace hanse {

const protocol_id& protocol_of_channel(domain_channel which) {
  switch (which) {
  case domain_channel::join:
    return join_protocol();
  case domain_channel::advert:
    return domain_advert_protocol();
  default:
    return domain_protocol();
  }
}

std::optional<domain_channel> channel_of(const protocol_id& protocol) {
  for (const auto c : {domain_channel::join, domain_channel::advert, domain_channel::domain})
    if (protocol_of_channel(c).name == protocol.name && protocol_of_channel(c).major == protocol.major) return c;
  return std::nullopt;
}

} // namespace hanse
