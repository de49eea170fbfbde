// Prints domains.
// Names and parameters come from others: they are checked to be without control characters when decoded.
#include "hanse/app/domain_text.hpp"

#include "hanse/app/json_document.hpp"
#include "hanse/app/text_file.hpp"
#include "hanse/crypto/signature_collection.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

namespace hanse::app {
namespace {

using nlohmann::json;

json json_of(const stack_protocol& p) {
  return {{"protocol", to_string(p.id)}, {"parameters", p.parameters}};
}

json json_of(const protocol_stack& s) {
  return {{"membership", json_of(s.membership)},
          {"dissemination", json_of(s.dissemination)},
          {"storage", json_of(s.storage)}};
}

json json_of(const std::vector<introducer>& list) {
  auto all = json::array();
  for (const auto& i : list) {
    auto addresses = json::array();
    if (const auto advert = decode_node_advert(i.advert))
      for (const auto& a : advert->value.addresses) addresses.push_back(a.address);
    all.push_back({{"node", to_string(i.node)}, {"addresses", addresses}});
  }
  return all;
}

json json_of(const domain_config& c) {
  json j{{"domain", to_string(c.domain)},
         {"version", c.version},
         {"name", c.name},
         {"auth", to_string(c.auth)},
         {"join_level", c.join_level},
         {"protocols", json_of(c.stack)},
         {"introducers", json_of(c.introducers)},
         {"own_stacks", c.own_stacks},
         {"instances", json::array()}};
  for (std::size_t i = 0; i < domain_actions; ++i)
    j["permissions"][std::string{to_string(static_cast<domain_action>(i))}] = c.permissions.level_max[i];
  for (const auto& i : c.instances) {
    json instance{{"name", i.name}, {"introducers", json_of(i.introducers)}};
    if (i.stack) instance["protocols"] = json_of(*i.stack);
    j["instances"].push_back(std::move(instance));
  }
  return j;
}

void print_protocol(std::ostream& out, const char* label, const stack_protocol& p) {
  out << label << to_string(p.id);
  for (const auto& [key, value] : p.parameters) out << "  " << key << '=' << value;
  out << '\n';
}

void print_stack(std::ostream& out, const protocol_stack& s) {
  print_protocol(out, "membership     ", s.membership);
  print_protocol(out, "dissemination  ", s.dissemination);
  print_protocol(out, "storage        ", s.storage);
}

void print_introducers(std::ostream& out, const std::vector<introducer>& list) {
  for (const auto& i : json_of(list)) {
    out << "introducer     " << i.at("node").get<std::string>();
    for (const auto& a : i.at("addresses")) out << "  " << a.get<std::string>();
    out << '\n';
  }
}

void print_config(std::ostream& out, const domain_config& c) {
  out << to_string(c.domain) << '\n';
  if (!c.name.empty()) out << "name           " << c.name << '\n';
  out << "version        " << c.version << '\n';
  out << "who may join   "
      << (c.auth == auth_mechanism::psk ? "who knows the pre-shared key" : "whoever asks an introducer")
      << ", at level " << unsigned{c.join_level} << '\n';
  print_stack(out, c.stack);
  out << "levels up to   ";
  for (std::size_t i = 0; i < domain_actions; ++i)
    out << (i == 0 ? "" : "  ") << to_string(static_cast<domain_action>(i)) << ' '
        << unsigned{c.permissions.level_max[i]};
  out << '\n';
  print_introducers(out, c.introducers);
  if (c.own_stacks) out << "instances      may run protocols of their own\n";
  for (const auto& i : c.instances) {
    out << "instance       " << i.name << (i.stack ? ", with these protocols:" : "") << '\n';
    if (i.stack) print_stack(out, *i.stack);
    print_introducers(out, i.introducers);
  }
}

json identities(const std::vector<identity>& list) {
  auto all = json::array();
  for (const auto& id : list) all.push_back(to_string(id));
  return all;
}

} // namespace

void print_domain(command_context& c, const domain_file& domain, const std::string& file) {
  std::vector<identity> signed_by, unsigned_by;
  for (const auto& part : domain.signatures) signed_by.push_back(part.signer);
  for (const auto& id : signers_for(domain.config.domain, domain.groups))
    if (!std::ranges::binary_search(signed_by, id)) unsigned_by.push_back(id);
  const auto advert = complete(domain);
  auto j = json_of(domain.config);
  j["complete"] = advert.has_value();
  j["signed_by"] = identities(signed_by);
  j["not_signed_by"] = identities(unsigned_by);
  j["ticket"] = advert ? json(to_ticket(*advert)) : json(nullptr);
  c.print(j, [&] {
    print_config(c.out, domain.config);
    for (const auto& id : signed_by) c.out << "signed by      " << to_string(id) << '\n';
    if (advert) {
      c.out << "\nThe signatures are enough. The ticket, for who wants to join:\n" << to_ticket(*advert) << '\n';
      return;
    }
    for (const auto& id : unsigned_by) c.out << "not yet by     " << to_string(id) << '\n';
    const auto group = domain.groups.find(domain.config.domain);
    if (group != domain.groups.end())
      c.out << "threshold      " << group->second.threshold << " of the owner's members' weights\n";
    c.out << "\nSignatures are missing. Whoever holds one of these keys signs the file and hands it on:\n"
          << "  hanse domain sign " << (file.empty() ? "FILE" : file) << " --key KEYFILE\n";
  });
}

void print_domain(command_context& c, const signed_domain_advert& advert) {
  auto j = json_of(advert.value);
  j["complete"] = true;
  j["ticket"] = to_ticket(advert);
  c.print(j, [&] {
    print_config(c.out, advert.value);
    c.out << "\nSigned by its owner. The ticket:\n" << to_ticket(advert) << '\n';
  });
}

expected<signed_domain_advert> read_domain_advert(const std::string& ticket_or_file) {
  if (ticket_or_file.starts_with("hdomain1") || ticket_or_file.starts_with("HDOMAIN1"))
    return parse_domain_ticket(ticket_or_file);
  HANSE_TRY(const auto text, read_text_file(ticket_or_file, json_file_size_max));
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos || text[first] != '{')
    return parse_domain_ticket(text.substr(0, text.find_last_not_of(" \t\r\n") + 1));
  HANSE_TRY(const auto domain, parse_domain_file(text, ticket_or_file));
  return complete(domain);
}

} // namespace hanse::app
