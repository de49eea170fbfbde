// The actor around advert_store and routing: keeps adverts, trust and measurements, persists them, passes news on, and
// decides and explains routes for the router, which caches them. Spec "Addressing", "Routing".
#pragma once

#include "hanse/actors/interfaces.hpp"
#include "hanse/actors/services.hpp"
#include "hanse/transport/ways.hpp"

#include <caf/stateful_actor.hpp>

namespace hanse {

/// Where the identity store sends news. The router and the transport are spawned after it, so they come by message.
struct identity_store_peers {
  router_actor router;
  transport_actor transport;
  store_actor store;
};

struct identity_store_options {
  address_policy addresses;                   ///< what is dialled, as the transport's
  std::set<std::string, std::less<>> schemes; ///< ways that may be used, if there is a carrier for them
  composite_table groups;                     ///< descriptors known from configuration
  std::map<identity, std::uint8_t> trust;
  bool share_adverts = true; ///< pass adverts of others on to peers
};

inline constexpr std::size_t domains_max = 4096;       ///< known at once; a guess
inline constexpr std::uint32_t dial_again_ms = 60'000; ///< other ways are taken for so long after failed dials; a guess
inline constexpr std::size_t undialable_max = 4096;    ///< nodes remembered to be so
inline constexpr std::size_t shared_adverts_max = 1024; ///< told to a new peer at once; a guess, under 1 MiB

class identity_store_engine : private routing_view, private way_view {
public:
  using pointer = identity_store_actor::pointer;
  static inline const char* name = "hanse.identity_store";

  identity_store_engine(pointer self, services_ptr services, identity_store_options options,
                        std::vector<record> restored, std::shared_ptr<identity_store_peers> peers);

  identity_store_actor::behavior_type make_behavior();

private:
  // routing_view and way_view
  const identity& self() const override { return services_->self; }
  bool is_local_engine(const identity& engine) const override { return local_.contains(engine); }
  const advert_store& adverts() const override { return store_; }
  bool connected(const identity& node) const override { return connected_.contains(node); }
  expected<unit> reachable(const identity& node, const transport_preferences& wanted) const override;
  expected<way> way_to(const identity& node, const route_request& request) const override;
  std::vector<weighted_address> addresses_of(const identity& node) const override { return store_.addresses_of(node); }
  address_origin origin_of(const identity& node) const override;
  bool undialable(const identity& node) const override;
  std::vector<identity> neighbours_through(const identity& relay) const override;
  bool has_datagram_link(const identity& node) const override { return datagram_links_.contains(node); }
  bool datagrams_failed(const identity& node) const override;
  bool takes_bundles(const identity& node) const override;
  const composite_descriptor* group(const identity& id) const override;
  const domain_members* domain(const identity& id) const override;

  void set_carrier(const std::string& scheme, bool there);
  std::vector<bytes> introduction() const;
  bool learn(byte_view wire, advert_origin origin);
  expected<unit> set_domain(domain_members& d);
  void set_claimed(const identity& destination, bool claimed);
  void perform(advert_effects effects);
  std::vector<bytes> worth_telling() const;
  std::vector<peer_info> peers() const;
  std::vector<engine_info> engines() const;

  pointer self_;
  services_ptr services_;
  identity_store_options options_;
  std::shared_ptr<identity_store_peers> actors_;
  advert_store store_;
  routing routing_;
  std::map<identity, domain_members> domains_;
  std::set<identity> local_;
  std::set<identity> pinned_;                     ///< nodes whose addresses the operator gave
  std::map<identity, link_event> connected_;      ///< with the last measurement
  std::set<identity> datagram_links_;             ///< up, as their carrier says
  std::map<identity, time_ms> without_datagrams_; ///< as undialable_, for sessions
  std::map<identity, time_ms> undialable_; ///< since when; forgotten with the first link or news of its addresses
};

} // namespace hanse
