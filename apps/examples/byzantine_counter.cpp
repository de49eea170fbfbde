// A counter that all honest members agree on, although a member lies: it signs one number for some and another one for
// others, in the same place of its chain. The two signatures prove it to anybody. Who is proven counts for nothing,
// from its first event on: honest members had counted different parts of what it said, so that only nothing is the
// same. Tolerated: any number of such liars, as a proof needs no majority; lost messages; a partition. Not promised:
// when. Until the proof has reached a member it may show another value: this is no consensus. And who adds a wrong
// number to all alike is no liar to anybody; what one event may add is bounded, and that is all.
#include "hanse/protocols/causal_multicast.hpp"
#include "hanse/sim/test_kit.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

using namespace hanse;
using namespace hanse::sim;

constexpr std::uint32_t nodes = 5, liar = 4;
constexpr std::uint64_t add_max = 100; ///< by one event
using group = std::vector<std::uint32_t>;

key_pair key_of(std::uint32_t node) {
  seeded_random random{100 + node};
  return key_pair::generate(random);
}

const std::vector<key_pair> keys{key_of(0), key_of(1), key_of(2), key_of(3), key_of(4), key_of(5)}; // 5: the topic's

std::uint32_t node_of(const identity& id) {
  return std::ranges::find(keys, id, &key_pair::identity) - keys.begin();
}

// [counter]
struct counter {
  std::map<identity, std::uint64_t> added;
  std::map<identity, fork_proof> proven;

  void take(const multicast_deliver& d) {
    msgpack_reader in{d.event.body.view()};
    const auto n = in.unsigned_integer();
    if (in.finish() && n <= add_max) added[d.event.chain.publisher] += n; // else all honest members ignore it alike
  }
  void take(const multicast_forked& f) { proven.emplace(f.publisher, f.proof); }
  std::uint64_t value() const {
    std::uint64_t sum = 0;
    for (const auto& [who, n] : added)
      if (!proven.contains(who)) sum += n;
    return sum;
  }
};
// [counter]

// [member]
/// The multicast of production with a plain way through the network: what is new goes to all peers.
struct face {
  face(port& p, group peers)
      : multicast(keys[5].identity(), keys[p.self()].identity(), verifier, p.random()), peers(peers) {
    std::vector<identity> ids;
    for (auto peer : peers) ids.push_back(keys[peer].identity());
    std::ranges::sort(ids);
    multicast.peers_changed(ids, ids, p.now());
    auto signer = std::make_shared<key_event_signer>(keys[p.self()], p.random());
    if (!multicast.add_publisher(std::move(signer), 1)) std::abort();
    multicast.start(0, p.now());
  }
  key_event_verifier verifier;
  causal_multicast multicast;
  group peers;
};

struct member final : test_machine {
  void start(port& p) override {
    if (p.self() == liar) // runs two honest machines with one key, each for other members
      for (const auto& half : {group{0, 1}, group{2, 3}}) faces.push_back(std::make_unique<face>(p, half));
    else {
      group others;
      for (std::uint32_t n = 0; n < nodes; ++n)
        if (n != p.self()) others.push_back(n);
      faces.push_back(std::make_unique<face>(p, others));
    }
    p.after(10, 0);
  }
  void add(port& p, face& f, std::uint64_t n) {
    msgpack_writer body;
    body.unsigned_integer(n);
    // Refused (permission_denied) at a liar who knows that it is proven.
    (void)f.multicast.publish(keys[p.self()].identity(), shared_bytes{std::move(body).take()}, event_mode::causal,
                              p.now());
    f.multicast.flush(p.now(), out);
    perform(p, f);
  }
  void received(port& p, std::uint32_t from, byte_view octets) override {
    for (auto& f : faces) {
      if (std::ranges::find(f->peers, from) == f->peers.end()) continue;
      const auto sender = keys[from].identity();
      if (octets[0] == std::byte{1}) {
        (void)f->multicast.receive(sender, octets.subspan(1), p.now(), out); // what is refused changes nothing
      } else {
        const auto parcel = shared_bytes::copy_of(octets.subspan(1));
        if (f->multicast.offer(sender, parcel, p.now(), out) == payload_verdict::fresh)
          out.emplace_back(multicast_broadcast{parcel});
      }
      perform(p, *f);
    }
  }
  void timer(port& p, std::uint64_t) override {
    for (auto& f : faces) {
      f->multicast.tick(p.now(), out);
      perform(p, *f);
    }
    p.after(10, 0);
  }
  void perform(port& p, face& f) {
    for (auto& effect : std::exchange(out, {})) {
      if (auto* deliver = std::get_if<multicast_deliver>(&effect))
        count.take(*deliver);
      else if (auto* forked = std::get_if<multicast_forked>(&effect))
        count.take(*forked);
      else if (auto* m = std::get_if<peer_message>(&effect))
        send(p, node_of(m->to), std::byte{1}, m->body);
      else if (auto* b = std::get_if<multicast_broadcast>(&effect))
        for (const auto peer : f.peers) send(p, peer, std::byte{0}, b->parcel.view());
    }
  }
  static void send(port& p, std::uint32_t to, std::byte channel, byte_view body) {
    bytes octets{channel};
    append(octets, body);
    p.send(to, std::move(octets));
  }

  std::vector<std::unique_ptr<face>> faces;
  counter count;
  multicast_effects out;
};
// [member]

// [run]
/// Prints what members 0 to 3 count while they are apart and at the end; false if they do not agree.
bool run(std::uint64_t seed) {
  sim_path lossy{5, 80};
  lossy.loss_permille = 200;
  test_network net{seed, nodes, lossy, [](std::uint32_t) { return std::make_unique<member>(); }};
  const auto add = [&net](std::uint32_t node, std::size_t face, std::uint64_t n) {
    port p{net, node};
    auto* m = net.machine<member>(node);
    m->add(p, *m->faces[face], n);
  };
  // The liar talks to both sides all the time.
  net.at(2500, [&net] { net.network().partition({"n0", "n1"}, {"n2", "n3"}, false, net.now()); });
  net.at(6000, [&net] { net.network().heal(net.now()); });
  net.at(3000, [&] { add(liar, 0, 10), add(liar, 1, 90); });
  for (std::uint32_t n = 0; n < liar; ++n) net.at(3500, [&, n] { add(n, 0, n + 1); });
  net.at(9000, [&] { add(liar, 0, 50), add(liar, 1, 50); });
  const auto show = [&net](const char* when) {
    std::printf("  %s", when);
    for (std::uint32_t n = 0; n < liar; ++n)
      std::printf(" %3llu", static_cast<unsigned long long>(net.machine<member>(n)->count.value()));
  };
  std::printf("seed %llu", static_cast<unsigned long long>(seed));
  net.run(5900);
  show("apart:");
  net.run(20'000);
  show("together:");
  key_event_verifier anybody;
  for (std::uint32_t n = 0; n < liar; ++n) {
    const auto& count = net.machine<member>(n)->count;
    const auto proof = count.proven.find(keys[liar].identity());
    if (count.value() != 1 + 2 + 3 + 4 || count.proven.size() != 1 || proof == count.proven.end()) return false;
    if (!decode_fork_proof(encode(proof->second), anybody)) return false; // what convinces a member convinces all
  }
  std::printf("  all hold the proof against %u\n", liar);
  return true;
}
// [run]

int main() {
  for (std::uint64_t seed = 1; seed <= 5; ++seed)
    if (!run(seed)) return EXIT_FAILURE;
}
