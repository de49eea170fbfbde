// The routing decision: from a destination identity and preferences to next hops, and why. Spec "Routing", design 7.
// Not forwarding, not dialling, not path finding over several hops: pure functions over what the node knows.
// Protocols are chosen by the type of the destination; domains and topics register theirs without changing `decide`.
#pragma once

#include "hanse/crypto/composite.hpp"
#include "hanse/protocols/advert_store.hpp"

#include <algorithm>

namespace hanse {

/// What a destination identity stands for.
enum class destination_kind : std::uint8_t { unknown, engine, node, group, domain, topic };
inline constexpr std::size_t destination_kinds = 6;

std::string_view to_string(destination_kind k) noexcept;
std::string_view to_string(delivery d) noexcept;

inline constexpr std::size_t domain_view_members_max = 65'536; ///< nodes of one domain that a view holds
inline constexpr std::size_t domain_view_introducers_max = 64; ///< advertised nodes of one domain

/// A domain as one node knows it. A node that is outside of it has no `members`, only the advertised introducers.
struct domain_members {
  identity domain;
  std::vector<identity> members;     ///< nodes, ascending, no duplicates; with this node if it is one of them
  std::vector<identity> introducers; ///< nodes that the domain advertises to outsiders, in advertised order

  bool contains(const identity& node) const { return std::ranges::binary_search(members, node); }
};

/// How messages travel to a node: over its link, which is dialled if it is not up, or by what else carries them.
struct way {
  std::string carrier;          ///< the scheme of what carries them ("relay", "spool"); empty: the link
  std::vector<identity> relays; ///< of "relay": nearest first
  friend bool operator==(const way&, const way&) = default;
};

/// For people: "link", "relay through hk1…, hk1…", or the carrier.
std::string to_string(const way& w);

struct route_request;

/// What `decide` may ask of the node. Answers must not change during one call.
class routing_view {
public:
  virtual ~routing_view() = default;
  virtual const identity& self() const = 0;                       ///< this node
  virtual bool is_local_engine(const identity& engine) const = 0; ///< runs here
  virtual const advert_store& adverts() const = 0;
  virtual bool connected(const identity& node) const = 0; ///< a link is up

  /// Whether messages can travel to `node` under these preferences: over its link, or by dialling one of its
  /// addresses. Errors: `no_address` (none, or no transport for any), `constraint` (preferences exclude all).
  virtual expected<unit> reachable(const identity& node, const transport_preferences& wanted) const = 0;

  /// How messages of this request travel to `node`. Errors: as `reachable`, which the default asks: then by link.
  virtual expected<way> way_to(const identity& node, const route_request& request) const;

  /// The descriptor of a composite identity; null if unknown.
  virtual const composite_descriptor* group(const identity& id) const = 0;

  /// What is known of a domain; null if nothing. The default knows none.
  virtual const domain_members* domain(const identity& id) const;

  /// Whether `node` is a member of `domain`, for scope_kind::domain. The default asks `domain`.
  virtual bool in_domain(const identity& node, const identity& domain) const;
};

struct route_request {
  identity destination;
  routing_preferences routing;
  transport_preferences transport;
  std::uint64_t tie = 0; ///< rotates the choice among equals, e.g. the message id; equal input gives equal output
  time_ms now = 0;       ///< for reputation
  std::uint32_t ttl_ms = ttl_default_ms; ///< of the message: slow ways are for long lives
};

/// Where one message, or a copy of it, goes.
struct route {
  enum class kind : std::uint8_t {
    local,  ///< hand it to the engine `destination` here (or to this node itself)
    remote, ///< send it to the node `next_hop`
    group,  ///< deliver to `members` by `pattern`
  };
  route::kind what = kind::local;
  identity destination; ///< engine, node, or group: what the copy is addressed to
  identity next_hop;    ///< a node; remote only
  bool connected = false;
  way by;                   ///< how to `next_hop`
  std::uint32_t weight = 1; ///< within the group above

