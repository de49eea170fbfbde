// The sending half of the link machine: frames are gathered into full records before they are encrypted.
// Not what arrives (link.cpp). Design section 6.
#include "hanse/transport/link.hpp"

#include <algorithm>

namespace hanse {

namespace {

// What one write to the session should be: a full TLS record (RFC 8446 section 5.1).
constexpr std::size_t record = 16 * 1024;

// Of a frame header, and 22 octets for each record of 16 KiB, rounded up.
constexpr std::size_t overhead_of(std::size_t size) noexcept {
  return 128 + size / 256;
}

// A permutation of 64-bit numbers (SplitMix64): nonces are distinct and, without the seed, hard to guess.
std::uint64_t mix(std::uint64_t x) noexcept {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

} // namespace

expected<unit> link::send_data(byte_view payload, link_effects& fx) {
  return send_frame(frame_kind::data, {&payload, 1}, fx);
}

expected<unit> link::send_data_parts(std::span<const byte_view> payload, link_effects& fx) {
  return send_frame(frame_kind::data, payload, fx);
}

expected<unit> link::send_adverts(byte_view payload, link_effects& fx) {
  return send_frame(frame_kind::adverts, {&payload, 1}, fx);
}

expected<unit> link::send_frame(frame_kind kind, std::span<const byte_view> payload, link_effects& fx) {
  std::size_t size = 0;
  for (const auto part : payload) size += part.size();
  const auto fail = [&](errc code) -> expected<unit> {
    ++metrics_.refused;
    return code;
  };
  if (state_ == link_state::idle || state_ == link_state::handshake) return fail(errc::unauthenticated);
  if (state_ != link_state::up) return fail(errc::link_closed);
  if (size > frame_payload_max) return fail(errc::too_long);
  if (size == 0) return fail(errc::bad_value);
  if (size > writable_budget()) return fail(errc::queue_full);
  const auto before = fx.output.size();
  put_parts(kind, payload, size, fx);
  account(before, fx);
  if (state_ == link_state::closed) return fail(errc::link_closed);
  return ok();
}

std::size_t link::writable_budget() const noexcept {
  if (state_ != link_state::up || pending() >= config_.pending_max) return 0;
  const auto room = config_.pending_max - pending();
  const auto overhead = overhead_of(room);
  return room > overhead ? room - overhead : 0;
}

void link::flush(time_ms now, link_effects& fx) {
  if (state_ != link_state::up) return;
  now_ = now;
  const auto before = fx.output.size();
  encrypt_pending(fx);
  account(before, fx);
  metrics_.update_rates(now);
}

void link::written(std::size_t count, time_ms now) {
  now_ = now;
  unwritten_ -= std::min(count, unwritten_);
  last_written_ = now;
}

void link::put(frame_kind kind, byte_view payload, link_effects& fx) {
  put_parts(kind, {&payload, 1}, payload.size(), fx);
}

void link::put_parts(frame_kind kind, std::span<const byte_view> payload, std::size_t size, link_effects& fx) {
  ++metrics_.frames_out;
  // At once, with what is gathered by now: a large frame would be copied again by the last record of the flush.
  const auto need = fx.output.size() + plain_.size() + size + overhead_of(size) + record;
  if (size >= record && fx.output.capacity() < need) fx.output.reserve(std::max(need, 2 * fx.output.size()));
  put_plain(frame_header(kind, size), fx);
  for (const auto part : payload) put_plain(part, fx);
}

// Whole records leave at once, straight from the caller's memory where nothing waits before them.
void link::put_plain(byte_view octets, link_effects& fx) {
  while (plain_.size() + octets.size() >= record && state_ != link_state::closed) {
    if (plain_.empty()) {
      const auto whole = octets.size() / record * record;
      encrypt(octets.first(whole), fx);
      octets = octets.subspan(whole);
    } else {
      const auto gap = record - plain_.size();
      append(plain_, octets.first(gap));
      octets = octets.subspan(gap);
      encrypt_pending(fx);
    }
  }
  if (state_ != link_state::closed) append(plain_, octets);
}

void link::encrypt_pending(link_effects& fx) {
  if (plain_.empty()) return;
  encrypt(plain_, fx);
  plain_.clear();
}

void link::encrypt(byte_view plaintext, link_effects& fx) {
  if (auto sent = session_->send(plaintext, fx.output); !sent) end(sent.error(), fx);
}

void link::send_ping(link_effects& fx) {
  if (ping_out_) metrics_.sample_loss(true);
  const auto nonce = mix(ping_seed_ + metrics_.pings_sent++);
  if (reading_) ping_out_ = nonce;
  last_ping_ = now_;
  put(frame_kind::ping, std::as_bytes(std::span{&nonce, 1}), fx);
}

// Takes note of the output that a call has added.
void link::account(std::size_t output_before, const link_effects& fx) {
  const auto added = fx.output.size() - output_before;
  if (added == 0) return;
  if (unwritten_ == 0) last_written_ = now_;
  unwritten_ += added;
  metrics_.octets_out += added;
}

} // namespace hanse
