// Signatures by composite identities: the parts of members, and the check that they reach the threshold.
// Not the descriptors themselves (composite.cpp).
#include "hanse/crypto/signature.hpp"

#include "hanse/crypto/internal/nesting.hpp"
#include "hanse/crypto/internal/single.hpp"

namespace hanse {

namespace {

/// The signers, which must be individuals and strictly ascending. Errors: `bad_type`, `not_canonical`.
expected<std::vector<identity>> signers_of(const composite_signature& sig) {
  std::vector<identity> signers;
  signers.reserve(sig.members.size());
  for (const auto& part : sig.members) {
    if (part.signer.kind() != identity_kind::individual) return error{errc::bad_type, "a part signed by a group"};
    if (!signers.empty() && !(signers.back() < part.signer)) return errc::not_canonical;
    signers.push_back(part.signer);
  }
  return signers;
}

/// The descriptors by the hash of their octets, which must be strictly ascending. Error: `not_canonical`.
expected<composite_table> table_of(const composite_signature& sig) {
  composite_table table;
  for (const auto& descriptor : sig.descriptors) {
    const auto id = identity_of(descriptor);
    if (!table.empty() && !(table.rbegin()->first < id)) return errc::not_canonical;
    table.emplace_hint(table.end(), id, descriptor);
  }
  return table;
}

} // namespace

member_signature sign_member(const key_pair& key, const identity& on_behalf_of, const digest& message_hash) {
  return {key.identity(), key.sign_octets(internal::statement_of(on_behalf_of, message_hash))};
}

expected<unit> verify_composite(const identity& signer, const digest& message_hash, const composite_signature& sig) {
  if (sig.descriptors.size() > composite_leaves_max || sig.members.size() > composite_leaves_max) return errc::too_long;
  HANSE_TRY(const auto signers, signers_of(sig));
  HANSE_TRY(const auto table, table_of(sig));
  if (!table.contains(signer)) return error{errc::wrong_signer, "no descriptor of the group"};

  HANSE_TRY(const auto walked, internal::walk_nesting(signer, table, signers));
  if (walked.signers_seen.size() != signers.size())
    return error{errc::wrong_signer, "signed by someone who is no member"};
  if (!walked.reached) return errc::threshold_not_met;
  if (walked.groups.size() != table.size()) return error{errc::not_canonical, "a descriptor that is not needed"};

  // Last, because it costs most: the shape is known to be right, and there are at most 64 parts.
  const auto statement = internal::statement_of(signer, message_hash);
  for (const auto& part : sig.members)
    if (!verify_octets(part.signer, statement, part.signature)) return errc::bad_signature;
  return ok();
}

} // namespace hanse
