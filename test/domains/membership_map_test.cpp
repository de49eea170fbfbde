// The membership map's rules, one by one, over blocks that are carried by hand.
#include "domains/lattice_kit.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

/// Introducers 1 and 2, founded by 1; `others` are added by 1 at level 10.
struct domain_of {
  explicit domain_of(std::initializer_list<std::uint64_t> others) {
    REQUIRE(one.write(configure_op(fake_advert(1, {id(1), id(2)}), 1)));
    one.give_to(two);
    for (const auto n : others) REQUIRE(one.add(id(n), level_default));
    one.give_to(two);
  }
  hand_node one{1}, two{2};
};

} // namespace

TEST_CASE("map: an introducer founds the domain, adds members, and all of them see the same") {
  domain_of d{3, 4};
  hand_node three{3};
  d.one.give_to(three);
  CHECK(three.lattice.map().members().size() == 4);
  CHECK(three.lattice.map().level_of(id(1)) == level_introducer);
  CHECK(three.lattice.map().level_of(id(3)) == level_default);
  CHECK(three.lattice.map().level_of(id(9)) == level_none);
  CHECK(three.lattice.map().level_of(domain_id()) == level_owner);
  CHECK(three.lattice.map().state_hash() == d.one.lattice.map().state_hash());
  CHECK(three.lattice.map().terms().version == 1);
  CHECK(three.count<member_added>() == 4);
  CHECK(three.count<config_changed>() == 1);
}

TEST_CASE("map: registers are written, the later write wins, and a removal is undone by a concurrent write") {
  domain_of d{};
  REQUIRE(d.one.put("name", "a"));
  d.one.give_to(d.two);
  REQUIRE(d.two.put("name", "b"));
  exchange(d.one, d.two);
  CHECK(d.one.lattice.map().value_of("name") == to_bytes("b"));
  REQUIRE(d.one.write(remove_op("name", 1)));
  REQUIRE(d.two.put("name", "c"));
  exchange(d.one, d.two);
  CHECK(d.one.lattice.map().value_of("name") == to_bytes("c"));
  CHECK(d.two.lattice.map().state_hash() == d.one.lattice.map().state_hash());
  REQUIRE(d.two.write(remove_op("name", 1)));
  exchange(d.one, d.two);
  CHECK_FALSE(d.one.lattice.map().value_of("name"));
  CHECK(d.one.count<value_changed>() >= 4);
}

TEST_CASE("map: a member may not do what its level does not allow, and the refusal leaves no block") {
  domain_of d{3, 4};
  hand_node three{3};
  d.one.give_to(three);
  const auto before = three.lattice.lace().accepted().size();
  CHECK(three.add(id(5), 20).code() == errc::permission_denied);
  CHECK(three.write(revoke_op(id(4), 1)).code() == errc::permission_denied);
  CHECK(three.write(revoke_op(id(1), 1)).code() == errc::permission_denied);
  CHECK(d.one.add(id(5), level_introducer).code() == errc::permission_denied); // not above one's own
  CHECK(d.one.add(id(2), 20).code() == errc::permission_denied);               // nor somebody as high
  CHECK(d.one.write(revoke_op(id(2), 1)).code() == errc::permission_denied);
  CHECK(d.one.add(domain_id(), 20).code() == errc::permission_denied);
  CHECK(three.lattice.lace().accepted().size() == before);
  CHECK(three.put("x", "y"));
}

TEST_CASE("map: who was never a member is dropped with what it wrote, and is no evidence") {
  domain_of d{3};
  const forger stranger{66};
  const auto b = stranger.make(1, std::nullopt, {}, put_op("x", to_bytes("y"), 1));
  d.one.take(id(2), b.wire.view());
  CHECK_FALSE(d.one.lattice.lace().has(b.id));
  CHECK(d.one.lattice.lace().byzantine().empty());
  CHECK(d.one.count<lace_refused>() == 1);
}

TEST_CASE("map: an operation that its author may not do proves it Byzantine and has no effect") {
  domain_of d{3, 4};
  const forger three{3};
  const auto tip = d.one.lattice.lace().graph()[d.one.lattice.lace().accepted().back()].id;
  const auto b = three.make(1, std::nullopt, {tip}, add_op(id(66), 20, {}, 1));
  d.one.take(id(3), b.wire.view());
  CHECK(d.one.lattice.lace().is_byzantine(id(3)));
  CHECK_FALSE(d.one.lattice.map().is_member(id(66)));
  CHECK_FALSE(d.one.lattice.is_in_good_standing(id(3)));
  CHECK(d.one.lattice.lace().stats().acks == 1);
}

