// Whether messages carry Ed25519 signatures or stand-ins of a keyed hash: the simulator's choice, for speed.
// Not production code: the machines below never learn which of the two they are under.
#pragma once

#include "hanse/protocols/message_batch.hpp"
#include "hanse/protocols/topic_event.hpp"

#include <memory>

namespace hanse::sim {

/// A payload that was accepted.
struct opened_payload {
  identity source;
  std::vector<envelope> messages;
};

class signing_policy {
public:
  /// `real`: production `seal` and `open`. Otherwise production `wrap` and `read_payload` with a stand-in that nobody
  /// can make for another signer without going through `seal` here.
  signing_policy(bool real, std::uint64_t seed);

  bool real() const noexcept { return real_; }

  /// The most messages of one payload: stand-ins carry one.
  std::size_t batch_max() const noexcept { return real_ ? batch_size_max : 1; }

  /// Precondition: as for hanse::seal, and at most batch_max() messages.
  bytes seal(const key_pair& key, std::span<const byte_view> messages, random_source& random) const;

  /// Errors: those of hanse::open, or what comes next to them.
  expected<opened_payload> open(const shared_bytes& payload) const;

  /// Of events of topics. `random` must outlive the signer.
  std::unique_ptr<event_signer> make_event_signer(const key_pair& key, random_source& random) const;
  event_verifier& events() const { return *events_; }

private:
  signature_octets stand_in(const identity& signer, const digest& message) const;

  bool real_;
  std::array<std::byte, 32> secret_;
  std::unique_ptr<event_verifier> events_;
};

} // namespace hanse::sim
