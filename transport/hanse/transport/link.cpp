// The link machine: what arrives, and when the link ends. Sending is in link_sending.cpp.
// Not a socket, not a clock. Design section 6; layout: docs/wire.md "Frames and links".
#include "hanse/transport/link.hpp"

#include <algorithm>

namespace hanse {

namespace {

// Plaintext that is gathered before frames are cut: one allocation for this much.
constexpr std::size_t read_chunk = 64 * 1024;
// Room per read of the session: a record at most, and not much when little has arrived.
constexpr std::size_t read_min = 1024, read_max = 16 * 1024;

bool speaks_link(const hello& h) {
  return std::any_of(h.protocols.begin(), h.protocols.end(),
                     [](const protocol_id& p) { return p.name == link_protocol_name; });
}

} // namespace

void link_effects::clear() {
  output.clear();
  data.clear();
  adverts.clear();
  up.reset();
  closed.reset();
}

link::link(link_role role, std::unique_ptr<secure_session> session, link_config config, random_source& random)
    : role_(role), session_(std::move(session)), config_(std::move(config)), ping_seed_(random.next_u64()) {
  if (!speaks_link(config_.ours)) config_.ours.protocols.push_back(link_protocol);
}

void link::start(time_ms now, link_effects& fx) {
  if (state_ != link_state::idle) return;
  now_ = started_ = last_input_ = last_ping_ = last_written_ = now;
  state_ = link_state::handshake;
  const auto before = fx.output.size();
  if (auto begun = session_->start(fx.output); !begun) end(begun.error(), fx);
  account(before, fx);
}

void link::received(byte_view octets, time_ms now, link_effects& fx) {
  if (state_ == link_state::idle || state_ == link_state::closed) return;
  now_ = now;
  const auto before = fx.output.size();
  metrics_.octets_in += octets.size();
  while (pump(octets, fx)) {
  }
  if (state_ != link_state::closed) encrypt_pending(fx);
  note_partial();
  account(before, fx);
  metrics_.update_rates(now);
}

// Reads plaintext until the input is used up or enough is gathered, then cuts frames. False: nothing more to do.
bool link::pump(byte_view& octets, link_effects& fx) {
  std::size_t gathered = 0;
  bool more = true;
  while (more && gathered < read_chunk) {
    const auto room = reader_.prepare(std::clamp(octets.size(), read_min, read_max));
    const bool was_open = session_->state() == session_state::established;
    const auto count = session_->receive(octets, room, fx.output);
    if (!count) {
      // Before it is up, a dialer cannot tell a refusal of its certificate from a later one by the state of TLS.
      const bool refused = state_ == link_state::handshake && count.code() == errc::link_closed;
      on_frames(fx); // what came before the end still counts: a bye says more than a broken channel
      end(refused ? error{errc::handshake_failed, count.error().detail} : count.error(), fx);
      return false;
    }
    if (!was_open && session_->state() == session_state::established) on_established(fx);
    if (state_ == link_state::closed) return false;
    reader_.commit(*count);
    gathered += *count;
    more = *count > 0 || !octets.empty();
    if (*count > 0) last_input_ = now_;
    if (state_ == link_state::handshake && *count > 0) break; // the first frame's limit counts before more is read
  }
  on_frames(fx);
  return more && state_ != link_state::closed;
}

void link::on_established(link_effects& fx) {
  const identity& who = session_->peer();
  if (who == config_.self) return refuse({errc::wrong_peer, "this node itself"}, fx);
  if (config_.expected_peer && *config_.expected_peer != who)
    return refuse({errc::wrong_peer, "found " + to_string(who)}, fx);
  bytes octets = encode(config_.ours);
  if (octets.size() > hello_size_max) {
    hello without = config_.ours;
    without.advert.clear();
    octets = encode(without);
  }
  put(frame_kind::hello, octets, fx);
}

void link::on_frames(link_effects& fx) {
  while (state_ != link_state::closed) {
    const auto f = reader_.next();
    if (!f) return refuse(f.error(), fx);
    if (!*f) return;
    partial_since_.reset();
    ++metrics_.frames_in;
    on_frame(**f, fx);
  }
}

void link::on_frame(const frame_view& f, link_effects& fx) {
  if (state_ == link_state::handshake) return on_first_frame(f, fx);
  switch (f.kind) {
  case frame_kind::hello:
    return refuse({errc::bad_value, "second hello"}, fx);
  case frame_kind::data:
    return on_payload(f.payload, fx.data, fx);
  case frame_kind::adverts:
    return on_payload(f.payload, fx.adverts, fx);
  case frame_kind::ping:
    return on_ping(f.payload, fx);
  case frame_kind::pong:
    return on_pong(f.payload);
  case frame_kind::bye:
    return on_bye(f.payload, fx);
  }
}

void link::on_first_frame(const frame_view& f, link_effects& fx) {
  if (f.kind == frame_kind::hello) return on_hello(f.payload, fx);
  if (f.kind == frame_kind::bye) return on_bye(f.payload, fx);
  refuse({errc::unauthenticated, "frame before hello"}, fx);
}

void link::on_hello(byte_view payload, link_effects& fx) {
  auto theirs = decode_hello(payload);
  if (!theirs) return refuse(theirs.error(), fx);
  auto spoken = negotiate(config_.ours.protocols, theirs->protocols, link_protocol_name);
  if (!spoken) return refuse(spoken.error(), fx);
  state_ = link_state::up;
  reader_.set_limit(frame_size_max);
  metrics_.up_since = now_;
  const bool left_out = encode(config_.ours).size() > hello_size_max;
  fx.up = link_up{session_->peer(), *std::move(theirs), *std::move(spoken), left_out};
  config_.ours = {}; // not needed any more; links are many
  send_ping(fx);
}

void link::on_payload(byte_view payload, std::vector<shared_bytes>& into, link_effects& fx) {
  if (payload.empty()) return refuse({errc::bad_value, "empty frame"}, fx);
  into.push_back(reader_.share(payload));
}

void link::on_ping(byte_view payload, link_effects& fx) {
  if (payload.size() != sizeof(std::uint64_t)) return refuse({errc::bad_value, "ping"}, fx);
  // A peer that pings and does not read gets no answers; they would pile up here.
  if (state_ == link_state::up && pending() < config_.pending_max) put(frame_kind::pong, payload, fx);
}

void link::on_pong(byte_view payload) {
  std::uint64_t nonce = 0;
  if (!ping_out_ || payload.size() != sizeof nonce) return;
  std::memcpy(&nonce, payload.data(), sizeof nonce);
  if (nonce != *ping_out_) return;
  ping_out_.reset();
  metrics_.sample_rtt(now_ - last_ping_);
  metrics_.sample_loss(false);
}

void link::on_bye(byte_view payload, link_effects& fx) {
  auto theirs = decode_bye(payload);
  if (!theirs) return refuse(theirs.error(), fx);
  if (state_ == link_state::draining) {
    session_->shutdown(fx.output);
    return end(drain_why_, fx);
  }
  const error why{theirs->code, "far side: " + theirs->text};
  refuse({errc::link_closed, "bye"}, fx);
  if (fx.closed) fx.closed = why;
}

// Says why, closes the channel, and ends.
void link::refuse(const error& why, link_effects& fx) {
  if (state_ == link_state::closed) return;
  if (session_->state() == session_state::established) {
    if (state_ != link_state::draining) put(frame_kind::bye, encode_bye(why), fx);
    if (state_ == link_state::closed) return;
    encrypt_pending(fx);
  }
  if (state_ == link_state::closed) return;
  session_->shutdown(fx.output);
  end(why, fx);
}

void link::end(const error& why, link_effects& fx) {
  if (state_ == link_state::closed) return;
  state_ = link_state::closed;
  plain_ = bytes{};
  fx.closed = why;
}

void link::close(const error& why, link_effects& fx) {
  if (state_ == link_state::idle || state_ == link_state::closed) return end(why, fx);
  const auto before = fx.output.size();
  refuse(why, fx);
  account(before, fx);
}

void link::finish(const error& why, time_ms now, link_effects& fx) {
  if (state_ == link_state::draining) return;
  if (state_ != link_state::up) return close(why, fx);
  now_ = now;
  const auto before = fx.output.size();
  put(frame_kind::bye, encode_bye(why), fx);
  encrypt_pending(fx);
  if (state_ == link_state::up) {
    state_ = link_state::draining;
    drain_until_ = now + config_.drain_ms;
    drain_why_ = why;
  }
  account(before, fx);
}

void link::disconnected(const error& why, link_effects& fx) {
  end(state_ == link_state::draining ? drain_why_ : why, fx);
}

void link::set_reading(bool reading, time_ms now) {
  if (reading == reading_) return;
  reading_ = reading;
  now_ = now;
  ping_out_.reset(); // its answer waits, or has waited, for us: no measure of the path
  if (!reading) return;
  last_input_ = now;
  if (partial_since_) partial_since_ = now;
}

void link::note_partial() {
  if (reader_.buffered() == 0 && !session_->partial()) return partial_since_.reset();
  if (!partial_since_) partial_since_ = now_;
}

time_ms link::ping_at() const noexcept {
  return std::min(std::max(last_input_, last_ping_) + config_.ping_ms, last_ping_ + config_.measure_ms);
}

// Why the link has to end by now, if it has to.
std::optional<error> link::overdue() const {
  if (state_ == link_state::handshake && now_ >= started_ + config_.handshake_ms)
    return error{errc::timed_out, "handshake"};
  if (state_ != link_state::up) return std::nullopt;
  if (reading_ && partial_since_ && now_ >= *partial_since_ + config_.frame_ms)
    return error{errc::timed_out, "frame not completed"};
  if (reading_ && now_ >= last_input_ + config_.dead_ms) return error{errc::timed_out, "no sign of life"};
  if (unwritten_ > 0 && now_ >= last_written_ + config_.stall_ms)
    return error{errc::timed_out, "the far side does not read"};
  return std::nullopt;
}

void link::tick(time_ms now, link_effects& fx) {
  if (state_ == link_state::idle || state_ == link_state::closed) return;
  now_ = now;
  const auto before = fx.output.size();
  metrics_.update_rates(now);
  if (const auto why = overdue()) {
    refuse(*why, fx);
  } else if (state_ == link_state::draining && now >= drain_until_) {
    session_->shutdown(fx.output);
    end(drain_why_, fx);
  } else if (state_ == link_state::up && now >= ping_at()) {
    send_ping(fx);
    encrypt_pending(fx);
    plain_ = bytes{}; // whoever pings is idle: its buffer goes
  }
  account(before, fx);
}

time_ms link::next_timer() const noexcept {
  switch (state_) {
  case link_state::handshake:
    return started_ + config_.handshake_ms;
  case link_state::draining:
    return drain_until_;
  case link_state::up:
    break;
  default:
    return UINT64_MAX;
  }
  time_ms at = ping_at();
  if (reading_) at = std::min(at, last_input_ + config_.dead_ms);
  if (reading_ && partial_since_) at = std::min(at, *partial_since_ + config_.frame_ms);
  if (unwritten_ > 0) at = std::min(at, last_written_ + config_.stall_ms);
  return at;
}

} // namespace hanse
