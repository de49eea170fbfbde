// Relayed messages, protocol hanse.relay/1.0: to a node that only others can reach. The payload is a bundle
// (spool.hpp): signed by the sending node, sealed to the receiving one. Relays see for whom it is, how large, and where
// it goes next; not what it is and not who sent it, unless they are the first. Opt-in at the relay, with quotas.
// Source-routed: the sender names the relays, as the receiver's advert (relay://<node identity>) says which it accepts.
// Not routing between domains and not path finding; delivery is as unreliable as everything below it.
// Layout: docs/transports.md "Relays".
#pragma once

#include "hanse/protocols/peer_message.hpp"
#include "hanse/transport/spool.hpp"

namespace hanse {

inline constexpr std::string_view relay_protocol_name = "hanse.relay";
inline constexpr std::size_t relay_hops_max = 4;             ///< relays between sender and receiver (design section 7)
inline constexpr std::size_t relay_payload_max = 900 * 1024; ///< octets; leaves room for the wrapping in a body
inline constexpr std::size_t relay_seen_max = 65'536;        ///< messages remembered until they expire
inline constexpr std::size_t relay_sources_max = 4'096;      ///< neighbours with a quota of their own
inline constexpr time_ms relay_life_max_ms = ttl_max_ms;     ///< as any message's
inline constexpr time_ms relay_quota_ms = 60'000;            ///< over which octets are counted

struct relay_config {
  bool forwards = false;                                   ///< opt-in; receiving needs none
  std::size_t octets_per_minute = 4 * 1024 * 1024;         ///< from one neighbour; a guess
  std::size_t octets_per_minute_in_all = 64 * 1024 * 1024; ///< a guess
};

/// A relayed message is here: signed payload of `content.sender`. It is an ordinary message of that node from now on,
/// and passes the router's checks (host, time, replay) as such.
struct relay_deliver {
  bundle content;
};
struct relay_refused { ///< to be counted
  identity from;
  error why;
};
using relay_effect = std::variant<peer_message, relay_deliver, relay_refused>;

/// The relay machine of one node: sends, forwards, receives. Not thread-safe. `random` must outlive it.
class relay {
public:
  relay(key_pair self, relay_config config, random_source& random)
      : self_(std::move(self)), config_(config), random_(random) {}

  /// Sends a signed payload to `recipient` through `relays`, nearest first, 1..relay_hops_max, all different.
  /// Errors: `hop_limit`, `bad_value` (relays), and those of make_bundle.
  expected<peer_message> send(const identity& recipient, const std::vector<identity>& relays, byte_view payload,
                              time_ms now, time_ms life_ms, const std::vector<bytes>& adverts = {});

  /// A body from the neighbour `from`, which the host has authenticated. Refused with: `permission_denied` (we do not
  /// forward), `expired`, `clock_skew` (lives too long), `hop_limit`, `replayed` (seen, so loops end, too),
  /// `queue_full` (quota), `table_full`, `bad_value` (back to its sender, or to ourselves), those of open_bundle, and
  /// malformed bodies.
  void receive(const identity& from, byte_view body, time_ms now, std::vector<relay_effect>& out);

  /// Forgets what has expired.
  void tick(time_ms now);
  std::optional<time_ms> next_timer() const;

  std::size_t seen() const noexcept { return seen_.size(); }

private:
  struct message; // what travels
  struct usage {
    time_ms since = 0;
    std::size_t octets = 0;
    bool take(std::size_t size, std::size_t limit, time_ms now);
  };
  static bytes encode(const message& m);
  static expected<message> decode(byte_view body);
  expected<unit> judge(const identity& from, const message& m, std::size_t size, time_ms now);
  expected<unit> judge_forwarding(const identity& from, const message& m, std::size_t size, time_ms now);

  key_pair self_;
  relay_config config_;
  random_source& random_;
  std::map<digest, time_ms> seen_; // of the box, until when
  std::set<std::pair<time_ms, digest>> by_expiry_;
  std::map<identity, usage> sources_;
  usage all_;
};

/// "relay://hk1…": the relay that an advert names. Errors: `bad_value`, and those of identity::parse.
expected<identity> parse_relay_address(std::string_view text);

} // namespace hanse
