// See sim_node.hpp. Here: the node's part in the domain of the run, as domain_engine (actors/) handles it, and the
// operator of the node, who asks again for what did not work.
#include "hanse/sim/sim_body.hpp"
#include "hanse/sim/sim_node.hpp"

#include "hanse/domains/domain_channels.hpp"

namespace hanse::sim {

namespace {

constexpr std::uint32_t domain_ttl_ms = 15'000; // as in actors/, for domains and topics
constexpr time_ms operate_every_ms = 2000;      // an operator looks after its node so often; a guess

/// What two nodes know of their link and nobody else does; one for all links of the two.
join_channel channel_between(const identity& a, const identity& b) {
  join_channel out{};
  std::ranges::copy(blake2b_256({std::min(a, b).wire(), std::max(a, b).wire()}).octets, out.begin());
  return out;
}

std::string register_name(std::uint64_t key) {
  std::string out{"k"};
  return out += std::to_string(key);
}

} // namespace

sim_node::services::services(sim_node& n) : domain(n.key_, n.random_, domain_protocols::builtin()) {}

void sim_node::start_domain() {
  life_->shared = std::make_unique<services>(*this);
  auto& s = *life_->shared;
  for (const auto& [where, value] : disk_) {
    expected<unit> done = ok();
    if (where.first == table::domain) done = s.domain.restore(domain_table, where.second, value);
    if (where.first == table::domain_role) done = s.domain.restore(domain_role_table, where.second, value);
    if (where.first == table::lace) done = s.domain.restore(lace_table, where.second, value);
    if (!done) world_.drop(index_, 0, done.error().code);
  }
  (void)s.domain.set_keys(world_.domain->domain(), world_.domain->keys);
  domain_effects out;
  s.domain.start(local(), out);
  perform(std::move(out));
  start_topics();
  operate_again();
}

// --- the operator ---

void sim_node::operate_again() {
  later(operate_every_ms, [this] {
    operate();
    operate_again();
  });
}

void sim_node::operate() {
  auto& s = *life_->shared;
  if (world_.domain->members.is_expelled(index_)) return;
  const auto report = s.domain.report(world_.domain->domain());
  const auto role = report ? report->role : domain_role::outside;
  if (enters_ && (role == domain_role::outside || role == domain_role::expelled)) return enter_domain();
  if (enters_ || (role != domain_role::member && role != domain_role::joining)) return;
  domain_effects out;
  (void)s.domain.leave(world_.domain->domain(), local(), out);
  perform(std::move(out));
}

/// The operator gives the advert; its introducers' addresses are taken as those of a pasted ticket.
void sim_node::enter_domain() {
  const auto& d = *world_.domain;
  std::vector<bytes> adverts;
  for (const auto& i : d.advert.value.introducers)
    if (i.node != node_id()) adverts.push_back(i.advert);
  learn(adverts, advert_origin::pinned, identity{});
  domain_effects out;
  const bool knows_key = behaviour_ != byzantine_behaviour::forge;
  const auto done = life_->shared->domain.enter({d.advert, knows_key ? d.keys : d.wrong_keys, "", ""}, local(), out);
  perform(std::move(out));
  if (!done) world_.drop(index_, 0, done.error().code);
}

void sim_node::leave_domain(time_ms away_ms) {
  if (!enters_) return;
  enters_ = false;
  ++world_.counters.removals;
  world_.domain->members.leaving(index_);
  world_.domain->events.removed(index_);
  if (life_) later(0, [this] { operate(); });
  if (away_ms == 0) return;
  ++world_.domain->returning;
  world_.events.at(world_.now + away_ms, [this] {
    --world_.domain->returning;
    enters_ = true;
    world_.domain->members.entering(index_);
    if (life_) later(0, [this] { operate(); });
  });
}

void sim_node::act(const action& a) {
  auto& d = *world_.domain;
  if (a.what == action_kind::enter) {
    enters_ = true;
    d.members.entering(index_);
    if (life_) later(0, [this] { operate(); });
  } else if (a.what == action_kind::leave) {
    leave_domain(a.y);
  } else if (a.what == action_kind::put) {
    if (life_) later(0, [this, key = a.x] { put(key); });
  } else if (a.what == action_kind::publish) {
    if (life_ && a.x < d.topics.size()) later(0, [this, a] { publish(a.x, a.y, a.flag); });
  } else if (life_ && a.b < world_.nodes.size()) {
    later(0, [this, a] {
      const auto& target = world_.nodes[a.b]->node_id();
      domain_effects out;
      auto& machine = life_->shared->domain;
      const bool expels = a.what == action_kind::expel;
      const auto done =
          expels ? machine.expel(world_.domain->domain(), target, local(), out)
                 : machine.promote(world_.domain->domain(), target, static_cast<member_level>(a.x), local(), out);
      if (done && expels) {
        world_.domain->members.expelling(a.b);
        world_.domain->events.removed(a.b);
      }
      perform(std::move(out));
      count_operation(done, expels ? world_.counters.removals : world_.counters.promotions, a.what, 0);
    });
  }
}

void sim_node::count_operation(const expected<unit>& done, std::uint64_t& counter, action_kind what,
                               std::uint64_t number) {
  ++(done ? counter : world_.counters.operations_refused);
  world_.record(trace_kind::written, index_, done ? number : 0, static_cast<std::uint64_t>(what),
                std::string{to_string(what)} + (done ? "" : ", refused: " + hanse::to_string(done.error())));
}

void sim_node::put(std::uint64_t key) {
  auto& s = *life_->shared;
  const auto& id = world_.domain->domain();
  const auto* membership = s.domain.membership(id);
  const auto before = membership ? membership->value_of(register_name(key)) : std::nullopt;
  domain_effects out;
  // The number is that of the next write; who is refused has written nothing.
  auto& judge = world_.domain->members;
  const auto number = judge.next();
  const auto done = s.domain.put(id, register_name(key), body_of(number, 8), local(), out);
  if (done) {
    (void)judge.put(index_, key, before ? number_in(*before) : 0);
    std::uint64_t token = 0;
    for (const auto& e : out)
      if (const auto* w = std::get_if<domain_write>(&e)) token = std::max(token, w->token);
    if (token != 0) s.writes.emplace_back(token, number);
  }
  perform(std::move(out));
  count_operation(done, world_.counters.writes, action_kind::put, number);
}

/// After all has settled, once: what is written and published now has to reach everybody.
void sim_node::probe_domain() {
  if (!life_ || !enters_ || world_.domain->members.is_expelled(index_)) return;
  later(0, [this] {
    put(index_ % registers_max);
    for (std::size_t t = 0; t < world_.domain->topics.size(); ++t)
      if (world_.domain->subscribes[t][index_]) publish(t, 8, true);
  });
}

// --- what the judge asks ---

std::string sim_node::domain_unsettled() const {
  if (!life_) return "it is down";
  const auto report = life_->shared->domain.report(world_.domain->domain());
  if (world_.domain->members.is_expelled(index_)) return {};
  if (!report) return "does not know the domain";
  if (report->role != domain_role::member)
    return "is " + std::string{to_string(report->role)} +
           (report->why.code == errc::none ? "" : ", " + hanse::to_string(report->why));
  // After a restart a third of the members and one, at least two, have to confirm its newest block (docs/domains.md).
  const auto confirms = [this](auto i) {
    return i != index_ && world_.nodes[i]->honest() && world_.domain->members.should_be_in(i) &&
           !world_.domain->members.is_expelled(i);
  };
  const auto& all = world_.domain->nodes;
  const auto needed = std::max<std::ptrdiff_t>(2, static_cast<std::ptrdiff_t>(all.size()) / 3 + 1);
  if (!report->may_write && std::ranges::count_if(all, confirms) >= needed) return "may not write in the domain";
  // A liar's blocks may wait for ever for what it never sends.
  const auto is_honest = [](const auto& node) { return node->honest(); };
  if (report->pending > 0 && std::ranges::all_of(world_.nodes, is_honest))
    return std::to_string(report->pending) + " blocks wait for others";
  if (!life_->shared->takes_part) return "its topics do not know that it is a member";
  return {};
}

domain_sight sim_node::sight() const {
  domain_sight out;
  out.node = index_;
  const auto& machine = life_->shared->domain;
  const auto report = machine.report(world_.domain->domain());
  out.is_in = report && (report->role == domain_role::member || report->role == domain_role::leaving);
  if (!out.is_in) return out;
  out.state = report->state;
  for (const auto& m : machine.members(world_.domain->domain()))
    out.members[world_.owner(m.view.member)] = m.view.level;
  const auto* membership = machine.membership(world_.domain->domain());
  for (std::uint64_t key = 0; key < registers_max; ++key)
    if (const auto value = membership->value_of(register_name(key))) out.put[key] = number_in(*value);
  return out;
}

const domain_members* sim_node::domain(const identity& id) const {
  if (!life_ || !life_->shared || life_->shared->view.domain != id) return nullptr;
  return &life_->shared->view;
}

// --- in ---

void sim_node::domain_link(const identity& peer, bool up) {
  if (!life_->shared) return;
  later(0, [this, peer, up] {
    auto& s = *life_->shared;
    const auto now = local();
    domain_effects out;
    topics_effects more;
    if (up) {
      s.domain.link_up(peer, now, out);
      if (const auto* advert = life_->adverts.node(peer)) s.domain.node_advert(peer, advert->wire);
      if (s.topics) s.topics->peer_up(peer, now, more);
    } else {
      s.domain.link_down(peer, now);
      if (s.topics) s.topics->peer_down(peer, now, more);
    }
    perform(std::move(out));
    perform(std::move(more));
  });
}

/// What keeps to the domain is from a member to a member.
expected<unit> sim_node::in_scope(const envelope& m) const {
  if (m.routing.scope != scope_kind::domain) return ok();
  const auto* known = domain(m.routing.domain);
  if (known && known->contains(node_id()) && known->contains(m.source)) return ok();
  return errc::permission_denied;
}

/// What is addressed to the node itself. Its sender is the node at the other end of the link.
void sim_node::to_services(const envelope& m) {
  auto& s = *life_->shared;
  const auto from = world_.owner(m.source);
  if (from == any_node || world_.nodes[from]->node_id() != m.source) return world_.drop(index_, 0, errc::wrong_signer);
  expected<unit> done = errc::unsupported_protocol;
  if (const auto which = channel_of(m.protocol)) {
    domain_effects out;
    done = s.domain.receive(m.source, *which, channel_between(node_id(), m.source), m.body.view(), local(), out);
    perform(std::move(out));
  } else if (m.protocol.name == topics_protocol_name && s.topics) {
    const auto domain = s.topics->domain_of(m.body.view());
    if (domain && (m.routing.scope != scope_kind::domain || m.routing.domain != *domain))
      return world_.drop(index_, 0, errc::permission_denied);
    topics_effects out;
    done = s.topics->receive(m.source, m.body.view(), local(), out);
    perform(std::move(out));
  }
  if (!done) world_.drop(index_, 0, done.error().code);
}

// --- out ---

void sim_node::post_to_node(const identity& to, const protocol_id& protocol, bytes body,
                            std::optional<identity> scope) {
  posted p;
  p.message.source = node_id();
  p.message.destination = to;
  p.message.protocol = protocol;
  p.message.ttl_ms = domain_ttl_ms;
  p.message.body = shared_bytes{std::move(body)};
  if (scope) {
    p.message.routing.scope = scope_kind::domain;
    p.message.routing.domain = *scope;
  }
  accept(std::move(p));
}

void sim_node::perform(domain_effects effects) {
  for (auto& effect : effects) {
    if (auto* m = std::get_if<domain_message>(&effect)) {
      post_to_node(m->to, protocol_of_channel(m->which), std::move(m->body), std::nullopt);
    } else if (auto* w = std::get_if<domain_write>(&effect)) {
      write(std::move(*w));
    } else if (auto* r = std::get_if<domain_reach>(&effect)) {
      learn({std::move(r->advert)}, advert_origin::learned, r->node);
    } else if (auto* v = std::get_if<domain_view>(&effect)) {
      life_->shared->view = std::move(v->members);
    } else if (std::holds_alternative<domain_change>(effect)) {
      look_soon();
    } else if (const auto* role = std::get_if<domain_role_changed>(&effect)) {
      ++world_.counters.role_changes;
      world_.record(trace_kind::role, index_, static_cast<std::uint64_t>(role->role), 0,
                    std::string{to_string(role->role)} +
                        (role->why.code == errc::none ? "" : ", " + hanse::to_string(role->why)));
      look_soon();
    } else if (const auto* e = std::get_if<domain_event>(&effect)) {
      if (e->name != "equivocator") continue;
      ++world_.counters.proofs;
      world_.record(trace_kind::proof, index_, world_.owner(e->node));
      world_.domain->members.accused(index_, world_.owner(e->node));
    }
  }
}

void sim_node::write(domain_write w) {
  const auto where = w.table == domain_table        ? table::domain
                     : w.table == domain_role_table ? table::domain_role
                                                    : table::lace;
  if (w.token == 0) return save(where, std::move(w.writes));
  save(where, std::move(w.writes), [this, token = w.token] {
    auto& s = *life_->shared;
    for (const auto& [wanted, number] : s.writes)
      if (wanted <= token) world_.domain->members.durable(number);
    std::erase_if(s.writes, [token](const auto& waiting) { return waiting.first <= token; });
    domain_effects out;
    s.domain.persisted(world_.domain->domain(), token, local(), out);
    perform(std::move(out));
  });
}

// --- the end of every input ---

void sim_node::flush_services() {
  if (!life_->shared) return;
  if (auto& topics = life_->shared->topics) {
    topics_effects out;
    topics->flush(local(), out);
    perform(std::move(out));
  }
  arm_services();
}

void sim_node::arm_services() {
  auto& s = *life_->shared;
  auto due = s.domain.next_timer();
  if (s.topics)
    if (const auto other = s.topics->next_timer()) due = due ? std::min(*due, *other) : *other;
  if (!due) return;
  const auto now = local();
  const auto at = world_.now + (*due > now ? *due - now : 1);
  if (s.timer != 0 && s.timer <= at) return;
  s.timer = at;
  later(at - world_.now, [this, at] {
    auto& s = *life_->shared;
    if (s.timer != at) return; // an earlier one was set after it
    s.timer = 0;
    domain_effects out;
    s.domain.tick(local(), out);
    perform(std::move(out));
    if (!s.topics) return;
    topics_effects more;
    s.topics->tick(local(), more);
    perform(std::move(more));
  });
}

} // namespace hanse::sim