TEST_CASE("map: a member leaves by itself, and may be added again") {
  domain_of d{3};
  hand_node three{3};
  d.one.give_to(three);
  REQUIRE(three.write(remove_op(id(3), 1)));
  CHECK_FALSE(three.lattice.map().is_member(id(3)));
  CHECK(three.put("x", "y").code() == errc::permission_denied);
  three.give_to(d.one);
  CHECK_FALSE(d.one.lattice.map().is_member(id(3)));
  REQUIRE(d.one.add(id(3), 20));
  d.one.give_to(three);
  CHECK(three.lattice.map().level_of(id(3)) == 20);
  CHECK(three.put("x", "y"));
  CHECK(three.lattice.lace().byzantine().empty());
}

TEST_CASE("map: a concurrent Add beats a Remove, and a Revoke by as high a rank beats a concurrent Add") {
  for (const bool revoke : {false, true}) {
    CAPTURE(revoke);
    domain_of d{3};
    REQUIRE(d.one.write(revoke ? revoke_op(id(3), 1) : remove_op(id(3), 1)));
    REQUIRE(d.two.add(id(3), 20));
    exchange(d.one, d.two);
    CHECK(d.one.lattice.map().is_member(id(3)) == !revoke);
    CHECK(d.two.lattice.map().state_hash() == d.one.lattice.map().state_hash());
  }
}

TEST_CASE("map: a Revoke by a lower rank does not beat a concurrent Add by a higher one") {
  permissions p;
  p.level_max[static_cast<std::size_t>(domain_action::expel)] = 10;
  hand_node one{1}, three{3};
  REQUIRE(one.write(configure_op(fake_advert(1, {id(1)}, p), 1)));
  REQUIRE(one.add(id(3), 5));
  REQUIRE(one.add(id(4), 9));
  one.give_to(three);
  REQUIRE(three.write(revoke_op(id(4), 1)));
  REQUIRE(one.add(id(4), 8));
  exchange(one, three);
  CHECK(one.lattice.map().level_of(id(4)) == 8);
  CHECK(three.lattice.map().state_hash() == one.lattice.map().state_hash());
}

TEST_CASE("map: a Revoke voids what its target did beside it, and what those did whom it let in: backdated chains") {
  permissions p;
  p.level_max[static_cast<std::size_t>(domain_action::admit)] = 100;
  hand_node one{1}, three{3}, four{4}, five{5};
  REQUIRE(one.write(configure_op(fake_advert(1, {id(1)}, p), 1)));
  REQUIRE(one.add(id(3), 10));
  one.give_to(three);
  REQUIRE(three.put("before", "kept"));
  three.give_to(one);
  REQUIRE(one.write(revoke_op(id(3), 1)));
  // As if it had not seen that: a chain of additions.
  REQUIRE(three.add(id(4), 20));
  three.give_to(four);
  REQUIRE(four.add(id(5), 30));
  four.give_to(five);
  REQUIRE(five.put("after", "void"));
  five.give_to(one);
  const auto& map = one.lattice.map();
  for (const auto n : {3, 4, 5}) CHECK_FALSE(map.is_member(id(static_cast<std::uint64_t>(n))));
  CHECK(map.value_of("before") == to_bytes("kept"));
  CHECK_FALSE(map.value_of("after"));
  one.give_to(five);
  CHECK(five.lattice.map().state_hash() == map.state_hash());
}

TEST_CASE("map: of two members that revoke each other, the higher rank stays") {
  permissions p;
  p.level_max[static_cast<std::size_t>(domain_action::expel)] = 100;
  hand_node one{1}, three{3}, four{4};
  REQUIRE(one.write(configure_op(fake_advert(1, {id(1)}, p), 1)));
  REQUIRE(one.add(id(3), 10));
  REQUIRE(one.add(id(4), 20));
  one.give_to(three);
  // Four was promoted above three in a part of the domain that three has not seen.
  REQUIRE(one.add(id(4), 5));
  one.give_to(four);
  REQUIRE(three.write(revoke_op(id(4), 1)));
  REQUIRE(four.write(revoke_op(id(3), 1)));
  exchange(three, four);
  three.give_to(one);
  CHECK_FALSE(one.lattice.map().is_member(id(3)));
  CHECK(one.lattice.map().is_member(id(4)));
  CHECK(three.lattice.map().state_hash() == four.lattice.map().state_hash());
  CHECK(three.lattice.map().state_hash() == one.lattice.map().state_hash());
}

