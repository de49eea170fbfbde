// Benchmarks of the domain lattice: signed and unsigned operations, merging, exchange, memory. By Google Benchmark.
// "Unsigned" measures the map and the graph alone: blocks come back from the own database, whose signatures are not
// checked again.
#include "hanse/domains/domain_lattice.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>

namespace {

using namespace hanse;

key_pair key(std::uint64_t n) {
  seeded_random random{n};
  return key_pair::generate(random);
}

const identity& domain() {
  static const identity id = key(1'000'000).identity();
  return id;
}

/// A stand-in for a signed advert: the introducers' identities.
std::optional<domain_terms> judge(byte_view octets) {
  domain_terms t;
  t.version = 1;
  for (std::size_t i = 0; i + 33 <= octets.size(); i += 33)
    if (const auto id = identity::decode(octets.subspan(i, 33))) t.introducers.push_back(*id);
  return t;
}

/// A node whose writes are durable at once.
struct node {
  explicit node(std::uint64_t n) : random(n), lattice(domain(), key(n), judge, random) {
    lattice.start(0, out);
    lattice.assume_current(0, out);
  }
  void settle() {
    for (std::size_t i = 0; i < out.size(); ++i)
      if (const auto* p = std::get_if<lace_persist>(&out[i])) {
        for (const auto& w : p->writes) disk.push_back(w);
        lattice.persisted(std::uint64_t{p->token}, 0, out);
      }
    out.clear();
  }
  void write(const map_op& op) {
    if (!lattice.write(op, 0, out)) std::abort();
    settle();
  }
  std::vector<shared_bytes> blocks() const {
    std::vector<shared_bytes> all;
    for (const auto b : lattice.lace().accepted()) all.push_back(lattice.lace().graph()[b].wire);
    return all;
  }
  seeded_random random;
  lattice_effects out;
  std::vector<key_value_write> disk;
  domain_lattice lattice;
};

bytes advert(std::initializer_list<std::uint64_t> introducers) {
  bytes out;
  for (const auto n : introducers) append(out, key(n).identity().wire());
  return out;
}

/// `count` operations: one Configure, then Puts over a thousand keys and an Add for each tenth.
void fill(node& n, std::size_t count, std::uint64_t first_member, std::string_view prefix) {
  for (std::size_t i = 1; i < count; ++i) {
    if (i % 10 == 0) {
      n.write(add_op(key(first_member + i).identity(), 10, {}, i));
    } else {
      std::string k{prefix};
      k += std::to_string(i % 1000);
      n.write(put_op(std::move(k), to_bytes("a value"), i));
    }
  }
}

const node& filled(std::uint64_t who) {
  static std::map<std::uint64_t, std::unique_ptr<node>> nodes;
  auto& n = nodes[who];
  if (!n) {
    n = std::make_unique<node>(who);
    n->write(configure_op(advert({1, 2}), 0));
    fill(*n, 10'000, who * 100'000, who == 1 ? "a" : "b");
  }
  return *n;
}

void signed_ops(benchmark::State& state) {
  const auto blocks = filled(1).blocks();
  const auto count = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    key_pair own = key(9);
    seeded_random random{9};
    membership_map map{domain(), judge};
    blocklace lace{domain(), own, map};
    lace_effects out;
    lace.start(true, out);
    map_effects changes;
    for (std::size_t i = 0; i < count; ++i) {
      out.clear();
      lace.accept(own.identity(), {&blocks[i], 1}, out);
      for (const auto& e : out)
        if (const auto* a = std::get_if<lace_acknowledged>(&e)) map.apply(lace.graph(), a->blocks, changes);
      changes.clear();
    }
    if (lace.accepted().size() != count) std::abort();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(signed_ops)->Arg(2000)->Unit(benchmark::kMillisecond);

void unsigned_map_ops(benchmark::State& state) {
  const auto& disk = filled(1).disk;
  for (auto _ : state) {
    seeded_random random{9};
    domain_lattice lattice{domain(), key(9), judge, random};
    lattice_effects out;
    for (const auto& w : disk)
      if (!lattice.restore(w.key, *w.value)) std::abort();
    lattice.start(0, out);
    if (lattice.lace().accepted().size() != 10'000) std::abort();
    benchmark::DoNotOptimize(lattice.map().state_hash());
  }
  state.SetItemsProcessed(state.iterations() * 10'000);
}
BENCHMARK(unsigned_map_ops)->Unit(benchmark::kMillisecond);

/// A lattice of 10,000 operations takes another of 10,000 that began apart; only the second is measured.
void merge_unsigned(benchmark::State& state) {
  const auto left = filled(1).blocks();
  const auto right = filled(2).blocks();
  for (auto _ : state) {
    state.PauseTiming();
    membership_map map{domain(), judge};
    lace_graph graph{domain(), map};
    const auto place = [&](const std::vector<shared_bytes>& wires) {
      std::vector<block_index> placed;
      for (const auto& w : wires) {
        placed.push_back(graph.place(*decode_block(w)));
        graph.at(placed.back()).accepted = graph.at(placed.back()).acknowledged = true;
      }
      map_effects changes;
      map.apply(graph, placed, changes);
    };
    place(left);
    state.ResumeTiming();
    place(right);
    benchmark::DoNotOptimize(map.member_count());
  }
  state.SetItemsProcessed(state.iterations() * 10'000);
}
BENCHMARK(merge_unsigned)->Unit(benchmark::kMillisecond);

/// Octets that the graph and the map hold per operation, and per member when all are members.
void memory(benchmark::State& state) {
  const auto& n = filled(1);
  for (auto _ : state) benchmark::DoNotOptimize(n.lattice.lace().graph().memory());
  const auto octets = static_cast<double>(n.lattice.lace().graph().memory() + n.lattice.map().memory());
  state.counters["octets/op"] = octets / 10'000;
  node members{1};
  members.write(configure_op(advert({1}), 0));
  for (std::uint64_t i = 0; i < 2000; ++i) members.write(add_op(key(5000 + i).identity(), 10, {}, i));
  state.counters["octets/member"] =
      static_cast<double>(members.lattice.lace().graph().memory() + members.lattice.map().memory()) / 2000;
}
BENCHMARK(memory)->Iterations(1);

/// Octets on the wire, both ways, that bring a node level that lacks the last `d` of 1,000 members' blocks.
void sync_octets(benchmark::State& state) {
  const auto d = static_cast<std::size_t>(state.range(0));
  node a{1};
  a.write(configure_op(advert({1}), 0));
  std::vector<key_pair> keys;
  for (std::uint64_t i = 0; i < 1000; ++i) keys.push_back(key(5000 + i));
  for (const auto& k : keys) a.write(add_op(k.identity(), 10, {}, 0));
  const auto tip = a.lattice.lace().graph()[a.lattice.lace().accepted().back()].id;
  std::vector<shared_bytes> news;
  for (const auto& k : keys) {
    block_header h;
    h.domain = domain();
    h.seq = 1;
    h.preds = {tip};
    news.push_back(make_block(k, std::move(h), encode(put_op("x", to_bytes("y"), 0))).wire);
  }
  std::size_t octets = 0;
  for (auto _ : state) {
    state.PauseTiming();
    node x{11}, y{12};
    const std::array<node*, 2> both{&x, &y};
    const std::array<identity, 2> names{key(11).identity(), key(12).identity()};
    const auto give = [](node& n, const identity& from, std::span<const shared_bytes> blocks) {
      n.lattice.add_contact(from);
      msgpack_writer body;
      body.array(4);
      body.unsigned_integer(5);
      body.unsigned_integer(1);
      body.boolean(false);
      body.array(blocks.size());
      for (const auto& b : blocks) body.blob(b.view());
      if (!n.lattice.receive(from, body.view(), 0, n.out)) std::abort();
      n.settle();
    };
    const auto base = a.blocks();
    for (std::size_t i = 0; i < 2; ++i) {
      give(*both[i], names[1 - i], base);
      give(*both[i], names[1 - i], std::span{news}.first(i == 0 ? news.size() : news.size() - d));
    }
    octets = 0;
    state.ResumeTiming();
    std::vector<std::pair<std::size_t, bytes>> mail; // to
    y.lattice.peer_up(names[0], 1, y.out);
    for (bool first = true; first || !mail.empty(); first = false) {
      for (std::size_t i = 0; i < 2; ++i) {
        for (auto& e : both[i]->out)
          if (auto* m = std::get_if<peer_message>(&e)) octets += m->body.size(), mail.emplace_back(1 - i, m->body);
        both[i]->out.clear();
      }
      if (mail.empty()) break;
      auto [to, body] = std::move(mail.front());
      mail.erase(mail.begin());
      (void)both[to]->lattice.receive(names[1 - to], body, 1, both[to]->out);
    }
    if (x.lattice.root() != y.lattice.root()) std::abort();
  }
  state.counters["octets"] = static_cast<double>(octets);
}
BENCHMARK(sync_octets)->Arg(0)->Arg(1)->Arg(10)->Arg(100)->Arg(1000)->Iterations(1)->Unit(benchmark::kMillisecond);

/// A thousand nodes join: an introducer adds each, and each takes the whole lattice and confirms its tip.
void thousand_join(benchmark::State& state) {
  for (auto _ : state) {
    node founder{1};
    founder.write(configure_op(advert({1}), 0));
    std::size_t octets = 0;
    std::size_t members = 0;
    for (std::uint64_t i = 0; i < 1000; ++i) {
      const auto joiner = key(7000 + i);
      founder.write(add_op(joiner.identity(), 10, {}, i));
      if (i % 50 != 49) continue; // each fiftieth is carried out to its end: the lattice in its view
      seeded_random random{i};
      domain_lattice fresh{domain(), joiner, judge, random};
      lattice_effects out;
      fresh.add_contact(key(1).identity());
      fresh.start(0, out);
      out.clear();
      fresh.peer_up(key(1).identity(), 0, out);
      for (std::size_t at = 0; at < out.size(); ++at) {
        const auto* m = std::get_if<peer_message>(&out[at]);
        if (!m) continue;
        octets += m->body.size();
        (void)founder.lattice.receive(joiner.identity(), bytes{m->body}, i * 1000, founder.out);
        auto answers = std::exchange(founder.out, {});
        for (const auto& a : answers)
          if (const auto* back = std::get_if<peer_message>(&a); back && back->to == joiner.identity()) {
            octets += back->body.size();
            (void)fresh.receive(key(1).identity(), back->body, i * 1000, out);
          }
      }
      if (fresh.root() != founder.lattice.root()) std::abort();
      members = fresh.map().member_count();
    }
    state.counters["octets/join"] = static_cast<double>(octets) / 20;
    state.counters["members"] = static_cast<double>(members);
  }
}
BENCHMARK(thousand_join)->Iterations(1)->Unit(benchmark::kMillisecond);

} // namespace

BENCHMARK_MAIN();
