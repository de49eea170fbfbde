// Random histories of honest members, replayed in other orders: one state, equal to the naive evaluator's, equal after
// a restart; nobody is excluded. The seed is printed; HANSE_TEST_SEED replays it.
#include "domains/naive_map.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

constexpr std::uint64_t people = 7; // the keys 1..people; 1 and 2 are introducers

permissions open_permissions() {
  permissions p;
  p.level_max[static_cast<std::size_t>(domain_action::admit)] = 100;
  p.level_max[static_cast<std::size_t>(domain_action::expel)] = 100;
  return p;
}

map_op random_op(random_source& r, std::uint64_t& version) {
  const auto who = id(1 + r.below(people));
  std::string k{"k"};
  k += std::to_string(r.below(3));
  switch (r.below(12)) {
  case 0:
    return revoke_op(who, 1);
  case 1:
    return remove_op(who, 1);
  case 2:
    return remove_op(k, 1);
  case 3:
    if (r.below(4) == 0)
      return configure_op(fake_advert(++version, {id(1), id(1 + r.below(3))}, open_permissions()), 1);
    [[fallthrough]];
  case 4:
  case 5:
  case 6:
  case 7:
    return add_op(who, static_cast<member_level>(2 + r.below(12)), to_bytes(std::to_string(r.below(100))), 1);
  default:
    return put_op(k, to_bytes(std::to_string(r.below(1000))), 1);
  }
}

/// All blocks of a random history, preds first.
std::vector<shared_bytes> random_history(std::uint64_t seed, std::size_t steps, std::size_t mix) {
  seeded_random r{seed};
  std::uint64_t version = 1;
  std::vector<std::unique_ptr<hand_node>> nodes;
  for (std::uint64_t n = 1; n <= people; ++n) nodes.push_back(std::make_unique<hand_node>(n));
  const auto first = configure_op(fake_advert(1, {id(1), id(2)}, open_permissions()), 1);
  REQUIRE(nodes[0]->write(first));
  if (seed % 2 == 0) REQUIRE(nodes[1]->write(first)); // two instances
  for (std::size_t i = 0; i < steps; ++i) {
    auto& n = *nodes[r.below(nodes.size())];
    (void)n.write(random_op(r, version)); // many are refused
    if (r.below(100) >= mix) continue;
    auto& from = *nodes[r.below(nodes.size())];
    auto& to = *nodes[r.below(nodes.size())];
    if (&from != &to) from.give_to(to);
  }
  for (std::size_t i = 1; i < nodes.size(); ++i) nodes[i]->give_to(*nodes[0]);
  for (const auto& n : nodes) CHECK(n->lattice.lace().byzantine().empty());
  return nodes[0]->blocks();
}

/// An observer that is no member, given the blocks at `order`.
struct observer : hand_node {
  observer() : hand_node(999) {}
  void see(const std::vector<shared_bytes>& blocks, const std::vector<std::size_t>& order) {
    for (const auto i : order) take(id(), blocks[i].view());
  }
};

template <class T>
void shuffle(std::vector<T>& v, random_source& r) {
  for (std::size_t i = v.size(); i > 1; --i) std::swap(v[i - 1], v[r.below(i)]);
}

std::vector<std::vector<std::size_t>> preds_of(const std::vector<shared_bytes>& blocks) {
  std::map<block_id, std::size_t> index;
  std::vector<std::vector<std::size_t>> out;
  for (const auto& w : blocks) {
    const auto b = *decode_block(w);
    auto& preds = out.emplace_back();
    if (b.header.self_prev) preds.push_back(index.at(*b.header.self_prev));
    for (const auto& p : b.header.preds) preds.push_back(index.at(p));
    index.emplace(b.id, index.size());
  }
  return out;
}

/// Every topological order of a small history.
template <class F>
void every_order(const std::vector<std::vector<std::size_t>>& preds, std::vector<std::size_t>& order, F&& use) {
  if (order.size() == preds.size()) return use(order);
  for (std::size_t i = 0; i < preds.size(); ++i) {
    const auto placed = [&](std::size_t p) { return std::ranges::find(order, p) != order.end(); };
    if (placed(i) || !std::ranges::all_of(preds[i], placed)) continue;
    order.push_back(i);
    every_order(preds, order, use);
    order.pop_back();
  }
}

} // namespace

TEST_CASE("lattice: shuffled blocks with duplicates give one state, which the naive evaluator gives too") {
  const auto base = fresh_seed();
  std::size_t voided = 0;
  for (std::uint64_t round = 0; round < 60; ++round) {
    const auto seed = base + round;
    CAPTURE(seed);
    const auto blocks = random_history(seed, 70, 15 + round);
    const naive_map naive{blocks};
    const auto expected = naive.of_all();
    observer first;
    std::vector<std::size_t> order(blocks.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    first.see(blocks, order);
    REQUIRE(shown(first.lattice.map()) == expected);
    for (const auto& b : blocks) CHECK(naive.is_valid(decode_block(b)->id));
    seeded_random r{seed};
    for (int again = 0; again < 3; ++again) {
      for (std::size_t i = 0; i < 10; ++i) order.push_back(r.below(blocks.size())); // duplicates
      shuffle(order, r);
      observer other;
      other.see(blocks, order);
      REQUIRE(other.lattice.map().state_hash() == first.lattice.map().state_hash());
      REQUIRE(other.lattice.root() == first.lattice.root());
    }
    voided += first.lattice.map().potent_revokes();
  }
  CHECK(voided > 0); // the histories do reach the rule that is hardest to keep
}

TEST_CASE("lattice: every topological order of small histories gives one state") {
  const auto base = fresh_seed();
  std::size_t orders = 0;
  for (std::uint64_t round = 0; round < 12; ++round) {
    const auto seed = base + round;
    CAPTURE(seed);
    auto blocks = random_history(seed, 12, 40);
    if (blocks.size() > 8) blocks.resize(8);
    const auto expected = naive_map{blocks}.of_all();
    std::size_t count = 0;
    std::vector<std::size_t> order;
    every_order(preds_of(blocks), order, [&](const auto& o) {
      if (++count > 300) return; // then sampled by the other test
      observer n;
      n.see(blocks, o);
      REQUIRE(shown(n.lattice.map()) == expected);
    });
    orders += count;
  }
  CHECK(orders > 12);
}

TEST_CASE("lattice: a restart equals the life before, byte for byte of state and of acceptance") {
  const auto seed = fresh_seed();
  CAPTURE(seed);
  hand_node live{999};
  for (const auto& b : random_history(seed, 80, 30)) live.take(id(1), b.view());
  seeded_random random{1};
  domain_lattice again{domain_id(), key(999), judge_fake, random};
  for (const auto& [k, v] : live.disk) REQUIRE(again.restore(k, v));
  lattice_effects out;
  again.start(0, out);
  CHECK(again.map().state_hash() == live.lattice.map().state_hash());
  CHECK(again.root() == live.lattice.root());
  REQUIRE(again.lace().accepted().size() == live.lattice.lace().accepted().size());
  for (std::size_t i = 0; i < again.lace().accepted().size(); ++i)
    CHECK(again.lace().graph()[again.lace().accepted()[i]].id ==
          live.lattice.lace().graph()[live.lattice.lace().accepted()[i]].id);
}
