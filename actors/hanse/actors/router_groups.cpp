// Messages to several receivers at the router: groups (composite identities) and domains. Each has a group_send machine
// that says which member gets a copy; here copies are posted, and what becomes of them is told to the machine. Every
// copy has an id of its own. A domain's copies stay addressed to the domain, their next hop is the member.
#include "hanse/actors/errors.hpp"
#include "hanse/actors/internal/reputation.hpp"
#include "hanse/actors/router_engine.hpp"

namespace hanse {

namespace {

/// Of the node, not of the engine: an engine may refuse.
std::optional<reputation_event> reputation_of(const answer& a) {
  if (!a.fault) return reputation_event::delivered;
  switch (a.fault->code) {
  case errc::expired:
  case errc::timed_out:
  case errc::unreachable:
  case errc::link_closed:
    return reputation_event::failed;
  default:
    return std::nullopt;
  }
}

} // namespace

/// Whether a destination stands for several receivers.
bool router_engine::is_spread(const identity& destination) const {
  return destination.kind() == identity_kind::composite || domains_.contains(destination);
}

void router_engine::start_group(post p) {
  auto& e = p.message;
  auto refuse_it = [&](error why) {
    services_->counters.drop(why.code);
    fail_post(p, why);
  };
  if (e.kind != message_kind::tell && e.kind != message_kind::ask)
    return refuse_it({errc::bad_value, "an answer goes to the one who asked"});
  if (p.reliable && domains_.contains(e.destination))
    return refuse_it({errc::constraint, "reliable delivery is to engines and groups of them, not to any of a domain"});
  if (groups_.size() >= groups_max)
    return refuse_it({errc::queue_full, "too many messages to groups and domains are under way"});
  services_->trace(e, "post");
  auto id = e.id;
  group_entry g;
  g.since_ms = services_->now_ms();
  g.original = std::move(p);
  groups_.insert_or_assign(id, std::move(g));
  route_group(id);
}

/// Asks for the members, best first; each message anew, so that equals share the load.
void router_engine::route_group(message_id id) {
  auto& e = groups_.at(id).original.message;
  route_request request{e.destination, e.routing, e.transport, id, 0, e.ttl_ms};
  compat::request(self_, identities_, caf::infinite, resolve_atom_v, request)
      .then(
          [this, id](route& r) {
            take_group_route(id, std::move(r));
            finish();
          },
          [this, id](const caf::error& why) {
            take_group_route(id, to_hanse(why));
            finish();
          });
}

/// Members that nobody has advertised may be about to be: the message waits for a while.
void router_engine::take_group_route(message_id id, expected<route> decided) {
  auto i = groups_.find(id);
  if (i == groups_.end()) return;
  auto& g = i->second;
  auto now = services_->now_ms();
  if (!decided) {
    bool soon = decided.code() == errc::no_route || decided.code() == errc::threshold_not_met;
    if (soon && may_be_advertised_soon(g.since_ms, g.original.message.expires_ms(), now)) return retry_later(id);
    services_->counters.drop(decided.code());
    return end_group(id, failed(0, fault_of(decided.error())));
  }
  if (decided->what != route::kind::group) { // a registered protocol may know a single place
    route only;
    only.what = route::kind::group;
    only.threshold = decided->weight;
    only.members.push_back(std::move(*decided));
    decided = std::move(only);
  }
  g.machine = std::make_unique<group_send>(*decided, g.original.message.expires_ms());
  group_effects effects;
  g.machine->start(now, effects);
  perform(id, std::move(effects));
}

void router_engine::perform(message_id id, group_effects effects) {
  for (auto& effect : effects) {
    if (auto* copy = std::get_if<group_copy>(&effect)) {
      send_copy(id, *copy);
      continue;
    }
    auto& end = std::get<group_done>(effect);
    auto i = groups_.find(id);
    if (i == groups_.end()) return;
    answer a;
    a.fault = std::move(end.fault);
    a.body = std::move(end.body);
    a.from = end.from;
    a.acknowledged = !a.fault && i->second.original.reliable;
    a.trace = i->second.original.message.trace;
    return end_group(id, std::move(a));
  }
  schedule_group(id);
}

void router_engine::send_copy(message_id id, const group_copy& copy) {
  auto i = groups_.find(id);
  if (i == groups_.end()) return; // an earlier copy was answered meanwhile
  auto& original = i->second.original;
  i->second.nodes[copy.member] = copy.node;
  post p;
  p.message = original.message;
  p.message.id = 0;
  p.reliable = original.reliable;
  p.group = id;
  p.member = copy.member;
  auto now = services_->now_ms();
  auto expires = p.message.expires_ms();
  p.message.ttl_ms = expires > now ? static_cast<std::uint32_t>(expires - now) : 1;
  if (!domains_.contains(p.message.destination)) {
    p.message.destination = copy.destination;
  } else if (copy.node) {
    p.next_hop = copy.node;
  } else if (!is_here(p.message)) {
    auto served = serving_engine(p.message);
    return copy_ended(id, copy.member, failed(0, fault_of(served ? error{errc::engine_down} : served.error())));
  }
  accept(std::move(p));
}

/// A copy was answered, acknowledged or failed.
void router_engine::copy_ended(message_id group, std::size_t member, answer a) {
  auto i = groups_.find(group);
  if (i == groups_.end()) return;
  auto now = services_->now_ms();
  i->second.copies.erase(member);
  if (const auto event = reputation_of(a); event && i->second.nodes[member])
    internal::note_reputation(self_, identities_, i->second.nodes[member], *event);
  group_effects effects;
  if (a.fault)
    i->second.machine->failed(member, std::move(*a.fault), now, effects);
  else
    i->second.machine->answered(member, std::move(a.body), now, effects);
  perform(group, std::move(effects));
}

/// The link that the route spoke of has gone meanwhile, so the copy waits in the pool for another.
void router_engine::copy_waits(message_id group, std::size_t member) {
  auto i = groups_.find(group);
  if (i == groups_.end() || !i->second.machine) return;
  i->second.machine->unlinked(member, services_->now_ms());
  schedule_group(group);
}

void router_engine::end_group(message_id id, answer a) {
  auto entry = std::move(groups_.extract(id).mapped());
  for (auto& [member, copy] : entry.copies) pending_.erase(copy); // nobody waits for these answers any more
  a.token = entry.original.token;
  a.id = id;
  services_->trace(entry.original.message, a.fault ? "fault" : "reply", a.fault ? a.fault->detail : std::string{});
  if (entry.original.reply_to) answer_to(entry.original.reply_to, std::move(a));
}

void router_engine::schedule_group(message_id id) {
  auto i = groups_.find(id);
  if (i == groups_.end() || !i->second.machine) return;
  auto due = i->second.machine->next_timer();
  if (!due || (i->second.timer_ms != 0 && i->second.timer_ms <= *due)) return;
  i->second.timer_ms = *due;
  auto now = services_->now_ms();
  compat::delayed_send_to_self(self_, std::chrono::milliseconds{*due > now ? *due - now : 1}, retry_atom_v, id);
}

/// A timer of a message to a group: members are late, or its route is asked for again. False if there is none.
bool router_engine::tick_group(message_id id) {
  auto i = groups_.find(id);
  if (i == groups_.end()) return false;
  i->second.timer_ms = 0;
  if (!i->second.machine) {
    route_group(id);
    return true;
  }
  group_effects effects;
  i->second.machine->tick(services_->now_ms(), effects);
  perform(id, std::move(effects));
  return true;
}

/// Copies that went to a node whose link is gone: others take their place at once. Streams retransmit by themselves.
void router_engine::fail_copies_at(const identity& node) {
  std::vector<message_id> lost;
  for (auto& [id, g] : groups_)
    if (!g.original.reliable)
      for (auto& [member, copy] : g.copies)
        if (auto i = pending_.find(copy); i != pending_.end() && i->second.handed_to == node) lost.push_back(copy);
  for (auto copy : lost) settle(copy, failed(0, fault_of({errc::unreachable, "the link to its node broke"})));
}

} // namespace hanse
