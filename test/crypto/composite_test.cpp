// Composite identities: descriptors, their octets, their delivery, and nesting.
#include "helpers.hpp"

#include <set>

using namespace hanse;
using namespace hanse::test;

namespace {

composite_descriptor group(std::uint32_t threshold, std::vector<composite_member> members) {
  return make_composite(threshold, std::move(members)).value();
}

/// `count` members of weight 1, keys numbered from `first`.
std::vector<composite_member> members(std::size_t count, std::uint64_t first = 1) {
  std::vector<composite_member> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back({id(first + i), 1});
  return out;
}

identity add(composite_table& table, const composite_descriptor& descriptor) {
  const auto address = identity_of(descriptor);
  table[address] = descriptor;
  return address;
}

/// A chain of `depth` groups with one member each, around key 1.
identity chain(composite_table& table, std::size_t depth) {
  auto inner = id(1);
  for (std::size_t i = 0; i < depth; ++i) inner = add(table, group(1, {{inner, 1}}));
  return inner;
}

} // namespace

TEST_CASE("a descriptor has the documented octets and comes back from them") {
  const auto g = group(2, {{id(2), 1}, {id(1), 3}, {id(3), 65536}});
  auto expected_octets = to_bytes("hanse-group-v1");
  append(expected_octets, unhex("00000002"
                                "0003"));
  std::set<std::pair<identity, const char*>> ascending{{id(1), "00000003"}, {id(2), "00000001"}, {id(3), "00010000"}};
  for (const auto& [member, weight] : ascending) {
    append(expected_octets, member.wire());
    append(expected_octets, unhex(weight));
  }
  CHECK(encode(g) == expected_octets);
  CHECK(decode_composite(encode(g)).value() == g);
  CHECK(identity_of(g).kind() == identity_kind::composite);
  CHECK(equal(identity_of(g).octets(), blake2b_256(expected_octets).view()));
}

TEST_CASE("the order in which members are given does not matter, their weights and the threshold do") {
  CHECK(identity_of(group(1, {{id(1), 1}, {id(2), 2}})) == identity_of(group(1, {{id(2), 2}, {id(1), 1}})));
  CHECK(identity_of(group(1, {{id(1), 1}, {id(2), 2}})) != identity_of(group(1, {{id(1), 2}, {id(2), 1}})));
  CHECK(identity_of(group(1, {{id(1), 1}, {id(2), 2}})) != identity_of(group(2, {{id(1), 1}, {id(2), 2}})));
}

TEST_CASE("descriptors that make no sense are not made") {
  CHECK(make_composite(1, {}).code() == errc::bad_value);
  CHECK(make_composite(0, members(2)).code() == errc::bad_value);
  CHECK(make_composite(3, members(2)).code() == errc::bad_value);
  CHECK(make_composite(2, members(2)));
  CHECK(make_composite(1, {{id(1), 0}, {id(2), 1}}).code() == errc::bad_value);
  CHECK(make_composite(1, {{id(1), 65537}}).code() == errc::bad_value);
  CHECK(make_composite(65536, {{id(1), 65536}}));
  CHECK(make_composite(1, {{id(1), 1}, {id(1), 1}}).code() == errc::bad_value);
  CHECK(make_composite(1, {{id(1), 1}, {id(1), 2}}).code() == errc::bad_value);
  CHECK(make_composite(1, {{identity{}, 1}}).code() == errc::bad_value);
  CHECK(make_composite(1, members(64)));
  CHECK(make_composite(1, members(65)).code() == errc::too_long);
}

