// Message ids: see the header. The invariant: last_ <= durable_ once an id was handed out in this life, so that a later
// life, which begins at durable_, cannot repeat one.

#include "hanse/protocols/message_clock.hpp"

#include <algorithm>

namespace hanse {

message_id lease_at_start(message_id durable_lease, time_us now) noexcept {
  const auto furthest = now + clock_skew_max_ms * 1000 + message_lease_us;
  return durable_lease <= furthest ? durable_lease : now + clock_skew_max_ms * 1000 / 2;
}

message_clock::message_clock(message_id durable_lease) noexcept
    : last_(durable_lease), durable_(durable_lease), asked_(durable_lease) {}

std::optional<message_id> message_clock::next(time_us now) noexcept {
  const auto least = last_ + 1;
  used_ = true;
  if (least > durable_) return std::nullopt;
  last_ = std::max(least, std::min(now, durable_));
  return last_;
}

bool message_clock::raise_to(message_id floor, time_us now) noexcept {
  const auto bound = std::min<message_id>(now + clock_skew_max_ms * 1000, wire_number_max);
  used_ = used_ || floor > last_;
  last_ = std::max(last_, std::min(floor, bound));
  return floor <= bound;
}

std::optional<message_id> message_clock::lease_to_persist(time_us now) noexcept {
  const auto position = std::max(last_, now);
  if (!used_ || position + message_lease_us / 2 < asked_) return std::nullopt;
  used_ = false;
  asked_ = position + message_lease_us;
  return asked_;
}

void message_clock::persisted(message_id lease) noexcept {
  durable_ = std::max(durable_, std::min(lease, asked_));
}

} // namespace hanse
