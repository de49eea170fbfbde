// The blocklace: octets of blocks, proofs, acceptance, the pool's bounds, durability, restored backups, long chains.
#include "domains/lattice_kit.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

/// Rules that allow everything to everybody: the blocklace by itself.
struct any_rules final : block_rules {
  block_verdict judge(const lace_graph&, block_index, byte_view payload, bool) override {
    return payload.size() == 3 ? block_verdict::invalid : block_verdict::valid; // three octets: misbehaviour
  }
  void forget(block_index) override {}
  bytes ack_payload() const override { return to_bytes("ack!"); }
};

struct plain_node {
  explicit plain_node(std::uint64_t n, const lace_config& c = {}) : lace(domain_id(), key(n), rules, c) {
    lace.start(true, out);
  }
  void take(const block& b, std::uint64_t from = 99) {
    const std::array<shared_bytes, 1> wire{b.wire};
    lace.accept(id(from), wire, out);
  }
  bool accepted(const block& b) const {
    const auto i = lace.graph().find(b.id);
    return i != no_block && lace.graph()[i].accepted;
  }
  template <class E>
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(out, [](const auto& e) { return std::holds_alternative<E>(e); }));
  }
  block own(std::string_view payload) {
    const auto written = lace.write(as_byte_view(payload), out);
    REQUIRE(written);
    return *decode_block(lace.graph()[lace.graph().find(*written)].wire);
  }
  any_rules rules;
  blocklace lace;
  lace_effects out;
};

block chain(const key_pair& k, const block* prev, std::vector<block_id> preds, std::string_view payload,
            const identity& domain = domain_id()) {
  block_header h;
  h.domain = domain;
  h.seq = prev ? prev->header.seq + 1 : 1;
  if (prev) h.self_prev = prev->id;
  std::ranges::sort(preds);
  h.preds = std::move(preds);
  return make_block(k, std::move(h), as_byte_view(payload));
}

} // namespace

TEST_CASE("blocklace: forged and truncated blocks are refused, whatever bit differs") {
  const auto genesis = chain(key(1), nullptr, {}, "genesis");
  const auto b = chain(key(1), &genesis, {chain(key(2), nullptr, {}, "x").id}, "payload");
  for_each_other_length(b.wire.view(), [&](byte_view bad) { CHECK_FALSE(decode_block(shared_bytes::copy_of(bad))); });
  std::size_t decoded = 0;
  for_each_bit_flip(b.wire.view(), [&](byte_view bad) {
    const auto other = decode_block(shared_bytes::copy_of(bad));
    if (!other) return;
    ++decoded;
    CHECK_FALSE(verify_signature(*other));
  });
  CHECK(decoded > 500); // signatures, creators, pointers: only the signature tells
  plain_node n{5};
  auto forged = to_bytes(b.wire.view());
  forged[forged.size() - 12] ^= std::byte{1}; // in the signature
  const std::array<shared_bytes, 1> wire{shared_bytes{forged}};
  n.lace.accept(id(9), wire, n.out);
  CHECK(n.count<lace_refused>() == 1);
  CHECK(n.lace.stats().pending == 0);
}

TEST_CASE("blocklace: a block of another domain is refused and is no evidence") {
  plain_node n{5};
  const auto here = chain(key(1), nullptr, {}, "here");
  const auto there = chain(key(1), nullptr, {}, "there", id(77));
  n.take(here);
  n.take(there);
  CHECK_FALSE(n.lace.has(there.id));
  CHECK(n.lace.byzantine().empty());
}

TEST_CASE("blocklace: shuffled blocks are accepted when their past is here, and their pointers are asked for") {
  plain_node n{5};
  const auto a = chain(key(1), nullptr, {}, "a");
  const auto b = chain(key(1), &a, {}, "b");
  const auto c = chain(key(2), nullptr, {b.id}, "c");
  n.take(c);
  REQUIRE(n.count<lace_missing>() == 1);
  CHECK(std::get<lace_missing>(n.out.front()).ids == std::vector{b.id});
  n.take(b);
  CHECK_FALSE(n.accepted(c));
  n.take(a);
  for (const auto* x : {&a, &b, &c}) CHECK(n.accepted(*x));
  CHECK(n.lace.stats().pending == 0);
  CHECK(n.lace.graph().in_past(n.lace.graph().find(a.id), n.lace.graph().find(c.id)));
}

