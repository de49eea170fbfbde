// What the tests of this layer share: keys by number, node adverts, domains of one owner and of a group, damage.
// Not for other layers' tests.
#pragma once

#include "hanse/domains/domain_advert.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace hanse::test {

/// The same key pair for the same number, always.
inline key_pair key(std::uint64_t number) {
  seeded_random random{number};
  return key_pair::generate(random);
}

inline identity id(std::uint64_t number) {
  return key(number).identity();
}

inline signed_node_advert node_advert_of(std::uint64_t number, std::uint64_t version = 1) {
  return sign(node_advert{id(number), version, {{"mem://n" + std::to_string(number), 1}}, {}, ""}, key(number));
}

inline introducer introducer_of(std::uint64_t number) {
  return make_introducer(node_advert_of(number));
}

/// A domain of key 1 with the nodes 11, 12 and 13 as introducers.
inline domain_config sample_config(std::uint64_t version = 1) {
  domain_config c;
  c.domain = id(1);
  c.version = version;
  c.name = "Labör";
  c.stack.dissemination = {{"plumtree", 1, 2}, {{"active", "5"}, {"passive", "30"}}};
  c.introducers = {introducer_of(11), introducer_of(12), introducer_of(13)};
  return c;
}

/// The same with everything set that can be.
inline domain_config full_config() {
  auto c = sample_config(7);
  c.auth = auth_mechanism::psk;
  c.permissions.level_max = {0, 1, 2, 3, 4};
  c.join_level = 20;
  c.own_stacks = true;
  c.instances = {{"core", {}, {introducer_of(14)}}, {"edge", protocol_stack{}, {introducer_of(11), introducer_of(15)}}};
  return c;
}

inline composite_descriptor two_of_three() {
  return make_composite(2, {{id(1)}, {id(2)}, {id(3)}}).value();
}

/// A signature of `config` by these members of the group whose descriptors are given.
inline message_signature signed_by(const domain_config& config, std::vector<composite_descriptor> groups,
                                   std::initializer_list<std::uint64_t> members) {
  composite_signature sig{std::move(groups), {}};
  std::ranges::sort(sig.descriptors, {}, [](const auto& d) { return identity_of(d); });
  for (const auto m : members) sig.members.push_back(sign_member(key(m), config.domain, hash_to_sign(config)));
  std::ranges::sort(sig.members, {}, &member_signature::signer);
  return {sig};
}

/// Calls `judge` with every input that differs from `good` in one bit.
template <class Judge>
void for_each_bit_flip(byte_view good, Judge judge) {
  bytes bad = to_bytes(good);
  for (std::size_t i = 0; i < bad.size() * 8; ++i) {
    const auto mask = static_cast<std::byte>(1U << (i % 8));
    bad[i / 8] ^= mask;
    CAPTURE(i);
    judge(byte_view{bad});
    bad[i / 8] ^= mask;
  }
}

/// Calls `judge` with every proper prefix of `good`, and with one octet appended.
template <class Judge>
void for_each_other_length(byte_view good, Judge judge) {
  for (std::size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    judge(good.first(size));
  }
  for (const auto more : {std::byte{0}, std::byte{0xc0}, std::byte{0xff}}) {
    bytes longer = to_bytes(good);
    longer.push_back(more);
    judge(byte_view{longer});
  }
}

} // namespace hanse::test
