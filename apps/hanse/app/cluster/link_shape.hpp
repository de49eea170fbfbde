// What a node's link to the others is like in a cluster of network namespaces: latency, jitter, loss, rate.
// Not how it is made so (cluster_network.hpp, emulated_links.hpp). docs/cluster.md says what the figures mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace hanse::app {

/// Holds for what arrives at the node: a round trip between two nodes takes the latencies of both. 0: none of it.
struct link_shape {
  std::uint32_t latency_ms = 0;
  std::uint32_t jitter_ms = 0; ///< the latency varies by so much up and down
  double loss_percent = 0;     ///< of the packets
  double rate_mbit = 0;        ///< 0: unlimited

  bool plain() const noexcept { return latency_ms == 0 && jitter_ms == 0 && loss_percent == 0 && rate_mbit == 0; }

  /// How many packets may be under way: what the latency holds, and a queue of 200 ms at the rate, as routers have
  /// (a guess; with a longer one a full link would be slow beyond any timeout). More are lost.
  std::size_t packets_max() const noexcept;

  /// "20 ms ± 5 ms, 2 % loss, 10 Mbit/s", or "plain".
  std::string text() const;
};

/// The most packets under way on any link. 20 ms at 1 Gbit/s are about 1700; the rest is a guess.
inline constexpr std::size_t link_packets_max = 10'000;

} // namespace hanse::app
