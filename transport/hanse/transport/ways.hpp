// Chooses how messages travel to a node: over a link, in datagrams, through relays, or in bundles. By what the node
// advertises, what this node speaks, the message's demands, and whether links could be dialled. Not which node
// (protocols/routing.hpp), not the order of a link's addresses (selection.hpp), not sending. Spec "Transport"; design
// sections 6 and 7.
#pragma once

#include "hanse/protocols/routing.hpp"
#include "hanse/transport/selection.hpp"

#include <functional>

namespace hanse {

inline constexpr std::size_t relay_search_max = 256; ///< nodes looked at for a path; a guess
/// What waits for a courier has to live long: messages of less are not put into bundles. A guess at the shortest round.
inline constexpr std::uint32_t delay_tolerant_ttl_ms = 600'000;

/// What choosing a way may ask of the node. Answers must not change during one call.
class way_view {
public:
  virtual ~way_view() = default;
  virtual const identity& self() const = 0;
  virtual bool connected(const identity& node) const = 0; ///< a link is up
  virtual std::vector<weighted_address> addresses_of(const identity& node) const = 0;
  virtual address_origin origin_of(const identity& node) const = 0;
  virtual bool undialable(const identity& node) const = 0; ///< the last dials of all its addresses failed
  /// Nodes with a link whose adverts name `relay` as theirs: they keep a link to it.
  virtual std::vector<identity> neighbours_through(const identity& relay) const = 0;
  virtual bool has_datagram_link(const identity& node) const = 0;
  virtual bool datagrams_failed(const identity& node) const = 0; ///< the last session with it could not be made
  virtual bool takes_bundles(const identity& node) const = 0;    ///< it advertises that it does
};

/// Whether a node may pass a message on; for trust and scope.
using relay_predicate = std::function<bool(const identity& relay)>;

/// The way, first match: datagrams, if they are wished for and did not just fail; the link that is up; a link that can
/// be dialled, unless the last dials failed; datagrams; the fewest relays; a link in spite of that; a bundle, if the
/// message lives delay_tolerant_ttl_ms. `policy.schemes`: what this node is configured for and has a carrier for.
/// Errors: `no_address` (none known, or no way to its relays), `constraint` (the demands exclude all), those of
/// select_addresses.
expected<way> choose_way(const identity& node, const transport_preferences& wanted, std::uint32_t ttl_ms,
                         const way_view& view, const address_policy& policy, const relay_predicate& may_relay);

/// The relays to `node`, nearest first, at most relay_hops_max: each is named in the advert of the next, the first has
/// a link, or can be dialled. Where none of them can, the first may be a neighbour that names the second: who is behind
/// a relay answers through it. Of equally short paths those over links come first, then those that the adverts weigh
/// most. Errors: `no_address`.
expected<std::vector<identity>> find_relays(const identity& node, const way_view& view, const address_policy& policy,
                                            const relay_predicate& may_relay);

} // namespace hanse
