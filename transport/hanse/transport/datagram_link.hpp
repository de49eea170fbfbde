// The link machine over datagrams: one authenticated DTLS session to one node, what link.hpp is over a stream. Session
// + fragments + hello + heartbeats. Data is unreliable and unordered; hello and adverts are repeated until
// acknowledged, one at a time, since nothing that follows makes sense without them. Not a socket, and not the choice
// between this and a stream link. Layout: docs/transports.md "Datagrams".
#pragma once

#include "hanse/transport/dtls_session.hpp"
#include "hanse/transport/fragments.hpp"
#include "hanse/transport/link.hpp"

#include <deque>

namespace hanse {

/// What a message on a datagram link is; the numbers of frame_kind, and one more.
enum class datagram_kind : std::uint8_t { hello = 1, data = 2, adverts = 3, ping = 4, pong = 5, bye = 6, ack = 7 };

inline constexpr std::size_t datagram_payload_max = fragments_max * (dtls_message_max - fragment_header_size);
inline constexpr std::size_t datagram_control_max = 64; ///< hello and adverts that wait to be acknowledged

struct datagram_link_config {
  hello ours;
  identity self;               ///< a link to oneself is refused (`wrong_peer`)
  time_ms up_ms = 10'000;      ///< from established to up, else `timed_out`; a guess
  time_ms ping_ms = 5'000;     ///< silence before a ping, as link_config's
  time_ms dead_ms = 15'000;    ///< silence before the link is `timed_out`, likewise
  time_ms repeat_min_ms = 250; ///< first wait for an acknowledgement; doubles; a guess
  time_ms repeat_max_ms = 4'000;
};

struct datagram_link_effects {
  std::vector<bytes> datagrams;      ///< for the far side
  std::vector<shared_bytes> data;    ///< signed payloads, in any order
  std::vector<shared_bytes> adverts; ///< in the order in which they were sent
  std::optional<link_up> up;         ///< once
  std::optional<error> closed;       ///< once; nothing happens after it
};

/// Not thread-safe, not copyable. No call throws for what a peer sent.
class datagram_link {
public:
  datagram_link(std::unique_ptr<dtls_session> session, datagram_link_config config, random_source& random);

  /// A dialer's first flight; not for sessions of a dtls_listener.
  void start(time_ms now, datagram_link_effects& fx);

  /// Closes with the errors of dtls_session::receive, `wrong_peer` (this node), `unsupported_version` and those of
  /// decode_hello, or what the far side's bye says. Other malformed messages are dropped and counted in `metrics`.
  void received(byte_view datagram, time_ms now, datagram_link_effects& fx);

  /// Errors: `unauthenticated` (not up), `link_closed`, `too_long` (datagram_payload_max), `bad_value` (empty).
  expected<unit> send_data(byte_view payload, datagram_link_effects& fx);

  /// Repeated until acknowledged. Errors: as send_data, and `queue_full`.
  expected<unit> send_adverts(byte_view payload, time_ms now, datagram_link_effects& fx);

  void close(const error& why, datagram_link_effects& fx);

  void tick(time_ms now, datagram_link_effects& fx);
  std::optional<time_ms> next_timer() const;

  link_state state() const noexcept { return state_; }
  bool settled() const noexcept { return control_.empty(); } ///< all of hello and adverts has been acknowledged
  const identity& peer() const noexcept { return session_->peer(); }
  const link_metrics& metrics() const noexcept { return metrics_; }
  std::uint64_t malformed() const noexcept { return malformed_; }
  const dtls_session& session() const noexcept { return *session_; }

private:
  struct control {
    datagram_kind kind{};
    bytes octets;
    std::uint32_t number = 0; // 0: not sent yet
  };
  void perform(const expected<unit>& done, dtls_effects& session_fx, time_ms now, datagram_link_effects& fx);
  void on_established(time_ms now, datagram_link_effects& fx);
  void on_message(const whole_message& m, time_ms now, datagram_link_effects& fx);
  void on_control(const whole_message& m, time_ms now, datagram_link_effects& fx);
  void on_hello(byte_view octets, time_ms now, datagram_link_effects& fx);
  void on_ack(byte_view octets, time_ms now, datagram_link_effects& fx);
  void on_pong(byte_view octets, time_ms now);
  void send_control(time_ms now, datagram_link_effects& fx);
  expected<unit> put(datagram_kind kind, std::uint32_t number, byte_view octets, datagram_link_effects& fx);
  expected<unit> check_sendable(byte_view payload) const;
  void end(const error& why, datagram_link_effects& fx);
  void take_output(dtls_effects& session_fx, datagram_link_effects& fx);

  std::unique_ptr<dtls_session> session_;
  datagram_link_config config_;
  random_source& random_;
  reassembly in_;
  link_state state_ = link_state::handshake;
  link_metrics metrics_;
  std::deque<control> control_; // the first one is under way
  std::uint32_t next_number_ = 1;
  std::uint32_t last_control_ = 0; // of the far side's that we have taken
  bool established_ = false;
  time_ms up_by_ = 0, repeat_at_ = 0, wait_ms_ = 0;
  time_ms last_input_ = 0, pinged_ = 0;
  std::uint64_t ping_nonce_ = 0;
  bool ping_out_ = false;
  std::uint64_t malformed_ = 0;
};

} // namespace hanse
