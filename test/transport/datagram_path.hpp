// A datagram network in memory for tests: seeded loss, duplication and reordering between two ends, in virtual time.
// Not the simulated network (sim_network.hpp), whose paths are reliable streams.
#pragma once

#include "hanse/crypto/random.hpp"
#include "hanse/transport/dtls_session.hpp"

#include <map>

namespace hanse::test {

struct path_faults {
  unsigned loss_percent = 0;
  unsigned copy_percent = 0;
  time_ms delay_min_ms = 5, delay_max_ms = 5; ///< a spread reorders
};

/// One direction.
class datagram_path {
public:
  datagram_path(path_faults faults, std::uint64_t seed) : faults_(faults), random_(seed) {}

  void put(std::vector<bytes> datagrams, time_ms now) {
    for (auto& d : datagrams) {
      ++sent;
      octets += d.size();
      if (random_.below(100) < faults_.copy_percent) deliver(d, now);
      if (random_.below(100) >= faults_.loss_percent) deliver(d, now);
    }
  }

  std::optional<time_ms> next() const {
    return under_way_.empty() ? std::nullopt : std::optional{under_way_.begin()->first};
  }

  std::vector<bytes> take(time_ms now) {
    std::vector<bytes> out;
    while (!under_way_.empty() && under_way_.begin()->first <= now) {
      out.push_back(std::move(under_way_.begin()->second));
      under_way_.erase(under_way_.begin());
    }
    return out;
  }

  std::size_t sent = 0, octets = 0;

private:
  void deliver(const bytes& d, time_ms now) {
    under_way_.emplace(now + faults_.delay_min_ms + random_.below(faults_.delay_max_ms - faults_.delay_min_ms + 1), d);
  }
  path_faults faults_;
  seeded_random random_;
  std::multimap<time_ms, bytes> under_way_;
};

} // namespace hanse::test
