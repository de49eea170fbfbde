// For scripted tests of reliable unicast: one node with its disk, engines by letter, effects picked apart and
// described. Not the seeded world (reliable_unicast_world.hpp): here the test carries every message by hand.
#pragma once

#include "protocols/samples.hpp"

#include "hanse/protocols/reliable_unicast.hpp"

#include <algorithm>
#include <map>

namespace hanse::test {

inline constexpr time_ms script_start = 1'700'000'000'000;

/// The engine 'a', 'b', …
inline identity engine(char letter) {
  std::array<std::byte, 32> octets{};
  octets.fill(static_cast<std::byte>(letter));
  return identity::trusted(identity_kind::individual, octets);
}

inline std::string letter_of(const identity& id) {
  return {static_cast<char>(id.octets()[0])};
}

inline std::string describe(const causal_dep& d) {
  return letter_of(d.source) + ">" + letter_of(d.destination) + "#" + std::to_string(d.seq);
}

inline std::string describe(const unicast_control& c) {
  if (const auto* a = std::get_if<unicast_ack>(&c)) {
    auto text = "ack settled " + std::to_string(a->settled);
    const auto add_set = [&](const char* name, const std::vector<bool>& set) {
      for (std::size_t i = 0; i < set.size(); ++i)
        if (set[i]) text += std::string{" "} + name + " " + std::to_string(a->settled + 1 + i);
    };
    add_set("settled", a->settled_later);
    add_set("held", a->held);
    for (const auto& e : a->errors) text += " #" + std::to_string(e.seq) + "=" + std::string{to_string(e.code)};
    return text + (a->lost ? " lost" : "");
  }
  if (const auto* s = std::get_if<unicast_skip>(&c)) return "skip to " + std::to_string(s->floor);
  const auto* p = std::get_if<unicast_probe>(&c);
  std::string text = p ? "probe" : "settled";
  for (const auto& m : p ? p->marks : std::get<unicast_settled>(c).marks)
    text.append(" ").append(letter_of(m.source)).append("#").append(std::to_string(m.seq));
  return text;
}

/// One line per effect.
inline std::string describe(const unicast_effect& effect) {
  struct {
    std::string operator()(const unicast_transmit& t) const {
      auto text = std::string{t.again ? "transmit again " : "transmit "} + position(*t.message);
      for (const auto& d : t.message->stream->deps) text += " after " + describe(d);
      return text;
    }
    std::string operator()(const unicast_transmit_control& c) const {
      return "tell " + letter_of(c.source) + ">" + letter_of(c.destination) + " " +
             describe(*decode_unicast_control(c.body));
    }
    std::string operator()(const unicast_persist& p) const {
      return "persist " + std::to_string(p.token) + " (" + std::to_string(p.writes.size()) + " records)";
    }
    std::string operator()(const unicast_deliver& d) const { return "deliver " + position(d.message); }
    std::string operator()(const unicast_confirmed& c) const { return "confirmed " + std::to_string(c.id % 1000); }
    std::string operator()(const unicast_failed& f) const {
      return "failed " + std::to_string(f.id % 1000) + " " + std::string{to_string(f.why.code)};
    }
    std::string operator()(const unicast_dropped& d) const {
      return "dropped " + letter_of(d.message.source) + ">" + letter_of(d.message.destination) + "#" +
             std::to_string(d.message.seq) + " " + std::string{to_string(d.why.code)};
    }
    static std::string position(const envelope& m) {
      return letter_of(m.source) + ">" + letter_of(m.destination) + "#" + std::to_string(m.stream->seq);
    }
  } describer;
  return std::visit(describer, effect);
}

inline std::vector<std::string> describe(const unicast_effects& effects) {
  std::vector<std::string> lines;
  for (const auto& e : effects) lines.push_back(describe(e));
  return lines;
}

using lines = std::vector<std::string>;

/// A node: the machine, its disk, and all effects since they were last taken.
struct script_node {
  explicit script_node(const reliable_config& config = {}) : config(config), random(7), machine(random, config) {}

  /// What happened since the last call.
  unicast_effects take() { return std::exchange(out, {}); }
  lines told() { return describe(take()); }

