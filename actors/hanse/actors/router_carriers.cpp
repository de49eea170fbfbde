// Ways that are no links: carriers of this node ("relay", "spool"), which take batches for a node and give back what
// they cannot send. Which way a message goes is part of its route (transport/ways.hpp). See router_engine.hpp.
#include "hanse/actors/errors.hpp"
#include "hanse/actors/router_engine.hpp"
#include "hanse/transport/address.hpp"

namespace hanse {

/// In place of the earlier carrier of that scheme.
expected<unit> router_engine::register_carrier(const std::string& scheme, const caf::strong_actor_ptr& carrier) {
  const auto* traits = transport_registry::builtin().find(scheme);
  if (!traits || traits->ordered) return error{errc::bad_value, "no scheme of ways beside links: " + scheme};
  if (carriers_.size() >= carriers_max && !carriers_.contains(scheme)) return errc::table_full;
  if (carrier) {
    if (!all_services().contains(carrier)) watch_end(carrier);
    carriers_[scheme] = carrier;
  } else {
    carriers_.erase(scheme);
  }
  compat::send(self_, identities_, listen_atom_v, scheme, static_cast<bool>(carrier));
  return ok();
}

/// A copy that only that node is to get: by its link, or by what else the message may go.
void router_engine::send_to_node(const identity& node, envelope e) {
  if (!e.transport.datagrams && (e.transport.security == security_kind::encrypted || links_.contains(node)))
    return hand_to_link(node, std::move(e));
  route_request request{node, e.routing, e.transport, e.id, 0, e.ttl_ms};
  auto message = std::make_shared<envelope>(std::move(e));
  compat::request(self_, identities_, caf::infinite, resolve_atom_v, request)
      .then(
          [this, message](const route& r) {
            hand_over(std::move(*message), r);
            flush_links();
          },
          [this, message](const caf::error& why) {
            refuse(*message, to_hanse(why));
            flush_links();
          });
}

void router_engine::hand_over(envelope e, const route& r) {
  if (r.by.carrier.empty()) return hand_to_link(r.next_hop, std::move(e));
  hand_to_carrier(std::move(e), r);
}

void router_engine::hand_to_carrier(envelope e, const route& r) {
  if (!carriers_.contains(r.by.carrier)) return refuse(e, {errc::no_address, "nothing carries " + r.by.carrier});
  if (e.stream && r.by.carrier == "spool") // a retransmission would be a bundle more
    return refuse(e, {errc::constraint, "reliable delivery does not wait for a courier"});
  services_->trace(e, "send", to_short_string(r.next_hop) + " by " + to_string(r.by));
  auto out = make_outbound(r.next_hop, std::move(e));
  if (!out) return;
  for (auto& batch : to_carriers_)
    if (batch.node == r.next_hop && batch.by == r.by) return batch.messages.push_back(std::move(*out));
  to_carriers_.push_back({r.by.carrier, r.next_hop, r.by, {}});
  to_carriers_.back().messages.push_back(std::move(*out));
}

void router_engine::flush_carriers() {
  for (auto& batch : std::exchange(to_carriers_, {})) {
    services_->counters.sent.inc(batch.messages.size());
    if (auto i = carriers_.find(batch.carrier); i != carriers_.end())
      compat::send(self_, caf::actor_cast<carrier_actor>(i->second), batch.node, std::move(batch.by),
                   std::move(batch.messages));
    else
      for (auto& out : batch.messages) refuse(out.message, {errc::no_address, "nothing carries " + batch.carrier});
  }
}

} // namespace hanse
