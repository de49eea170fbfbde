// Descriptors of composite identities: validity, octets, address, nesting. Layout in composite.hpp.
// Not signatures by them (composite_signature.cpp).
#include "hanse/crypto/composite.hpp"

#include "hanse/crypto/internal/nesting.hpp"
#include "hanse/crypto/internal/reader.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::string_view magic = "hanse-group-v1";

std::uint32_t weight_sum(const composite_descriptor& group) noexcept {
  std::uint32_t sum = 0;
  for (const auto& m : group.members) sum += m.weight;
  return sum;
}

/// What must hold beyond the order of members. Errors: `bad_value`, `too_long`.
expected<unit> check_values(const composite_descriptor& group) {
  if (group.members.empty()) return error{errc::bad_value, "a group without members"};
  if (group.members.size() > composite_leaves_max) return error{errc::too_long, "too many members"};
  for (const auto& m : group.members) {
    if (m.member.is_none()) return error{errc::bad_value, "no identity as a member"};
    if (m.weight < 1 || m.weight > composite_weight_max) return error{errc::bad_value, "weight out of range"};
  }
  if (group.threshold < 1 || group.threshold > weight_sum(group))
    return error{errc::bad_value, "threshold out of range"};
  return ok();
}

using identity_decoder = expected<identity> (*)(byte_view);

expected<composite_descriptor> decode_with(byte_view wire, identity_decoder decode_identity) {
  internal::reader in{wire};
  HANSE_TRY(const auto start, in.take(magic.size()));
  if (as_text(start) != magic) return errc::bad_version;
  composite_descriptor group;
  HANSE_TRY(group.threshold, in.take_number<4>());
  HANSE_TRY(const auto count, in.take_number<2>());
  if (count > composite_leaves_max) return errc::too_long;
  group.members.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    HANSE_TRY(const auto id_wire, in.take(identity::size_bytes));
    HANSE_TRY(const auto weight, in.take_number<4>());
    HANSE_TRY(const auto id, decode_identity(id_wire));
    if (!group.members.empty() && !(group.members.back().member < id)) return errc::not_canonical;
    group.members.push_back({id, weight});
  }
  HANSE_CHECK(in.finish());
  HANSE_CHECK(check_values(group));
  return group;
}

/// The state of one walk; see internal/nesting.hpp.
class nesting_walk {
public:
  nesting_walk(const composite_table& table, std::span<const identity> signers) : table_(table), signers_(signers) {}

  /// Whether `id` is reached; `depth` groups are above it.
  expected<bool> visit(const identity& id, std::size_t depth) {
    if (id.kind() != identity_kind::composite) return visit_individual(id);
    if (depth >= composite_depth_max) return errc::too_deep;
    const auto found = table_.find(id);
    if (found == table_.end() || found->second.members.empty()) {
      result.complete = false;
      HANSE_CHECK(count_leaf());
      return false;
    }
    std::uint64_t weight = 0;
    bool signer_below = false;
    for (const auto& m : found->second.members) {
      const auto seen_before = signers_met_;
      HANSE_TRY(const auto reached, visit(m.member, depth + 1));
      if (reached) weight += m.weight;
      signer_below = signer_below || signers_met_ > seen_before;
    }
    if (signer_below) result.groups.insert(id);
    return weight >= found->second.threshold;
  }

  internal::nesting_result result;

private:
  expected<bool> visit_individual(const identity& id) {
    HANSE_CHECK(count_leaf());
    if (!std::ranges::binary_search(signers_, id)) return false;
    result.signers_seen.insert(id);
    ++signers_met_;
    return true;
  }

  expected<unit> count_leaf() {
    if (++leaves_ > composite_leaves_max) return errc::too_long;
    return ok();
  }

  const composite_table& table_;
  std::span<const identity> signers_;
  std::size_t leaves_ = 0;
  std::size_t signers_met_ = 0;
};

} // namespace

expected<internal::nesting_result> internal::walk_nesting(const identity& root, const composite_table& table,
                                                          std::span<const identity> signers) {
  nesting_walk walk{table, signers};
  HANSE_TRY(walk.result.reached, walk.visit(root, 0));
  return std::move(walk.result);
}

expected<composite_descriptor> internal::decode_composite_unchecked(byte_view wire) {
  return decode_with(wire, &identity::decode_unchecked);
}

expected<composite_descriptor> make_composite(std::uint32_t threshold, std::vector<composite_member> members) {
  std::ranges::sort(members);
  const auto same = [](const auto& a, const auto& b) { return a.member == b.member; };
  if (std::ranges::adjacent_find(members, same) != members.end()) return error{errc::bad_value, "a member twice"};
  composite_descriptor group{threshold, std::move(members)};
  HANSE_CHECK(check_values(group));
  return group;
}

bytes encode(const composite_descriptor& group) {
  bytes out = to_bytes(magic);
  out.reserve(out.size() + 6 + group.members.size() * (identity::size_bytes + 4));
  internal::append_number<4>(out, group.threshold);
  internal::append_number<2>(out, static_cast<std::uint32_t>(group.members.size()));
  for (const auto& m : group.members) {
    append(out, m.member.wire());
    internal::append_number<4>(out, m.weight);
  }
  return out;
}

expected<composite_descriptor> decode_composite(byte_view wire) {
  return decode_with(wire, &identity::decode);
}

identity identity_of(const composite_descriptor& group) {
  return identity::trusted(identity_kind::composite, blake2b_256(encode(group)).octets);
}

delivery delivery_of(const composite_descriptor& group) noexcept {
  if (group.members.size() <= 1) return delivery::unicast;
  std::uint32_t lightest = group.members.front().weight;
  for (const auto& m : group.members) lightest = std::min(lightest, m.weight);
  if (lightest >= group.threshold) return delivery::anycast;
  if (weight_sum(group) - lightest < group.threshold) return delivery::multicast;
  return delivery::quorumcast;
}

expected<unit> check_nesting(const identity& root, const composite_table& table) {
  HANSE_TRY(const auto walked, internal::walk_nesting(root, table, {}));
  if (!walked.complete) return errc::not_found;
  return ok();
}

bool reaches_threshold(const identity& root, const composite_table& table, std::span<const identity> signers) {
  std::vector<identity> sorted{signers.begin(), signers.end()};
  std::ranges::sort(sorted);
  const auto walked = internal::walk_nesting(root, table, sorted);
  return walked && walked->reached;
}

} // namespace hanse
