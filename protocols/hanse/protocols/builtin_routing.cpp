// The built-in routing protocols: direct, by what adverts and descriptors say; no hops in between.
// Not ranking and not preferences: routing.cpp does those for every protocol alike.

#include "hanse/protocols/internal/builtin_routing.hpp"

namespace hanse::internal {

namespace {

/// Engines and nodes: one candidate, the destination itself.
class direct_routing final : public routing_protocol {
public:
  explicit direct_routing(destination_kind kind) : kind_(kind) {}
  std::string_view name() const override { return kind_ == destination_kind::node ? "direct-node" : "direct-engine"; }

  expected<candidate_set> candidates(const identity& destination, const route_request&,
                                     const routing_view& view) const override {
    candidate_set set;
    set.candidates.push_back({destination, host_of(destination, kind_, view), 1});
    return set;
  }

private:
  destination_kind kind_;
};

/// Composite identities: their members, by the delivery that the descriptor implies.
class group_routing final : public routing_protocol {
public:
  std::string_view name() const override { return "group"; }

  expected<candidate_set> candidates(const identity& destination, const route_request&,
                                     const routing_view& view) const override {
    const auto* group = view.group(destination);
    if (!group) return error{errc::not_found, "the group's descriptor is not known"};
    candidate_set set;
    set.pattern = delivery_of(*group);
    set.threshold = group->threshold;
    for (const auto& m : group->members) {
      const bool nested = m.member.kind() == identity_kind::composite;
      const bool is_node = !nested && (m.member == view.self() || view.adverts().node(m.member));
      const auto kind = is_node ? destination_kind::node : destination_kind::engine;
      set.candidates.push_back({m.member, nested ? identity{} : host_of(m.member, kind, view), m.weight});
    }
    return set;
  }
};

/// How many members are looked at for links before the choice is made without: bounds a decision in a huge domain.
constexpr std::size_t domain_walk_max = 4096;

/// Domains: anycast to a member; from outside to the nodes that the domain advertises. Of more than
/// composite_leaves_max, those with a link come first, then others; `tie` says where the walk begins.
class domain_routing final : public routing_protocol {
public:
  std::string_view name() const override { return "domain"; }

  expected<candidate_set> candidates(const identity& destination, const route_request& request,
                                     const routing_view& view) const override {
    const auto* d = view.domain(destination);
    if (!d) return error{errc::no_route, "nothing is known of the domain"};
    const auto& nodes = d->contains(view.self()) ? d->members : d->introducers;
    if (nodes.empty()) return error{errc::no_route, "no node of the domain is known"};
    candidate_set set;
    set.pattern = delivery::anycast;
    if (nodes.size() <= composite_leaves_max) {
      for (const auto& n : nodes) set.candidates.push_back({n, n, 1});
      return set;
    }
    const auto first = static_cast<std::size_t>((request.tie * 0x9e3779b97f4a7c15u >> 16) % nodes.size());
    const auto walked = std::min(nodes.size(), domain_walk_max);
    for (const bool connected : {true, false})
      for (std::size_t i = 0; i < walked && set.candidates.size() < composite_leaves_max; ++i)
        if (const auto& n = nodes[(first + i) % nodes.size()]; (n == view.self() || view.connected(n)) == connected)
          set.candidates.push_back({n, n, 1});
    return set;
  }
};

/// Topics that a service of this node has claimed: what is sent to them is handed to it.
class claimed_routing final : public routing_protocol {
public:
  std::string_view name() const override { return "claimed"; }

  expected<candidate_set> candidates(const identity& destination, const route_request&,
                                     const routing_view& view) const override {
    candidate_set set;
    set.candidates.push_back({destination, view.self(), 1});
    return set;
  }
};

} // namespace

identity host_of(const identity& destination, destination_kind kind, const routing_view& view) {
  if (kind == destination_kind::node) return destination;
  if (view.is_local_engine(destination)) return view.self();
  return view.adverts().node_of(destination);
}

std::shared_ptr<const routing_protocol> builtin_routing(destination_kind kind) {
  if (kind == destination_kind::group) return std::make_shared<group_routing>();
  if (kind == destination_kind::domain) return std::make_shared<domain_routing>();
  if (kind == destination_kind::topic) return std::make_shared<claimed_routing>();
  return std::make_shared<direct_routing>(kind);
}

} // namespace hanse::internal
