// Tickets, as declared in advert.hpp: a node advert as text that people paste.
// Not the advert's own format (advert.cpp). The checksum finds typing errors; the advert's signature is what counts.
#include "hanse/protocols/advert.hpp"

#include "hanse/crypto/bech32m.hpp"

namespace hanse {

static_assert(ticket_size_max >= ticket_prefix.size() + 1 + (advert_size_max * 8 + 4) / 5 + 6);

std::string to_ticket(const signed_node_advert& advert) {
  return encode_bech32m(ticket_prefix, to_groups(advert.wire));
}

expected<signed_node_advert> parse_ticket(std::string_view text) {
  HANSE_TRY(const auto decoded, decode_bech32m(text, ticket_size_max));
  if (decoded.prefix != ticket_prefix) return error{errc::bad_value, "not a ticket"};
  HANSE_TRY(const auto wire, from_groups(decoded.groups));
  return decode_node_advert(wire);
}

} // namespace hanse
