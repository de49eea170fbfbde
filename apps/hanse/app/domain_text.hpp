// A domain's configuration for people and as JSON: what create, sign and show print.
// Not the file's own form (domain_file.hpp).
#pragma once

#include "hanse/app/command.hpp"
#include "hanse/app/domain_file.hpp"

namespace hanse::app {

/// Prints the configuration; then either the ticket, or who has signed and who still can. `file` is for the advice and
/// may be empty.
void print_domain(command_context& c, const domain_file& domain, const std::string& file);

/// The same of an advert that is complete.
void print_domain(command_context& c, const signed_domain_advert& advert);

/// A signed advert out of a ticket, a file with one, or a complete domain file. Errors: those of reading and
/// verifying; `threshold_not_met` while signatures are missing.
expected<signed_domain_advert> read_domain_advert(const std::string& ticket_or_file);

} // namespace hanse::app