  // group only
  delivery pattern = delivery::unicast;
  std::uint32_t threshold = 0; ///< the weights of the members that acknowledge must reach this
  std::size_t initial = 0;     ///< send to the first so many at once; the rest replace those that fail, in order
  std::vector<route> members;  ///< usable ones, best first; their weights reach `threshold`. Then engines that nobody
                               ///< has advertised yet: remote without `next_hop`, routed anew when their turn comes
};

/// A candidate as `hanse why` prints it.
struct candidate_report {
  identity destination;  ///< engine, node or group
  identity node;         ///< where it is; none if unknown or a group
  std::size_t depth = 0; ///< groups above it
  std::uint32_t weight = 1;
  std::uint8_t trust = trust_default; ///< the lower of the engine's and its node's
  std::int32_t reputation = 0;
  measurements measured;
  bool local = false;
  bool connected = false;
  bool chosen = false;       ///< among the `initial` ones
  std::string by;            ///< of a usable remote one: the way to its node
  errc verdict = errc::none; ///< why it is excluded; none: usable
  std::string reason;        ///< the same for people: "trust 40 is below 128"
};

/// Everything that led to a decision, in the order in which candidates were considered.
struct route_explanation {
  destination_kind kind = destination_kind::unknown;
  std::string protocol; ///< the routing protocol that was asked
  delivery pattern = delivery::unicast;
  std::uint32_t threshold = 1;
  std::vector<candidate_report> candidates;
  error outcome; ///< errc::none when there is a route
};

/// A place that may serve a destination, before preferences are looked at.
struct route_candidate {
  identity destination; ///< an engine, a node, or (nested) a group
  identity node;        ///< none for a group
  std::uint32_t weight = 1;
};

/// What a routing protocol answers.
struct candidate_set {
  delivery pattern = delivery::unicast;
  std::uint32_t threshold = 1;             ///< sum of weights that must acknowledge
  std::vector<route_candidate> candidates; ///< at most composite_leaves_max
};

/// Finds candidates for destinations of one kind. Pure; deterministic order.
class routing_protocol {
public:
  virtual ~routing_protocol() = default;
  virtual std::string_view name() const = 0;

  /// Errors: `no_route` and what else the protocol states.
  virtual expected<candidate_set> candidates(const identity& destination, const route_request& request,
                                             const routing_view& view) const = 0;
};

inline constexpr std::size_t destination_types_max = 65'536; ///< registered destinations (domains, topics)

/// Chooses routes. Engines, nodes, groups, domains (anycast to a member, or from outside to an introducer) and topics
/// (a service of this node has claimed them) are built in. Not thread-safe while being changed.
///
/// Candidates are ranked: local, connected, higher trust, higher reputation (in steps of 100), lower RTT, lower loss,
/// then by `tie`. Excluded are: banned ones (`untrusted`), below trust_min (`untrusted`), remote ones under
/// scope_kind::local (`constraint`), outside of the domain under scope_kind::domain (`constraint`; `permission_denied`
/// for all if this node is itself outside), with a measured RTT above rtt_max_ms (`constraint`; an unmeasured node
/// passes), engines without advert (`no_route`), nodes without usable address (`no_address`, or `constraint` by
/// transport preferences).
class routing {
public:
  routing();

  /// Registers the protocol for a kind, in place of the earlier one.
  void set_protocol(destination_kind kind, std::shared_ptr<const routing_protocol> protocol);

  /// Declares what an identity is, where that does not follow from adverts (domains, topics). `unknown` undeclares.
  /// Error: `table_full`.
  expected<unit> set_kind(const identity& destination, destination_kind kind);

  /// Declared kind; else this node is `node`; else composite is `group`; else `engine` if it is local or advertised;
  /// else `node` if advertised; else `unknown`.
  destination_kind kind_of(const identity& destination, const routing_view& view) const;

  /// The route, or why there is none: `bad_value` (no destination), `no_route`, `no_address`, `untrusted`,
  /// `constraint`, `not_found` (a group's descriptor), `too_deep`, `too_long`, `threshold_not_met` (too few usable
  /// members). Of several excluded candidates the first one's error is returned. No allocation for a unicast route.
  /// With `why` the explanation is filled in as well, also on errors.
  expected<route> decide(const route_request& request, const routing_view& view,
                         route_explanation* why = nullptr) const;

private:
  class decider;

  std::array<std::shared_ptr<const routing_protocol>, destination_kinds> protocols_;
  std::array<bool, destination_kinds> direct_{}; ///< the built-in protocol with one candidate is registered
  std::unordered_map<identity, destination_kind> kinds_;
};

} // namespace hanse