TEST_CASE("blocklace: two blocks of one seq are proven by two headers, and the proof convinces anybody") {
  plain_node n{5};
  const auto a = chain(key(1), nullptr, {}, "a");
  const auto b1 = chain(key(1), &a, {}, "left");
  const auto b2 = chain(key(1), &a, {}, "right");
  n.take(a);
  n.take(b1);
  CHECK(n.lace.byzantine().empty());
  n.take(b2);
  REQUIRE(n.lace.byzantine() == std::vector{id(1)});
  const auto proof = n.lace.proof_against(id(1));
  REQUIRE(proof);
  const auto octets = encode(*proof);
  CHECK(*verify(*decode_equivocation_proof(octets), domain_id()) == id(1));
  CHECK_FALSE(verify(*proof, id(77)));
  for_each_other_length(octets, [](byte_view bad) { CHECK_FALSE(decode_equivocation_proof(bad)); });
  std::size_t i = 0;
  for_each_bit_flip(octets, [&](byte_view bad) {
    if (++i % 7 != 0) return; // each takes two signatures
    const auto p = decode_equivocation_proof(bad);
    CHECK_FALSE((p && verify(*p, domain_id())));
  });
  auto same = *proof;
  same.second = same.first;
  same.second_signature = same.first_signature;
  CHECK_FALSE(verify(same, domain_id()));
  // The acknowledgement has both in its past.
  CHECK(n.lace.stats().acks == 1);
  const auto own = n.lace.graph().find(decode_block(*n.lace.newest_of(id(5)))->id);
  for (const auto* x : {&b1, &b2}) CHECK(n.lace.graph().in_past(n.lace.graph().find(x->id), own));
}

TEST_CASE(
    "blocklace: once an equivocator is known, no more of its blocks are accepted, nor ignorant blocks of others") {
  plain_node n{5};
  const auto a1 = chain(key(1), nullptr, {}, "a1");
  const auto a2 = chain(key(1), nullptr, {}, "a2");
  n.take(a1);
  n.take(a2);
  auto tip = a1;
  for (int i = 0; i < 10; ++i) {
    tip = chain(key(1), &tip, {}, "more");
    n.take(tip);
    CHECK_FALSE(n.accepted(tip));
  }
  const auto ignorant = chain(key(2), nullptr, {a1.id}, "ignorant");
  n.take(ignorant);
  CHECK_FALSE(n.accepted(ignorant));
  // As soon as its creator has seen both, what it wrote before is accepted with the rest.
  const auto knows = chain(key(2), &ignorant, {a2.id}, "knows");
  n.take(knows);
  CHECK(n.accepted(knows));
  CHECK(n.accepted(ignorant));
  CHECK_FALSE(n.accepted(tip));
}

TEST_CASE("blocklace: who newly points at a block of somebody it knows as Byzantine is Byzantine itself") {
  plain_node n{5};
  const auto a1 = chain(key(1), nullptr, {}, "a1");
  const auto a2 = chain(key(1), nullptr, {}, "a2");
  const auto a3 = chain(key(1), &a1, {}, "a3");
  const auto knows = chain(key(2), nullptr, {a1.id, a2.id}, "knows");
  const auto colludes = chain(key(2), &knows, {a3.id}, "colludes");
  for (const auto* b : {&a1, &a2, &knows}) n.take(*b);
  CHECK_FALSE(n.lace.is_byzantine(id(2)));
  n.take(a3);
  n.take(colludes);
  CHECK(n.lace.is_byzantine(id(2)));
  CHECK_FALSE(n.lace.proof_against(id(2))); // the block itself is the proof
}

TEST_CASE("blocklace: blocks that are ill-formed or invalid in their own past prove their creator Byzantine") {
  const auto a = chain(key(1), nullptr, {}, "a");
  const auto b = chain(key(1), &a, {}, "b");
  block_header wrong_seq;
  wrong_seq.domain = domain_id();
  wrong_seq.seq = 7;
  wrong_seq.self_prev = a.id;
  const std::array<block, 4> bad{
      chain(key(2), nullptr, {a.id, b.id}, "covered pointer"),
      chain(key(2), nullptr, {b.id}, "bad"), // three octets: the rules refuse it
      make_block(key(2), wrong_seq, as_byte_view("foreign predecessor, wrong seq")),
      chain(key(2), &b, {}, "foreign predecessor"),
  };
  for (const auto& x : bad) {
    plain_node n{5};
    n.take(a);
    n.take(b);
    n.take(x);
    CHECK(n.lace.is_byzantine(id(2)));
    CHECK_FALSE(n.lace.is_byzantine(id(1)));
  }
}

TEST_CASE("blocklace: a flood of blocks with missing pointers is bounded, and harms only who sends it") {
  lace_config c;
  c.pending_max = 50;
  c.wants_max = 20;
  plain_node n{5, c};
  const auto a = chain(key(2), nullptr, {}, "a");
  const auto b = chain(key(2), &a, {}, "b");
  n.take(b, 20); // an honest peer's block waits
  std::size_t wanted = 0;
  for (int i = 0; i < 400; ++i) {
    const auto ghost = blake2b_256(as_byte_view(std::to_string(i)));
    n.take(chain(key(1), nullptr, {ghost}, std::to_string(i)), 66);
    CHECK(n.lace.stats().pending <= 50);
  }
  for (const auto& e : n.out)
    if (const auto* m = std::get_if<lace_missing>(&e)) {
      wanted += m->ids.size();
      CHECK(m->ids.size() <= 20);
    }
  CHECK(wanted <= 401);
  CHECK(n.lace.stats().evicted >= 350);
  n.take(a, 20);
  CHECK(n.accepted(b));
}

