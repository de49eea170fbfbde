// The datagram link: see the header.
#include "hanse/transport/datagram_link.hpp"

#include <algorithm>

namespace hanse {

namespace {

std::array<std::byte, 4> number_octets(std::uint32_t n) {
  return {std::byte(n >> 24), std::byte(n >> 16 & 0xff), std::byte(n >> 8 & 0xff), std::byte(n & 0xff)};
}

} // namespace

datagram_link::datagram_link(std::unique_ptr<dtls_session> session, datagram_link_config config, random_source& random)
    : session_(std::move(session)), config_(std::move(config)), random_(random) {}

void datagram_link::start(time_ms now, datagram_link_effects& fx) {
  dtls_effects session_fx;
  const auto done = session_->start(now, session_fx);
  perform(done, session_fx, now, fx);
}

void datagram_link::received(byte_view datagram, time_ms now, datagram_link_effects& fx) {
  if (state_ == link_state::closed) return;
  metrics_.octets_in += datagram.size();
  dtls_effects session_fx;
  const auto done = session_->receive(datagram, now, session_fx);
  perform(done, session_fx, now, fx);
}

void datagram_link::take_output(dtls_effects& session_fx, datagram_link_effects& fx) {
  for (auto& d : session_fx.datagrams) {
    metrics_.octets_out += d.size();
    fx.datagrams.push_back(std::move(d));
  }
  session_fx.datagrams.clear();
}

void datagram_link::perform(const expected<unit>& done, dtls_effects& session_fx, time_ms now,
                            datagram_link_effects& fx) {
  take_output(session_fx, fx);
  if (!established_ && session_->state() == session_state::established) on_established(now, fx);
  for (const auto& record : session_fx.messages) {
    if (state_ == link_state::closed) return;
    last_input_ = now;
    ping_out_ = false;
    const auto whole = in_.receive(record, now);
    if (!whole)
      ++malformed_;
    else if (*whole)
      on_message(**whole, now, fx);
  }
  if (!done) end(done.error(), fx);
}

void datagram_link::on_established(time_ms now, datagram_link_effects& fx) {
  established_ = true;
  last_input_ = now;
  up_by_ = now + config_.up_ms;
  if (session_->peer() == config_.self) return end({errc::wrong_peer, "this node itself"}, fx);
  control_.push_back({datagram_kind::hello, encode(config_.ours), 0});
  send_control(now, fx);
}

void datagram_link::on_message(const whole_message& m, time_ms now, datagram_link_effects& fx) {
  ++metrics_.frames_in;
  switch (static_cast<datagram_kind>(m.kind)) {
  case datagram_kind::hello:
  case datagram_kind::adverts:
    return on_control(m, now, fx);
  case datagram_kind::data: // before their hello it would be judged by the wrong protocols
    if (state_ == link_state::up) fx.data.push_back(shared_bytes::copy_of(m.octets));
    return;
  case datagram_kind::ping:
    if (m.octets.size() == 8) (void)put(datagram_kind::pong, next_number_++, m.octets, fx);
    return;
  case datagram_kind::pong:
    return on_pong(m.octets, now);
  case datagram_kind::bye: {
    const auto why = decode_bye(m.octets);
    return end(why ? error{why->code, why->text} : error{errc::link_closed}, fx);
  }
  case datagram_kind::ack:
    return on_ack(m.octets, now, fx);
  }
  ++malformed_;
}

// Taken once and in order; acknowledged however often it comes.
void datagram_link::on_control(const whole_message& m, time_ms now, datagram_link_effects& fx) {
  const bool first = last_control_ == 0;
  const bool is_hello = m.kind == static_cast<std::uint8_t>(datagram_kind::hello);
  if (m.number > last_control_ && first != is_hello) return void(++malformed_);
  (void)put(datagram_kind::ack, next_number_++, number_octets(m.number), fx);
  if (m.number <= last_control_) return;
  last_control_ = m.number;
  if (is_hello)
    on_hello(m.octets, now, fx);
  else
    fx.adverts.push_back(shared_bytes::copy_of(m.octets));
}

void datagram_link::on_hello(byte_view octets, time_ms now, datagram_link_effects& fx) {
  auto theirs = decode_hello(octets);
  if (!theirs) return end(theirs.error(), fx);
  auto spoken = negotiate(config_.ours.protocols, theirs->protocols, link_protocol_name);
  if (!spoken) return end(spoken.error(), fx);
  state_ = link_state::up;
  metrics_.up_since = now;
  fx.up = link_up{session_->peer(), std::move(*theirs), std::move(*spoken), false};
}

void datagram_link::on_ack(byte_view octets, time_ms now, datagram_link_effects& fx) {
  if (control_.empty() || !equal(octets, number_octets(control_.front().number))) return; // of an earlier copy
  control_.pop_front();
  send_control(now, fx);
}

void datagram_link::on_pong(byte_view octets, time_ms now) {
  std::array<std::byte, 8> expected_octets;
  std::memcpy(expected_octets.data(), &ping_nonce_, 8);
  if (ping_nonce_ == 0 || !equal(octets, expected_octets)) return;
  ping_nonce_ = 0;
  metrics_.sample_rtt(now - pinged_);
  metrics_.sample_loss(false);
}

// (Re)sends the control message at the head. Copies have one number, so that their fragments complete each other.
void datagram_link::send_control(time_ms now, datagram_link_effects& fx) {
  if (control_.empty()) return;
  auto& c = control_.front();
  const bool again = c.number != 0;
  if (!again) c.number = next_number_++;
  wait_ms_ = again ? std::min(2 * wait_ms_, config_.repeat_max_ms) : config_.repeat_min_ms;
  repeat_at_ = now + wait_ms_;
  if (auto sent = put(c.kind, c.number, c.octets, fx); !sent) end(sent.error(), fx);
}

expected<unit> datagram_link::put(datagram_kind kind, std::uint32_t number, byte_view octets,
                                  datagram_link_effects& fx) {
  HANSE_TRY(const auto fragments, cut(static_cast<std::uint8_t>(kind), number, octets, dtls_message_max));
  dtls_effects session_fx;
  for (const auto& f : fragments) HANSE_CHECK(session_->send(f, session_fx));
  ++metrics_.frames_out;
  take_output(session_fx, fx);
  return ok();
}

expected<unit> datagram_link::check_sendable(byte_view payload) const {
  if (state_ == link_state::closed) return errc::link_closed;
  if (state_ != link_state::up) return errc::unauthenticated;
  if (payload.empty()) return errc::bad_value;
  if (payload.size() > datagram_payload_max) return errc::too_long;
  return ok();
}

expected<unit> datagram_link::send_data(byte_view payload, datagram_link_effects& fx) {
  HANSE_CHECK(check_sendable(payload));
  return put(datagram_kind::data, next_number_++, payload, fx);
}

expected<unit> datagram_link::send_adverts(byte_view payload, time_ms now, datagram_link_effects& fx) {
  HANSE_CHECK(check_sendable(payload));
  if (control_.size() >= datagram_control_max) return errc::queue_full;
  control_.push_back({datagram_kind::adverts, to_bytes(payload), 0});
  if (control_.size() == 1) send_control(now, fx);
  return ok();
}

void datagram_link::close(const error& why, datagram_link_effects& fx) {
  if (state_ == link_state::closed) return;
  if (established_) (void)put(datagram_kind::bye, next_number_++, encode_bye(why), fx);
  dtls_effects session_fx;
  session_->shutdown(session_fx);
  take_output(session_fx, fx);
  end(why, fx);
}

void datagram_link::end(const error& why, datagram_link_effects& fx) {
  if (state_ == link_state::closed) return;
  state_ = link_state::closed;
  control_.clear();
  fx.closed = why;
}

void datagram_link::tick(time_ms now, datagram_link_effects& fx) {
  if (state_ == link_state::closed) return;
  dtls_effects session_fx;
  const auto done = session_->tick(now, session_fx);
  perform(done, session_fx, now, fx);
  if (state_ == link_state::closed || !established_) return;
  in_.tick(now);
  if (state_ != link_state::up && now >= up_by_) return end({errc::timed_out, "no hello"}, fx);
  if (now >= last_input_ + config_.dead_ms) return end({errc::timed_out, "nothing heard"}, fx);
  if (!control_.empty() && now >= repeat_at_) send_control(now, fx);
  if (!ping_out_ && now >= last_input_ + config_.ping_ms) {
    if (ping_nonce_ != 0) metrics_.sample_loss(true);
    do random_.fill(std::as_writable_bytes(std::span{&ping_nonce_, 1}));
    while (ping_nonce_ == 0);
    pinged_ = now;
    ping_out_ = true;
    (void)put(datagram_kind::ping, next_number_++, std::as_bytes(std::span{&ping_nonce_, 1}), fx);
  } else if (ping_out_ && now >= pinged_ + config_.ping_ms) {
    ping_out_ = false; // lost, or its answer was: another one at the next tick
  }
}

std::optional<time_ms> datagram_link::next_timer() const {
  if (state_ == link_state::closed) return std::nullopt;
  if (!established_) return session_->next_timer();
  auto at = last_input_ + config_.dead_ms;
  if (state_ != link_state::up) at = std::min(at, up_by_);
  if (!control_.empty()) at = std::min(at, repeat_at_);
  at = std::min(at, ping_out_ ? pinged_ + config_.ping_ms : last_input_ + config_.ping_ms);
  if (const auto partial = in_.next_timer()) at = std::min(at, *partial);
  return at;
}

} // namespace hanse
