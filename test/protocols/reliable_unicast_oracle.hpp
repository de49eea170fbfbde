// Judges runs of reliable unicast by vector clocks, knowing nothing of streams, epochs, deps or acks: it sees sends,
// deliveries, results and crashes, by message number. Shares no code with what it judges.
// Not a checker of performance or of bounds. Vector clocks: Fidge 1988, Mattern 1989.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace hanse::test {

class unicast_oracle {
public:
  using process = std::pair<int, int>; ///< an engine and its life: a crash begins a new history
  using vector_clock = std::map<process, std::uint64_t>;

  enum class outcome { confirmed, failed };

  void sent(std::uint64_t message, int from, int to) {
    const process p{from, lives_[from]};
    auto& clock = clocks_[from];
    ++clock[p];
    messages_[message] = {from, to, p, clock[p], clock, false, false, false, 0, 0};
  }

  /// The sender was told at once that the message was not taken.
  void refused(std::uint64_t message) { messages_.at(message).never_again = true; }

  void delivered(std::uint64_t message) {
    auto it = messages_.find(message);
    if (it == messages_.end()) return violate("delivered what was never sent", message);
    auto& m = it->second;
    if (m.delivered) violate("delivered twice", message);
    if (m.never_again) violate("delivered after in_doubt or expired was reported", message);
    m.delivered = true;
    // Everything that precedes a message at its receiver must have been delivered there before, or never is.
    auto& seen = seen_[m.to];
    const auto before = seen.find(m.sender);
    if (before != seen.end() && before->second >= m.number)
      violate("delivered after something that depends on it", message);
    auto& life = last_life_[{m.from, m.to}];
    if (m.sender.second < life) violate("delivered after a later life of its sender", message);
    life = m.sender.second;
    join(seen, m.clock);
    join(clocks_[m.to], m.clock);
  }

  void handled(std::uint64_t message, int code) {
    auto& m = messages_.at(message);
    if (m.handled) violate("handled twice", message);
    m.handled = true;
    m.code = code;
  }

  void confirmed(std::uint64_t message) {
    auto& m = finish(message);
    if (!m.handled) violate("confirmed but not handled", message);
    if (m.handled && m.code != 0) violate("confirmed though its engine returned an error", message);
  }

  /// `final_code`: the code promises that the message was not, or will not again be, delivered.
  void failed(std::uint64_t message, int code, bool engine_error, bool final_code) {
    auto& m = finish(message);
    if (engine_error && (!m.handled || m.code != code))
      violate("failed with an error that its engine did not return", message);
    if (final_code) m.never_again = true;
  }

  void crashed(int engine) {
    ++lives_[engine];
    clocks_[engine].clear();
  }

  /// How often the outcome of a message was told to its sender.
  int outcomes(std::uint64_t message) const { return messages_.at(message).outcomes; }
  bool was_handled(std::uint64_t message) const { return messages_.at(message).handled; }

  /// The first violation; empty if there was none.
  const std::string& verdict() const { return verdict_; }

  void violate(const std::string& what, std::uint64_t message) {
    if (verdict_.empty()) verdict_ = what + ": message " + std::to_string(message);
  }

private:
  struct record {
    int from, to;
    process sender;
    std::uint64_t number; ///< among the sends of its process
    vector_clock clock;
    bool delivered, handled, never_again;
    int code, outcomes;
  };

  record& finish(std::uint64_t message) {
    auto& m = messages_.at(message);
    if (++m.outcomes > 1) violate("two outcomes", message);
    return m;
  }

  static void join(vector_clock& into, const vector_clock& from) {
    for (const auto& [p, n] : from) {
      auto& mine = into[p];
      mine = std::max(mine, n);
    }
  }

  std::map<std::uint64_t, record> messages_;
  std::map<int, int> lives_;
  std::map<int, vector_clock> clocks_; ///< by engine
  std::map<int, vector_clock> seen_;   ///< by receiving engine: all that its deliveries depend on
  std::map<std::pair<int, int>, int> last_life_;
  std::string verdict_;
};

} // namespace hanse::test
