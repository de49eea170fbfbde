// A domain's configuration as a readable JSON file that people pass around to sign, and read back checked.
// Not the octets that are signed (domains/domain_advert.hpp): those follow from the fields, so what one reads is what
// one signs. The keys are described in docs/domains.md.
#pragma once

#include "hanse/crypto/signature.hpp"
#include "hanse/domains/domain_advert.hpp"

#include <filesystem>

namespace hanse::app {

struct domain_file {
  domain_config config;
  composite_table groups;                   ///< behind config.domain, if it is a group; nested ones too
  std::vector<member_signature> signatures; ///< of this configuration, each verified; ascending by signer
};

/// Reads what `hanse domain create --config` takes: all keys but those of the owner. `base` is what keys that are not
/// there leave as it is. Errors: `bad_config` with every problem and its place.
expected<domain_config> parse_domain_settings(std::string_view text, const std::filesystem::path& file,
                                              const domain_config& base);

/// Reads a domain file. Errors: `bad_config`, `bad_signature` (a signature of another text: the file was edited after
/// it was signed), `wrong_signer` (by somebody who does not sign for the domain).
expected<domain_file> parse_domain_file(std::string_view text, const std::filesystem::path& file);

std::string encode_domain_file(const domain_file& domain);

/// Adds a signature, which is verified. Errors: `bad_signature`, `wrong_signer`, `already_exists`.
expected<unit> add_signature(domain_file& domain, const member_signature& part);

/// The signed advert. Error: `threshold_not_met` while signatures are missing.
expected<signed_domain_advert> complete(const domain_file& domain);

/// Reads "membership=name/1", or "membership.key=value", into `stack`. Errors: `bad_value`.
expected<unit> set_protocol(protocol_stack& stack, std::string_view text);
expected<unit> set_parameter(protocol_stack& stack, std::string_view text);

} // namespace hanse::app
