// How often one peer, and all peers together, may try something within a window of time: exact, and bounded.
// Not a queue: what is over the limit is refused, and told when to come again. Sans-IO.
#pragma once

#include "hanse/crypto/identity.hpp"
#include "hanse/protocols/envelope.hpp"

#include <deque>
#include <map>

namespace hanse {

struct rate_limit {
  std::size_t per_peer = 5;
  std::size_t together = 600;
  std::uint64_t window_ms = 60'000;
};

/// Remembers the tries of the last window: at most `together` of them, so that identities made up for a flood cost no
/// memory. They do cost the others' turns: that is what `together` bounds.
class rate_limiter {
public:
  explicit rate_limiter(const rate_limit& limit = {}) : limit_(limit) {}

  /// Counts a try of `who` at `now`, which must not go back. Returns 0, or, if it is over a limit and not counted,
  /// after how many ms a try can succeed.
  std::uint64_t take(const identity& who, time_ms now) {
    while (!tries_.empty() && tries_.front().first + limit_.window_ms <= now) forget_oldest();
    const auto mine = counts_.find(who);
    const bool too_many = mine != counts_.end() && mine->second >= limit_.per_peer;
    if (!too_many && tries_.size() < limit_.together) {
      tries_.emplace_back(now, who);
      ++counts_[who];
      return 0;
    }
    for (const auto& [at, peer] : tries_)
      if (!too_many || peer == who) return at + limit_.window_ms - now;
    return limit_.window_ms; // limits of 0
  }

  std::size_t size() const noexcept { return tries_.size(); }

private:
  void forget_oldest() {
    const auto i = counts_.find(tries_.front().second);
    if (--i->second == 0) counts_.erase(i);
    tries_.pop_front();
  }

  rate_limit limit_;
  std::deque<std::pair<time_ms, identity>> tries_; // oldest first
  std::map<identity, std::size_t> counts_;         // of tries_, never 0
};

} // namespace hanse
