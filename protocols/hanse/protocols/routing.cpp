// The routing decision: see the header. `decider` walks the tree of groups; each level asks the protocol of its kind
// for candidates, drops those that trust or preferences exclude, and ranks the rest.

#include "hanse/protocols/routing.hpp"

#include "hanse/protocols/internal/builtin_routing.hpp"

#include <algorithm>
#include <tuple>

namespace hanse {

std::string_view to_string(destination_kind k) noexcept {
  switch (k) {
  case destination_kind::engine:
    return "engine";
  case destination_kind::node:
    return "node";
  case destination_kind::group:
    return "group";
  case destination_kind::domain:
    return "domain";
  case destination_kind::topic:
    return "topic";
  case destination_kind::unknown:
    break;
  }
  return "unknown";
}

std::string_view to_string(delivery d) noexcept {
  switch (d) {
  case delivery::anycast:
    return "anycast";
  case delivery::multicast:
    return "multicast";
  case delivery::quorumcast:
    return "quorumcast";
  case delivery::unicast:
    break;
  }
  return "unicast";
}

std::string to_string(const way& w) {
  if (w.carrier.empty()) return "link";
  std::string text = w.carrier;
  for (std::size_t i = 0; i < w.relays.size(); ++i)
    text += (i == 0 ? " through " : ", ") + to_short_string(w.relays[i]);
  return text;
}

expected<way> routing_view::way_to(const identity& node, const route_request& request) const {
  HANSE_CHECK(reachable(node, request.transport));
  return way{};
}

const domain_members* routing_view::domain(const identity&) const {
  return nullptr;
}

bool routing_view::in_domain(const identity& node, const identity& id) const {
  const auto* known = domain(id);
  return known && known->contains(node);
}

namespace {

/// What a usable candidate is ranked by; smaller is better.
struct rank_key {
  bool unadvertised = false; ///< nobody has said yet where it is: none to begin with, but one to try before giving up
  bool remote = false;
  bool unconnected = false;
  int distrust = 0;
  std::int32_t disrepute = 0;
  std::uint32_t rtt_us = 0;
  std::uint32_t loss_ppm = 0;
  std::uint64_t tie = 0;
  friend auto operator<=>(const rank_key&, const rank_key&) = default;
};

/// Spreads equals over requests with different `tie`: a multiplicative mix, no cryptography needed.
std::uint64_t mix(std::uint64_t tie, const identity& id) noexcept {
  auto x = (static_cast<std::uint64_t>(std::hash<identity>{}(id)) ^ tie) * 0x9e3779b97f4a7c15u;
  return x ^ (x >> 32);
}

struct usable {
  route r;
  rank_key rank;
  std::size_t report = 0; ///< its index in the explanation
};

error excluded(errc code, const char* text) {
  return {code, text};
}

/// A message that is to stay in a domain passes between its members only.
expected<unit> check_domain(const identity& domain, const identity& node, const routing_view& view) {
  if (!view.in_domain(view.self(), domain))
    return error{errc::permission_denied, "this node is no member of the domain " + to_short_string(domain)};
  if (!view.in_domain(node, domain))
    return error{errc::constraint,
                 "node " + to_short_string(node) + " is no member of the domain " + to_short_string(domain)};
  return ok();
}

} // namespace

/// One call of `decide`.
class routing::decider {
public:
  decider(const routing& table, const route_request& request, const routing_view& view, route_explanation* why)
      : table_(table), request_(request), view_(view), why_(why) {}

  expected<route> run() {
    const auto& to = request_.destination;
    if (to.is_none()) return error{errc::bad_value, "no destination"};
    const auto kind = table_.kind_of(to, view_);
    if (why_) why_->kind = kind;
    // The two common cases need no candidate list: the hot path allocates nothing.
    if (!why_ && table_.direct_[static_cast<std::size_t>(kind)]) {
      route_candidate only{to, internal::host_of(to, kind, view_), 1};
      rank_key unused;
      return judge(only, unused, nullptr);
    }
    return expand(to, kind, 0);
  }

private:
  expected<route> expand(const identity& to, destination_kind kind, std::size_t depth);
  expected<route> judge(const route_candidate& c, rank_key& rank, candidate_report* report);
  expected<way> check(const route_candidate& c, bool local, candidate_report* report);
  expected<unit> check_group(const identity& to);
  expected<std::vector<usable>> usable_candidates(const candidate_set& set, std::size_t depth);
  expected<route> choose(const identity& to, const candidate_set& set, std::vector<usable> list);

