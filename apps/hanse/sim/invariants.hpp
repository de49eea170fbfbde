// Judges a run: what was sent, delivered, confirmed and advertised, by message number and vector clocks of its own.
// Shares no code with what it judges: it knows nothing of streams, epochs, dependencies, acks, windows or stores.
// Sources: vector clocks (Fidge 1988, Mattern 1989).
//
//   causal_order          nothing is delivered after something that depends on it, nor from an earlier life of its
//   sender at_most_once          nothing is delivered twice, nor after its sender was told that it never will be
//   no_acknowledged_loss  what is confirmed was handled without error; an engine's error is one that it returned
//   one_outcome           one confirmation or failure per message, if its sender lives
//   authentic             what is delivered was sent by that engine, to that engine, with that body
//   adverts_monotonic     what a node knows of another never becomes older within a life; versions are signed once
//   bounded               no table is larger than its stated maximum
//   converges             when faults end, all that was under way ends as well (simulation.cpp)
#pragma once

#include "hanse/sim/scenario.hpp"

#include "hanse/crypto/hash.hpp"

#include <optional>
#include <unordered_map>

namespace hanse::sim {

/// What does not hold, in words.
struct broken {
  invariant what{};
  std::string text;
};

/// How a message ended for its sender.
enum class outcome : std::uint8_t {
  confirmed,
  failed,       ///< it may or may not have been handled
  failed_final, ///< and it never will be delivered from now on
  refused,      ///< it was not taken at all
};

/// The judge. Engines are numbered; one engine per node. Messages have numbers of the simulator, 1, 2, …, in order.
class checker {
public:
  explicit checker(std::uint32_t engines);

  /// Nothing that `engine` does is judged, only what others do to it.
  void exempt(std::uint32_t engine) { engines_[engine].exempt = true; }

  /// `body`: names the octets that were sent.
  void sent(std::uint64_t message, std::uint32_t from, std::uint32_t to, bool reliable, std::uint64_t body);
  /// Handed to the engine. False: it was never sent like this, and nothing of it is recorded.
  bool delivered(std::uint64_t message, std::uint32_t from, std::uint32_t to, std::uint64_t body);
  void handled(std::uint64_t message, int code);
  /// `engine_code`: the receiver's error that its sender was told of, if it was one.
  void ended(std::uint64_t message, outcome how, std::optional<int> engine_code);
  void crashed(std::uint32_t engine);

  /// `node` now holds `version` of the advert of `subject`.
  void knows(std::uint32_t node, std::uint32_t subject, bool engine, std::uint64_t version);
  void signed_version(std::uint32_t subject, bool engine, std::uint64_t version);
  void size(std::string_view table, std::uint64_t now, std::uint64_t max);

  /// At the very end: messages of living senders without outcome.
  void finish();

  /// The first that is broken, of those that are checked.
  const std::optional<broken>& verdict() const noexcept { return verdict_; }
  void expect(const std::vector<invariant>& only);
  void violate(invariant what, std::string text);

  /// Of all messages so far; reliable ones whose sender waits for an outcome.
  std::uint64_t waiting() const noexcept { return waiting_; }

private:
  using vector_clock = std::vector<std::uint32_t>; ///< messages sent, by process; a process is a life of an engine

  struct engine_state {
    bool exempt = false;
    std::uint32_t process = 0;
    std::uint32_t life = 0;
    vector_clock past;                                      ///< of this life
    vector_clock delivered;                                 ///< all that its deliveries depend on, of all lives
    std::unordered_map<std::uint32_t, std::uint32_t> lives; ///< of each sender: the latest life it has heard
  };
  struct message_state {
    std::uint32_t from = 0, to = 0, process = 0, life = 0, number = 0;
    std::uint64_t body = 0;
    vector_clock past;
    bool reliable = false, delivered = false, handled = false, never_again = false;
    bool orphaned = false; ///< its sender died
    std::uint8_t outcomes = 0;
    int code = 0;
  };

  void deliver_in_order(std::uint64_t number, message_state& m);
  static void join(vector_clock& into, const vector_clock& from);

  std::vector<engine_state> engines_;
  std::vector<message_state> messages_; ///< by number
  std::uint32_t processes_ = 0;
  std::unordered_map<std::uint64_t, std::uint64_t> versions_; ///< known, by node and subject
  std::vector<std::uint64_t> signed_;                         ///< the latest, by subject
  std::uint64_t waiting_ = 0;
  std::uint32_t checked_ = UINT32_MAX; ///< a bit per invariant
  std::optional<broken> verdict_;
};

} // namespace hanse::sim
