// The two halves of reliable unicast behind one face: see the header. The halves share the causal contexts only.

#include "hanse/protocols/reliable_unicast.hpp"

#include "hanse/protocols/internal/reliable_receiver.hpp"
#include "hanse/protocols/internal/reliable_sender.hpp"

#include <algorithm>

namespace hanse {

class reliable_unicast::impl {
public:
  impl(random_source& random, const reliable_config& c)
      : config(c), pasts(config), sender(config, random, pasts, stats), receiver(config, pasts, stats) {}

  const reliable_config config;
  reliable_stats stats;
  internal::engine_pasts pasts;
  internal::reliable_sender sender;
  internal::reliable_receiver receiver;
};

reliable_unicast::reliable_unicast(random_source& random, const reliable_config& config)
    : impl_(std::make_unique<impl>(random, config)) {}
reliable_unicast::~reliable_unicast() = default;
reliable_unicast::reliable_unicast(reliable_unicast&&) noexcept = default;
reliable_unicast& reliable_unicast::operator=(reliable_unicast&&) noexcept = default;

expected<unit> reliable_unicast::restore(byte_view key, byte_view value) {
  return impl_->receiver.restore(key, value);
}

expected<unit> reliable_unicast::send(envelope message, time_ms now, unicast_effects& out) {
  return impl_->sender.send(std::move(message), now, out);
}

void reliable_unicast::destination_unreachable(const identity& destination, time_ms) {
  impl_->sender.unreachable(destination);
}

void reliable_unicast::destination_reachable(const identity& destination, time_ms now, unicast_effects& out) {
  impl_->sender.reachable(destination, now, out);
}

void reliable_unicast::destination_moved(const identity& destination, time_ms now, unicast_effects& out) {
  impl_->sender.moved(destination, now, out);
}

void reliable_unicast::destination_failed(const identity& destination, const error& why, time_ms,
                                          unicast_effects& out) {
  impl_->sender.failed(destination, why, out);
}

expected<unit> reliable_unicast::receive(envelope message, time_ms now, unicast_effects& out, causal_past past) {
  if (past == causal_past::ignore && message.stream)
    std::erase_if(message.stream->deps, [&](const auto& d) { return d.destination != message.destination; });
  return impl_->receiver.receive(std::move(message), now, out);
}

expected<unit> reliable_unicast::refuse(const envelope& message, errc why, time_ms now, unicast_effects& out) {
  return impl_->receiver.refuse(message, why, now, out);
}

void reliable_unicast::persisted(std::uint64_t token, time_ms now, unicast_effects& out) {
  impl_->receiver.persisted(token, now, out);
}

void reliable_unicast::handled(const stream_ref& message, errc result, time_ms now, unicast_effects& out) {
  impl_->receiver.handled(message, result, now, out);
}

expected<unit> reliable_unicast::receive_control(const identity& source, const identity& destination, byte_view body,
                                                 time_ms now, unicast_effects& out) {
  HANSE_TRY(const auto control, decode_unicast_control(body));
  auto& m = *impl_;
  if (const auto* ack = std::get_if<unicast_ack>(&control)) {
    m.sender.receive_ack({destination, source}, *ack, now, out);
  } else if (const auto* skip = std::get_if<unicast_skip>(&control)) {
    m.receiver.receive_skip({source, destination}, *skip, now, out);
  } else if (const auto* probe = std::get_if<unicast_probe>(&control)) {
    const auto answer = m.receiver.answer(destination, *probe, now);
    if (!answer.marks.empty()) out.push_back(unicast_transmit_control{destination, source, encode(answer)});
  } else if (const auto* settled = std::get_if<unicast_settled>(&control)) {
    if (m.pasts.settled(destination, source, settled->marks))
      if (auto* e = m.pasts.find(destination)) m.sender.unblock(*e, now, out);
  }
  return ok();
}

void reliable_unicast::engine_removed(const identity& engine, time_ms now, unicast_effects& out) {
  impl_->receiver.engine_removed(engine, now, out);
  impl_->sender.engine_removed(engine, out);
}

void reliable_unicast::flush(time_ms now, unicast_effects& out) {
  impl_->receiver.flush(now, out);
}

void reliable_unicast::tick(time_ms now, unicast_effects& out) {
  auto& m = *impl_;
  while (auto* e = m.pasts.tick(now, out)) m.sender.unblock(*e, now, out);
  m.sender.tick(now, out);
  m.receiver.tick(now, out);
  m.receiver.flush(now, out);
}

std::optional<time_ms> reliable_unicast::next_timer() const {
  std::optional<time_ms> when;
  for (const auto& t : {impl_->pasts.next_timer(), impl_->sender.next_timer(), impl_->receiver.next_timer()})
    if (t) when = when ? std::min(*when, *t) : *t;
  return when;
}

bool reliable_unicast::pass_context(const identity& from, const identity& to, time_ms now) {
  auto& m = *impl_;
  auto* e = m.pasts.find(from);
  if (!e || e->past.size() == 0) return true;
  for (const auto& d : e->past.all())
    if (d.destination == to && !m.receiver.is_delivered(d, now)) return false;
  const auto past = e->past.all(); // `absorb` may move the table
  if (!m.pasts.make_room(to, past, now)) return false;
  m.pasts.absorb(to, past, now);
  return true;
}

reliable_stats reliable_unicast::stats() const {
  auto s = impl_->stats;
  s.probes_sent = impl_->pasts.probes_sent();
  return s;
}

} // namespace hanse