TEST_CASE("octets with any bit flipped are refused or are another group, other lengths are refused") {
  composite_table table;
  const auto nested = add(table, group(1, {{id(5), 1}}));
  const auto g = group(2, {{id(1), 1}, {id(2), 2}, {nested, 1}});
  const auto wire = encode(g);
  std::set<identity> others;
  std::size_t readable = 0;
  CHECK(count_accepted_flips(wire, [&](byte_view flipped) {
          const auto other = decode_composite(flipped);
          if (!other) return false;
          ++readable;
          others.insert(identity_of(*other));
          return *other == g || !equal(encode(*other), flipped);
        }) == 0);
  CHECK(others.size() == readable);
  CHECK_FALSE(others.contains(identity_of(g)));
  CHECK(count_accepted_lengths(wire, [](byte_view other) { return decode_composite(other).has_value(); }) == 0);
}

TEST_CASE("octets that the encoder does not write are refused, each for its reason") {
  const auto good = encode(group(2, {{id(1), 1}, {id(2), 2}}));
  const auto with = [&](std::size_t at, std::string_view hex) {
    auto changed = good;
    const auto octets = unhex(hex);
    std::copy(octets.begin(), octets.end(), changed.begin() + static_cast<std::ptrdiff_t>(at));
    return decode_composite(changed).code();
  };
  CHECK(with(13, "32") == errc::bad_version); // hanse-group-v2
  CHECK(with(14, "00000000") == errc::bad_value);
  CHECK(with(14, "00000004") == errc::bad_value);
  CHECK(with(14, "00000003") == errc::none);
  CHECK(with(18, "0001") == errc::trailing_bytes);
  CHECK(with(18, "0003") == errc::truncated);
  CHECK(with(18, "0041") == errc::too_long);
  CHECK(with(18, "ffff") == errc::too_long);
  CHECK(with(20 + 33, "00000000") == errc::bad_value);
  CHECK(with(20 + 33, "00010001") == errc::bad_value);
  CHECK(with(20, "00") == errc::bad_type);
  CHECK(with(20, "01"
                 "0100000000000000000000000000000000000000000000000000000000000000") == errc::weak_key);

  const auto first = to_hex(byte_view{good}.subspan(20, 37));
  const auto second = to_hex(byte_view{good}.subspan(57, 37));
  CHECK(with(20, second + first) == errc::not_canonical);
  CHECK(with(20, first + first) == errc::not_canonical);
  CHECK(with(20, first + second) == errc::none);

  auto empty = to_bytes("hanse-group-v1");
  append(empty, unhex("00000000"
                      "0000"));
  CHECK(decode_composite(empty).code() == errc::bad_value);
}

TEST_CASE("threshold and weights tell how to deliver") {
  CHECK(delivery_of(group(1, members(1))) == delivery::unicast);
  CHECK(delivery_of(group(1, members(4))) == delivery::anycast);
  CHECK(delivery_of(group(4, members(4))) == delivery::multicast);
  CHECK(delivery_of(group(3, members(4))) == delivery::quorumcast);
  CHECK(delivery_of(group(2, members(4))) == delivery::quorumcast);
  CHECK(delivery_of(group(2, {{id(1), 2}, {id(2), 3}})) == delivery::anycast);
  CHECK(delivery_of(group(3, {{id(1), 2}, {id(2), 3}})) == delivery::quorumcast);
  CHECK(delivery_of(group(4, {{id(1), 2}, {id(2), 3}})) == delivery::multicast);
}

TEST_CASE("the weights of the signers reach the threshold or do not") {
  composite_table table;
  const auto g = add(table, group(5, {{id(1), 3}, {id(2), 2}, {id(3), 1}}));
  const auto reached = [&](std::vector<identity> signers) { return reaches_threshold(g, table, signers); };
  CHECK(reached({id(1), id(2)}));
  CHECK(reached({id(3), id(2), id(1)}));
  CHECK_FALSE(reached({id(1), id(3)}));
  CHECK_FALSE(reached({id(2), id(3)}));
  CHECK_FALSE(reached({id(1), id(1)}));
  CHECK_FALSE(reached({id(1), id(4)}));
  CHECK_FALSE(reached({}));
  CHECK_FALSE(reached({g}));
  CHECK(reaches_threshold(id(1), table, std::vector{id(1)}));
  CHECK_FALSE(reaches_threshold(id(1), table, std::vector{id(2)}));
  CHECK_FALSE(reaches_threshold(g, {}, std::vector{id(1), id(2), id(3)}));
}