TEST_CASE("map: a Revoke voids nothing that its target did at a higher rank than the Revoke's author") {
  permissions p;
  p.level_max[static_cast<std::size_t>(domain_action::expel)] = 100;
  hand_node one{1}, three{3}, four{4};
  REQUIRE(one.write(configure_op(fake_advert(1, {id(1)}, p), 1)));
  REQUIRE(one.add(id(3), 10));
  REQUIRE(one.add(id(4), 20));
  one.give_to(three);
  REQUIRE(one.add(id(4), 5)); // three has not seen the promotion
  one.give_to(four);
  REQUIRE(four.put("x", "kept"));
  REQUIRE(three.write(revoke_op(id(4), 1)));
  exchange(three, four);
  CHECK(three.lattice.map().value_of("x") == to_bytes("kept"));
  CHECK(three.lattice.map().state_hash() == four.lattice.map().state_hash());
}

TEST_CASE("map: mutual removal at one level ends with both gone, the same everywhere") {
  hand_node one{1}, three{3}, four{4};
  permissions p;
  p.level_max[static_cast<std::size_t>(domain_action::expel)] = 100;
  REQUIRE(one.write(configure_op(fake_advert(1, {id(1)}, p), 1)));
  REQUIRE(one.add(id(3), 10));
  REQUIRE(one.add(id(4), 20));
  one.give_to(three);
  REQUIRE(one.add(id(4), 5));
  one.give_to(four);
  REQUIRE(three.write(remove_op(id(4), 1)));
  REQUIRE(four.write(remove_op(id(3), 1)));
  exchange(three, four);
  CHECK_FALSE(three.lattice.map().is_member(id(3))); // Remove voids nothing
  CHECK(three.lattice.map().is_member(id(4)));       // the promotion was not seen by three
  CHECK(three.lattice.map().state_hash() == four.lattice.map().state_hash());
}

TEST_CASE("map: the introducers of the newest advert count, in one's own past") {
  domain_of d{};
  REQUIRE(d.one.write(configure_op(fake_advert(2, {id(1), id(7)}), 1)));
  CHECK_FALSE(d.one.lattice.map().is_member(id(2)));
  CHECK(d.one.lattice.map().level_of(id(7)) == level_introducer);
  REQUIRE(d.two.add(id(3), 10)); // has not seen it: valid in its own past
  exchange(d.one, d.two);
  CHECK(d.one.lattice.map().is_member(id(3)));
  CHECK(d.two.lattice.map().state_hash() == d.one.lattice.map().state_hash());
  CHECK(d.two.add(id(4), 10).code() == errc::permission_denied);
  // An older advert changes nothing.
  REQUIRE(d.one.write(configure_op(fake_advert(1, {id(2)}), 1)));
  CHECK(d.one.lattice.map().terms().version == 2);
}

TEST_CASE("map: two instances that never met merge to one view") {
  hand_node one{1}, two{2};
  const auto advert = fake_advert(1, {id(1), id(2)});
  REQUIRE(one.write(configure_op(advert, 1)));
  REQUIRE(two.write(configure_op(advert, 1)));
  for (std::uint64_t n = 10; n < 15; ++n) REQUIRE(one.add(id(n), 10, "left"));
  for (std::uint64_t n = 13; n < 18; ++n) REQUIRE(two.add(id(n), 11, "right"));
  exchange(one, two);
  CHECK(one.lattice.map().members().size() == 2 + 8);
  CHECK(one.lattice.map().state_hash() == two.lattice.map().state_hash());
  CHECK(one.lattice.root() == two.lattice.root());
}

TEST_CASE("map: operations decode only from their one encoding") {
  const auto signature = encode(message_signature{signature_octets{}});
  map_op checkpoint;
  checkpoint.kind = map_op_kind::checkpoint;
  checkpoint.version = 7;
  checkpoint.signature = signature;
  for (const auto& op :
       {configure_op(fake_advert(1, {id(1)}), 5), add_op(id(3), 7, to_bytes("v"), 5), put_op("k", to_bytes("v"), 5),
        remove_op("k", 5), remove_op(id(3), 5), revoke_op(id(3), 5), ack_op(5), checkpoint}) {
    const auto octets = encode(op);
    CHECK(*decode_map_op(octets) == op);
    CHECK(to_bytes(value_in(octets)) == op.value);
    for_each_other_length(octets, [&](byte_view bad) { CHECK_FALSE(decode_map_op(bad)); });
    for_each_bit_flip(octets, [&](byte_view bad) {
      if (const auto other = decode_map_op(bad)) CHECK(encode(*other) == to_bytes(bad));
    });
  }
}
