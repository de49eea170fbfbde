// A dissemination protocol written from scratch, a plain flood, and what it costs beside "plumtree/1" on the same
// seeds. Not part of Hanse: an example of the interface hanse/protocols/dissemination.hpp. docs/topics.md walks through
// it.
#include "hanse/protocols/dissemination.hpp"
#include "hanse/sim/test_kit.hpp"

#include <cstdio>
#include <set>

using namespace hanse;
using namespace hanse::sim;

// [flood]
/// Sends what is new to `fanout` members, always the same ones: the next in the circle, and far jumps across it.
struct flood final : dissemination {
  flood(const dissemination_context& c, std::size_t fanout) : context(c), fanout(fanout) {}

  void members_changed(const std::vector<identity>& members, time_ms, dissemination_effects&) override {
    peers.clear();
    const auto after = std::upper_bound(members.begin(), members.end(), context.self) - members.begin();
    for (std::size_t i = 0, jump = 1; i < fanout && jump <= members.size(); ++i, jump *= 3)
      peers.insert(members[(after + jump - 1) % members.size()]);
  }
  void broadcast(const shared_bytes& payload, time_ms, dissemination_effects& out) override { send(payload, out); }
  expected<unit> receive(const identity& from, byte_view body, time_ms now, dissemination_effects& out) override {
    msgpack_reader in{body};
    in.array_exactly(3);
    if (in.unsigned_integer() != 0) in.fail(errc::bad_type);    // kind
    if (in.unsigned_integer() != 1) in.fail(errc::bad_version); // format version
    const auto payload = shared_bytes::copy_of(in.blob(dissemination_message_max));
    HANSE_CHECK(in.finish());
    ++counts.payloads_received;
    if (context.sink.offer(from, payload, now) != payload_verdict::fresh) return ok(); // known, or not to be trusted
    ++counts.fresh;
    send(payload, out);
    return ok();
  }
  void flush(time_ms, dissemination_effects&) override {} // nothing is collected
  std::vector<identity> neighbours() const override { return {peers.begin(), peers.end()}; }
  dissemination_stats stats() const override { return counts; }

  void send(const shared_bytes& payload, dissemination_effects& out) {
    for (const auto& to : peers) {
      msgpack_writer message;
      message.array(3);
      message.unsigned_integer(0);
      message.unsigned_integer(1);
      message.blob(payload.view());
      out.emplace_back(peer_message{to, std::move(message).take()});
    }
  }

  dissemination_context context;
  std::size_t fanout;
  std::set<identity> peers;
  dissemination_stats counts;
};

/// With it, a domain may name "flood/1" and its parameter.
dissemination_registry with_flood() {
  auto registry = dissemination_registry::builtin();
  registry.add("flood/1", [](const dissemination_context& context, const dissemination_params& params) {
    std::uint64_t fanout = 4;
    param_reader in{params};
    in.number("fanout", 1, 16, fanout);
    using result = expected<std::unique_ptr<dissemination>>;
    if (auto read = in.finish(); !read) return result{read.error()};
    return result{std::make_unique<flood>(context, fanout)};
  });
  return registry;
}
// [flood]

identity id_of(std::uint32_t node) { // sorts as the number does
  std::array<std::byte, 32> octets{};
  for (int i = 0; i < 4; ++i) octets[i] = static_cast<std::byte>(node >> (24 - 8 * i));
  return identity::trusted(identity_kind::individual, octets);
}

/// A node of the comparison: any protocol, with payloads that need no order and no signature.
struct node final : test_machine, payload_sink {
  explicit node(std::string protocol) : protocol(std::move(protocol)) {}

