// A requester and some introducers in one place, with every message visible: for the tests of joins.
// Not a network: the test says what arrives. Links have a channel each; `relink` makes another.
#pragma once

#include "domains/samples.hpp"

#include "hanse/domains/join_introducer.hpp"
#include "hanse/domains/join_requester.hpp"

namespace hanse::test {

inline pre_shared_key psk(std::string_view text, std::optional<time_ms> until = {}) {
  return {to_secret(text), until};
}

/// A node that introduces; its host makes members at once and remembers them.
struct introducer_node {
  identity id;
  seeded_random random;
  join_introducer machine;
  introducer_effects out;
  std::map<identity, member_level> members;
  bool approves = true; ///< false: the host takes its time
  bool down = false;

  explicit introducer_node(std::uint64_t number, const join_introducer_config& config = {})
      : id(test::id(number)), random(number), machine(id, random, config) {}

  template <class Effect>
  std::vector<Effect> all() const {
    std::vector<Effect> found;
    for (const auto& e : out)
      if (const auto* x = std::get_if<Effect>(&e)) found.push_back(*x);
    return found;
  }
};

struct join_world {
  time_ms now = 1'000'000;
  identity self = test::id(50);
  seeded_random random{50};
  join_requester requester;
  requester_effects done; ///< all but messages
  std::map<identity, std::unique_ptr<introducer_node>> introducers;
  std::uint8_t link = 1; ///< which link there is to all of them
  std::size_t messages = 0;

  explicit join_world(const join_requester_config& config = {}) : requester(self, random, config) {
    for (std::uint64_t n : {11, 12, 13}) introducers.emplace(test::id(n), std::make_unique<introducer_node>(n));
  }

  introducer_node& node(std::uint64_t number) { return *introducers.at(test::id(number)); }

  void serve(const domain_config& config, psk_list keys = {}, member_level own_level = level_introducer) {
    for (auto& [id, n] : introducers) REQUIRE(n->machine.serve({sign(config, key(1)), keys, own_level}));
  }

  /// The channel of the link to a node, as both ends see it.
  join_channel channel(const identity& peer) const {
    const std::byte octet{link};
    join_channel c{};
    std::ranges::copy(blake2b_256({peer.wire(), {&octet, 1}}).octets, c.begin());
    return c;
  }

  expected<unit> join(const domain_config& config, psk_list keys = {}, std::string instance = {}, bool leave = false) {
    requester_effects out;
    auto started = requester.start({sign(config, key(1)), std::move(keys), std::move(instance), leave}, now, out);
    carry(std::move(out));
    return started;
  }

  /// Performs effects of the requester: messages arrive at once, and so do the answers.
  void carry(requester_effects effects) {
    for (auto& e : effects) {
      auto* m = std::get_if<peer_message>(&e);
      if (!m) {
        done.push_back(std::move(e));
        continue;
      }
      ++messages;
      const auto i = introducers.find(m->to);
      if (i == introducers.end() || i->second->down) continue;
      (void)i->second->machine.receive(self, channel(m->to), m->body, now, i->second->out);
      answer(*i->second);
    }
  }

  /// Performs effects of an introducer.
  void answer(introducer_node& n) {
    for (bool again = true; again;) {
      again = false;
      for (auto& e : std::exchange(n.out, {})) {
        if (auto* m = std::get_if<peer_message>(&e)) {
          requester_effects back;
          (void)requester.receive(n.id, channel(n.id), m->body, now, back);
          carry(std::move(back));
        } else if (auto* a = std::get_if<join_approve>(&e); a && n.approves) {
          n.members.emplace(a->node, a->level);
          const std::vector<bytes> adverts{node_advert_of(11).wire};
          n.machine.approved(a->domain, a->node, a->level, adverts, now, n.out);
          again = true;
        } else if (auto* w = std::get_if<join_withdraw>(&e); w && n.approves) {
          n.members.erase(w->node);
          n.machine.withdrawn(w->domain, w->node, n.out);
          again = true;
        }
      }
    }
  }

  void advance(time_ms by) {
    for (const auto end = now + by; now < end;) {
      const auto next = requester.next_timer();
      now = next && *next < end ? std::max(*next, now) : end;
      requester_effects out;
      requester.tick(now, out);
      carry(std::move(out));
      for (auto& [id, n] : introducers) n->machine.tick(now, n->out);
    }
  }

  template <class Effect>
  std::vector<Effect> all() const {
    std::vector<Effect> found;
    for (const auto& e : done)
      if (const auto* x = std::get_if<Effect>(&e)) found.push_back(*x);
    return found;
  }
};

} // namespace hanse::test
