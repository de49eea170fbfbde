// One message to several receivers: which members of a group get a copy, who replaces one that fails, and when the
// whole is answered. Spec "Addressing" (compositional identities), design section 4: unicast, anycast, multicast,
// quorumcast. Not the choice of members (routing.hpp ranks them), not the sending, not causal multicast to topics. One
// machine a message; it is given the route and what becomes of each copy.
#pragma once

#include "hanse/protocols/envelope.hpp"
#include "hanse/protocols/routing.hpp"

#include <variant>

namespace hanse {

inline constexpr std::size_t group_tries_max = 3; ///< copies one member is sent while no other can replace it; a guess
inline constexpr std::uint32_t group_retry_ms = 100; ///< before the second try, twice that before the third
inline constexpr std::uint32_t group_patience_unlinked_ms = 2000; ///< for a member without a link; a guess

/// Send a copy with an id of its own; tell `answered` or `failed` what became of it.
struct group_copy {
  std::size_t member = 0; ///< names it in the inputs; a retry has the same
  identity destination;   ///< an engine or node, or for a domain the member node
  identity node;          ///< the next hop; none: on this node
};

/// The end, once. No fault: enough members have answered, and `body` is the first answer.
struct group_done {
  std::optional<fault_body> fault;
  shared_bytes body;
  identity from; ///< who gave that answer, or the fault
};

using group_effect = std::variant<group_copy, group_done>;
using group_effects = std::vector<group_effect>;

/// Sends to as many members as reach the threshold by weight, best first, nested groups likewise; a member that fails
/// is replaced by the next, and one that is late gets the next beside it (its answer still counts). When nobody is left
/// to replace it, a member that could not be reached is tried again, up to group_tries_max. The end is
///   * enough answers: the first one's body, when the answers' weights reach the threshold;
///   * too few members left, or the message expired: with one receiver needed its fault (`timed_out` if there was no
///     word from it), else `threshold_not_met` with the last member's fault in its text;
///   * one receiver needed and its engine's own handler returned an error (`engine_error`): that is its answer.
/// So anycast and quorumcast may reach more members than the threshold asks for. At most 64 members, from the route.
class group_send {
public:
  /// `r` is of kind group, with members; the message lives until `expires_ms`.
  group_send(const route& r, time_ms expires_ms);

  void start(time_ms now, group_effects& out);

  /// A member's reply, or its acknowledgement (an empty body).
  void answered(std::size_t member, shared_bytes body, time_ms now, group_effects& out);

  /// A member's copy failed: not sent, lost with its link, or answered with a fault.
  void failed(std::size_t member, fault_body fault, time_ms now, group_effects& out);

  /// A member's copy waits for a link to its node, though the route said that there is one.
  void unlinked(std::size_t member, time_ms now);

  void tick(time_ms now, group_effects& out);
  std::optional<time_ms> next_timer() const;

  bool done() const noexcept { return done_; }
  std::size_t members() const noexcept { return leaves_.size(); }

private:
  enum class state : std::uint8_t {
    unused,
    waiting, ///< a copy is under way
    late,    ///< likewise, but its time is over: another is sent beside it
    again,   ///< failed; may be tried again
    answered,
    failed,
  };
  /// A member, or a group among members.
  struct child {
    bool group = false;
    std::size_t index = 0; ///< in leaves_ or groups_
  };
  struct leaf {
    std::size_t above = 0; ///< in groups_
    std::uint32_t weight = 1;
    identity destination, node;
    bool linked = false;
    state now = state::unused;
    std::size_t tries = 0;
    time_ms due_ms = 0; ///< waiting: then it is late; again: then it may be tried
  };
  struct group {
    std::size_t above = 0; ///< itself: the root
    std::uint32_t weight = 1;
    std::uint64_t threshold = 1;
    state now = state::unused;
    std::vector<child> children; ///< best first
  };

  std::size_t add(const route& r, std::size_t above);
  state state_of(const child& c) const { return c.group ? groups_[c.index].now : leaves_[c.index].now; }
  std::uint32_t weight_of(const child& c) const { return c.group ? groups_[c.index].weight : leaves_[c.index].weight; }
  std::uint64_t weight_in(const group& g, std::initializer_list<state> states) const;
  void advance(std::size_t index, time_ms now, group_effects& out);
  bool send_next(std::size_t index, time_ms now, group_effects& out);
  void settle(std::size_t index, state outcome, time_ms now, group_effects& out);
  void send(std::size_t member, time_ms now, group_effects& out);
  void finish(std::optional<fault_body> fault, group_effects& out);
  fault_body why_not() const;

  std::vector<leaf> leaves_;
  std::vector<group> groups_; ///< the root first
  time_ms expires_ms_;
  bool one_needed_; ///< any single member reaches the threshold, or there is only one
  bool done_ = false;
  std::optional<shared_bytes> first_answer_;
  identity first_from_;
  fault_body last_fault_;
  identity last_from_;
};

} // namespace hanse
