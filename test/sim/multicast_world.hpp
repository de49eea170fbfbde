// One topic on simulated nodes: production's causal_multicast over a production dissemination protocol, judged by
// vector clocks that know nothing of either. Events carry a number; the judge keeps what each number is and what came
// before.
#pragma once

#include "hanse/protocols/causal_multicast.hpp"
#include "hanse/protocols/plumtree.hpp"
#include "hanse/sim/test_kit.hpp"
#include "protocols/event_signing.hpp"

#include <unordered_map>

namespace hanse::test {

/// Independent of the code that it judges: counts deliveries of each life of each node, and compares vectors. A later
/// life of a node is a late joiner: of each publisher it may begin anywhere, but from there on the same holds.
class multicast_judge {
public:
  void started(std::uint32_t node);            ///< a life begins
  void joined(std::uint32_t node);             ///< all that is published from now on is due
  std::uint64_t published(std::uint32_t node); ///< returns the event's number
  void delivered(std::uint32_t node, std::uint64_t number);

  std::uint64_t deliveries = 0;
  std::vector<std::string> complaints; ///< at most 10

  /// How many events of lives that still run `node` lacks.
  std::uint64_t lacking(std::uint32_t node) const;

private:
  using clock = std::vector<std::uint32_t>; ///< by life
  struct fact {
    std::uint32_t life = 0, index = 0; ///< index: 1, 2, … in its life
    clock past;
  };
  struct view {
    std::uint32_t life = 0;
    bool is_late = false;
    clock count; ///< the last index delivered of each life
    clock due;   ///< of a late joiner: what was published when it had joined
    bool has_joined = false;
    clock floor; ///< what was delivered implies so many of each life
    std::vector<bool> begun;
  };
  static std::uint32_t& at(clock& c, std::uint32_t life) {
    if (c.size() <= life) c.resize(life + 1);
    return c[life];
  }
  void complain(const std::string& text) {
    if (complaints.size() < 10) complaints.push_back(text);
  }

  std::vector<fact> facts_;
  std::vector<std::uint32_t> totals_; ///< published, by life
  std::map<std::uint32_t, view> views_;
};

/// Whether some node lies about what it has: announces what it never sends.
struct world_options {
  std::string protocol = "full-mesh/1";
  dissemination_params params;
  multicast_config multicast;
  std::uint32_t history = 0;
  std::optional<std::uint32_t> liar;
};

inline identity node_id(std::uint32_t n) {
  return fake_identity(1000 + n);
}

class topic_node final : public sim::test_machine, public payload_sink {
public:
  topic_node(std::uint32_t self, std::uint32_t nodes, const world_options& options, multicast_judge& judge,
             const std::unordered_map<std::uint64_t, std::uint32_t>& indices)
      : self_(self), nodes_(nodes), options_(options), judge_(judge), indices_(indices) {}

  void start(sim::port& p) override;
  void received(sim::port& p, std::uint32_t from, byte_view octets) override;
  void timer(sim::port& p, std::uint64_t token) override;
  payload_verdict offer(const identity& from, const shared_bytes& payload, time_ms now) override;

  void publish(sim::port& p, std::size_t events, event_mode mode = event_mode::causal);
  void members_are(sim::port& p, std::vector<identity> members);
  void peer_down(sim::port& p, std::uint32_t node);

  causal_multicast& multicast() { return *multicast_; }
  dissemination& spread() { return *spread_; }
  const std::vector<error>& faults() const { return faults_; }
  std::vector<peer_faulted> blamed;
  std::uint64_t unreliable = 0, gaps = 0, forks = 0;
  bool drops_payloads = false; ///< a liar: what it should forward it does not

private:
  void perform(sim::port& p);
  void arm(sim::port& p);
  void neighbours_may_have_changed(time_ms now);

  std::uint32_t self_, nodes_;
  const world_options& options_;
  multicast_judge& judge_;
  const std::unordered_map<std::uint64_t, std::uint32_t>& indices_;
  cheap_verifier verifier_;
  std::optional<causal_multicast> multicast_;
  std::unique_ptr<dissemination> spread_;
  multicast_effects effects_;
  dissemination_effects spread_effects_;
  std::vector<identity> members_, near_;
  std::uint64_t epoch_ = 0;
  std::optional<time_ms> armed_;
  std::vector<error> faults_;
};

/// The network with its judge.
class multicast_world {
public:
  multicast_world(std::uint64_t seed, std::uint32_t nodes, const sim_path& path, world_options options);

  void publish_at(time_ms when, std::uint32_t node, std::size_t events);
  topic_node* node(std::uint32_t n) { return net.machine<topic_node>(n); }
  std::uint64_t lacking(); ///< over all nodes that run
  bool run_until_complete(time_ms until);

  world_options options;
  multicast_judge judge;
  std::unordered_map<std::uint64_t, std::uint32_t> indices; ///< of nodes, by the hash of their identity
  sim::test_network net;
};

} // namespace hanse::test
