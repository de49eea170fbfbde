// See sim_node.hpp. Here: the topics of the run's domain, as topic_engine (actors/) handles them.
#include "hanse/sim/sim_body.hpp"
#include "hanse/sim/sim_node.hpp"

namespace hanse::sim {

namespace {

constexpr std::uint64_t topic_epochs_max = 1'000'000; // of one life of a node; as in actors/
constexpr time_ms look_ms = 20;                       // changes of domains are looked at together; as in actors/
constexpr subscriber_token subscriber = 1;
constexpr std::string_view life_key = "life";
const protocol_id topics_protocol{std::string{topics_protocol_name}, 1, 0};

} // namespace

/// Epochs of this life are above those of all earlier ones, whatever the clock says. A byzantine node that contradicts
/// itself takes the old ones again.
void sim_node::start_topics() {
  const auto old = disk_.find({table::topics, to_bytes(life_key)});
  auto epoch = std::min(local() * 1000, wire_number_max);
  if (old != disk_.end()) {
    const auto before = number_in(old->second);
    epoch = behaviour_ == byzantine_behaviour::equivocate ? before : std::max(epoch, before + topic_epochs_max);
  }
  life_->shared->epoch = epoch;
  save(table::topics, {{to_bytes(life_key), body_of(epoch, 8)}}, [this] {
    auto& s = *life_->shared;
    s.topics.emplace(node_id(), world_.signing.events(), random_);
    topics_effects out;
    for (const auto& [where, value] : disk_)
      if (where.first == table::topics && where.second != to_bytes(life_key))
        (void)s.topics->add_advert(value, local(), out);
    std::erase_if(out, [](const auto& e) { return std::holds_alternative<topic_known>(e); }); // they are stored
    const auto& d = *world_.domain;
    for (std::size_t t = 0; t < d.topics.size(); ++t) {
      if (d.introduces(index_)) (void)s.topics->add_advert(d.topics[t].wire, local(), out); // by its operator
      if (d.subscribes[t][index_])
        (void)s.topics->subscribe(d.topics[t].value.topic, subscriber, world_.what.topics[t].history, local(), out);
    }
    for (const auto& [peer, link] : life_->announced) s.topics->peer_up(peer, local(), out);
    perform(std::move(out));
    look_soon();
  });
}

void sim_node::look_soon() {
  auto& s = *life_->shared;
  if (std::exchange(s.looks, true)) return;
  later(look_ms, [this] { look_at_domain(); });
}

void sim_node::look_at_domain() {
  auto& s = *life_->shared;
  s.looks = false;
  if (!s.topics) return;
  const auto report = s.domain.report(world_.domain->domain());
  if (report && report->role == domain_role::member)
    take_domain();
  else if (s.takes_part)
    leave_topics();
}

void sim_node::take_domain() {
  auto& s = *life_->shared;
  const auto& id = world_.domain->domain();
  const auto report = s.domain.report(id);
  topic_domain d;
  auto levels = std::make_shared<std::map<identity, member_level>>();
  levels->emplace(id, level_owner);
  for (const auto& m : s.domain.members(id)) {
    if (m.is_byzantine) continue;
    d.members.push_back(m.view.member);
    levels->insert_or_assign(m.view.member, m.view.level);
  }
  const auto& p = report->stack.dissemination;
  d.dissemination = p.id.name + "/" + std::to_string(p.id.major);
  d.params = p.parameters;
  d.may_publish = [levels, allowed = report->allowed](const identity& publisher) {
    const auto i = levels->find(publisher);
    return i != levels->end() && allowed.allows(domain_action::publish, i->second);
  };
  if (!std::exchange(s.takes_part, true))
    for (std::size_t t = 0; t < world_.domain->topics.size(); ++t)
      if (world_.domain->subscribes[t][index_]) world_.domain->events.subscribed(index_, t);
  topics_effects out;
  const auto done = s.topics->domain_changed(id, std::move(d), local(), out);
  perform(std::move(out));
  if (!done) world_.drop(index_, 0, done.error().code);
}

void sim_node::leave_topics() {
  auto& s = *life_->shared;
  s.takes_part = false;
  topics_effects out;
  s.topics->domain_left(world_.domain->domain(), local(), out);
  world_.domain->events.ended(index_);
  perform(std::move(out));
}

void sim_node::publish(std::size_t topic, std::size_t octets, bool ordered) {
  auto& s = *life_->shared;
  auto& judge = world_.domain->events;
  const auto& id = world_.domain->topics[topic].value.topic;
  const auto number = judge.next();
  const shared_bytes body{body_of(number, octets)};
  const auto attempt = [&]() -> expected<unit> {
    if (!s.topics) return errc::in_doubt;
    return s.topics->publish(id, node_id(), body, ordered ? event_mode::causal : event_mode::unreliable, local());
  };
  auto done = attempt();
  if (!done && done.code() == errc::not_found) { // its first event here, or the first since it left and came back
    topics_effects out;
    done = s.topics->add_publisher(id, world_.signing.make_event_signer(key_, random_), s.epoch, local(), out);
    if (done) ++s.epoch;
    perform(std::move(out));
    if (done) done = attempt();
  }
  if (!done) {
    ++world_.counters.events_refused;
    return world_.drop(index_, 0, done.error().code);
  }
  judge.published(index_, topic, ordered, fingerprint(body.view()));
  ++world_.counters.events;
  world_.record(trace_kind::published, index_, number, topic);
}

void sim_node::event_delivered(const topic_deliver& d) {
  const auto topic = world_.domain->topic_of(d.event.topic);
  const auto from = world_.owner(d.event.chain.publisher);
  const auto number = number_in(d.event.body.view());
  world_.record(trace_kind::event, index_, number, from);
  if (topic) world_.domain->events.delivered(index_, *topic, number, from, fingerprint(d.event.body.view()));
}

void sim_node::perform(topics_effects effects) {
  for (auto& effect : effects) {
    if (auto* m = std::get_if<peer_message>(&effect)) {
      const auto domain = life_->shared->topics->domain_of(m->body);
      if (domain) post_to_node(m->to, topics_protocol, std::move(m->body), *domain);
    } else if (const auto* d = std::get_if<topic_deliver>(&effect)) {
      event_delivered(*d);
    } else if (auto* k = std::get_if<topic_known>(&effect)) {
      save(table::topics, {{to_bytes(k->advert.value.topic.wire()), std::move(k->advert.wire)}});
    } else if (const auto* j = std::get_if<topic_joined>(&effect)) {
      const auto topic = world_.domain->topic_of(j->topic);
      if (!topic) continue;
      ++world_.counters.topic_joins;
      world_.record(trace_kind::joined, index_, 0, *topic, world_.what.topics[*topic].name);
      world_.domain->events.joined(index_, *topic);
    } else if (const auto* g = std::get_if<topic_gap>(&effect)) {
      const auto topic = world_.domain->topic_of(g->topic);
      const auto from = world_.owner(g->lost.chain.publisher);
      const auto count = g->lost.last - g->lost.first + 1;
      ++world_.counters.gaps;
      world_.record(trace_kind::gap, index_, count, from);
      if (topic) world_.domain->events.gap(index_, *topic, from, count);
    } else if (const auto* f = std::get_if<topic_forked>(&effect)) {
      ++world_.counters.proofs;
      world_.record(trace_kind::proof, index_, world_.owner(f->publisher));
      world_.domain->events.forked(index_, world_.owner(f->publisher));
    } else if (const auto* fault = std::get_if<peer_faulted>(&effect)) { // there are no archives
      world_.drop(index_, 0, fault->why.code);
    }
  }
}

} // namespace hanse::sim
