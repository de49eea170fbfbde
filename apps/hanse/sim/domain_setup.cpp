// See domain_setup.hpp.
#include "hanse/sim/domain_setup.hpp"

#include "hanse/sim/sim_node.hpp"

namespace hanse::sim {

namespace {

constexpr std::uint64_t setup_stream = 4;

} // namespace

domain_setup::domain_setup(const scenario& s, std::uint64_t seed, checker& judge)
    : rule(*s.domain), nodes(domain_nodes(s)), owner([&] {
        seeded_random random{(seed << 20) ^ (setup_stream + 0x5349'4d00'0000'0000)}; // as world.cpp
        return key_pair::generate(random);
      }()),
      members(judge, s.node_count()), events(judge, s.node_count(), s.topics.size()) {
  for (std::uint32_t i = 0; i < rule.introducers; ++i) members.named(nodes[i]);
  seeded_random random{(seed << 20) ^ (setup_stream + 1 + 0x5349'4d00'0000'0000)};
  keys.push_back(make_psk(random));
  wrong_keys.push_back(make_psk(random));
  for (const auto& t : s.topics) {
    const auto key = key_pair::generate(random);
    topic_advert a;
    a.topic = key.identity();
    a.version = 1;
    a.domain = owner.identity();
    a.name = t.name;
    topics.push_back(sign(a, key));
    auto& who = subscribes.emplace_back();
    for (std::uint32_t i = 0; i < s.node_count(); ++i) who.push_back(includes(i) && in_group(s, i, t.subscribers));
  }
}

void domain_setup::seal(const world& w) {
  domain_config c;
  c.domain = domain();
  c.version = 1;
  c.name = "simulated";
  c.auth = rule.psk ? auth_mechanism::psk : auth_mechanism::none;
  const auto slash = rule.dissemination.find('/');
  c.stack.dissemination.id = {rule.dissemination.substr(0, slash), 1, 0};
  c.stack.dissemination.parameters = rule.parameters;
  for (std::uint32_t i = 0; i < rule.introducers; ++i) {
    const auto& node = *w.nodes[nodes[i]];
    c.introducers.push_back(make_introducer(*node.adverts().node(node.node_id())));
  }
  advert = sign(c, owner);
}

std::optional<std::size_t> domain_setup::topic_of(const identity& topic) const {
  for (std::size_t i = 0; i < topics.size(); ++i)
    if (topics[i].value.topic == topic) return i;
  return std::nullopt;
}

bool is_open(const world& w) {
  const auto& nodes = w.domain->nodes;
  return std::any_of(nodes.begin(), nodes.begin() + w.domain->rule.introducers,
                     [&](auto i) { return w.nodes[i]->honest() && w.domain->members.should_be_in(i); });
}

std::optional<broken> unsettled(const world& w) {
  if (w.domain->returning > 0) return broken{invariant::converges, "members that left are still to come back"};
  if (!is_open(w)) return std::nullopt;
  for (const auto i : w.domain->nodes) {
    const auto& node = *w.nodes[i];
    if (!node.honest() || !w.domain->members.should_be_in(i)) continue;
    if (const auto what = node.domain_unsettled(); !what.empty())
      return broken{invariant::members_agree, node_name(w.what, i) + ": " + what};
  }
  if (const auto what = w.domain->members.apart(sights(w)); !what.empty())
    return broken{invariant::members_agree, what};
  for (const auto i : w.domain->nodes) {
    if (!w.nodes[i]->honest() || w.domain->members.is_expelled(i)) continue;
    if (const auto what = w.domain->events.missing(i); !what.empty()) return broken{invariant::no_event_lost, what};
  }
  return std::nullopt;
}

std::vector<domain_sight> sights(const world& w) {
  std::vector<domain_sight> out;
  for (const auto i : w.domain->nodes)
    if (w.nodes[i]->honest() && w.nodes[i]->alive()) out.push_back(w.nodes[i]->sight());
  return out;
}

} // namespace hanse::sim
