// What a link measures, for routing and `hanse why`: round trip, loss of pings, throughput.
// Not a clock: times are handed in. Smoothing after RFC 6298 section 2.
#pragma once

#include "hanse/protocols/envelope.hpp"

namespace hanse {

struct link_metrics {
  std::uint32_t rtt_us = 0; ///< smoothed round trip, microseconds at the resolution of the clock handed in; 0: unknown
  std::uint32_t rttvar_us = 0;     ///< smoothed deviation, microseconds
  std::uint32_t loss_permille = 0; ///< share of recent pings without an answer, smoothed over about 8
  std::uint64_t rtt_samples = 0;
  std::uint64_t pings_sent = 0;
  std::uint64_t pongs_missed = 0;
  std::uint64_t octets_in = 0;  ///< as on the wire, encrypted
  std::uint64_t octets_out = 0; ///< likewise
  std::uint64_t frames_in = 0;
  std::uint64_t frames_out = 0;
  std::uint64_t rate_in = 0;  ///< octets per second over the last second or more with traffic or a tick
  std::uint64_t rate_out = 0; ///< likewise
  time_ms up_since = 0;       ///< 0: not up yet
  std::uint64_t refused = 0;  ///< frames that `send_…` did not take

  /// Takes in a round trip.
  void sample_rtt(time_ms rtt);
  /// Takes in whether a ping was answered.
  void sample_loss(bool lost);
  /// Moves the window of the rates on.
  void update_rates(time_ms now);

private:
  time_ms window_began_ = 0;
  std::uint64_t window_in_ = 0;
  std::uint64_t window_out_ = 0;
};

} // namespace hanse
