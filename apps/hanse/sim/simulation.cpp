// See simulation.hpp. The loop, the schedule's actions, and the end: healing, convergence, verdict.
#include "hanse/sim/simulation.hpp"

#include "hanse/sim/sim_node.hpp"

namespace hanse::sim {

namespace {

constexpr time_ms check_every_ms = 500;    // convergence and bounds; a guess
constexpr time_ms probes_after_ms = 2000;  // healing: time for links to come up; a guess
constexpr time_ms linger_ms = 3000;        // after convergence: nothing may come late; a guess
constexpr std::uint64_t stop_every = 4096; // steps between questions whether to go on

class runner {
public:
  runner(const scenario& s, std::uint64_t seed, const std::vector<action>& schedule, const run_options& options)
      : world_(s, seed, options.log), schedule_(schedule), options_(options) {}

  run_result run() {
    build();
    const auto end = world_.what.duration_ms + world_.what.converge_ms + linger_ms;
    world_.events.at(world_.what.duration_ms, [this] { heal(); });
    world_.events.at(check_every_ms, [this] { check(); });
    while (!done_ && !world_.judge.verdict()) {
      const auto next = std::min({world_.events.next(), world_.net.next_event_time(), next_action()});
      if (next > end) break;
      world_.now = next;
      step();
      if (++steps_ % stop_every == 0 && options_.stop && options_.stop()) {
        interrupted_ = true;
        break;
      }
    }
    if (!interrupted_ && !world_.judge.verdict()) conclude();
    return result();
  }

private:
  void build() {
    const auto n = world_.what.node_count();
    for (std::uint32_t i = 0; i < n; ++i) {
      world_.nodes.push_back(std::make_unique<sim_node>(world_, i));
      world_.owners[world_.nodes[i]->node_id()] = i;
      world_.owners[world_.nodes[i]->engine_id()] = i;
    }
    set_paths();
    // All start before any learns tickets of the others, so that each ticket is there to be learnt.
    for (auto& node : world_.nodes) node->start();
    if (world_.domain) world_.domain->seal(world_);
    for (std::uint32_t i = 0; i < n; ++i)
      world_.nodes[i]->set_contacts(contacts_of(world_.what, world_.seed, i), world_.what.contacts > 0);
    for (auto& node : world_.nodes) node->meet();
  }

  void set_paths() {
    const auto& s = world_.what;
    const auto n = s.node_count();
    for (const auto& rule : s.links) {
      if (rule.from == "*" && rule.to == "*") continue; // the network's default
      for (std::uint32_t a = 0; a < n; ++a)
        for (std::uint32_t b = 0; b < n; ++b)
          if (a != b && in_group(s, a, rule.from) && in_group(s, b, rule.to))
            world_.net.set_path(network_host(a), network_host(b), rule.path);
    }
  }

  time_ms next_action() const { return next_ < schedule_.size() ? schedule_[next_].at : UINT64_MAX; }

  void step() {
    while (next_action() <= world_.now && !world_.judge.verdict()) perform(schedule_[next_++]);
    if (world_.net.next_event_time() <= world_.now)
      for (auto& e : world_.net.advance(world_.now)) {
        world_.nodes[static_cast<std::size_t>(std::stoul(e.host.substr(1)))]->on_event(e);
        ++steps_;
      }
    while (world_.events.next() <= world_.now && !done_) {
      world_.events.take()();
      ++steps_;
    }
  }