  payload_verdict offer(const identity&, const shared_bytes& payload, time_ms now) override {
    if (!known.insert(to_bytes(payload.view())).second) return payload_verdict::duplicate;
    last_ms = now;
    return payload_verdict::fresh;
  }
  void start(port& p) override {
    spread = *with_flood().make(protocol, {id_of(p.self()), *this, p.random()});
    std::vector<identity> members;
    for (std::uint32_t i = 0; i < p.nodes(); ++i)
      if (i != p.self()) members.push_back(id_of(i));
    spread->members_changed(members, p.now(), effects);
    perform(p);
    p.after(1, 0);
  }
  void received(port& p, std::uint32_t from, byte_view octets) override {
    if (!spread->receive(id_of(from), octets, p.now(), effects)) std::abort();
    perform(p);
  }
  void timer(port& p, std::uint64_t) override {
    if (const auto due = spread->next_timer(); due && *due <= p.now()) spread->tick(p.now(), effects);
    perform(p);
    p.after(10, 0);
  }
  void publish(port& p, std::uint32_t number) {
    bytes payload(200); // an event, about
    for (int i = 0; i < 4; ++i) payload[i] = static_cast<std::byte>(number >> (8 * i));
    known.insert(payload);
    spread->broadcast(shared_bytes{payload}, p.now(), effects);
    perform(p);
  }
  void perform(port& p) {
    spread->flush(p.now(), effects);
    for (auto& effect : effects)
      if (auto* m = std::get_if<peer_message>(&effect)) {
        const auto to = m->to.octets();
        std::uint32_t n = 0;
        for (int i = 0; i < 4; ++i) n = n << 8 | std::to_integer<std::uint32_t>(to[i]);
        p.count("octets", m->body.size());
        p.send(n, std::move(m->body));
      }
    effects.clear();
  }

  std::string protocol;
  std::unique_ptr<dissemination> spread;
  dissemination_effects effects;
  std::set<bytes> known;
  time_ms last_ms = 0;
};

struct outcome {
  double reached, copies, octets, ms;
};

outcome run(const std::string& protocol, std::uint64_t seed) {
  constexpr std::uint32_t nodes = 100, warm = 20, measured = 20;
  sim_path path{5, 50};
  path.loss_permille = 10;
  test_network net{seed, nodes, path, [&](std::uint32_t) { return std::make_unique<node>(protocol); }};
  const auto sum = [&](auto of) {
    double s = 0;
    for (std::uint32_t i = 0; i < nodes; ++i) s += of(*net.machine<node>(i));
    return s;
  };
  const auto received = [](node& n) { return static_cast<double>(n.spread->stats().payloads_received); };
  const auto known = [](node& n) { return static_cast<double>(n.known.size()); };
  double took = 0;
  const auto publish = [&](std::uint32_t i) {
    port p{net, i * 7 % nodes};
    net.machine<node>(i * 7 % nodes)->publish(p, i + 1);
  };
  for (std::uint32_t i = 0; i < warm; ++i) net.at(10'000 + 500 * i, [&, i] { publish(i); });
  net.run(25'000);
  const auto received_before = sum(received), known_before = sum(known);
  const auto octets_before = net.counts().at("octets");
  for (std::uint32_t i = 0; i < measured; ++i) {
    publish(warm + i);
    const auto from = net.now();
    net.run(from + 2000);
    time_ms last = from;
    for (std::uint32_t n = 0; n < nodes; ++n) last = std::max(last, net.machine<node>(n)->last_ms);
    took += static_cast<double>(last - from) / measured;
  }
  const double needed = (nodes - 1.0) * measured;
  return {(sum(known) - known_before - measured) / needed * 100, (sum(received) - received_before) / needed,
          static_cast<double>(net.counts().at("octets") - octets_before) / needed, took};
}

int main() {
  std::printf("            flood/1                                  plumtree/1\n");
  std::printf("seed   reached  copies  octets  last ms      reached  copies  octets  last ms\n");
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const auto f = run("flood/1", seed), t = run("plumtree/1", seed);
    std::printf("%4d   %6.2f%%  %6.2f  %6.0f  %7.0f      %6.2f%%  %6.2f  %6.0f  %7.0f\n", static_cast<int>(seed),
                f.reached, f.copies, f.octets, f.ms, t.reached, t.copies, t.octets, t.ms);
    if (t.reached < 99.9 || t.copies > f.copies) return EXIT_FAILURE;
  }
}