TEST_CASE("blocklace: an evicted block is taken again, and what waited for it then") {
  lace_config c;
  c.pending_max = 2;
  plain_node n{5, c};
  const auto e1 = chain(key(1), nullptr, {}, "e1");
  const auto e2 = chain(key(1), nullptr, {}, "e2");
  n.take(e1);
  n.take(e2);
  std::vector<block> blocks{chain(key(2), nullptr, {}, "0")};
  for (int i = 1; i < 5; ++i) blocks.push_back(chain(key(2), &blocks.back(), {}, "ignorant"));
  blocks.push_back(chain(key(2), &blocks.back(), {e1.id, e2.id}, "knows"));
  for (int round = 0; round < 2; ++round)
    for (const auto& b : blocks) n.take(b);
  CHECK(n.lace.stats().pending <= 2);
  const std::vector<shared_bytes> all = [&] {
    std::vector<shared_bytes> w;
    for (const auto& b : blocks) w.push_back(b.wire);
    return w;
  }();
  n.lace.accept(id(99), all, n.out); // in one burst they fit
  CHECK(n.accepted(blocks.back()));
  CHECK(n.lace.stats().pending == 0);
}

TEST_CASE("blocklace: an own block is durable before it is sent") {
  plain_node n{5};
  n.own("first");
  CHECK(n.count<lace_publish>() == 0);
  const auto persist =
      std::ranges::find_if(n.out, [](const auto& e) { return std::holds_alternative<lace_persist>(e); });
  REQUIRE(persist != n.out.end());
  const auto token = std::get<lace_persist>(*persist).token;
  n.lace.persisted(token - 1, n.out);
  CHECK(n.count<lace_publish>() == 0);
  n.lace.persisted(token, n.out);
  CHECK(n.count<lace_publish>() == 1);
}

TEST_CASE("blocklace: a node restored from an older backup writes only after peers gave it its newer blocks") {
  plain_node before{5};
  const auto one = before.own("one!");
  const auto two = before.own("two!");
  any_rules rules;
  blocklace again{domain_id(), key(5), rules};
  lace_effects out;
  bytes where = to_bytes(domain_id().wire());
  where.resize(where.size() + 8);
  where.back() = std::byte{1};
  REQUIRE(again.restore(where, one.wire.view())); // the backup lacks the second
  again.start(false, out);
  CHECK(again.write(as_byte_view("fork"), out).code() == errc::in_doubt);
  again.peer_tip(id(1), one.wire, 2, out);
  CHECK(again.write(as_byte_view("fork"), out).code() == errc::in_doubt); // one answer of two
  again.peer_tip(id(2), two.wire, 2, out);
  REQUIRE(again.may_write());
  REQUIRE(again.write(as_byte_view("three"), out));
  CHECK(decode_block(*again.newest_of(id(5)))->header.seq == 3);
  CHECK(again.byzantine().empty());
  // A peer that makes up a block of this node stops nothing.
  blocklace third{domain_id(), key(5), rules};
  third.start(false, out);
  third.peer_tip(id(1), chain(key(6), &two, {}, "made up").wire, 1, out);
  CHECK(third.may_write());
}

TEST_CASE("blocklace: a chain of 100,000 blocks is taken, walked and dropped without recursion, in bounded memory") {
  const auto k = key(1);
  std::vector<shared_bytes> wires;
  block tip = chain(k, nullptr, {}, "0");
  wires.push_back(tip.wire);
  for (int i = 1; i < 100'000; ++i) {
    block_header h;
    h.domain = domain_id();
    h.creator = k.identity();
    h.seq = static_cast<std::uint64_t>(i) + 1;
    h.self_prev = tip.id;
    h.payload_hash = blake2b_256(as_byte_view("deep"));
    const auto octets = encode(h);
    msgpack_writer w; // unsigned: signatures are not what is tested here
    w.array(3);
    w.blob(octets);
    w.blob(bytes(64));
    w.blob(as_byte_view("deep"));
    tip = *decode_block(shared_bytes{std::move(w).take()});
    wires.push_back(tip.wire);
  }
  any_rules rules;
  blocklace lace{domain_id(), key(5), rules};
  bytes where = to_bytes(domain_id().wire());
  where.resize(where.size() + 8);
  for (std::size_t i = 0; i < wires.size(); ++i) {
    for (int o = 0; o < 4; ++o)
      where[where.size() - 1 - static_cast<std::size_t>(o)] = static_cast<std::byte>(i >> (8 * o));
    REQUIRE(lace.restore(where, wires[i].view()));
  }
  lace_effects out;
  lace.start(true, out);
  CHECK(lace.accepted().size() == 100'000);
  CHECK(lace.graph()[lace.accepted().back()].height == 100'000);
  CHECK(lace.graph().in_past(lace.accepted().front(), lace.accepted().back()));
  CHECK(lace.graph().memory() < 100'000 * 1000);
  // A fork at the first block makes everything be judged anew.
  const std::array<shared_bytes, 1> fork{chain(k, nullptr, {}, "fork").wire};
  lace.accept(id(9), fork, out);
  CHECK(lace.is_byzantine(k.identity()));
  CHECK(lace.write(as_byte_view("on top"), out));
}