  void perform(const action& a) {
    if (world_.healed || (a.a != any_node && a.a >= world_.nodes.size())) return;
    if (a.what == action_kind::send) return send(a);
    if (a.what >= action_kind::enter) {
      if (world_.domain) world_.nodes[a.a]->act(a);
      return;
    }
    world_.record(trace_kind::fault, a.a, static_cast<std::uint64_t>(a.what), a.b,
                  options_.log ? describe(a, world_.what) : std::string{});
    switch (a.what) {
    case action_kind::loss:
    case action_kind::duplicate:
    case action_kind::replay:
    case action_kind::reorder:
      return world_.chaos.add(a);
    case action_kind::clog:
      return world_.net.clog(network_host(a.a), network_host(a.b), a.y, world_.now);
    case action_kind::block:
      world_.net.clog(network_host(a.a), network_host(a.b), a.y, world_.now);
      if (!a.flag) world_.net.clog(network_host(a.b), network_host(a.a), a.y, world_.now);
      return;
    case action_kind::pause:
      return world_.nodes[a.a]->pause(a.y);
    case action_kind::clock_jump:
      return world_.nodes[a.a]->jump_clock(static_cast<std::int64_t>(a.x) -
                                           static_cast<std::int64_t>(clock_jump_max_ms));
    case action_kind::crash:
      return world_.nodes[a.a]->crash_after(a.x, a.flag, a.y);
    case action_kind::disk_error:
      return world_.nodes[a.a]->fail_disk(a.y);
    case action_kind::byzantine:
      return world_.nodes[a.a]->turn(static_cast<byzantine_behaviour>(a.x));
    case action_kind::send:
      return;
    default: // not faults
      return;
    }
  }

  void send(const action& a) {
    if (a.b >= world_.nodes.size() || a.a == a.b || !world_.nodes[a.a]->alive()) return;
    message_info m{a.a, a.b, static_cast<std::uint32_t>(a.z), static_cast<std::uint32_t>(a.y), a.flag, false};
    world_.nodes[a.a]->post(world_.number(m), a.x);
  }

  void heal() {
    world_.healed = true;
    world_.record(trace_kind::heal, any_node);
    world_.chaos.clear();
    world_.net.heal(world_.now);
    for (auto& node : world_.nodes) node->heal();
    world_.events.at(world_.now + probes_after_ms, [this] { probe(); });
  }

  /// Every honest node sends a message to an honest neighbour: now that all is well, each has to arrive.
  void probe() {
    probed_ = true;
    for (auto& node : world_.nodes) {
      const auto others = node->neighbours();
      if (!node->honest() || others.empty()) continue;
      message_info m;
      m.from = node->index();
      m.to = others[world_.seed % others.size()];
      m.reliable = m.probe = true;
      m.ttl_ms = static_cast<std::uint32_t>(std::min<time_ms>(world_.what.converge_ms, ttl_max_ms));
      ++world_.probes_open;
      node->post(world_.number(m), 8);
    }
  }

  void check() {
    for (const auto& node : world_.nodes) node->check_bounds();
    if (converged_at_ == 0 && probed_ && !unsettled() && !probe_domain()) {
      converged_at_ = world_.now;
      world_.record(trace_kind::converged, any_node);
      world_.events.at(world_.now + linger_ms, [this] { done_ = true; });
    }
    world_.events.at(world_.now + check_every_ms, [this] { check(); });
  }

  /// Once all is well, every honest member writes and publishes: that has to arrive, too. True if it did so now.
  bool probe_domain() {
    if (!world_.domain || std::exchange(domain_probed_, true)) return false;
    for (const auto i : world_.domain->nodes)
      if (world_.nodes[i]->honest()) world_.nodes[i]->probe_domain();
    return true;
  }

  /// What is still under way, and the invariant that this would break in the end.
  std::optional<broken> unsettled() const {
    const auto some = [](std::string what) { return broken{invariant::converges, std::move(what)}; };
    if (world_.probes_open > 0) return some(std::to_string(world_.probes_open) + " messages of the healed phase");
    for (const auto& node : world_.nodes) {
      if (!node->honest()) continue;
      if (const auto what = node->unsettled(); !what.empty())
        return some(node_name(world_.what, node->index()) + ": " + what);
    }
    if (auto what = adverts_apart(); !what.empty()) return some(std::move(what));
    if (world_.domain) return sim::unsettled(world_);
    return std::nullopt;
  }

