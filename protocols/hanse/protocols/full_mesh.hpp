// "full-mesh/1": every node sends its payloads to every other one. For small topics (design section 9: to 32 members).
// Nothing is forwarded; what gets lost is repaired by causal_multicast.
#pragma once

#include "hanse/protocols/dissemination.hpp"

#include <deque>

namespace hanse {

struct full_mesh_config {
  std::size_t queue_octets_max = 8 * 1024 * 1024; ///< for a peer whose link takes no more; then the oldest goes
};

class full_mesh final : public dissemination {
public:
  explicit full_mesh(const dissemination_context& context, const full_mesh_config& config = {})
      : context_(context), config_(config) {}

  void members_changed(const std::vector<identity>& members, time_ms now, dissemination_effects& out) override;
  void peer_writable(const identity& peer, bool writable, time_ms now, dissemination_effects& out) override;
  void broadcast(const shared_bytes& payload, time_ms now, dissemination_effects& out) override;
  expected<unit> receive(const identity& from, byte_view body, time_ms now, dissemination_effects& out) override;
  void flush(time_ms now, dissemination_effects& out) override;
  std::vector<identity> neighbours() const override;
  dissemination_stats stats() const override { return stats_; }

private:
  struct peer {
    bool writable = true;
    std::deque<shared_bytes> queue;
    std::size_t octets = 0;
    std::uint32_t invalid = 0;
  };
  void send(const identity& to, peer& p, dissemination_effects& out);

  dissemination_context context_;
  full_mesh_config config_;
  std::map<identity, peer> peers_;
  dissemination_stats stats_;
};

} // namespace hanse
