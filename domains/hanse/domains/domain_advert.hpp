// DomainAdvert: a domain's configuration, signed by its owner, who may be a group; and as a ticket to paste.
// Not where adverts are kept and how they travel (domain_advert_store.hpp). Spec "Addressing". Layout: docs/domains.md.
#pragma once

#include "hanse/domains/domain_config.hpp"

namespace hanse {

/// Octets, signature included. A group of 64 leaves on one level takes 9 KiB of them; with nested groups it can be more
/// than fits, which `attach` refuses.
inline constexpr std::size_t domain_advert_size_max = 32 * 1024;
inline constexpr std::string_view domain_ticket_prefix = "hdomain";
inline constexpr std::size_t domain_ticket_size_max =
    56 * 1024; ///< characters; one with two introducers has about 1200

using signed_domain_advert = signed_advert<domain_config>; ///< `wire` has at most domain_advert_size_max octets

/// What the owner signs; for a group each member by sign_member (crypto/signature.hpp). Precondition: check(config).
digest hash_to_sign(const domain_config& config);

/// Signs as an individual. Preconditions: key.identity() == config.domain, check(config).
signed_domain_advert sign(const domain_config& config, const key_pair& key);

/// Puts together a configuration and the signature of its owner, and verifies both as a reader will.
/// Errors: those of `check` and of decode_domain_advert.
expected<signed_domain_advert> attach(const domain_config& config, const message_signature& signature);

/// Reads and verifies, strictly: the owner's signature, then the signatures of the introducers' node adverts.
/// Errors: those of msgpack_reader, of `check`, of decode_message_signature and verify (`bad_signature`,
/// `threshold_not_met`, `wrong_signer`, …), `bad_version`, `weak_key`, and those of decode_node_advert.
expected<signed_domain_advert> decode_domain_advert(byte_view wire);

/// A pasteable DomainAdvert: bech32m, `hdomain1…`.
std::string to_ticket(const signed_domain_advert& advert);

/// Reads and verifies. All upper case is read as well.
/// Errors: `bad_checksum`, `bad_value`, `too_long`, `not_canonical` and those of decode_domain_advert.
expected<signed_domain_advert> parse_domain_ticket(std::string_view text);

} // namespace hanse
