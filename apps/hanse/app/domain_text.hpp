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

} // namespace hanse::app
