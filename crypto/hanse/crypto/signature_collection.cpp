// A group's signature, put together of its members' parts.
// The result is verified before it is given out: there is one place that knows the rules.
#include "hanse/crypto/signature_collection.hpp"

#include "hanse/crypto/internal/nesting.hpp"
#include "hanse/crypto/internal/single.hpp"

#include <algorithm>

namespace hanse {

namespace {

void add_signers(const identity& who, const composite_table& table, std::size_t depth, std::set<identity>& signers) {
  if (who.kind() == identity_kind::individual) signers.insert(who);
  const auto group = table.find(who);
  if (group == table.end() || depth == composite_depth_max) return;
  for (const auto& m : group->second.members) add_signers(m.member, table, depth + 1, signers);
}

} // namespace

bool verify_member(const member_signature& part, const identity& on_behalf_of, const digest& message_hash) noexcept {
  return verify_octets(part.signer, internal::statement_of(on_behalf_of, message_hash), part.signature);
}

std::vector<identity> signers_for(const identity& group, const composite_table& table) {
  std::set<identity> signers;
  add_signers(group, table, 0, signers);
  return {signers.begin(), signers.end()};
}

expected<composite_signature> compose(const identity& group, const composite_table& table, const digest& message_hash,
                                      std::vector<member_signature> parts) {
  composite_signature sig{{}, std::move(parts)};
  std::ranges::sort(sig.members, {}, &member_signature::signer);
  std::vector<identity> signers;
  for (const auto& part : sig.members) signers.push_back(part.signer);
  HANSE_TRY(const auto walked, internal::walk_nesting(group, table, signers));
  if (!walked.reached) return errc::threshold_not_met;
  for (const auto& id : walked.groups) sig.descriptors.push_back(table.at(id)); // ascending, as a set is
  HANSE_CHECK(verify_composite(group, message_hash, sig));
  return sig;
}

} // namespace hanse
