// The side of a join that lets nodes in, and out: challenges, checks the proof, limits tries, says why not. Spec
// "Joining a domain"; design section 8. Sans-IO.
// Not the membership itself: it asks its host to make the newcomer a member, and answers once that is durable.
//
// Use: `serve` each domain whose members this node may admit; hand in bodies of "hanse.join/1.0" with the node that the
// link is authenticated as and the link's channel binding; on `join_approve` add the member (or see that it is one) and
// call `approved`, or `refuse`; on `join_withdraw` remove it and call `withdrawn`.
#pragma once

#include "hanse/crypto/random.hpp"
#include "hanse/domains/join_proof.hpp"
#include "hanse/domains/rate_limiter.hpp"

namespace hanse {

struct join_introducer_config {
  rate_limit tries{5, 600, 60'000};  ///< new tries a peer and together, a minute (design section 8); 600: a guess
  std::uint64_t session_ms = 60'000; ///< a try is forgotten this long after its last step; a guess
  std::size_t sessions_max = 1024;   ///< tries under way; a guess
  std::size_t domains_max = 64;      ///< a guess
};

/// A domain as this node introduces to it.
struct introduced_domain {
  signed_domain_advert advert;         ///< the latest
  psk_list keys;                       ///< with auth psk: those accepted, while they are valid
  member_level own_level = level_none; ///< of this node in the domain, by the membership map
};

/// `node` has shown that it may join: make it a member of this level, if it is none yet; then call `approved`, or
/// `refuse`. Comes again if the node asks again after that: then it is a member already.
struct join_approve {
  identity domain;
  identity node;
  member_level level = level_none;
  std::string instance; ///< that the node said it joins; may be empty
  friend bool operator==(const join_approve&, const join_approve&) = default;
};

/// `node` wants to leave: remove it, then call `withdrawn`, or `refuse`.
struct join_withdraw {
  identity domain;
  identity node;
  friend bool operator==(const join_withdraw&, const join_withdraw&) = default;
};

/// A request was refused; for counters and the log.
struct join_refusal {
  identity domain;
  identity node;
  error why;
};

/// `node` has a newer advert of the domain than this node: ask it for that (domain_advert_store::ask).
struct join_behind {
  identity domain;
  identity node;
};

using introducer_effect = std::variant<peer_message, join_approve, join_withdraw, join_refusal, join_behind>;
using introducer_effects = std::vector<introducer_effect>;

/// One machine for all domains that a node introduces to. Not thread-safe. `now` must not go back within a life. What
/// is under way is lost with the node: requesters ask again.
class join_introducer {
public:
  /// `random` must outlive the machine.
  join_introducer(const identity& self, random_source& random, const join_introducer_config& config = {});

  /// Introduces to a domain from now on, or by a newer advert, other keys or another level than before.
  /// Errors: `stale` (an older version than before), `bad_config` (auth psk without keys), `table_full`.
  expected<unit> serve(introduced_domain domain);
  void stop(const identity& domain);

  /// A body from the node `from`, over the link that `channel` names.
  /// Errors: those of decode_join_body; `bad_type` (a body that only requesters take). Nothing is answered then.
  expected<unit> receive(const identity& from, const join_channel& channel, byte_view body, time_ms now,
                         introducer_effects& out);

  /// `node` is a member of `level`, durably. `adverts`: signed node adverts of some members, the first join_adverts_max
  /// are sent. Ignored if the node does not wait for it.
  void approved(const identity& domain, const identity& node, member_level level, std::span<const bytes> adverts,
                time_ms now, introducer_effects& out);

  /// `node` does not become a member, or cannot leave: `why` is told to it.
  void refuse(const identity& domain, const identity& node, const error& why, introducer_effects& out);

  /// `node` is no member any more, durably.
  void withdrawn(const identity& domain, const identity& node, introducer_effects& out);

  void tick(time_ms now, introducer_effects& out);
  std::optional<time_ms> next_timer() const;

  std::size_t sessions() const noexcept { return sessions_.size(); }

private:
  enum class stage : std::uint8_t { challenged, proven, leaving };
  struct session {
    stage at = stage::challenged;
    join_nonce nonce{};
    join_facts facts; // with a challenge: what is proven
    bool challenged = false;
    bool asked = false; // the host was asked and has not answered
    std::string instance;
    std::optional<mac_octets> answer; // the proof of the requester that held
    std::optional<mac_octets> proof;  // ours
    time_ms expires = 0;
  };
  using session_key = std::pair<identity, identity>; // domain, node

  void on(const identity& from, const join_channel& channel, const join_request& r, time_ms now,
          introducer_effects& out);
  void on(const identity& from, const join_channel& channel, const join_answer& a, time_ms now,
          introducer_effects& out);
  void on(const identity& from, const leave_request& r, time_ms now, introducer_effects& out);
  expected<unit> admits(const join_request& r) const;
  session* begin(const identity& from, const identity& domain, const join_nonce& nonce, time_ms now,
                 introducer_effects& out);
  void ask_host(const identity& domain, const identity& node, session& s, introducer_effects& out);
  void say_no(const identity& to, const identity& domain, const join_nonce& nonce, const error& why,
              introducer_effects& out, std::uint64_t retry_after_ms = 0);
  session* waiting(const identity& domain, const identity& node, stage at);

  identity self_;
  random_source& random_;
  join_introducer_config config_;
  std::map<identity, introduced_domain> domains_;
  std::map<session_key, session> sessions_;
  rate_limiter tries_;
};

} // namespace hanse