  /// Linked nodes tell each other: both hold the same version of what either knows of an honest node.
  std::string adverts_apart() const {
    for (const auto& node : world_.nodes) {
      if (!node->honest()) continue;
      for (const auto n : node->neighbours()) {
        const auto& other = *world_.nodes[n];
        for (const auto& subject : world_.nodes) {
          if (!subject->honest() || (!world_.what.gossip && subject.get() != node.get())) continue;
          const auto* mine = node->adverts().node(subject->node_id());
          const auto* theirs = other.adverts().node(subject->node_id());
          if (mine && (!theirs || theirs->value.version != mine->value.version))
            return node_name(world_.what, n) + " does not know what its neighbour " +
                   node_name(world_.what, node->index()) + " knows of " + node_name(world_.what, subject->index());
        }
      }
    }
    return {};
  }

  void conclude() {
    if (converged_at_ == 0) {
      const auto left = probed_ ? unsettled() : broken{invariant::converges, "nothing was tried"};
      const auto why = left.value_or(broken{invariant::converges, "only just"});
      world_.judge.violate(why.what, "not settled " + std::to_string(world_.what.converge_ms) +
                                         " ms after the faults ended: " + why.text);
      return;
    }
    world_.judge.finish();
    if (!world_.domain || !is_open(world_)) return;
    world_.domain->members.finish(sights(world_));
    if (const auto late = sim::unsettled(world_)) world_.judge.violate(late->what, late->text);
  }

  run_result result() {
    run_result r;
    if (const auto& v = world_.judge.verdict()) {
      world_.record(trace_kind::violation, any_node, static_cast<std::uint64_t>(v->what), 0, v->text);
      r.violation = violation{v->what, steps_, world_.now, v->text};
    }
    r.trace_hash = world_.hash.finish();
    r.steps = steps_;
    r.virtual_ms = world_.now;
    r.converged_ms = converged_at_ == 0 ? 0 : converged_at_ - world_.what.duration_ms;
    r.real_signatures = world_.signing.real();
    r.interrupted = interrupted_;
    const auto& c = world_.counters;
    r.counters = {{"sent", c.sent},
                  {"refused", c.refused},
                  {"delivered", c.delivered},
                  {"confirmed", c.confirmed},
                  {"failed", c.failed},
                  {"in_doubt", c.in_doubt},
                  {"payloads", c.payloads},
                  {"payloads_lost", c.payloads_lost},
                  {"octets", c.octets},
                  {"payloads_repeated", c.payloads_repeated},
                  {"starts", c.starts},
                  {"payloads_late", c.payloads_late},
                  {"crashes", c.crashes},
                  {"commits", c.commits},
                  {"dials", c.dials},
                  {"disk_errors", c.disk_errors},
                  {"links", c.links},
                  {"links_lost", c.links_lost},
                  {"misdeeds", c.misdeeds},
                  {"adverts_learned", c.adverts_learned},
                  {"pauses", c.pauses},
                  {"clock_jumps", c.clock_jumps},
                  {"records", world_.hash.records()}};
    if (world_.domain) count_domain(r);
    for (const auto& [code, n] : c.dropped) r.counters["drop." + std::string{to_string(code)}] = n;
    return r;
  }

  void count_domain(run_result& r) const {
    const auto& c = world_.counters;
    r.counters["role_changes"] = c.role_changes;
    r.counters["writes"] = c.writes;
    r.counters["removals"] = c.removals;
    r.counters["promotions"] = c.promotions;
    r.counters["operations_refused"] = c.operations_refused;
    r.counters["events"] = c.events;
    r.counters["events_refused"] = c.events_refused;
    r.counters["events_delivered"] = world_.domain->events.deliveries();
    r.counters["topic_joins"] = c.topic_joins;
    r.counters["gaps"] = c.gaps;
    r.counters["proofs"] = c.proofs;
  }

  world world_;
  const std::vector<action>& schedule_;
  const run_options& options_;
  std::size_t next_ = 0; // of the schedule
  std::uint64_t steps_ = 0;
  time_ms converged_at_ = 0;
  bool probed_ = false, domain_probed_ = false, done_ = false, interrupted_ = false;
};

} // namespace

run_result run(const scenario& s, std::uint64_t seed, const run_options& options) {
  return run(s, seed, plan(s, seed), options);
}

run_result run(const scenario& s, std::uint64_t seed, const std::vector<action>& schedule, const run_options& options) {
  return runner{s, seed, schedule, options}.run();
}

} // namespace hanse::sim
