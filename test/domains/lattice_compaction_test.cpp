// Checkpoints by the owner, and what may be dropped below them.
#include "domains/lattice_kit.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

message_signature by_owner(const checkpoint_request& r, std::uint64_t owner = 1'000'000) {
  return {sign_single(key(owner), checkpoint_statement(domain_id(), r))};
}

} // namespace

TEST_CASE("checkpoint: what it covers compacts to headers, and headers restore the same state") {
  hand_node one{1}, two{2};
  REQUIRE(one.write(configure_op(fake_advert(1, {id(1), id(2)}), 1)));
  for (int i = 0; i < 20; ++i) REQUIRE(one.put("k" + std::to_string(i % 3), std::to_string(i)));
  REQUIRE(one.write(remove_op("k2", 1)));
  one.give_to(two);
  CHECK(one.lattice.compact(one.out) == 0); // nothing is signed yet
  const auto request = one.lattice.request_checkpoint();
  CHECK(request.version == 1);
  CHECK(one.lattice.write_checkpoint(request, by_owner(request, 1), 1, one.out).code() == errc::permission_denied);
  REQUIRE(one.lattice.write_checkpoint(request, by_owner(request), 1, one.out));
  one.settle();
  const auto state = one.lattice.map().state_hash();
  CHECK(one.lattice.write_checkpoint(one.lattice.request_checkpoint(), {}, 1, one.out).code() ==
        errc::permission_denied);
  CHECK(one.lattice.compact(one.out) == 19); // 18 replaced or removed values, and the removal
  one.settle();
  CHECK(one.lattice.map().state_hash() == state);
  CHECK(one.lattice.compact(one.out) == 0);

  seeded_random random{1};
  domain_lattice again{domain_id(), key(1), judge_fake, random};
  for (const auto& [k, v] : one.disk) REQUIRE(again.restore(k, v));
  lattice_effects out;
  again.start(0, out);
  CHECK(again.map().state_hash() == state);
  CHECK(again.root() == one.lattice.root());
  // What comes later from beside is judged as before.
  REQUIRE(two.put("k0", "later"));
  two.give_to(one);
  one.give_to(two);
  CHECK(one.lattice.map().state_hash() == two.lattice.map().state_hash());
  // Without payload nobody takes a block, unless it is told to trust.
  hand_node strict{7};
  one.give_to(strict);
  CHECK(strict.lattice.map().state_hash() != one.lattice.map().state_hash());
  lattice_config trusting;
  trusting.lace.accept_bare = true;
  hand_node fresh{8, trusting};
  one.give_to(fresh);
  CHECK(fresh.lattice.map().state_hash() == one.lattice.map().state_hash());
}

TEST_CASE("checkpoint: a Revoke that it does not cover voids nothing that it does") {
  hand_node one{1}, two{2}, three{3};
  REQUIRE(one.write(configure_op(fake_advert(1, {id(1), id(2)}), 1)));
  REQUIRE(one.add(id(3), 10));
  one.give_to(two);
  one.give_to(three);
  REQUIRE(three.put("covered", "kept"));
  three.give_to(one);
  const auto request = one.lattice.request_checkpoint();
  REQUIRE(one.lattice.write_checkpoint(request, by_owner(request), 1, one.out));
  one.settle();
  REQUIRE(three.put("beside", "void"));
  REQUIRE(two.write(revoke_op(id(3), 1)));
  for (auto* from : {&two, &three}) from->give_to(one);
  CHECK(one.lattice.map().value_of("covered") == to_bytes("kept"));
  CHECK_FALSE(one.lattice.map().value_of("beside"));
  hand_node other{9};
  two.give_to(other); // in another order
  three.give_to(other);
  CHECK_FALSE(other.lattice.map().value_of("covered"));
  one.give_to(other);
  CHECK(other.lattice.map().state_hash() == one.lattice.map().state_hash());
}