  template <class T>
  std::vector<T> take_all() {
    std::vector<T> found;
    for (auto& e : take())
      if (auto* x = std::get_if<T>(&e)) found.push_back(std::move(*x));
    return found;
  }

  expected<unit> send(char from, char to, message_id id, time_ms now, std::uint32_t ttl = 30'000,
                      std::string_view body = "x") {
    envelope m;
    m.source = engine(from);
    m.destination = engine(to);
    m.id = script_start * 1000 + id;
    m.protocol = {"test", 1, 0};
    m.sent_ms = now;
    m.ttl_ms = ttl;
    m.body = shared_bytes::copy_of(as_byte_view(body));
    return machine.send(std::move(m), now, out);
  }

  /// Sends, and gives what was transmitted. For messages that are sent at once.
  envelope sent(char from, char to, message_id id, time_ms now, std::uint32_t ttl = 30'000) {
    REQUIRE(send(from, to, id, now, ttl));
    auto all = take_all<unicast_transmit>();
    REQUIRE(!all.empty());
    return *all.back().message;
  }

  errc receive(const envelope& m, time_ms now) { return machine.receive(m, now, out).code(); }

  void control(char from, char to, const unicast_control& body, time_ms now) {
    REQUIRE(machine.receive_control(engine(from), engine(to), encode(body), now, out));
  }

  /// Takes a control effect of another node.
  void hear(const unicast_transmit_control& c, time_ms now) {
    REQUIRE(machine.receive_control(c.source, c.destination, c.body, now, out));
  }

  void handled(const envelope& m, time_ms now, errc result = errc::none) {
    machine.handled({m.source, m.destination, m.stream->epoch, m.stream->seq}, result, now, out);
  }

  void flush(time_ms now) { machine.flush(now, out); }
  void tick(time_ms now) { machine.tick(now, out); }

  /// Makes every commit so far durable, without reporting it.
  std::uint64_t write() {
    std::uint64_t last = 0;
    for (const auto& e : out) {
      const auto* p = std::get_if<unicast_persist>(&e);
      if (!p) continue;
      last = p->token;
      for (const auto& w : p->writes) {
        if (w.value)
          disk[w.key] = *w.value;
        else
          disk.erase(w.key);
      }
    }
    return last;
  }

  /// Flushes, makes durable and reports: what was released is delivered.
  void commit(time_ms now) {
    flush(now);
    if (const auto token = write()) machine.persisted(token, now, out);
  }

  /// Receives, commits, and gives what was delivered.
  std::vector<envelope> deliver(const envelope& m, time_ms now) {
    (void)receive(m, now);
    commit(now);
    std::vector<envelope> all;
    for (auto& d : take_all<unicast_deliver>()) all.push_back(std::move(d.message));
    return all;
  }

  /// kill -9: a new life with what is durable.
  void crash() {
    out.clear();
    machine = reliable_unicast{random, config};
    for (const auto& [key, value] : disk) REQUIRE(machine.restore(key, value));
  }

  reliable_config config;
  seeded_random random;
  reliable_unicast machine;
  std::map<bytes, bytes> disk;
  unicast_effects out;
};

/// Carries everything between nodes until nothing is left to carry; engines handle at once. Engine letters map to
/// nodes.
inline void settle(std::map<char, script_node*> homes, time_ms now) {
  for (bool busy = true; busy;) {
    busy = false;
    std::vector<script_node*> nodes;
    for (const auto& [letter, n] : homes)
      if (std::find(nodes.begin(), nodes.end(), n) == nodes.end()) nodes.push_back(n);
    for (auto* n : nodes) {
      n->commit(now);
      for (auto& e : n->take()) {
        busy = true;
        if (const auto* t = std::get_if<unicast_transmit>(&e))
          (void)homes.at(letter_of(t->message->destination)[0])->receive(*t->message, now);
        else if (const auto* c = std::get_if<unicast_transmit_control>(&e))
          homes.at(letter_of(c->destination)[0])->hear(*c, now);
        else if (const auto* d = std::get_if<unicast_deliver>(&e))
          n->handled(d->message, now);
      }
    }
  }
}

} // namespace hanse::test
