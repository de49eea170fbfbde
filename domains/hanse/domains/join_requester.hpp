// The side of a join that asks: introducer after introducer until one lets this node in, or all say no. Also leaves.
// Spec "Joining a domain"; design section 8. Sans-IO.
// Not the member's life after it (membership map), not dialling: `join_reach` tells the host whom to make reachable.
//
// Introducers are asked one at a time, in random order (those of the wanted instance first). One that is silent or
// unreachable is passed over; a refusal that time does not change is kept, and when all have refused so, the join has
// failed. Else there is another round after a pause that doubles. An advert that is newer than ours, in a refusal, is
// taken and the round begins anew with its introducers.
#pragma once

#include "hanse/crypto/random.hpp"
#include "hanse/domains/join_proof.hpp"

namespace hanse {

struct join_requester_config {
  std::uint64_t resend_ms = 1000;       ///< first wait for an answer; doubles. All here are guesses
  std::uint64_t introducer_ms = 10'000; ///< then the next introducer is asked
  std::uint64_t pause_min_ms = 2000;    ///< before the second round; doubles, with jitter
  std::uint64_t pause_max_ms = 300'000;
  unsigned rounds_max = 0;       ///< 0: as long as it takes
  std::size_t attempts_max = 64; ///< domains at once
};

/// What to join, or leave.
struct join_task {
  signed_domain_advert advert; ///< the latest that this node has
  psk_list keys;               ///< the newest first; the first valid one is tried first. Not needed to leave
  std::string instance;        ///< empty: none in particular
  bool leave = false;
};

/// Make `node` reachable by its signed node advert (an older one than is known changes nothing); messages to it follow.
struct join_reach {
  identity node;
  bytes advert;
  friend bool operator==(const join_reach&, const join_reach&) = default;
};

/// This node is a member now.
struct join_done {
  identity domain;
  identity introducer;
  member_level level = level_none;
  signed_domain_advert advert; ///< the latest: ours or the introducer's
  std::vector<bytes> adverts;  ///< signed node adverts of some members, not looked at
};

/// This node is no member any more.
struct join_left {
  identity domain;
  identity introducer;
};

/// What came of asking one introducer.
struct join_try {
  identity introducer;
  error why;
};

/// It was passed over; the next one is asked. For the log.
struct join_passed_over {
  identity domain;
  join_try attempt;
};

/// The join, or leave, has failed for good: all refused, or rounds_max is over. The last word of each introducer.
struct join_failed {
  identity domain;
  error why; ///< the refusal that says most
  std::vector<join_try> tries;
};

/// A newer advert of the domain came with a refusal: to be kept (domain_advert_store).
struct join_advert {
  signed_domain_advert advert;
};

using requester_effect =
    std::variant<peer_message, join_reach, join_done, join_left, join_passed_over, join_failed, join_advert>;
using requester_effects = std::vector<requester_effect>;

/// What a join that is under way is doing, for reports.
struct join_report {
  identity domain;
  bool leave = false;
  identity introducer; ///< that is asked now; none in a pause
  unsigned round = 1;
  time_ms pause_until = 0;
  std::vector<join_try> tries; ///< of this round, or of the last one until there are some
};

/// One machine for all domains that this node wants to be in. Not thread-safe. `now` must not go back within a life.
class join_requester {
public:
  /// `random` must outlive the machine.
  join_requester(const identity& self, random_source& random, const join_requester_config& config = {});

  /// Begins. Ends in one join_done, join_left or join_failed, or by `cancel`.
  /// Errors: `already_exists` (under way for this domain), `table_full`, `bad_proof` (auth psk, and no valid key),
  /// `not_found` (no such instance, or nobody but this node introduces).
  expected<unit> start(join_task task, time_ms now, requester_effects& out);

  /// Gives up; says nothing. False if nothing was under way.
  bool cancel(const identity& domain);

  /// A body from the node `from`, over the link that `channel` names. What fits nothing under way is ignored.
  /// Errors: those of decode_join_body; `bad_type` (a body that only introducers take).
  expected<unit> receive(const identity& from, const join_channel& channel, byte_view body, time_ms now,
                         requester_effects& out);

  /// `node` cannot be reached: if it is asked now, the next one is.
  void unreachable(const identity& node, const error& why, time_ms now, requester_effects& out);

  void tick(time_ms now, requester_effects& out);
  std::optional<time_ms> next_timer() const;

  std::vector<join_report> reports() const;

private:
  struct attempt {
    join_task task;
    std::vector<introducer> order;
    std::size_t at = 0;
    join_nonce nonce{};
    std::optional<join_facts> proven; // what our proof was made of, once it was
    std::size_t key = 0;              // of task.keys, used for it
    unsigned restarts = 0;            // with this introducer
    bytes body;                       // the last sent
    std::uint64_t wait_ms = 0;
    time_ms resend_at = 0;
    time_ms give_up_at = 0;
    std::vector<join_try> tries;
    unsigned round = 1;
    time_ms pause_until = 0; // 0: asking
    std::uint64_t retry_after_ms = 0;
  };
  using attempts = std::map<identity, attempt>;

  expected<unit> plan(attempt& a);
  void shuffle(std::vector<introducer>& order, std::size_t from, std::size_t to);
  void contact(attempt& a, time_ms now, requester_effects& out);
  void ask(attempt& a, time_ms now, requester_effects& out);
  void send(attempt& a, bytes body, time_ms now, requester_effects& out);
  void pass_over(attempts::iterator i, error why, time_ms now, requester_effects& out);
  void end_round(attempts::iterator i, time_ms now, requester_effects& out);
  bool next_key(attempt& a, time_ms now) const;
  void on(attempts::iterator i, const join_channel& channel, const join_challenge& c, time_ms now,
          requester_effects& out);
  void on(attempts::iterator i, const join_accept& yes, time_ms now, requester_effects& out);
  void on(attempts::iterator i, const join_channel& channel, const join_refuse& no, time_ms now,
          requester_effects& out);
  expected<unit> believe(const attempt& a, const join_accept& yes) const;

  identity self_;
  random_source& random_;
  join_requester_config config_;
  attempts attempts_;
};

} // namespace hanse
