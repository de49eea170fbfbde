// See invariants.hpp.
#include "hanse/sim/invariants.hpp"

namespace hanse::sim {

namespace {

std::string about(std::string_view what, std::uint64_t message) {
  return std::string{what} + ": message #" + std::to_string(message);
}

} // namespace

checker::checker(std::uint32_t engines) : engines_(engines), messages_(1), signed_(2 * std::size_t{engines}) {
  for (auto& e : engines_) e.process = processes_++;
}

void checker::expect(const std::vector<invariant>& only) {
  if (only.empty()) return;
  checked_ = 0;
  for (const auto i : only) checked_ |= 1U << static_cast<unsigned>(i);
}

void checker::violate(invariant what, std::string text) {
  if (!verdict_ && (checked_ >> static_cast<unsigned>(what) & 1U)) verdict_ = broken{what, std::move(text)};
}

void checker::join(vector_clock& into, const vector_clock& from) {
  if (into.size() < from.size()) into.resize(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) into[i] = std::max(into[i], from[i]);
}

void checker::sent(std::uint64_t number, std::uint32_t from, std::uint32_t to, bool reliable, std::uint64_t body) {
  if (messages_.size() <= number) messages_.resize(number + 1);
  auto& m = messages_[number];
  auto& e = engines_[from];
  m.from = from;
  m.to = to;
  m.process = e.process;
  m.life = e.life;
  m.reliable = reliable;
  m.body = body;
  if (!reliable || e.exempt) return;
  ++waiting_;
  if (e.past.size() <= e.process) e.past.resize(e.process + 1);
  m.number = ++e.past[e.process];
  m.past = e.past;
}

bool checker::delivered(std::uint64_t number, std::uint32_t from, std::uint32_t to, std::uint64_t body) {
  if (from < engines_.size() && engines_[from].exempt) return number > 0 && number < messages_.size();
  if (number == 0 || number >= messages_.size() || messages_[number].from != from || messages_[number].to != to ||
      messages_[number].body != body) {
    violate(invariant::authentic, about("delivered what was never sent so", number));
    return false;
  }
  auto& m = messages_[number];
  if (m.delivered) violate(invariant::at_most_once, about("delivered twice", number));
  if (m.never_again)
    violate(invariant::at_most_once, about("delivered after its sender was told it never will", number));
  m.delivered = true;
  if (m.reliable && !engines_[to].exempt) deliver_in_order(number, m);
  return true;
}

// Everything that precedes a message at its receiver was delivered there before, or never is.
void checker::deliver_in_order(std::uint64_t number, message_state& m) {
  auto& receiver = engines_[m.to];
  const auto known = m.process < receiver.delivered.size() ? receiver.delivered[m.process] : 0;
  if (known >= m.number)
    violate(invariant::causal_order, about("delivered after something that depends on it", number));
  auto& life = receiver.lives[m.from];
  if (m.life < life) violate(invariant::causal_order, about("delivered after a later life of its sender", number));
  life = std::max(life, m.life);
  join(receiver.delivered, m.past);
  join(receiver.past, m.past);
  m.past = {};
}

void checker::handled(std::uint64_t number, int code) {
  auto& m = messages_[number];
  if (engines_[m.from].exempt) return;
  if (m.handled) violate(invariant::at_most_once, about("handled twice", number));
  m.handled = true;
  m.code = code;
}

void checker::ended(std::uint64_t number, outcome how, std::optional<int> engine_code) {
  auto& m = messages_[number];
  if (engines_[m.from].exempt) return;
  if (++m.outcomes > 1) return violate(invariant::one_outcome, about("two outcomes", number));
  --waiting_;
  const bool judged = !engines_[m.to].exempt;
  if (judged && how == outcome::confirmed && (!m.handled || m.code != 0))
    violate(invariant::no_acknowledged_loss,
            about(m.handled ? "confirmed though its engine returned an error" : "confirmed but not handled", number));
  if (judged && engine_code && (!m.handled || m.code != *engine_code))
    violate(invariant::no_acknowledged_loss, about("failed with an error that its engine did not return", number));
  if (how == outcome::refused || how == outcome::failed_final) m.never_again = true;
  if (m.never_again) m.past = {};
}

void checker::crashed(std::uint32_t engine) {
  auto& e = engines_[engine];
  if (e.exempt) return;
  for (auto& m : messages_) // few crashes, and messages that ended long ago are cheap to skip
    if (m.from == engine && m.reliable && m.outcomes == 0 && !m.orphaned && m.life == e.life &&
        m.process == e.process) {
      m.orphaned = true;
      --waiting_;
    }
  ++e.life;
  e.process = processes_++;
  e.past.clear();
}

void checker::signed_version(std::uint32_t subject, bool engine, std::uint64_t version) {
  auto& last = signed_[2 * std::size_t{subject} + (engine ? 1 : 0)];
  if (version <= last && !engines_[subject].exempt)
    violate(invariant::adverts_monotonic,
            "version " + std::to_string(version) + " was signed after " + std::to_string(last));
  last = std::max(last, version);
}

void checker::knows(std::uint32_t node, std::uint32_t subject, bool engine, std::uint64_t version) {
  if (engines_[subject].exempt || engines_[node].exempt) return;
  const auto life = engines_[node].life;
  auto& known =
      versions_[((std::uint64_t{node} * engines_.size() + subject) * 2 + (engine ? 1 : 0)) << 12 | (life & 0xfff)];
  if (version < known)
    violate(invariant::adverts_monotonic, "node " + std::to_string(node) + " went back from version " +
                                              std::to_string(known) + " to " + std::to_string(version));
  if (version > signed_[2 * std::size_t{subject} + (engine ? 1 : 0)])
    violate(invariant::adverts_monotonic,
            "node " + std::to_string(node) + " knows version " + std::to_string(version) + ", which was never signed");
  known = std::max(known, version);
}

void checker::size(std::string_view table, std::uint64_t now, std::uint64_t max) {
  if (now > max)
    violate(invariant::bounded,
            std::string{table} + " has " + std::to_string(now) + " of at most " + std::to_string(max));
}

void checker::finish() {
  for (std::size_t i = 1; i < messages_.size(); ++i) {
    const auto& m = messages_[i];
    if (m.reliable && m.outcomes == 0 && !m.orphaned && !engines_[m.from].exempt)
      violate(invariant::one_outcome, about("no outcome", i));
  }
}

} // namespace hanse::sim