  const routing& table_;
  const route_request& request_;
  const routing_view& view_;
  route_explanation* why_;
};

/// The way to a candidate, if trust and preferences allow it. Fills in `report`, which may be null.
expected<way> routing::decider::check(const route_candidate& c, bool local, candidate_report* report) {
  const auto& store = view_.adverts();
  const auto trust = std::min(store.trust(c.destination), c.node ? store.trust(c.node) : trust_default);
  if (report) {
    report->trust = trust;
    report->reputation = store.reputation(c.node, request_.now);
    report->measured = store.measured(c.node);
    report->local = local;
    report->connected = !local && c.node && view_.connected(c.node);
  }
  const auto& wanted = request_.routing;
  if (trust == trust_banned) return excluded(errc::untrusted, "banned");
  if (local) return way{};
  if (wanted.scope == scope_kind::local) return excluded(errc::constraint, "scope is local, the engine is not");
  if (c.node.is_none()) return excluded(errc::no_route, "no advert says which node hosts it");
  if (trust < wanted.trust_min)
    return why_ ? error{errc::untrusted,
                        "trust " + std::to_string(trust) + " is below " + std::to_string(wanted.trust_min)}
                : excluded(errc::untrusted, "trust is below trust_min");
  if (wanted.scope == scope_kind::domain) HANSE_CHECK(check_domain(wanted.domain, c.node, view_));
  const auto rtt = store.measured(c.node).rtt_us;
  if (wanted.rtt_max_ms != 0 && rtt && *rtt > std::uint64_t{wanted.rtt_max_ms} * 1000)
    return excluded(errc::constraint, "measured RTT is above rtt_max");
  return view_.way_to(c.node, request_);
}

/// The route of an individual candidate and its rank, or why it is excluded.
expected<route> routing::decider::judge(const route_candidate& c, rank_key& rank, candidate_report* report) {
  const bool local = c.node == view_.self();
  HANSE_TRY(auto by, check(c, local, report));
  if (report && !local) report->by = to_string(by);
  route r;
  r.what = local ? route::kind::local : route::kind::remote;
  r.destination = c.destination;
  r.weight = c.weight;
  if (!local) {
    r.next_hop = c.node;
    r.connected = view_.connected(c.node);
    r.by = std::move(by);
  }
  const auto& store = view_.adverts();
  const auto& m = store.measured(c.node);
  rank.remote = !local;
  rank.unconnected = !local && !r.connected;
  rank.distrust = 255 - std::min(store.trust(c.destination), store.trust(c.node));
  rank.disrepute = -(store.reputation(c.node, request_.now) / 100);
  rank.rtt_us = m.rtt_us.value_or(UINT32_MAX); // what was measured is preferred
  rank.loss_ppm = m.loss_ppm.value_or(0);
  rank.tie = mix(request_.tie, c.destination);
  return r;
}

/// Resolves the whole nesting once, at the root, so that the walk below it is bounded.
expected<unit> routing::decider::check_group(const identity& to) {
  composite_table reached;
  std::vector<identity> todo{to};
  while (!todo.empty()) {
    const auto id = todo.back();
    todo.pop_back();
    if (reached.contains(id)) continue;
    const auto* group = view_.group(id);
    if (!group) return error{errc::not_found, "the descriptor of " + to_short_string(id) + " is not known"};
    if (reached.size() >= composite_leaves_max) return errc::too_long;
    for (const auto& m : reached.emplace(id, *group).first->second.members)
      if (m.member.kind() == identity_kind::composite) todo.push_back(m.member);
  }
  return check_nesting(to, reached);
}

expected<route> routing::decider::expand(const identity& to, destination_kind kind, std::size_t depth) {
  const auto& protocol = table_.protocols_[static_cast<std::size_t>(kind)];
  if (!protocol) return error{errc::no_route, "no routing protocol for this kind of destination"};
  if (depth >= composite_depth_max) return errc::too_deep; // only a registered protocol could nest beyond the check
  if (depth == 0 && kind == destination_kind::group) HANSE_CHECK(check_group(to));
  HANSE_TRY(const auto set, protocol->candidates(to, request_, view_));
  if (set.candidates.size() > composite_leaves_max) return errc::too_long;
  if (why_ && depth == 0) {
    why_->protocol = protocol->name();
    why_->pattern = set.pattern;
    why_->threshold = set.threshold;
  }
  HANSE_TRY(auto list, usable_candidates(set, depth));
  return choose(to, set, std::move(list));
}

expected<std::vector<usable>> routing::decider::usable_candidates(const candidate_set& set, std::size_t depth) {
  std::vector<usable> list;
  std::size_t known = 0;
  error first;
  for (const auto& c : set.candidates) {
    const auto index = why_ ? why_->candidates.size() : 0;
    candidate_report report;
    report.destination = c.destination;
    report.node = c.node;
    report.depth = depth;
    report.weight = c.weight;
    if (why_) why_->candidates.push_back(report);
    usable u;
    u.report = index;
    const bool nested = c.node.is_none() && table_.kind_of(c.destination, view_) == destination_kind::group;
    auto r =
        nested ? expand(c.destination, destination_kind::group, depth + 1) : judge(c, u.rank, why_ ? &report : nullptr);
    if (nested) {
      report.trust = view_.adverts().trust(c.destination);
      if (r && report.trust == trust_banned) r = excluded(errc::untrusted, "banned");
      // A group stands where its best member stands, and after individuals that are as good.
      if (r)
        u.rank = {.remote = r->members[0].what == route::kind::remote,
                  .distrust = 255 - report.trust,
                  .rtt_us = UINT32_MAX,
                  .tie = mix(request_.tie, c.destination)};
    }
    if (r) {
      u.r = std::move(*r);
      u.r.weight = c.weight;
      list.push_back(std::move(u));
      ++known;
    } else {
      if (r.code() == errc::no_route && !nested) {
        u.r.what = route::kind::remote;
        u.r.destination = c.destination;
        u.r.weight = c.weight;
        u.rank = {.unadvertised = true, .tie = mix(request_.tie, c.destination)};
        list.push_back(std::move(u));
      }
      report.verdict = r.error().code;
      report.reason = r.error().detail;
      if (first.code == errc::none) first = r.error();
    }
    if (why_) why_->candidates[index] = std::move(report);
  }
  if (known == 0) return first.code == errc::none ? error{errc::no_route, "no candidate"} : first;
  return list;
}

expected<route> routing::decider::choose(const identity& to, const candidate_set& set, std::vector<usable> list) {
  std::sort(list.begin(), list.end(), [](const usable& a, const usable& b) {
    return std::tie(a.rank, a.r.destination) < std::tie(b.rank, b.r.destination);
  });
  const bool alone = set.candidates.size() == 1 && set.candidates[0].destination == to;
  std::uint64_t weight = 0;
  std::size_t initial = 0;
  while (initial < list.size() && !list[initial].rank.unadvertised && weight < set.threshold)
    weight += list[initial++].r.weight;
  if (weight < set.threshold)
    return error{errc::threshold_not_met,
                 "usable members weigh " + std::to_string(weight) + " of " + std::to_string(set.threshold)};
  if (why_)
    for (std::size_t i = 0; i < initial; ++i) why_->candidates[list[i].report].chosen = true;
  if (alone) return std::move(list[0].r);
  route r;
  r.what = route::kind::group;
  r.destination = to;
  r.pattern = set.pattern;
  r.threshold = set.threshold;
  r.initial = initial;
  r.members.reserve(list.size());
  for (auto& u : list) r.members.push_back(std::move(u.r));
  return r;
}

routing::routing() {
  for (const auto kind : {destination_kind::engine, destination_kind::node, destination_kind::group,
                          destination_kind::domain, destination_kind::topic})
    set_protocol(kind, internal::builtin_routing(kind));
  // An unknown destination is treated as an engine without advert, so that the explanation names it.
  set_protocol(destination_kind::unknown, protocols_[static_cast<std::size_t>(destination_kind::engine)]);
  direct_.fill(false);
  for (const auto kind : {destination_kind::unknown, destination_kind::engine, destination_kind::node})
    direct_[static_cast<std::size_t>(kind)] = true;
}

void routing::set_protocol(destination_kind kind, std::shared_ptr<const routing_protocol> protocol) {
  protocols_[static_cast<std::size_t>(kind)] = std::move(protocol);
  direct_[static_cast<std::size_t>(kind)] = false;
}

expected<unit> routing::set_kind(const identity& destination, destination_kind kind) {
  if (kind == destination_kind::unknown) {
    kinds_.erase(destination);
    return ok();
  }
  if (kinds_.size() >= destination_types_max && !kinds_.contains(destination)) return errc::table_full;
  kinds_[destination] = kind;
  return ok();
}

destination_kind routing::kind_of(const identity& destination, const routing_view& view) const {
  if (!kinds_.empty())
    if (const auto it = kinds_.find(destination); it != kinds_.end()) return it->second;
  if (destination == view.self()) return destination_kind::node;
  if (destination.kind() == identity_kind::composite) return destination_kind::group;
  if (view.is_local_engine(destination) || view.adverts().engine(destination)) return destination_kind::engine;
  if (view.adverts().node(destination)) return destination_kind::node;
  return destination_kind::unknown;
}

expected<route> routing::decide(const route_request& request, const routing_view& view, route_explanation* why) const {
  if (why) *why = route_explanation{};
  auto r = decider{*this, request, view, why}.run();
  if (why && !r) why->outcome = r.error();
  return r;
}

} // namespace hanse
