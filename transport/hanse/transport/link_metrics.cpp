// Smoothing of what a link measures. Not the pings themselves (link.cpp).
// Sources: RFC 6298 section 2 (round trip); the loss average takes the same 1/8.
#include "hanse/transport/link_metrics.hpp"

#include <algorithm>

namespace hanse {

namespace {
constexpr time_ms window_ms = 1000; // of the rates
}

void link_metrics::sample_rtt(time_ms rtt) {
  const auto r = static_cast<std::uint32_t>(std::min<time_ms>(rtt, 3'600'000) * 1000);
  if (rtt_samples++ == 0) {
    rtt_us = r;
    rttvar_us = r / 2;
    return;
  }
  const std::uint32_t off = r > rtt_us ? r - rtt_us : rtt_us - r;
  rttvar_us = static_cast<std::uint32_t>((std::uint64_t{rttvar_us} * 3 + off) / 4);
  rtt_us = static_cast<std::uint32_t>((std::uint64_t{rtt_us} * 7 + r) / 8);
}

void link_metrics::sample_loss(bool lost) {
  loss_permille = (loss_permille * 7 + (lost ? 1000 : 0)) / 8;
  if (lost) ++pongs_missed;
}

void link_metrics::update_rates(time_ms now) {
  if (window_began_ == 0) window_began_ = now;
  if (now < window_began_ + window_ms) return;
  const auto span = now - window_began_;
  rate_in = (octets_in - window_in_) * 1000 / span;
  rate_out = (octets_out - window_out_) * 1000 / span;
  window_in_ = octets_in;
  window_out_ = octets_out;
  window_began_ = now;
}

} // namespace hanse