TEST_CASE("a nested group counts with its own threshold, and one that is not known does not count") {
  composite_table table;
  const auto board = add(table, group(2, members(3, 1)));
  const auto staff = add(table, group(1, members(2, 11)));
  const auto firm = add(table, group(2, {{board, 1}, {staff, 1}}));
  CHECK(check_nesting(firm, table));
  CHECK(reaches_threshold(firm, table, std::vector{id(1), id(3), id(12)}));
  CHECK_FALSE(reaches_threshold(firm, table, std::vector{id(1), id(12)}));
  CHECK_FALSE(reaches_threshold(firm, table, std::vector{id(1), id(2), id(3)}));
  table.erase(staff);
  CHECK(check_nesting(firm, table).code() == errc::not_found);
  CHECK_FALSE(reaches_threshold(firm, table, std::vector{id(1), id(3), id(12)}));
  CHECK(check_nesting(staff, table).code() == errc::not_found);
  CHECK(check_nesting(id(1), table));
}

TEST_CASE("16 groups on a path are accepted, 17 are refused") {
  composite_table table;
  CHECK(check_nesting(chain(table, 16), table));
  CHECK(reaches_threshold(chain(table, 16), table, std::vector{id(1)}));
  CHECK(check_nesting(chain(table, 17), table).code() == errc::too_deep);
  CHECK_FALSE(reaches_threshold(chain(table, 17), table, std::vector{id(1)}));
}

TEST_CASE("64 leaves are accepted, 65 are refused, and the same group twice counts twice") {
  composite_table table;
  const auto a = add(table, group(1, members(32, 100)));
  const auto b = add(table, group(1, members(32, 200)));
  const auto c = add(table, group(1, members(33, 300)));
  CHECK(check_nesting(add(table, group(1, {{a, 1}, {b, 1}})), table));
  CHECK(check_nesting(add(table, group(1, {{a, 1}, {c, 1}})), table).code() == errc::too_long);
  CHECK(check_nesting(add(table, group(1, members(64))), table));

  const auto left = add(table, group(1, {{a, 1}}));
  const auto right = add(table, group(1, {{a, 2}}));
  CHECK(check_nesting(add(table, group(1, {{left, 1}, {right, 1}})), table));
  CHECK(check_nesting(add(table, group(1, {{left, 1}, {right, 1}, {id(1), 1}})), table).code() == errc::too_long);
}

TEST_CASE("groups that would unfold to very many are refused at once") {
  composite_table table;
  std::vector<composite_member> level = members(1);
  // Each level has 8 groups of all 8 of the level below: 8^14 leaves, or paths to nowhere, when unfolded.
  for (bool resolvable : {true, false}) {
    level = resolvable ? members(8) : std::vector<composite_member>{{identity_of(group(1, members(9))), 1}};
    for (int depth = 0; depth < 14; ++depth) {
      std::vector<composite_member> next;
      for (std::uint32_t weight = 1; weight <= 8; ++weight) {
        auto weighted = level;
        weighted.front().weight = weight + 1;
        next.push_back({add(table, group(1, weighted)), 1});
      }
      level = next;
    }
    const auto root = add(table, group(1, level));
    CHECK(check_nesting(root, table).code() == errc::too_long);
    CHECK_FALSE(reaches_threshold(root, table, std::vector{id(1)}));
  }
}

TEST_CASE("a cycle, which no real hash gives, ends as too deep") {
  const auto a = identity::trusted(identity_kind::composite, hash_of("a").octets);
  const auto b = identity::trusted(identity_kind::composite, hash_of("b").octets);
  const composite_table table{{a, group(1, {{b, 1}})}, {b, group(1, {{a, 1}})}};
  CHECK(check_nesting(a, table).code() == errc::too_deep);
}
