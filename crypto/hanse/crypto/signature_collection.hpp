// Collecting a group's signature part by part, as people sign one after the other: check a part, see who can still
// sign, put the signature together.
// Not the signatures themselves (signature.hpp).
#pragma once

#include "hanse/crypto/signature.hpp"

namespace hanse {

/// Whether `part` is its signer's signature of the message on behalf of `on_behalf_of` (what sign_member makes). Not
/// whether the signer is a member.
bool verify_member(const member_signature& part, const identity& on_behalf_of, const digest& message_hash) noexcept;

/// The individuals that can sign for `group`, at any depth, ascending; those in nested groups that `table` lacks are
/// missing. An individual signs for itself. Precondition: check_nesting, or a table from a decoder with few groups.
std::vector<identity> signers_for(const identity& group, const composite_table& table);

/// The signature that verifies as `group`'s: the parts in order, with the descriptors that they need.
/// Errors: those of verify_composite (`threshold_not_met` while parts are missing).
expected<composite_signature> compose(const identity& group, const composite_table& table, const digest& message_hash,
                                      std::vector<member_signature> parts);

} // namespace hanse
